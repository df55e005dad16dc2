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
mod targets;

pub use contract::{
    OwnClient, OwnReceiver, broken_receiver_props, contract_props, contract_stage, own_d1_props,
    receiver_d1_props,
};
pub use errors::{ErrorWays, Natural, error_ways};
pub use exit::Exit;

use std::error::Error;
use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::Parser as _;

use args::{Cli, Command};
use exit::Failure;

/// Runs the program and returns its exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(usage) => {
            // Help and version go to stdout and are no fault.
            if let Err(fault) = usage.print() {
                not_printed(fault);
            }
            let is_exec = std::env::args_os().nth(1).is_some_and(|name| name == "exec");
            return match usage.use_stderr() {
                true if is_exec => Exit::Exec,
                true => Exit::Usage,
                false => printed(),
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
    Ok(printed().into())
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

/// Why stdout could not be written: it stays so until the program ends, and who has printed in vain still cleans up and
/// writes its reports.
static STDOUT: OnceLock<std::io::Error> = OnceLock::new();

/// Data, to stdout.
fn print(text: &str) {
    let mut stdout = std::io::stdout().lock();
    if let Err(fault) = writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        not_printed(fault);
    }
}

fn not_printed(fault: std::io::Error) {
    // A reader that has gone has read what it wanted.
    if fault.kind() == ErrorKind::BrokenPipe {
        return;
    }
    let text = format!("d1sim: cannot write stdout: {fault}");
    if STDOUT.set(fault).is_ok() {
        say(&text);
    }
}

/// How a command ends that has nothing to say against it but what it printed.
fn printed() -> Exit {
    if STDOUT.get().is_some() { Exit::Resource } else { Exit::Ok }
}

/// Talk, to stderr.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}
