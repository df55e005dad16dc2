//! `d1sim init`.

use d1_fixtures::{InitError, Plan, write_sandbox};
use time::OffsetDateTime;

use super::args::Init;
use super::exit::Failure;
use super::folder::CONFIG;
use super::say;
use crate::clock::{Clock, ClockMode};

pub(super) fn run(args: &Init) -> Result<(), Failure> {
    let plan = Plan {
        gateways: args.gateway.clone(),
        environment: args.env,
        key: args.key,
        sans: args.san.clone(),
        now: now()?,
    };
    let files = write_sandbox(&args.dir, &plan, args.force).map_err(|error| match error {
        InitError::Exists { .. } if args.dir.join(CONFIG).exists() => {
            let cost = "makes everything anew: certificates and keys that clients and receivers have are worth nothing then";
            Failure::usage(format!("{} is a sandbox already; `--force` {cost}", args.dir.display()))
        }
        other => failure(other),
    })?;
    let (count, config) = (files.len(), args.dir.join(CONFIG));
    say(&format!(
        "made {} with {count} files; start the sandbox with: d1sim serve --config {}",
        args.dir.display(),
        config.display()
    ));
    Ok(())
}

/// Which exit code an error stands for.
pub(super) fn failure(error: InitError) -> Failure {
    match error {
        InitError::Io { .. } | InitError::Busy { .. } => Failure::resource(error),
        InitError::Pki(_) => Failure::internal(error),
        InitError::Exists { .. } => Failure::usage(format!("{error}: `d1sim init --force`")),
        InitError::Gateway { .. } | InitError::DuplicateGateway { .. } => {
            Failure::usage(format!("--gateway: {error}"))
        }
        InitError::San { .. } => Failure::usage(format!("--san: {error}")),
        _ => Failure::usage(error),
    }
}

/// The system's time, in the form that certificates want.
pub(super) fn now() -> Result<OffsetDateTime, Failure> {
    let seconds = Clock::new(ClockMode::Real).now_ms().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).map_err(Failure::internal)
}
