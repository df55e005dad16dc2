//! The options of `d1sim scenario`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

#[derive(Debug, Args)]
pub(in crate::cli) struct Scenario {
    #[command(subcommand)]
    pub(in crate::cli) command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ScenarioCommand {
    /// Say everything that is wrong with scenario files, without playing them; exit code 64 if anything is
    Check(CheckScenarios),
    /// Print the JSON Schema of scenario files
    Schema,
    /// Print the names and titles of scenarios: those of the library, or of files
    List(ListScenarios),
    /// Tell a scenario in plain English, step by step
    Explain(ExplainScenario),
    /// Write a small scenario that works, to begin with, and the schema beside it; nothing is overwritten
    New(NewScenario),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct CheckScenarios {
    /// Files, or folders with files that end in .yaml; those that begin with _ are only included
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
