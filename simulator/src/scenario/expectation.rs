//! What is waited for and what is expected.

mod read;

pub(super) use read::{expect, wait};

use std::time::Duration;

use super::finding::Place;
use super::members::Named;
use super::scalar::Scalar;
use super::words::{EventType, Operation, Outcome, TokenState};

/// What is waited for, in real time: somebody outside does it.
#[derive(Debug, Clone)]
pub(crate) enum Wait {
    /// Until no exchange is open and nothing is due.
    Quiet,
    Call(CallWait),
    Notification(NotificationWait),
}

impl Wait {
    /// How long it may take, in real time.
    pub(crate) const fn within(&self) -> Duration {
        match self {
            Self::Quiet => USUAL_WAIT,
            Self::Call(wait) => wait.within,
            Self::Notification(wait) => wait.within,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct CallWait {
    pub(crate) calls: Calls,
    /// The n-th that fits, from 1, since the scenario began.
    pub(crate) nth: u32,
    /// Of createMerchant or createToken: what it made is called so from here on.
    pub(crate) made: Option<Named>,
    pub(crate) within: Duration,
}

#[derive(Debug, Clone)]
pub(crate) struct NotificationWait {
    pub(crate) notifications: Notifications,
    pub(crate) nth: u32,
    pub(crate) within: Duration,
}

/// Calls of D1 that have all of this.
#[derive(Debug, Clone)]
pub(crate) struct Calls {
    pub(crate) place: Place,
    pub(crate) operation: Option<Operation>,
    pub(crate) gateway: Option<Named>,
    pub(crate) merchant: Option<Named>,
    pub(crate) token: Option<Named>,
    pub(crate) answered: Option<u32>,
}

/// Deliveries of notifications that have all of this.
#[derive(Debug, Clone)]
pub(crate) struct Notifications {
    pub(crate) gateway: Option<Named>,
    pub(crate) token: Option<Named>,
    pub(crate) event: Option<EventType>,
    pub(crate) answered: Option<u32>,
}

/// What must be so, and where that is said.
#[derive(Debug, Clone)]
pub(crate) struct Expectation {
    pub(crate) place: Place,
    pub(crate) expected: Expected,
}

#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// Calls that D1 got.
    Calls(ExpectCalls),
    /// Notifications that D1 sent, each counted once however often it was tried.
    Notifications(ExpectNotifications),
    /// D1's side.
    Tokens(Vec<TokenExpectation>),
    /// The user's side: by the probe, or of our own receiver's store.
    Receiver(Vec<TokenExpectation>),
    /// These came in this order, whatever came between them.
    InOrder(Vec<Calls>),
    Never(Never),
}

#[derive(Debug, Clone)]
pub(crate) struct ExpectCalls {
    pub(crate) calls: Calls,
    pub(crate) number: HowMany,
    /// Pauses on the sandbox clock, each at least so long: from the end of a call to the arrival of the next.
    pub(crate) spacing: Vec<Duration>,
    /// Headers that each of them must have, or must not.
    pub(crate) headers: Vec<(String, Header)>,
    /// Members of the body that each must have; `null`: must not.
    pub(crate) members: Vec<(String, Scalar)>,
    pub(crate) since: Since,
}

#[derive(Debug, Clone)]
pub(crate) struct ExpectNotifications {
    pub(crate) notifications: Notifications,
    pub(crate) number: HowMany,
    /// So many attempts for each.
    pub(crate) attempts: Option<u32>,
    /// So many times each was sent: attempts, and repetitions that a fault made.
    pub(crate) deliveries: Option<u32>,
    /// From the beginning of an attempt to that of the next, on the sandbox clock, each at least so long.
    pub(crate) spacing: Vec<Duration>,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) since: Since,
}

/// What a header must be. What the journal does not show of it can only be there or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    Is(String),
    There,
    Absent,
}

impl Header {
    /// As a sentence has it.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Is(text) => format!("{text:?}"),
            Self::There => "there".to_owned(),
            Self::Absent => "absent".to_owned(),
        }
    }
}

/// From where on is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    Start,
    /// The step `expect` before this one.
    LastExpect,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HowMany {
    Exactly(u32),
    Between(u32, Option<u32>),
}

impl HowMany {
    pub(super) const fn least(self) -> u32 {
        match self {
            Self::Exactly(number) | Self::Between(number, _) => number,
        }
    }

    pub(super) const fn most(self) -> Option<u32> {
        match self {
            Self::Exactly(number) => Some(number),
            Self::Between(_, most) => most,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct TokenExpectation {
    pub(crate) token: Named,
    pub(crate) state: Option<TokenState>,
    /// Of the receiver: all as D1 has it by now, and the DPAN, where D1 has told it.
    pub(crate) as_d1: bool,
    /// Members that must be what they were for D1 before the last step `issuer`.
    pub(crate) unchanged: Vec<String>,
    /// Further members, by the names of getToken (C17).
    pub(crate) members: Vec<(String, Scalar)>,
}

/// The clock moves on by `within`, and this must not happen.
#[derive(Debug, Clone)]
pub(crate) struct Never {
    pub(crate) what: NeverWhat,
    pub(crate) within: Duration,
}

#[derive(Debug, Clone)]
pub(crate) enum NeverWhat {
    Call(Calls),
    Notification(Notifications),
}

/// The longest real wait.
pub(crate) const MAX_WAIT: Duration = Duration::from_mins(10);
const USUAL_WAIT: Duration = Duration::from_secs(10);
