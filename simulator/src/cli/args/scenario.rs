//! The options of `d1sim scenario`.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::super::scenario::Flaw;
use crate::config::parse_duration;

#[derive(Debug, Args)]
pub(in crate::cli) struct Scenario {
    #[command(subcommand)]
    pub(in crate::cli) command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ScenarioCommand {
    /// Play scenarios, each on a sandbox and a clock of its own, and tell what did not come as expected; exit code 1 if
    /// anything did not
    Run(Box<RunScenarios>),
    /// Say everything that is wrong with scenario files, without playing them; exit code 64 if anything is
    Check(CheckScenarios),
    /// Print a JSON Schema
    Schema(ScenarioSchema),
    /// Print the names and titles of scenarios: those of the library, or of files
    List(ListScenarios),
    /// Tell a scenario in plain English, step by step
    Explain(ExplainScenario),
    /// Write a small scenario that works, to begin with, and the schema beside it; nothing is overwritten
    New(NewScenario),
    /// Turn the journal of a sandbox into a scenario that replays it, with test cards in place of cards
    Record(RecordScenario),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ScenarioSchema {
    /// Of what: files of scenarios, or the lines that `scenario run --json` writes
    #[arg(value_enum, value_name = "scenario|transcript", default_value_t = ScenarioSchemaOf::Scenario)]
    pub(in crate::cli) of: ScenarioSchemaOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ScenarioSchemaOf {
    /// Files of scenarios
    Scenario,
    /// Lines of `scenario run --json`
    Transcript,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunScenarios {
    /// Names of the library, files, or folders: their files that end in .yaml or .yml, without those that begin with _ and
    /// those in folders below; without any the whole library
    #[arg(value_name = "NAME|FILE|DIR")]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// Seed of all that is drawn, over the one that the scenario names
    #[arg(long, value_name = "N", conflicts_with = "seeds")]
    pub(in crate::cli) seed: Option<u32>,
    /// Play with each of these seeds, up to the first that fails
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    pub(in crate::cli) seeds: Option<RangeInclusive<u32>>,
    /// A value for a parameter of the scenario, e.g. merchants=50; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) set: Vec<(String, String)>,
    /// Play only the scenarios whose name contains this
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) filter: Option<String>,
    /// Play on the sandbox with this admin port, each scenario in gateways of its own, which are deleted afterwards; its clock
    /// must be manual
    #[arg(long, value_name = "URL", conflicts_with_all = ["seed", "seeds"])]
    pub(in crate::cli) attach: Option<String>,
    /// The file with the bearer that this admin port asks for
    #[arg(long, value_name = "FILE", requires = "attach")]
    pub(in crate::cli) admin_token_file: Option<PathBuf>,
    /// With --attach: wait so long, in real time, while somebody else has the clock of that sandbox
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = duration, requires = "attach")]
    pub(in crate::cli) clock_wait: Duration,
    /// The folder with the certificates and keys that your system has too; needed where a part of it takes part. With
    /// --attach: where the folder of that sandbox is seen from here [default: d1-sandbox, or with --attach the one that the
    /// sandbox names]
    #[arg(long, value_name = "DIR")]
    pub(in crate::cli) sandbox: Option<PathBuf>,
    /// Notify the receiver at this URL wherever a scenario has ours; those that shut ours down are put aside
    #[arg(long, value_name = "URL", conflicts_with = "attach")]
    pub(in crate::cli) receiver: Option<d1_contracts::ReceiverUrl>,
    /// So many at once, with --attach at most 32 [default: the number of cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(in crate::cli) jobs: Option<u16>,
    /// A program or an http URL that tells what your receiver knows of a token (contracts/shims/RECEIVER.md), where the
    /// scenario names none
    #[arg(long, value_name = "COMMAND|URL")]
    pub(in crate::cli) probe: Option<d1_contracts::Probe>,
    /// Break our client or our receiver in this way, to see a scenario tell it
    #[arg(long, value_enum, value_name = "FLAW")]
    pub(in crate::cli) flaw: Option<Flaw>,
    #[command(flatten)]
    pub(in crate::cli) files: ScenarioFiles,
}

/// Where the reports of a run go.
#[derive(Debug, Args)]
pub(in crate::cli) struct ScenarioFiles {
    /// Write the transcript; of several scenarios one NAME.txt each, into this folder
    #[arg(long, value_name = "FILE|DIR")]
    pub(in crate::cli) transcript: Option<PathBuf>,
    /// Write a timeline as one HTML page that needs nothing but itself; of several scenarios one NAME.html each, into this
    /// folder
    #[arg(long, value_name = "FILE|DIR")]
    pub(in crate::cli) html: Option<PathBuf>,
    /// Write what came of it as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) junit: Option<PathBuf>,
    /// Write everything as JSON, an object a line
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) json: Option<PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    let expected = "expected a duration of at most 1h, e.g. 90s or 0s";
    parse_duration(text).filter(|time| *time <= Duration::from_hours(1)).ok_or_else(|| expected.to_owned())
}

/// The most seeds of one run.
const MOST_SEEDS: u32 = 100_000;

fn seeds(text: &str) -> Result<RangeInclusive<u32>, String> {
    let expected = "expected A..B with A at most B, e.g. 1..200";
    let (first, last) = text.split_once("..").ok_or(expected)?;
    let last = last.strip_prefix('=').unwrap_or(last);
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| expected.to_owned());
    let (first, last) = (number(first)?, number(last)?);
    if first > last || last - first >= MOST_SEEDS {
        return Err(format!("{expected}, at most {MOST_SEEDS} of them"));
    }
    Ok(first..=last)
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckScenarios {
    /// Files, or folders: their files that end in .yaml or .yml, not those in folders below; those that begin with _ are only
    /// included
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// A value for a parameter of the scenario, e.g. merchants=50; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ListScenarios {
    /// Files or folders; without any the library that is built in
    #[arg(value_name = "FILE|DIR")]
    pub(in crate::cli) paths: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct ExplainScenario {
    /// A scenario of the library, or a file
    #[arg(value_name = "NAME|FILE", required_unless_present = "steps")]
    pub(in crate::cli) scenario: Option<String>,
    /// Explain every kind of step instead, with an example of each
    #[arg(long, conflicts_with = "scenario")]
    pub(in crate::cli) steps: bool,
    /// A value for a parameter of the scenario, e.g. merchants=50; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) set: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NewScenario {
    /// Its name: small letters, digits and hyphens; the file is NAME.yaml
    #[arg(value_name = "NAME")]
    pub(in crate::cli) name: String,
    /// What it is about
    #[arg(long, value_enum, value_name = "payment|lifecycle|fault|outside", default_value_t = Template::Payment)]
    pub(in crate::cli) template: Template,
}

#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("source").required(true).args(["admin", "journal"])))]
pub(in crate::cli) struct RecordScenario {
    /// The admin port of the sandbox whose journal it is
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) admin: Option<String>,
    /// The file with the bearer that this admin port asks for
    #[arg(long, value_name = "FILE", requires = "admin")]
    pub(in crate::cli) admin_token_file: Option<PathBuf>,
    /// A journal that was kept, as `GET /journal` gives it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) journal: Option<PathBuf>,
    /// Whose doings are played; needed where several gateways call D1
    #[arg(long, value_name = "ID")]
    pub(in crate::cli) gateway: Option<String>,
    /// The name of the scenario: small letters, digits and hyphens
    #[arg(long, value_name = "NAME", default_value = "recorded")]
    pub(in crate::cli) name: String,
    /// Where it goes, instead of stdout; never overwritten
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Template {
    /// A merchant, a token, a payment
    Payment,
    /// The issuer suspends a token and resumes it
    Lifecycle,
    /// D1 is overloaded for a while
    Fault,
    /// Your own system calls D1 and is notified
    Outside,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, e.g. merchants=50")?;
    if name.is_empty() {
        return Err("expected a name before the `=`".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
