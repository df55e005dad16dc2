//! Commands and options.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// A sandbox for Thales D1 eCom Enablement. TEST ONLY, not affiliated with Thales.
#[derive(Debug, Parser)]
#[command(name = "d1sim", version, max_term_width = 100, args_conflicts_with_subcommands = true)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) serve: Serve,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run the sandbox (the default command)
    Serve(Serve),
    /// Make a sandbox folder: certificates, keys and configuration
    Init(Init),
    /// Print the test cards
    Cards(Cards),
    /// Play the vendor's certificate authority
    Pki(Pki),
    /// Make assertions, seal cards and open answers. Prints secrets of the sandbox to stdout
    Jose(Jose),
    /// Show what the contract holds, and prove what a client makes of it
    Contract(Contract),
    /// Measure the sandbox against a bare server behind the same listener
    Bench(Bench),
}

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// The configuration; without it ./d1-sandbox/sandbox.yaml, made on the first run
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where gateways call; port 0 takes a free one [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) api: Option<SocketAddr>,
    /// The admin port; port 0 takes a free one [default: 127.0.0.1:8444]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(super) admin: Option<SocketAddr>,
    /// A file whose content the admin port asks for as a bearer; needed beyond loopback
    #[arg(long, value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// Where the first gateway's notifications go [default: https://127.0.0.1:8445]
    #[arg(long, value_name = "URL")]
    pub(super) receiver: Option<String>,
    /// The authority that signed the receiver's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) receiver_ca: Option<PathBuf>,
    /// Seed of identifiers, DPANs and jitter; without it a new one each time
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Where the time comes from
    #[arg(long, value_enum, value_name = "real|manual")]
    pub(super) clock: Option<ClockKind>,
    /// A file that gets the addresses as JSON once both ports listen
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClockKind {
    /// The system's time
    Real,
    /// Starts at the system's time and moves only when told (POST /clock/advance)
    Manual,
}

#[derive(Debug, Args)]
pub(super) struct Init {
    /// The folder to make
    #[arg(value_name = "DIR", default_value = "d1-sandbox")]
    pub(super) dir: PathBuf,
    /// A merchant gateway; repeat it for more than one
    #[arg(long, value_name = "ID", default_value = "MGW_000001")]
    pub(super) gateway: Vec<String>,
    /// The environment that the certificates name: PPR (PreProd) or PRD (Production)
    #[arg(long, value_name = "ENV", default_value = "PPR")]
    pub(super) env: d1_fixtures::Environment,
    /// The kind of the gateways' client keys: ec (P-256) or rsa (4096 bits, slow to make)
    #[arg(long, value_name = "KIND", default_value = "ec")]
    pub(super) key: d1_fixtures::KeyKind,
    /// One more name or address for the server certificates; may be repeated
    #[arg(long, value_name = "NAME")]
    pub(super) san: Vec<String>,
    /// Overwrite what is there
    #[arg(long)]
    pub(super) force: bool,
}

#[derive(Debug, Args)]
pub(super) struct Cards {
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(super) struct Pki {
    #[command(subcommand)]
    pub(super) command: PkiCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum PkiCommand {
    /// Sign a gateway's certificate request as the vendor would
    Sign(Sign),
}

#[derive(Debug, Args)]
pub(super) struct Sign {
    /// The request (PEM): RSA 4096 or ECDSA P-256, SHA-256, CN as sandbox.yaml says
    #[arg(value_name = "FILE.csr")]
    pub(super) csr: PathBuf,
    /// Where the certificate goes; never overwritten
    #[arg(long, value_name = "FILE.pem")]
    pub(super) out: PathBuf,
    /// The sandbox folder
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox")]
    pub(super) sandbox: PathBuf,
}

#[derive(Debug, Args)]
pub(super) struct Jose {
    #[command(subcommand)]
    pub(super) command: JoseCommand,
}

#[derive(Debug, Subcommand)]
pub(super) enum JoseCommand {
    /// Print an assertion for the token endpoint
    Assert(Assert),
    /// Print a card sealed toward D1, as createToken takes it
    Seal(Seal),
    /// Open a JWE that D1 sealed toward the gateway
    Open(Open),
}

#[derive(Debug, Args)]
pub(super) struct Keys {
    /// The sandbox folder
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox")]
    pub(super) sandbox: PathBuf,
    /// The gateway; without it the first of sandbox.yaml
    #[arg(long, value_name = "ID")]
    pub(super) gateway: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Assert {
    #[command(flatten)]
    pub(super) keys: Keys,
    /// How long the assertion is good for, e.g. 90s or 15m; D1 takes at most 15m
    #[arg(long, value_name = "DURATION", default_value = "5m")]
    pub(super) life: String,
    /// Take the time from the sandbox with this admin port; needed where its clock is manual
    #[arg(long, value_name = "URL", conflicts_with = "at")]
    pub(super) admin: Option<String>,
    /// The file with the bearer that this admin port asks for
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub(super) admin_token_file: Option<PathBuf>,
    /// Make it as if at this moment (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(super) at: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Seal {
    /// The sandbox folder
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox")]
    pub(super) sandbox: PathBuf,
    /// A card of the table that `d1sim cards` prints
    #[arg(long, value_name = "NAME", default_value = "approve", conflicts_with_all = ["pan", "exp"])]
    pub(super) card: String,
    /// Another card number. Never a real one
    #[arg(long, value_name = "DIGITS", requires = "exp")]
    pub(super) pan: Option<String>,
    /// The expiry date of that card
    #[arg(long, value_name = "MMYY", requires = "pan")]
    pub(super) exp: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Bench {
    /// The sandbox folder
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox")]
    pub(super) sandbox: PathBuf,
    /// How long each operation is driven
    #[arg(long, value_name = "N", default_value = "5", value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) seconds: u64,
    /// Connections that drive it
    #[arg(long, value_name = "N", default_value = "50", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) connections: u32,
    /// Tokens that the sandbox holds before it is measured
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_900_000))]
    pub(super) tokens: u32,
    /// Instead, open so many idle connections to a sandbox that runs already, and see whether it still answers
    #[arg(long, value_name = "N", requires = "api", value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub(super) idle: Option<u32>,
    /// Where that sandbox listens
    #[arg(long, value_name = "ADDR:PORT", requires = "idle")]
    pub(super) api: Option<SocketAddr>,
}

#[derive(Debug, Args)]
pub(super) struct Open {
    #[command(flatten)]
    pub(super) keys: Keys,
    /// The JWE, or an answer with `encryptedData` in it; without it, or with -, from stdin
    #[arg(value_name = "JWE")]
    pub(super) jwe: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct Contract {
    #[command(subcommand)]
    pub(super) command: ContractCommand,
    /// Read the cases from this folder instead of those built in
    #[arg(long, value_name = "DIR", global = true)]
    pub(super) cases: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(super) enum ContractCommand {
    /// Print every cell of the contract with the number of its cases; exit code 2 if one has none
    Coverage(Coverage),
    /// Print the id and the reason of every case
    List,
    /// Print a case as JSON
    Show(Show),
    /// Run the cases over real mutual TLS, against the client of this project or your own (--exec)
    Run(Box<Run>),
    /// Run the cases against clients that are broken on purpose; exit code 6 if one passes them all
    Sabotage(Sabotage),
    /// Print a JSON Schema
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(super) struct Coverage {
    /// Cells that may lack a case: a YAML list of {pattern, reason, until}; exit code 5 once an entry is good for nothing
    #[arg(long, value_name = "FILE")]
    pub(super) exempt: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Schema {
    /// Of what
    #[arg(value_enum, value_name = "case|report")]
    pub(super) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum SchemaOf {
    /// A file of cases, for --cases
    Case,
    /// The report of --json
    Report,
}

#[derive(Debug, Args)]
pub(super) struct Sabotage {
    /// Run the cases of receivers against receivers that are broken on purpose instead
    #[arg(long)]
    pub(super) receiver: bool,
    /// Write the kill matrix as JSON
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The case
    #[arg(value_name = "ID")]
    pub(super) id: String,
}

/// Which receiver is run against.
#[derive(Debug, Clone)]
pub(super) enum ReceiverTarget {
    /// That of the client crate, in process.
    Own,
    /// Somebody's.
    At(d1_contracts::ReceiverUrl),
}

impl std::str::FromStr for ReceiverTarget {
    type Err = d1_contracts::UrlError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "self" { Ok(Self::Own) } else { text.parse().map(Self::At) }
    }
}

#[derive(Debug, Args)]
pub(super) struct Run {
    /// Run them against the client behind this program instead, which is told of each call on stdin and tells on stdout
    /// what came of it (contracts/shims/PROTOCOL.md); words and quotes as in a shell, nothing is expanded
    #[arg(long, value_name = "COMMAND")]
    pub(super) exec: Option<d1_contracts::ShimCommand>,
    /// Play D1's side of notifications instead, against the receiver of this project (self) or the one at this URL
    #[arg(long, value_name = "self|URL", conflicts_with_all = ["exec", "kills", "known_failing", "exempt"])]
    pub(super) receiver: Option<ReceiverTarget>,
    /// The sandbox folder whose certificates and keys D1 shows to that receiver; with the client credentials of its
    /// sandbox.yaml (gateways[0].receiver.oauth), if there are some
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox", requires = "receiver")]
    pub(super) sandbox: PathBuf,
    /// A program that tells what the receiver knows of a token (contracts/shims/RECEIVER.md); without it only its answers
    /// are judged
    #[arg(long, value_name = "COMMAND", requires = "receiver")]
    pub(super) probe: Option<d1_contracts::ShimCommand>,
    /// Run only the cases whose id contains this
    #[arg(long, value_name = "TEXT")]
    pub(super) filter: Option<String>,
    /// Also run the cases against every broken client, so that a cell can be proven, not only seen. Takes a while
    #[arg(long)]
    pub(super) kills: bool,
    /// Cases that are known to fail: a YAML list of {pattern, reason, until}, with * for any letters of an id; exit code 5
    /// if one passes, if a pattern matches no case, or after its last day
    #[arg(long, value_name = "FILE")]
    pub(super) known_failing: Option<PathBuf>,
    /// Cells that may lack a case: a list of the same form, of cells; what is documented may not
    #[arg(long, value_name = "FILE")]
    pub(super) exempt: Option<PathBuf>,
    #[command(flatten)]
    pub(super) reports: ReportFiles,
    /// Colours in the matrix: auto for a terminal without NO_COLOR
    #[arg(long, value_enum, value_name = "auto|always|never", default_value = "auto")]
    pub(super) color: ColorWhen,
}

/// Where the reports of a run go.
#[derive(Debug, Args)]
pub(super) struct ReportFiles {
    /// Write the report as JSON (`d1sim contract schema report` prints its schema)
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(super) junit: Option<PathBuf>,
    /// Write the report as Markdown, e.g. for the summary of a job
    #[arg(long, value_name = "FILE")]
    pub(super) md: Option<PathBuf>,
    /// Write the report as one HTML page that needs nothing but itself
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
    /// Write all exchanges as HAR 1.2, without what is secret in them
    #[arg(long, value_name = "FILE")]
    pub(super) har: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
