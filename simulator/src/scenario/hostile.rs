//! A fault as a step sets it: a body of `POST /faults` on the admin port, with the scenario's names for gateways,
//! merchants, cards and tokens, and always with a name of its own.
//!
//! Here stands its form alone, so that all that is wrong with it can be told at once, each at its place. Whether it makes
//! sense is said by who would set it.

use std::time::Duration;

use serde_json::{Map, Value as Json};

use super::finding::{Findings, Place};
use super::members::{self, MAX_TIME, Members, Named};
use super::node::{Node, Value};
use super::words::ERROR_CODES;
use crate::faults;

/// What goes wrong, for whom, how often.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) name: Named,
    pub(crate) gateway: Option<Named>,
    pub(crate) merchant: Option<Named>,
    pub(crate) card: Option<Named>,
    pub(crate) token: Option<Named>,
    /// All of it as it is written: a body of `POST /faults`, once the four names above are replaced by what they name.
    pub(crate) body: Map<String, Json>,
    /// Which member of `body` is the effect.
    pub(crate) effect: &'static str,
    /// The code that it answers, if it answers one.
    pub(crate) error_code: Option<String>,
}

pub(super) const EFFECTS: [&str; 17] = [
    "answer",
    "latency",
    "limit",
    "reset",
    "stall",
    "truncate",
    "malformed",
    "unknownMembers",
    "revokeBearer",
    "closeIdle",
    "goaway",
    "handshake",
    "duplicate",
    "delay",
    "drop",
    "hold",
    "reorder",
];
/// What a fault can befall: operations, groups of them, and what is no call.
const ON: [(&str, ()); 12] = [
    ("getAccessToken", ()),
    ("createMerchant", ()),
    ("createToken", ()),
    ("getToken", ()),
    ("createTransaction", ()),
    ("deleteToken", ()),
    ("calls", ()),
    ("reads", ()),
    ("repeatable", ()),
    ("creates", ()),
    ("notifications", ()),
    ("connections", ()),
];
const CERTIFICATES: [(&str, ()); 6] = [
    ("expired", ()),
    ("notYetValid", ()),
    ("wrongName", ()),
    ("clientUsage", ()),
    ("unknownAuthority", ()),
    ("selfSigned", ()),
];
const MAX_TIMES: i64 = 1_000_000;
const DAY: Duration = Duration::from_hours(24);
const YEAR: Duration = Duration::from_hours(24 * 366);
const INSTANT: Duration = Duration::from_millis(1);

pub(super) fn fault(node: &Node, findings: &mut Findings) -> Option<Fault> {
    let faults_before = findings.faults();
    let mut m = Members::of(node, "a fault", findings)?;
    let name = m.need("name", findings).and_then(|node| members::name(node, findings));
    if let Some(on) = m.take("on") {
        for item in members::list(on, "`on`: a list of operations", findings) {
            let _ = members::word(item, "operation", &ON, findings);
        }
    }
    let [gateway, merchant, card, token] = ["gateway", "merchant", "card", "token"]
        .map(|who| m.take(who).and_then(|node| members::name(node, findings)));
    for member in ["nth", "every", "times", "mostInARow"] {
        // What is wrong is among the findings.
        let _ = m.take(member).and_then(|node| members::whole(node, member, 1, MAX_TIMES, findings));
    }
    let _ = m.take("for").and_then(|node| members::time(node, "`for`", INSTANT, YEAR, findings));
    let _ = m.take("probability").map(|node| probability(node, findings));
    let found = m.one_of(&EFFECTS, findings);
    m.done(findings);
    let (effect, _, inner) = found?;
    let error_code = judge(effect, inner, findings);
    let Json::Object(body) = json(node) else { return None };
    if findings.faults() == faults_before
        && let Err(fault) = faults::check(&body)
    {
        let outer = fault.member.split('.').next().unwrap_or_default();
        let place = member(node, outer).unwrap_or(&node.place);
        findings.sense(place, fault.to_string());
    }
    Some(Fault { name: name?, gateway, merchant, card, token, body, effect, error_code })
}

/// Where the value of a member stands.
fn member<'n>(node: &'n Node, name: &str) -> Option<&'n Place> {
    let Value::Members(members) = &node.value else { return None };
    members.iter().find(|(key, _)| key.name == name).map(|(_, value)| &value.place)
}

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Nothing | Value::Unknown => Json::Null,
        Value::Truth(truth) => Json::from(*truth),
        Value::Whole(number) => Json::from(*number),
        Value::Decimal(number) => Json::from(*number),
        Value::Text(text) => Json::from(text.as_str()),
        Value::List(items) => Json::Array(items.iter().map(json).collect()),
        Value::Members(members) => {
            Json::Object(members.iter().map(|(key, value)| (key.name.clone(), json(value))).collect())
        }
    }
}

fn probability(node: &Node, findings: &mut Findings) {
    let number = match node.value {
        Value::Decimal(number) => Some(number),
        Value::Whole(0) => Some(0.0),
        Value::Whole(1) => Some(1.0),
        _ => None,
    };
    if !number.is_some_and(|number| (0.0..=1.0).contains(&number)) {
        members::wrong(node, "`probability`: a number from 0 to 1, e.g. 0.3", findings);
    }
}

/// Judges an effect; gives the code that it answers.
fn judge(effect: &'static str, node: &Node, findings: &mut Findings) -> Option<String> {
    // What is wrong is among the findings, and the body is sent as it is written.
    let mut word = |table: &[(&'static str, ())]| {
        let _ = members::word(node, effect, table, findings);
    };
    match effect {
        "reset" => word(&[("before", ()), ("after", ()), ("head", ()), ("body", ())]),
        "stall" => word(&[("before", ()), ("after", ())]),
        "hold" => word(&[("inOrder", ()), ("reversed", ())]),
        "answer" => return answer(node, findings),
        "latency" => latency(node, findings),
        "limit" => limit(node, findings),
        "malformed" => malformed(node, findings),
        "handshake" => handshake(node, findings),
        "closeIdle" => time(node, effect, DAY / 1440, findings),
        "delay" | "reorder" => time(node, effect, DAY, findings),
        "unknownMembers" | "duplicate" => {
            let _ = members::whole(node, effect, 1, 10, findings);
        }
        _ => {
            let _ = members::mark(node, effect, findings);
        }
    }
    None
}

fn time(node: &Node, what: &str, most: Duration, findings: &mut Findings) {
    let _ = members::time(node, &format!("`{what}`"), INSTANT, most, findings);
}

fn answer(node: &Node, findings: &mut Findings) -> Option<String> {
    let mut m = Members::of(node, "an answer", findings)?;
    let status = m.need("status", findings);
    let _ = status.and_then(|node| members::whole(node, "`status`", 200, 599, findings));
    let error_code = m.take("errorCode").and_then(|node| error_code(node, findings));
    let _ = m.take("error").and_then(|node| members::text(node, "`error`", 1024, findings));
    if let Some(node) = m.take("retryAfter") {
        retry_after(node, findings);
    }
    if let Some(node) = m.take("members").filter(|node| !matches!(node.value, Value::Members(_))) {
        members::wrong(node, "`members`: an object", findings);
    }
    let _ = m.take("body").and_then(|node| members::text(node, "`body`", 16 * 1024, findings));
    m.done(findings);
    error_code
}

fn retry_after(node: &Node, findings: &mut Findings) {
    match &node.value {
        Value::Members(_) => {
            let Some(mut m) = Members::of(node, "`retryAfter`", findings) else { return };
            let text = m.need("text", findings);
            let _ = text.and_then(|node| members::text(node, "`text`", 128, findings));
            m.done(findings);
        }
        Value::Text(text) if text.contains('T') => {
            let _ = members::instant(node, "`retryAfter`", findings);
        }
        _ => {
            let _ = members::time(node, "`retryAfter`", Duration::ZERO, YEAR, findings);
        }
    }
}

/// A code; one that the contract does not name is a hint, since D1 may add some.
pub(super) fn error_code(node: &Node, findings: &mut Findings) -> Option<String> {
    let code = members::text(node, "`errorCode`", 64, findings)?;
    let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    if !code.bytes().all(capital) {
        members::wrong(node, "`errorCode`: capital letters, digits and `_`", findings);
        return None;
    }
    if !ERROR_CODES.contains(&code.as_str()) {
        let near = super::finding::nearest(&code, ERROR_CODES);
        findings.hint(&node.place, format!("no errorCode of the contract is called `{code}`{near}"));
    }
    Some(code)
}

fn latency(node: &Node, findings: &mut Findings) {
    if !matches!(node.value, Value::Members(_)) {
        return time(node, "latency", DAY, findings);
    }
    let Some(mut m) = Members::of(node, "a latency", findings) else { return };
    let found = m.one_of(&["uniform", "exponential"], findings);
    m.done(findings);
    let Some((kind, _, node)) = found else { return };
    let Some(mut m) = Members::of(node, "a latency", findings) else { return };
    let (one, other) = if kind == "uniform" { ("from", "to") } else { ("mean", "most") };
    for name in [one, other] {
        let _ = m.need(name, findings).and_then(|node| members::time(node, name, INSTANT, DAY, findings));
    }
    m.done(findings);
}

fn limit(node: &Node, findings: &mut Findings) {
    let Some(mut m) = Members::of(node, "a limit", findings) else { return };
    let calls = m.need("calls", findings);
    let _ = calls.and_then(|node| members::whole(node, "`calls`", 0, MAX_TIMES, findings));
    let _ =
        m.take("per").and_then(|node| members::time(node, "`per`", INSTANT, YEAR.min(MAX_TIME), findings));
    m.done(findings);
}

fn malformed(node: &Node, findings: &mut Findings) {
    if !matches!(node.value, Value::Members(_)) {
        let _ = members::word(node, "malformed", &[("notJson", ()), ("empty", ()), ("html", ())], findings);
        return;
    }
    let Some(mut m) = Members::of(node, "`malformed`", findings) else { return };
    let found = m.one_of(&["missing", "wrongType"], findings);
    m.done(findings);
    let _ = found.and_then(|(name, _, node)| members::text(node, name, 64, findings));
}

fn handshake(node: &Node, findings: &mut Findings) {
    if !matches!(node.value, Value::Members(_)) {
        let _ = members::word(node, "handshake", &[("stall", ()), ("close", ())], findings);
        return;
    }
    let Some(mut m) = Members::of(node, "`handshake`", findings) else { return };
    let certificate = m.need("certificate", findings);
    m.done(findings);
    let _ = certificate.and_then(|node| members::word(node, "certificate", &CERTIFICATES, findings));
}
