//! The options of `d1sim scenario`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub(in crate::cli) struct Scenario {
    #[command(subcommand)]
    pub(in crate::cli) command: ScenarioCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum ScenarioCommand {
    /// Play scenarios, each on a sandbox and a clock of its own, and tell what did not come as expected; exit code 1 if
    /// anything did not
    Run(RunScenarios),
}

#[derive(Debug, Args)]
pub(in crate::cli) struct RunScenarios {
    /// Files, or folders with files that end in .yaml; those that begin with _ are only included
    #[arg(value_name = "FILE|DIR", required = true)]
    pub(in crate::cli) paths: Vec<PathBuf>,
    /// Seed of all that is drawn, over the one that the scenario names
    #[arg(long, value_name = "N")]
    pub(in crate::cli) seed: Option<u32>,
    /// A value for a parameter of the scenario, e.g. merchants=50; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = assignment)]
    pub(in crate::cli) set: Vec<(String, String)>,
}

fn assignment(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE, e.g. merchants=50")?;
    if name.is_empty() {
        return Err("expected a name before the `=`".to_owned());
    }
    Ok((name.to_owned(), value.to_owned()))
}
