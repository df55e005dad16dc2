//! The cases: literal answers, and what a client must make of them. Written from the contract, never recorded from a
//! program.

mod derived;
mod fault;
mod given;
pub(crate) mod load;
pub(crate) mod sense;
mod transport;

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

pub use derived::derived_cases;
pub(crate) use derived::essential_of;
pub(crate) use fault::bytes_of;
pub use fault::{
    ConnectionFault, Disguise, Edit, End, Fault, Http2Fault, Instead, Piece, TlsFault, Unanswered,
};
pub use given::{
    Given, GivenAccessToken, GivenCard, GivenClock, GivenGateway, GivenMerchant, GivenToken, GivenTokenState,
};
pub use load::{CaseError, GoodAnswers, built_in_cases, cases_in};
pub use transport::{TransportFaults, transport_cases};

/// One case. Its id is `SIDE/OPERATION/STATUS/CODE/NAME`, `SIDE/OPERATION/derived/RULE/NAME` or
/// `SIDE/OPERATION/transport/FAULT/NAME`; the first four parts are its cell.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// The stable id.
    pub id: String,
    /// Why the case exists: what a client that fails it does to its users.
    pub why: String,
    /// The numbers in the contract that the expectation rests on.
    pub source: Vec<String>,
    /// The state in which D1 gives the answers by itself. Without it they are scripted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given: Option<Given>,
    /// What the operation answers, in this order; afterwards its good answer. Where D1 answers by itself: what it must
    /// answer, all of it; of headers and bodies those members.
    #[serde(default)]
    pub answers: Vec<Turn>,
    /// Its answers are what the contract allows, and are held against it. Those of a derived case differ on purpose.
    #[serde(skip, default = "judged")]
    pub judged: bool,
    /// How long the client is to wait for an attempt, in milliseconds, where the case is about waiting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt_timeout_ms: Option<u64>,
    /// What the client must make of it.
    pub expect: Expectation,
}

fn judged() -> bool {
    true
}

/// A number as such: text of digits, which YAML readers take for one, is refused, since the schema of cases refuses it.
fn whole_number<'de, T: TryFrom<u64>, D: Deserializer<'de>>(from: D) -> Result<T, D::Error> {
    let number = serde_json::Number::deserialize(from)?;
    let whole = number.as_u64().and_then(|number| T::try_from(number).ok());
    whole.ok_or_else(|| D::Error::custom("expected a whole number that is not so large; correct it"))
}

/// One scripted answer.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Turn {
    /// The status.
    #[serde(deserialize_with = "whole_number")]
    pub status: u16,
    /// Headers beside those that every answer has.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The JSON body. An object `{$sealed: {...}}` in it stands for a JWE toward the gateway with that plaintext,
    /// and `{$numbered: TEXT}` for the text with the number of the operation's answer behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<Value>,
    /// What is wrong with it apart from what it says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<Fault>,
    /// The answer is given for ever, not once.
    #[serde(default)]
    pub always: bool,
}

/// What must be seen of the client.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// How the call ended.
    pub outcome: Outcome,
    /// Whether the caller may make it again.
    pub retryable: Retryable,
    /// Whether the request may have been carried out (contract C34).
    pub ambiguous: bool,
    /// What is right as well, where the contract leaves a choice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub or: Vec<Ending>,
    /// How many requests of the operation reach the server.
    pub attempts: Count,
    /// How many requests of the token endpoint reach it.
    #[serde(default)]
    pub access_tokens: Option<Count>,
    /// The client waits at least so long between its attempts, on its own clock.
    #[serde(default, deserialize_with = "whole_number")]
    pub waits_at_least_ms: u64,
    /// Members that the client must have understood, as it reports them. `{$answered: NAME}` stands for what D1 has
    /// answered as that member, in a plaintext too.
    #[serde(default)]
    pub result: BTreeMap<String, Value>,
}

/// One of several ways in which a call may rightly end.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ending {
    /// How the call ended.
    pub outcome: Outcome,
    /// Whether the caller may make it again.
    pub retryable: Retryable,
    /// Whether the request may have been carried out (contract C34).
    pub ambiguous: bool,
    /// How many requests of the operation reach the server then, if not as many as with the first ending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Count>,
}

impl Expectation {
    /// Every ending that is right, the first one first.
    pub fn endings(&self) -> impl Iterator<Item = Ending> {
        let (outcome, retryable, ambiguous) = (self.outcome.clone(), self.retryable, self.ambiguous);
        let attempts = Some(self.attempts);
        std::iter::once(Ending { outcome, retryable, ambiguous, attempts }).chain(self.or.iter().cloned())
    }
}

/// How a call ended: the closed vocabulary in which every client reports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// With a result.
    Ok,
    /// D1 said no.
    Refused {
        /// The status.
        #[serde(deserialize_with = "whole_number")]
        status: u16,
        /// The `errorCode`, if the answer held one.
        #[serde(default)]
        code: Option<String>,
    },
    /// D1 said something that cannot be understood.
    Unreadable,
    /// No answer came.
    NoAnswer,
    /// The request was never sent.
    NotSent,
}

impl Outcome {
    /// The outcome for reports. A client under test may tell anything for a code, a card number too: one that is not made
    /// of capitals and underscores is named, not shown.
    #[must_use]
    pub fn presentable(&self) -> Self {
        match self {
            Self::Refused { status, code: Some(code) } => {
                let word = code.len() <= 64 && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
                let code = if word { code.clone() } else { "(a code that is none in form)".to_owned() };
                Self::Refused { status: *status, code: Some(code) }
            }
            other => other.clone(),
        }
    }
}

/// For reports: [`Outcome::presentable`] in words.
impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.presentable() {
            Self::Refused { status, code: None } => write!(f, "refused with {status} and no code"),
            Self::Refused { status, code: Some(code) } => write!(f, "refused with {status} and {code}"),
            Self::Ok => f.write_str("ok"),
            Self::Unreadable => f.write_str("unreadable"),
            Self::NoAnswer => f.write_str("no answer"),
            Self::NotSent => f.write_str("not sent"),
        }
    }
}

/// What a caller may do after a call that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retryable {
    /// Not as it is.
    Never,
    /// At once, or after a pause of its own.
    Safe,
    /// After the pause that D1 asked for.
    After,
}

impl std::fmt::Display for Retryable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Safe => "safe",
            Self::After => "after",
        })
    }
}

/// How often: exactly, or within bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged, deny_unknown_fields, expecting = "expected a number, or bounds as {min: 1, max: 3}")]
pub enum Count {
    /// So often.
    Exactly(u32),
    /// Between the two, both included.
    Between {
        /// At least so often.
        min: u32,
        /// At most so often.
        max: u32,
    },
}

impl Count {
    /// Whether a number is as it must be.
    #[must_use]
    pub fn holds(self, found: u32) -> bool {
        match self {
            Self::Exactly(wanted) => found == wanted,
            Self::Between { min, max } => (min..=max).contains(&found),
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(wanted) => write!(f, "{wanted}"),
            Self::Between { min, max } => write!(f, "{min} to {max}"),
        }
    }
}

/// Where the answers of a case come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// D1 gives them by itself, from its state.
    Natural,
    /// They are written down, and whole.
    Scripted,
    /// They are written down, and something is wrong with how they come.
    Raw,
}

impl Kind {
    /// The kind as reports name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Natural => "natural",
            Self::Scripted => "scripted",
            Self::Raw => "raw",
        }
    }
}

impl Case {
    /// Where its answers come from.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.given.is_some() {
            Kind::Natural
        } else if self.answers.iter().any(|turn| turn.fault.is_some()) {
            Kind::Raw
        } else {
            Kind::Scripted
        }
    }

    /// The id of the case's cell.
    #[must_use]
    pub fn cell(&self) -> &str {
        self.id.rsplit_once('/').map_or("", |(cell, _)| cell)
    }

    /// Whether only a client that offers HTTP/2 can be shown it.
    #[must_use]
    pub fn needs_http2(&self) -> bool {
        self.answers.iter().any(|turn| matches!(turn.fault, Some(Fault::Http2(_))))
    }

    /// The operation that the case is about.
    #[must_use]
    pub fn operation(&self) -> &str {
        self.id.split('/').nth(1).unwrap_or_default()
    }
}
