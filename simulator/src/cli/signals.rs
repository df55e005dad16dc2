//! The signals that tell the program to end.

use std::fs;

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::exit::Failure;

/// What a shell adds to the number of the signal that ended a command.
pub(super) const BY_SIGNAL: i32 = 128;

/// Signals that would end the program in the middle of whatever it does, taken so that it can end in order.
pub(super) struct Signals {
    /// None under `nohup`: who ignores it at the start wants to live on.
    hangup: Option<Signal>,
    interrupt: Signal,
    quit: Signal,
    terminate: Signal,
}

impl Signals {
    /// From now on none is missed. To be called within a runtime, before anything that a signal could leave behind.
    pub(super) fn listen() -> Result<Self, Failure> {
        let take = |kind| signal(kind).map_err(Failure::internal);
        let hangup = SignalKind::hangup();
        Ok(Self {
            hangup: if is_ignored(hangup) { None } else { Some(take(hangup)?) },
            interrupt: take(SignalKind::interrupt())?,
            quit: take(SignalKind::quit())?,
            terminate: take(SignalKind::terminate())?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> SignalKind {
        let hangup = async {
            match &mut self.hangup {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = hangup => SignalKind::hangup(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
            _ = self.quit.recv() => SignalKind::quit(),
            _ = self.terminate.recv() => SignalKind::terminate(),
        }
    }

    /// One that has come already.
    pub(super) async fn come(&mut self) -> Option<SignalKind> {
        tokio::select! {
            biased;
            kind = self.next() => Some(kind),
            () = std::future::ready(()) => None,
        }
    }
}

/// Whether who started the program had it ignore this signal. Where the system does not tell, it is taken for not ignored.
fn is_ignored(kind: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask & (1 << (kind.as_raw_value() - 1)) != 0
}
