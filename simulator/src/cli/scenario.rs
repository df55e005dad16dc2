//! `d1sim scenario`: bad days as files.

mod run;
mod source;

use super::args::{Scenario, ScenarioCommand};
use super::exit::{Exit, Failure};

pub(super) fn run(args: &Scenario) -> Result<(), Failure> {
    match &args.command {
        ScenarioCommand::Run(args) => run::run(args),
    }
}

/// A folder without scenarios, or a file that is only included.
fn nothing(reason: String) -> Failure {
    Failure { exit: Exit::NothingRan, error: reason.into() }
}
