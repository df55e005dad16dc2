//! The steps: what is done, one after another.

mod read;

pub(super) use read::{STEPS, action};

use std::time::Duration;

use d1_fixtures::IssuerEvent;
use jiff::Timestamp;

use super::expectation::{Expectation, Wait};
use super::finding::Place;
use super::hostile::Fault;
use super::members::Named;
use super::scalar::Scalar;
use super::words::{CardSource, Forgery, TransactionType};

/// One thing that is done.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    /// Which of all, from 1, after includes and repetitions.
    pub(crate) number: usize,
    /// Where it stands among its file's steps: `3`, or `3[2].1` for the first step of the second round of a repetition;
    /// `_shop.yaml:1` of an included file.
    pub(crate) path: String,
    pub(crate) place: Place,
    pub(crate) action: Action,
}

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Call(Call),
    Issuer(Issuer),
    Fault(Box<Fault>),
    Lift(Named),
    Forge(Forge),
    Receiver(ReceiverStep),
    Certificate(Certificate),
    Skew(Skew),
    Advance(Advance),
    Wait(Wait),
    Expect(Vec<Expectation>),
    Note(String),
}

/// Our client calls D1, and what must come of it. The clock moves as far as the call's own pauses need.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) request: Request,
    pub(crate) gives: Gives,
    /// Whether the client must tell that the request may have been carried out; not asked without.
    pub(crate) ambiguous: Option<bool>,
    /// How many attempts the client must make; not counted without.
    pub(crate) attempts: Option<u32>,
    /// Members of the result that must be so.
    pub(crate) answer: Vec<(String, Scalar)>,
}

#[derive(Debug, Clone)]
pub(crate) enum Request {
    CreateMerchant { gateway: Option<Named>, merchant_name: Option<String>, merchant: Named },
    CreateToken { merchant: Named, card: Named, source: Option<CardSource>, token: Option<Named> },
    GetToken { token: Named },
    CreateTransaction { token: Named, transaction_type: TransactionType },
    DeleteToken { token: Named },
}

/// What the client tells its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gives {
    Ok,
    /// D1 refused; what is not said is not asked.
    Refused {
        status: Option<u32>,
        error_code: Option<String>,
    },
    NoAnswer,
    Unreadable,
    NotSent,
}

/// The issuer or the TSP does something (C25).
#[derive(Debug, Clone)]
pub(crate) struct Issuer {
    pub(crate) event: IssuerEvent,
    pub(crate) target: Target,
    /// The new expiry date, MMYY; drawn without.
    pub(crate) expiry: Option<String>,
    /// The new card number, for a replacement; drawn without.
    pub(crate) pan: Option<String>,
    /// The state must forbid it, so that nothing changes and nobody is told.
    pub(crate) forbidden: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Target {
    Token(Named),
    /// Every live token of the card.
    Card(Named),
}

/// Somebody who is not D1 tells of a token.
#[derive(Debug, Clone)]
pub(crate) struct Forge {
    pub(crate) token: Named,
    pub(crate) forgery: Forgery,
    pub(crate) answered: Option<ForgeAnswer>,
}

/// What the receiver must make of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForgeAnswer {
    /// Any 2xx.
    Taken,
    /// Any 4xx; of a wrong certificate also an end of the connection.
    Refused,
    Status(u32),
}

/// Our receiver goes down, comes up, or answers something for a while.
#[derive(Debug, Clone)]
pub(crate) struct ReceiverStep {
    pub(crate) gateway: Option<Named>,
    pub(crate) mode: ReceiverMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReceiverMode {
    Up,
    Down,
    /// It answers so, keeping nothing, until it is `up`.
    Answers(u32),
}

/// Our client gets a new certificate, which D1 judges on the sandbox clock.
#[derive(Debug, Clone)]
pub(crate) struct Certificate {
    pub(crate) gateway: Option<Named>,
    pub(crate) lifetime: Duration,
}

/// The clock of our client goes wrong.
#[derive(Debug, Clone)]
pub(crate) struct Skew {
    pub(crate) gateway: Option<Named>,
    pub(crate) by: Duration,
    /// Ahead of D1, or behind it.
    pub(crate) ahead: bool,
}

/// The clock moves; all that falls due on the way happens, in order.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Advance {
    By(Duration),
    To(Timestamp),
    /// Until nothing is due by now and no exchange is open; the clock stays where it is.
    UntilQuiet,
    /// To the next thing that is due.
    UntilNext,
    /// Until the issuer does this by itself (test cards).
    UntilEvent(IssuerEvent),
}
