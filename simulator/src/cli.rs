//! The command line of `d1sim`: the only place that prints.

mod admin_port;
mod args;
mod banner;
mod bench;
mod cards;
mod contract;
mod errors;
mod exec;
mod exit;
mod explain;
mod folder;
mod init;
mod jose;
mod journal;
mod pki;
mod reference;
mod scenario;
mod serve;
mod signals;

pub use contract::{
    OwnClient, OwnReceiver, broken_receiver_props, contract_props, contract_stage, own_d1_props,
    receiver_d1_props,
};
pub use errors::{ErrorWays, Natural, error_ways};
pub use exit::Exit;

use std::error::Error;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use args::{Cli, Command};
use exit::Failure;

/// Runs the program and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version go to stdout and are no fault; a closed pipe is the reader's wish.
            let _ = usage.print();
            let is_exec = std::env::args_os().nth(1).is_some_and(|name| name == "exec");
            return match usage.use_stderr() {
                true if is_exec => Exit::Exec,
                true => Exit::Usage,
                false => Exit::Ok,
            }
            .into();
        }
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => {
            say(&format!("d1sim: {}", chain(failure.error.as_ref())));
            failure.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Init(args) => init::run(&args),
        Command::Cards(args) => cards::run(&args),
        Command::Errors(args) => errors::run(&args),
        Command::Explain(args) => explain::run(&args),
        Command::Pki(args) => pki::run(args),
        Command::Jose(args) => jose::run(args),
        Command::Contract(args) => contract::run(args),
        Command::Exec(args) => return exec::run(args),
        Command::Scenario(args) => scenario::run(&args),
        Command::Bench(args) => bench::run(&args),
    }?;
    Ok(Exit::Ok.into())
}

/// The error and everything below it, each once.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.ends_with(&inner_text) {
            text.push_str("\n  because: ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

/// Data, to stdout.
fn print(text: &str) {
    // A reader that has gone has read what it wanted.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

/// Talk, to stderr.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
