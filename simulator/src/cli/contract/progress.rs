//! A run while it goes on: how far it is, what it has shown so far, and that somebody may break it off.

use std::future::Future;
use std::io::IsTerminal as _;
use std::sync::{Mutex, PoisonError};

use d1_contracts::Ran;
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::super::exit::{Exit, Failure};
use super::super::signals::Signals;

/// What a run has come to.
pub(super) struct Played<T = Ran> {
    /// What the client calls itself.
    pub(super) client: String,
    /// What was run, all of it or what there was until the run broke off.
    pub(super) ran: Vec<T>,
    /// Whether it came to its end.
    pub(super) ended: Result<(), Failure>,
}

/// How far a run is: a bar on stderr if that is a terminal.
pub(super) struct Progress<T = Ran> {
    bar: ProgressBar,
    done: Mutex<Vec<T>>,
}

impl<T: Clone> Progress<T> {
    pub(super) fn of(planned: usize) -> Self {
        let seen = std::io::stderr().is_terminal();
        let target = if seen { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(u64::try_from(planned).ok(), target);
        Self { bar, done: Mutex::default() }
    }

    pub(super) fn note(&self, ran: &T) {
        self.done.lock().unwrap_or_else(PoisonError::into_inner).push(ran.clone());
        self.bar.inc(1);
    }

    /// The whole run if it came to its end, otherwise what was noted.
    pub(super) fn played(self, client: String, ended: Result<Vec<T>, Failure>) -> Played<T> {
        self.bar.finish_and_clear();
        match ended {
            Ok(ran) => Played { client, ran, ended: Ok(()) },
            Err(failure) => {
                let ran = self.done.into_inner().unwrap_or_else(PoisonError::into_inner);
                Played { client, ran, ended: Err(failure) }
            }
        }
    }
}

/// Does a piece of work, or gives it up when the process is asked to end.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Failure>>,
) -> Result<T, Failure> {
    let mut signals = Signals::listen()?;
    tokio::select! {
        ended = work => ended,
        _ = signals.next() => Err(broken_off()),
    }
}

/// By a signal.
pub(in crate::cli) fn broken_off() -> Failure {
    let error = "the run was broken off by a signal; the reports hold what was done until then";
    Failure { exit: Exit::Harness, error: error.into() }
}
