//! Commands and options.

mod answers;
mod contract;
mod scenario;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::clock::{AuthClock, ClockMode};

pub(super) use answers::{Errors, Explain};
pub(super) use contract::{
    ColorWhen, Contract, ContractCommand, Coverage, ReceiverTarget, ReportFiles, Run, Sabotage, SchemaOf,
    ServeCases, Show,
};
pub(super) use scenario::{
    CheckScenarios, ExplainScenario, ListScenarios, NewScenario, RecordScenario, RunScenarios, Scenario,
    ScenarioCommand, ScenarioFiles, ScenarioSchemaOf, Template,
};

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
    /// Run a command beside a sandbox, which ends with it; the exit code is the command's
    Exec(Exec),
    /// Make a sandbox folder: certificates, keys and configuration
    Init(Init),
    /// Print the test cards
    Cards(Cards),
    /// Print every error of the contract with the ways to get it here: by itself, by a fault, in a scenario
    Errors(Errors),
    /// Tell why a call or a handshake was refused, what says so, and what to do
    Explain(Explain),
    /// Play the vendor's certificate authority
    Pki(Pki),
    /// Make assertions, seal cards and open answers. Prints secrets of the sandbox to stdout
    Jose(Jose),
    /// Show what the contract holds, and prove what a client makes of it
    Contract(Contract),
    /// Script bad days: play scenario files, check, list, explain, begin and record them
    Scenario(Scenario),
    /// Measure the sandbox against a bare server behind the same listener
    Bench(Bench),
}

#[derive(Debug, Default, Args)]
pub(super) struct Serve {
    /// The configuration; without it ./d1-sandbox/sandbox.yaml, made on the first run
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Where gateways call; port 0 takes a free one [default: 127.0.0.1:8443]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(super) api: Option<SocketAddr>,
    /// The admin port; port 0 takes a free one [default: 127.0.0.1:8444]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(super) admin: Option<SocketAddr>,
    /// A file whose content the admin port asks for as a bearer; needed beyond loopback
    #[arg(long, value_name = "FILE")]
    pub(super) admin_token_file: Option<PathBuf>,
    #[command(flatten)]
    pub(super) conduct: Conduct,
    /// A file that gets the addresses as JSON once both ports listen
    #[arg(long, value_name = "FILE")]
    pub(super) ready_file: Option<PathBuf>,
}

/// How a sandbox behaves, wherever it listens.
#[derive(Debug, Default, Args)]
pub(super) struct Conduct {
    /// Where the first gateway's notifications go [default: https://127.0.0.1:8445]
    #[arg(long, value_name = "URL")]
    pub(super) receiver: Option<String>,
    /// The authority that signed the receiver's certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) receiver_ca: Option<PathBuf>,
    /// Seed of identifiers, DPANs and jitter; without it a new one each time
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(super) seed: Option<u64>,
    /// Where the time comes from: the system, or a clock that moves only when told (POST /clock/advance) and starts
    /// now or at TIME (RFC 3339)
    #[arg(long, value_name = "real|manual|TIME")]
    pub(super) clock: Option<ClockMode>,
    /// By which clock assertions are judged: the sandbox's own or the system's [default: system]
    #[arg(long, value_name = "sandbox|system")]
    pub(super) auth_clock: Option<AuthClock>,
    /// A D1 on its bad days: unknown members, 429 and 503, slow answers, closed connections, events twice and swapped
    #[arg(long, conflicts_with = "calm")]
    pub(super) hostile: bool,
    /// No faults but those that are set over the admin port (the default)
    #[arg(long)]
    pub(super) calm: bool,
}

#[derive(Debug, Args)]
pub(super) struct Exec {
    /// The configuration, whose addresses are left alone: the sandbox takes free ports; without it a new folder, which is
    /// removed in the end
    #[arg(long, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    #[command(flatten)]
    pub(super) conduct: Conduct,
    /// The command and its arguments. It finds D1_API, D1_ADMIN, D1_BASE (URLs), D1_GATEWAY and D1_SANDBOX (the folder with
    /// certificates and keys) in its environment
    #[arg(value_name = "COMMAND", last = true, required = true)]
    pub(super) command: Vec<std::ffi::OsString>,
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
    /// Ask the sandbox with this admin port by which clock to date it, and take the time from it if by its own
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
    #[arg(long, value_name = "ADDR:PORT", requires = "idle", value_parser = address)]
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

fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| "expected ADDR:PORT, e.g. 127.0.0.1:8443")
}
