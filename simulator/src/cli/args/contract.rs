//! The options of `d1sim contract`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct Contract {
    #[command(subcommand)]
    pub(in crate::cli) command: ContractCommand,
    /// Read the cases from this folder instead of those built in
    #[arg(long, value_name = "DIR", global = true)]
    pub(in crate::cli) cases: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ContractCommand {
    /// Print every cell of the contract with the number of its cases; exit code 2 if one has none
    Coverage(Coverage),
    /// Print the id and the reason of every case
    List,
    /// Print a case as JSON
    Show(Show),
    /// Run the cases over real mutual TLS, against the client of this project or your own (--exec)
    Run(Box<Run>),
    /// Serve cases for a client that you run by hand, each at an address of its own, and print what comes, until Ctrl-C
    Serve(ServeCases),
    /// Run the cases against clients that are broken on purpose; exit code 6 if one passes them all
    Sabotage(Sabotage),
    /// Print a JSON Schema
    Schema(Schema),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Coverage {
    /// Cells that may lack a case: a YAML list of {pattern, reason, until}; exit code 5 once an entry is good for nothing
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) exempt: Option<PathBuf>,
    /// Print instead which cells the journal of a sandbox has touched, saved to a file or asked of its admin port; exit code
    /// 1 if it holds an answer that no document lists
    #[arg(long, value_name = "FILE|URL", conflicts_with_all = ["exempt", "cases"])]
    pub(in crate::cli) journal: Option<String>,
    /// The bearer of that admin port, if it asks for one
    #[arg(long, value_name = "FILE", requires = "journal")]
    pub(in crate::cli) admin_token_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Schema {
    /// Of what
    #[arg(value_enum, value_name = "case|good|transport|receiver|report")]
    pub(in crate::cli) of: SchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum SchemaOf {
    /// A file of cases, for --cases
    Case,
    /// The good answers of a folder of cases, good.yaml
    Good,
    /// The catalogue of faults of a folder of cases, transport.yaml; it refers to that of cases as case.schema.json
    Transport,
    /// A file of cases of receivers, for --cases (below its folder outbound)
    Receiver,
    /// The report of --json
    Report,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Sabotage {
    /// Run the cases of receivers against receivers that are broken on purpose instead
    #[arg(long)]
    pub(in crate::cli) receiver: bool,
    /// Write the kill matrix as JSON
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) json: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The case
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: String,
}

/// Which receiver is run against.
#[derive(Debug, Clone)]
pub(in crate::cli) enum ReceiverTarget {
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
pub(in crate::cli) struct Run {
    /// Run them against the client behind this program instead, which is told of each call on stdin and tells on stdout
    /// what came of it (contracts/shims/PROTOCOL.md); words and quotes as in a shell, nothing is expanded
    #[arg(long, value_name = "COMMAND")]
    pub(in crate::cli) exec: Option<d1_contracts::ShimCommand>,
    /// Play D1's side of notifications instead, against the receiver of this project (self) or the one at this URL
    #[arg(long, value_name = "self|URL", conflicts_with = "exec")]
    pub(in crate::cli) receiver: Option<ReceiverTarget>,
    /// The sandbox folder whose certificates and keys D1 shows to that receiver; with the client credentials of its
    /// sandbox.yaml (gateways[0].receiver.oauth), if there are some
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox", requires = "receiver")]
    pub(in crate::cli) sandbox: PathBuf,
    /// A program or an http URL that tells what the receiver knows of a token (contracts/shims/RECEIVER.md); without it only
    /// its answers are judged
    #[arg(long, value_name = "COMMAND|URL", requires = "receiver")]
    pub(in crate::cli) probe: Option<d1_contracts::Probe>,
    /// Seed of the tokens and events for that receiver; without it a new one each time, which is printed
    #[arg(long, value_name = "N", requires = "receiver")]
    pub(in crate::cli) seed: Option<u64>,
    /// Run only the cases whose id contains this
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) filter: Option<String>,
    /// Also run the cases against every broken client (or receiver), so that a cell can be proven, not only seen. Takes a while
    #[arg(long)]
    pub(in crate::cli) kills: bool,
    /// Cases that are known to fail: a YAML list of {pattern, reason, until}, with * for any letters of an id; exit code 5
    /// if one passes, if a pattern matches no case, or after its last day
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) known_failing: Option<PathBuf>,
    /// Cells that may lack a case: a list of the same form, of cells; what is documented may not
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) exempt: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) reports: ReportFiles,
    /// Colours in the matrix: auto for a terminal without NO_COLOR
    #[arg(long, value_enum, value_name = "auto|always|never", default_value = "auto")]
    pub(in crate::cli) color: ColorWhen,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ServeCases {
    /// Serve only the cases whose id contains this; at most 100 are served at once
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) filter: Option<String>,
    /// The sandbox folder whose certificates and keys D1 and the client have
    #[arg(long, value_name = "DIR", default_value = "d1-sandbox")]
    pub(in crate::cli) sandbox: PathBuf,
}

/// Where the reports of a run go.
#[derive(Debug, Args)]
pub(in crate::cli) struct ReportFiles {
    /// Write the report as JSON (`d1sim contract schema report` prints its schema)
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) json: Option<PathBuf>,
    /// Write the report as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) junit: Option<PathBuf>,
    /// Write the report as Markdown, e.g. for the summary of a job
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) md: Option<PathBuf>,
    /// Write the report as one HTML page that needs nothing but itself
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Write all exchanges as HAR 1.2, without what is secret in them
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) har: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ColorWhen {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}
