//! What a case of the receiver suite says: deliveries of D1, and what a receiver must make of them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::cases::Count;

/// One case of the receiver suite. Its id is `outbound/OPERATION/STATUS/CODE/NAME`; the first four parts are its cell, and
/// the answer of that cell is among those that the case takes for right.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverCase {
    /// The stable id.
    pub id: String,
    /// Why the case exists: what a receiver that fails it does to its users.
    pub why: String,
    /// The numbers in the contract that the expectation rests on.
    pub source: Vec<String>,
    /// The receiver asks for a bearer; without its credentials the case is not run.
    #[serde(default, skip_serializing_if = "is_false")]
    pub needs_credentials: bool,
    /// What D1 does, in this order.
    pub steps: Vec<Step>,
    /// What is known of the token in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
}

/// One request of D1, or the same request several times at once. What is not said is as D1 does it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The body of a notification, JSON. In it `{$event: N}` stands for the id of the case's N-th event,
    /// `{$sealed: PLAINTEXT}` for a JWE toward the gateway, and `{$forged: {...}}` for one that is wrong in one way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<Value>,
    /// The body of a notification, byte for byte.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw: Option<Vec<Piece>>,
    /// The body of a request for an access token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<String>,
    /// So many bytes of blanks behind the body.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub padding: usize,
    /// Another method than POST.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Another path, in which `{gateway}`, `{merchant}` and `{token}` stand for those of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Other headers, by their names in small letters; `null` leaves one out. `{bearer}` stands for the access token that
    /// the case was given last, `{credentials}` for the Basic credentials, `{wrong_secret}` for those with another secret.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Option<String>>,
    /// The certificate that D1 shows.
    #[serde(default)]
    pub certificate: Certificate,
    /// The state that the receiver is in meanwhile; one that cannot be brought into it is not judged.
    #[serde(default, rename = "while", skip_serializing_if = "Option::is_none")]
    pub during: Option<State>,
    /// So many of this request at once, each on a connection of its own.
    #[serde(default = "once", skip_serializing_if = "is_once")]
    pub at_once: u32,
    /// D1 closes the connection behind the request and never sees the answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub hang_up: bool,
    /// In what the request differs from the contract on purpose. One that differs in nothing says nothing here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
    /// What the event is for the receiver; nothing where the answer decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_as: Option<TakenAs>,
    /// The right answers; none for a request whose answer D1 does not see.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answer>,
    /// Why more than one answer is right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub either: Option<String>,
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

fn once() -> u32 {
    1
}

fn is_once(times: &u32) -> bool {
    *times == 1
}

/// A part of a body that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Piece {
    /// This text.
    Text(String),
    /// These bytes.
    Hex(String),
    /// The id of the case's N-th event.
    Event(u32),
    /// A text again and again.
    Repeat {
        /// The text.
        text: String,
        /// How often.
        times: usize,
    },
}

/// The certificate that D1 shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// That of D1.
    #[default]
    D1,
    /// One of an authority that nobody knows.
    WrongAuthority,
    /// One of D1's authority that has ended.
    Expired,
    /// None.
    None,
}

/// A state that a receiver gets into by itself, and that only its owner can bring about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// Nothing can be kept.
    StoreFails,
    /// There is more to do than it can take on.
    Busy,
    /// No access token can be made.
    TokensFail,
    /// The token endpoint is asked more often than it can answer.
    TokensBusy,
    /// The access tokens that it has given until then are no longer good.
    BearersEnded,
}

impl State {
    /// The state as case files and probes name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::StoreFails => "store-fails",
            Self::Busy => "busy",
            Self::TokensFail => "tokens-fail",
            Self::TokensBusy => "tokens-busy",
            Self::BearersEnded => "bearers-ended",
        }
    }
}

/// What an event is for the receiver (contract C35).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TakenAs {
    /// News, which changes the token.
    Applied,
    /// Known already, and handed on to nobody.
    Duplicate,
    /// Older than what is known, and changes nothing of it.
    Stale,
    /// Not taken over.
    Rejected,
}

/// A right answer: a status with or without a code, or none at all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// The status. 204 stands for every 2xx, which D1 takes alike (contract C23).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The `errorCode`; without one any of the contract, or none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// There is no answer, because this was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Refused>,
}

/// What a receiver can refuse instead of answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refused {
    /// The TLS handshake.
    Handshake,
    /// The connection, which it closes before there is an answer.
    Connection,
}

/// What is known of the token in the end. What is not said is not looked at.
#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct End {
    /// Nothing is known of it: nothing was kept.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unknown: bool,
    /// The members that a probe tells, by their names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub token: BTreeMap<String, String>,
    /// How many events were handed on, repetitions not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Count>,
}

/// The members that `end` may name: what a probe may tell of a token.
pub const PROBED_MEMBERS: [&str; 6] =
    ["state", "cardLastDigits", "cardExpiryDate", "tokenLastDigits", "tokenExpiryDate", "dpanLastDigits"];

impl ReceiverCase {
    /// The id of the case's cell.
    #[must_use]
    pub fn cell(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(cell, _)| cell)
    }

    /// The operation that the case is about.
    #[must_use]
    pub fn operation(&self) -> &str {
        self.id.split('/').nth(1).unwrap_or_default()
    }

    /// The status and the code of the case's cell.
    pub(super) fn cell_answer(&self) -> (u16, Option<&str>) {
        let mut parts = self.id.split('/').skip(2);
        let status = parts.next().and_then(|status| status.parse().ok()).unwrap_or_default();
        (status, parts.next().filter(|code| *code != "none"))
    }

    /// The states that the case needs, each once.
    pub fn states(&self) -> impl Iterator<Item = State> {
        let all: std::collections::BTreeSet<State> =
            self.steps.iter().filter_map(|step| step.during).collect();
        all.into_iter()
    }
}

impl Step {
    /// The operation that the request is of.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        if self.form.is_some() { "getAccessToken" } else { "notifyTokenUpdate" }
    }
}
