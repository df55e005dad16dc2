//! A checked fault: what it strikes, when, and what it does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use super::form::{HandshakeFault, HoldOrder, Malformed, ResetAt, StallAt};
use crate::domain::{Moment, Pan};

/// The operations that gateways call, by the ids of the contract documents. The first shows no bearer.
pub(super) const OPERATIONS: [&str; 6] =
    ["getAccessToken", "createMerchant", "createToken", "getToken", "createTransaction", "deleteToken"];

/// A fault that can be set.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) name: Arc<str>,
    /// Of calls alone.
    pub(super) operations: Vec<&'static str>,
    /// Any of these; all without one.
    pub(super) gateways: Vec<String>,
    pub(super) merchant: Option<String>,
    pub(super) token: Option<String>,
    pub(super) card: Option<Pan>,
    pub(super) when: When,
    pub(super) effect: Effect,
    /// As it was asked for.
    pub(super) shown: Value,
}

/// Which of the matching calls, notifications or connections are struck.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct When {
    pub(super) nth: Option<u64>,
    pub(super) every: Option<u64>,
    pub(super) times: Option<u64>,
    pub(super) lasts: Option<Duration>,
    pub(super) probability: Option<f64>,
    pub(super) most_in_a_row: Option<u32>,
}

/// What a fault does.
#[derive(Debug, Clone)]
pub(super) enum Effect {
    Call(CallEffect),
    Connection(HandshakeFault),
    Notification(Notice),
}

/// What befalls a call, before anything is drawn or counted.
#[derive(Debug, Clone)]
pub(super) enum CallEffect {
    Latency(Latency),
    Limit { calls: u64, per: Option<Duration> },
    Act(Act),
}

/// What befalls a call.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    /// This answer instead of D1's own.
    Answer(Arc<Answer>),
    /// A wait on the sandbox clock.
    Wait(Duration),
    Reset(ResetAt),
    Stall(StallAt),
    /// Half of the body, and the end of the connection.
    Truncate,
    Malformed(Malformed),
    /// So many members more in the answer.
    UnknownMembers(u32),
    RevokeBearer,
    /// The connection closes without a word, so long after the answer, in real time.
    CloseIdle(Duration),
    Goaway,
}

/// What befalls a notification, decided when it is queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// So many copies more.
    Duplicate(u32),
    Delay(Duration),
    Drop,
    /// Until the fault is lifted.
    Hold(HoldOrder),
    /// After the next of its token, which is waited for so long.
    Reorder(Duration),
}

/// An answer that stands in for D1's own.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<RetryAfter>,
    pub(crate) body: AnswerBody,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum AnswerBody {
    Json(Map<String, Value>),
    /// As it is sent; the media type stays `application/json`.
    Text(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RetryAfter {
    Seconds(u64),
    Date(Moment),
    Text(String),
}

/// How long a call waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Latency {
    Fixed(Duration),
    Uniform { from: Duration, to: Duration },
    Exponential { mean: Duration, most: Duration },
}

impl Latency {
    /// The latency that belongs to a fraction in `0.0..1.0`.
    pub(super) fn of(self, fraction: f64) -> Duration {
        match self {
            Self::Fixed(fixed) => fixed,
            Self::Uniform { from, to } => from + to.saturating_sub(from).mul_f64(fraction),
            Self::Exponential { mean, most } => {
                // The inverse of the distribution function; below one, so that the logarithm is finite.
                let seconds = mean.as_secs_f64() * -(1.0 - fraction).ln();
                Duration::try_from_secs_f64(seconds).unwrap_or(most).min(most)
            }
        }
    }
}

impl Effect {
    /// The calls that it can befall.
    pub(super) fn operations(&self) -> &'static [&'static str] {
        match self {
            Self::Call(CallEffect::Act(Act::RevokeBearer)) => &OPERATIONS[1..],
            _ => &OPERATIONS,
        }
    }

    /// The name of the effect, as the form has it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Call(CallEffect::Latency(_)) => "latency",
            Self::Call(CallEffect::Limit { .. }) => "limit",
            Self::Call(CallEffect::Act(act)) => act.name(),
            Self::Connection(_) => "handshake",
            Self::Notification(Notice::Duplicate(_)) => "duplicate",
            Self::Notification(Notice::Delay(_)) => "delay",
            Self::Notification(Notice::Drop) => "drop",
            Self::Notification(Notice::Hold(_)) => "hold",
            Self::Notification(Notice::Reorder(_)) => "reorder",
        }
    }
}

impl Act {
    /// The name of the effect, as the form has it.
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Wait(_) => "latency",
            Self::Reset(_) => "reset",
            Self::Stall(_) => "stall",
            Self::Truncate => "truncate",
            Self::Malformed(_) => "malformed",
            Self::UnknownMembers(_) => "unknownMembers",
            Self::RevokeBearer => "revokeBearer",
            Self::CloseIdle(_) => "closeIdle",
            Self::Goaway => "goaway",
        }
    }

    /// It befalls the body of an answer, which a 204 has not.
    pub(crate) const fn needs_body(&self) -> bool {
        matches!(
            self,
            Self::Reset(ResetAt::Body) | Self::Truncate | Self::Malformed(_) | Self::UnknownMembers(_)
        )
    }

    /// Nothing that comes after it can befall the call.
    pub(super) const fn ends_it(&self) -> bool {
        matches!(self, Self::Answer(_) | Self::Reset(ResetAt::Before))
    }
}
