//! When a call may be repeated (contract C34). Pure: no time, no chance, no network.

mod after;

use std::time::Duration;

pub(crate) use after::retry_after;

use crate::error::{Error, ErrorCode, Loss};
use crate::operation::Operation;

/// What a caller may do after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Not again: it would fail again, or it could be carried out twice.
    Never,
    /// Again, whenever the caller likes; a pause that grows is good manners.
    Safe,
    /// Again, but not before this long: D1 said so.
    After(Duration),
}

/// How often and how fast the client repeats by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// Attempts in all, at least 1. A replay after a 401 is not counted. Default 4.
    pub max_attempts: u32,
    /// The pause before the second attempt; it doubles from there. Default 200 ms.
    pub first_pause: Duration,
    /// The longest pause that the client chooses. Default 5 s.
    pub max_pause: Duration,
    /// The longest `Retry-After` that the client waits for; a longer one ends the call with the error. Default 30 s.
    pub max_retry_after: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            first_pause: Duration::from_millis(200),
            max_pause: Duration::from_secs(5),
            max_retry_after: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// A policy under which nothing is repeated, except once after a 401.
    #[must_use]
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Sets [`RetryPolicy::max_attempts`].
    #[must_use]
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.max_attempts = attempts;
        self
    }

    /// Sets [`RetryPolicy::first_pause`].
    #[must_use]
    pub fn with_first_pause(mut self, pause: Duration) -> Self {
        self.first_pause = pause;
        self
    }

    /// Sets [`RetryPolicy::max_pause`].
    #[must_use]
    pub fn with_max_pause(mut self, pause: Duration) -> Self {
        self.max_pause = pause;
        self
    }

    /// Sets [`RetryPolicy::max_retry_after`].
    #[must_use]
    pub fn with_max_retry_after(mut self, pause: Duration) -> Self {
        self.max_retry_after = pause;
        self
    }

    /// The pause after `attempts` attempts: exponential, between half and the whole of the step, as `fraction`
    /// (`0.0..1.0`) says.
    pub(crate) fn pause(&self, attempts: u32, fraction: f64) -> Duration {
        let doublings = attempts.saturating_sub(1).min(31);
        let step = self.first_pause.saturating_mul(1_u32 << doublings).min(self.max_pause);
        step.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0)
    }

    /// How long to wait before the next attempt, which must begin within `room`, or `None` if `error` stands.
    pub(crate) fn next(
        &self,
        error: &Error,
        attempts: u32,
        room: Duration,
        fraction: f64,
    ) -> Option<Duration> {
        if attempts >= self.max_attempts || !repeated_by_itself(error) {
            return None;
        }
        let own = self.pause(attempts, fraction);
        let pause = match advice(error) {
            Retry::Never => return None,
            Retry::Safe => own,
            Retry::After(asked) if asked > self.max_retry_after => return None,
            Retry::After(asked) => own.max(asked),
        };
        (pause < room).then_some(pause)
    }
}

/// What an error status says about the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Not carried out, and will not be: every 4xx except 429.
    Final,
    /// Not carried out, come back later: 429, and 503 with the error object.
    Later,
    /// 500: perhaps carried out, and not retryable by its description.
    Failed,
    /// Perhaps carried out: 502, 504, and 503 without the error object, which somebody between us and D1 may have sent.
    Unknown,
    /// A status that the contract does not name: nothing can be concluded, so nothing is repeated.
    Unnamed,
}

fn verdict(status: u16, has_error_object: bool) -> Verdict {
    match status {
        429 => Verdict::Later,
        400..=499 => Verdict::Final,
        500 => Verdict::Failed,
        503 if has_error_object => Verdict::Later,
        502..=504 => Verdict::Unknown,
        _ => Verdict::Unnamed,
    }
}

/// What the caller may do (contract C34).
pub(crate) fn advice(error: &Error) -> Retry {
    let creates = error.context().operation.is_creation();
    match error {
        Error::Prepare { .. } => Retry::Never,
        Error::NoAnswer { loss, .. } => match loss {
            Loss::BeforeFirstByte | Loss::NotBegun => Retry::Safe,
            Loss::AfterFirstByte if creates => Retry::Never,
            Loss::AfterFirstByte => Retry::Safe,
            Loss::RefusedInHandshake | Loss::ServerNotTrusted | Loss::NothingInCommon => Retry::Never,
        },
        Error::Refused { status, code, retry_after, .. } => {
            let later = retry_after.map_or(Retry::Safe, Retry::After);
            match verdict(*status, code.is_some()) {
                Verdict::Final | Verdict::Failed | Verdict::Unnamed => Retry::Never,
                Verdict::Later => later,
                Verdict::Unknown if creates => Retry::Never,
                Verdict::Unknown => later,
            }
        }
        Error::Unreadable { .. } if creates => Retry::Never,
        Error::Unreadable { .. } => Retry::Safe,
    }
}

/// Whether a creation may have been carried out (contract C34).
pub(crate) fn is_ambiguous(error: &Error) -> bool {
    error.context().operation.is_creation() && in_doubt(error)
}

/// Whether D1 may have carried out what it was asked, whatever that was.
pub(crate) fn in_doubt(error: &Error) -> bool {
    match error {
        Error::Prepare { .. } => false,
        Error::NoAnswer { loss, .. } => match loss {
            Loss::AfterFirstByte => true,
            Loss::BeforeFirstByte
            | Loss::NotBegun
            | Loss::RefusedInHandshake
            | Loss::ServerNotTrusted
            | Loss::NothingInCommon => false,
        },
        Error::Refused { status, code, .. } => match verdict(*status, code.is_some()) {
            Verdict::Final | Verdict::Later => false,
            Verdict::Failed | Verdict::Unknown | Verdict::Unnamed => true,
        },
        Error::Unreadable { .. } => true,
    }
}

/// What the client repeats by itself (contract C34): less than what a caller may repeat. A creation whose connection
/// could not be made, or that D1 has not begun with, is harmless to repeat, but the table does not list it, so that the caller decides.
pub(crate) fn repeated_by_itself(error: &Error) -> bool {
    let creates = error.context().operation.is_creation();
    match error {
        Error::Prepare { .. } => false,
        Error::NoAnswer { loss, .. } => match loss {
            Loss::BeforeFirstByte | Loss::NotBegun | Loss::AfterFirstByte => !creates,
            Loss::RefusedInHandshake | Loss::ServerNotTrusted | Loss::NothingInCommon => false,
        },
        Error::Refused { status, code, .. } => match verdict(*status, code.is_some()) {
            Verdict::Later => true,
            Verdict::Unknown => !creates,
            Verdict::Final | Verdict::Failed | Verdict::Unnamed => false,
        },
        Error::Unreadable { .. } => !creates,
    }
}

/// Whether an error means success: D1 knows no such token, and a deletion that was sent before may have been carried
/// out. Only D1's own words will do: a 404 of somebody between us and D1 says nothing about the token.
pub(crate) fn is_already_gone(error: &Error, in_doubt: bool) -> bool {
    let Error::Refused { context, status: 404, code: Some(ErrorCode::ResourceNotFound), .. } = error else {
        return false;
    };
    in_doubt && context.operation == Operation::DeleteToken
}

#[cfg(test)]
mod tests;
