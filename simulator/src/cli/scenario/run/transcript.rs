//! The transcript: a line for each step and for each thing that happened. Ports, keys, certificates, ciphertexts and
//! bearers never get into it, so that two runs with one seed give the same bytes.

use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::happened::{Entry, answered};
use super::names::Names;
use crate::journal::redacted_whole;

/// Who does something to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lane {
    /// The player: steps, the clock, what came of it.
    Player,
    Gateway,
    D1,
    Receiver,
}

impl Lane {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Player => "player",
            Self::Gateway => "gateway",
            Self::D1 => "d1",
            Self::Receiver => "receiver",
        }
    }
}

/// What kind of line it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A step begins.
    Step,
    /// Something happened.
    Event,
    /// It came as expected.
    Good,
    /// It did not.
    Miss,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Step => "step",
            Self::Event => "event",
            Self::Good => "good",
            Self::Miss => "miss",
        }
    }
}

/// One line.
#[derive(Debug, Clone)]
pub(super) struct Line {
    /// On the clock of the sandbox.
    pub(super) at: Timestamp,
    /// Which step; 0 for the stage.
    pub(super) step: usize,
    pub(super) kind: Kind,
    pub(super) from: Lane,
    pub(super) to: Lane,
    pub(super) text: String,
}

impl Line {
    /// As a line of NDJSON.
    pub(super) fn json(&self, scenario: &str) -> Value {
        json!({
            "kind": self.kind.as_str(),
            "scenario": scenario,
            "at": format!("{:.3}", self.at),
            "step": self.step,
            "from": self.from.as_str(),
            "to": self.to.as_str(),
            "text": self.text,
        })
    }

    /// Date and time, without what nobody reads.
    pub(super) fn clock(&self) -> String {
        let text = format!("{:.3}", self.at);
        text.get(5..23).map_or(text.clone(), |short| short.replace('T', " "))
    }

    /// As a line for people.
    pub(super) fn told(&self) -> String {
        let way = match (self.from, self.to) {
            (from, to) if from == to => from.as_str().to_owned(),
            (from, to) => format!("{} -> {}", from.as_str(), to.as_str()),
        };
        match self.kind {
            Kind::Step => format!("{:>3}  {}", self.step, self.text),
            Kind::Event => format!("     {:.3}  {way:<16}  {}", self.at, self.text),
            Kind::Good => format!("     ok  {}", self.text),
            Kind::Miss => format!("     NO  {}", self.text.replace('\n', "\n         ")),
        }
    }
}

/// The line that tells of an entry, if it is worth one.
pub(super) fn line_of(entry: &Entry, step: usize, names: &Names) -> Option<Line> {
    let (from, to, text) = match entry.text("kind")? {
        "request" => (Lane::Gateway, Lane::D1, request(entry, names)),
        "transition" => (Lane::D1, Lane::D1, transition(entry, names)),
        "delivery" => (Lane::D1, Lane::Receiver, delivery(entry, names)),
        "gatewayToken" => (Lane::D1, Lane::Receiver, gateway_token(entry)),
        "expiry" => (Lane::D1, Lane::D1, expiry(entry, names)),
        "fault" => (Lane::D1, Lane::D1, fault(entry, names)),
        "handshake" if entry.line["accepted"] == false => (Lane::Gateway, Lane::D1, handshake(entry)),
        _ => return None,
    };
    // Whose it is goes without saying where there is one.
    let whose = entry.text("gateway").filter(|_| names.gateways.len() > 1);
    let whose = whose.and_then(|id| names.gateways.iter().find(|(_, known)| *known == id));
    let text = whose.map_or(text.clone(), |(name, _)| format!("{text} [gateway `{name}`]"));
    Some(Line { at: entry.at, step, kind: Kind::Event, from, to, text: redacted_whole(&text) })
}

fn request(entry: &Entry, names: &Names) -> String {
    let mut text = match entry.text("operation") {
        Some(operation) => operation.to_owned(),
        None => format!("{} (no operation)", entry.text("method").unwrap_or_default()),
    };
    if let Some(token) = entry.token() {
        // Writing to a String cannot fail.
        let _ = write!(text, " {}", names.token_called(token));
    } else if let Some(merchant) = entry.merchant() {
        let _ = write!(text, " {}", names.merchant_called(merchant));
    }
    let _ = write!(text, ": {}", answered(entry.status()));
    if let Some(code) = entry.of_answer("errorCode") {
        let _ = write!(text, " {code}");
    }
    // What was found can be a key or a certificate of this run alone.
    if let Some(check) = entry.line["refused"]["check"].as_str() {
        let _ = write!(text, " ({check})");
    }
    if let Some(faults) = entry.line["faults"].as_array() {
        let all: Vec<&str> =
            faults.iter().filter_map(Value::as_str).map(|name| names.fault_called(name)).collect();
        let _ = write!(text, " [fault {}]", all.join(", "));
    }
    text
}

fn transition(entry: &Entry, names: &Names) -> String {
    let cause = entry.text("cause").unwrap_or_default();
    let whose = match entry.text("tokenId") {
        Some(token) => names.token_called(token),
        None => names.merchant_called(entry.text("merchantId").unwrap_or_default()),
    };
    let mut text = format!("{cause} {whose}");
    match (entry.text("from"), entry.text("to")) {
        (Some(from), Some(to)) if from != to => {
            let _ = write!(text, ": {from} -> {to}");
        }
        (None, Some(to)) => {
            let _ = write!(text, ": {to}");
        }
        _ => {}
    }
    if let Some(event) = entry.line["queued"]["eventType"].as_str() {
        let _ = write!(text, ", {event} number {} is to be told", entry.line["queued"]["sequence"]);
    }
    text
}

fn delivery(entry: &Entry, names: &Names) -> String {
    let token = names.token_called(entry.text("tokenId").unwrap_or_default());
    let (event, outcome) = (entry.text("eventType").unwrap_or("an event"), entry.text("outcome"));
    let mut text = format!(
        "{event} of {token}, number {}, attempt {}: {}, {}",
        entry.line["sequence"],
        entry.attempt(),
        entry.came(),
        outcome.unwrap_or("nothing")
    );
    if let Some(next) = entry.text("nextAt") {
        let _ = write!(text, " at {next}");
    }
    if let Some(forged) = entry.text("forged") {
        let _ = write!(text, " [forged: {forged}]");
    }
    text
}

fn gateway_token(entry: &Entry) -> String {
    let call = entry.text("call").unwrap_or_default();
    format!("{call}: {}, {}", entry.came(), entry.text("outcome").unwrap_or_default())
}

fn expiry(entry: &Entry, names: &Names) -> String {
    let what = match entry.text("what") {
        Some("accessToken") => "an access token",
        Some("receiverToken") => "the receiver's access token",
        Some("card") => "the card",
        Some("token") => "the token",
        other => other.unwrap_or("something"),
    };
    match entry.text("tokenId") {
        Some(token) => format!("{what} of {} has ended", names.token_called(token)),
        None => format!("{what} has ended"),
    }
}

fn fault(entry: &Entry, names: &Names) -> String {
    let text = |member: &str| entry.text(member).unwrap_or_default().to_owned();
    let operation = entry.text("operation").map(|operation| format!(" {operation}")).unwrap_or_default();
    let (name, effect, what) = (text("name"), text("effect"), text("what"));
    format!("the fault {} ({effect}): {what}{operation}", names.fault_called(&name))
}

fn handshake(entry: &Entry) -> String {
    let check = entry.line["refused"]["check"].as_str().unwrap_or("no reason");
    format!("the TLS handshake: refused ({check})")
}
