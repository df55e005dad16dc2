//! Reading steps of every kind but `repeat`.

use std::time::Duration;

use super::{
    Action, Advance, Call, Certificate, Forge, ForgeAnswer, Gives, Issuer, ReceiverMode, ReceiverStep,
    Request, Skew, Target,
};
use crate::scenario::finding::Findings;
use crate::scenario::members::{self, MAX_STEP, MAX_TIME, Members};
use crate::scenario::node::{Node, Value};
use crate::scenario::words::{FORGERIES, ISSUER_EVENTS, SOURCES, TRANSACTION_TYPES, TransactionType};
use crate::scenario::{expectation, hostile, scalar};

pub(in crate::scenario) const STEPS: [&str; 13] = [
    "call",
    "issuer",
    "fault",
    "lift",
    "forge",
    "receiver",
    "certificate",
    "skew",
    "advance",
    "wait",
    "expect",
    "repeat",
    "note",
];
pub(in crate::scenario) const REQUESTS: [&str; 5] =
    ["createMerchant", "createToken", "getToken", "createTransaction", "deleteToken"];
const MAX_NOTE: usize = 1000;
const INSTANT: Duration = Duration::from_millis(1);

/// Reads a step of any kind but `repeat`.
pub(in crate::scenario) fn action(kind: &str, node: &Node, findings: &mut Findings) -> Option<Action> {
    match kind {
        "call" => call(node, findings).map(Action::Call),
        "issuer" => issuer(node, findings).map(Action::Issuer),
        "fault" => hostile::fault(node, findings).map(|fault| Action::Fault(Box::new(fault))),
        "lift" => members::name(node, findings).map(Action::Lift),
        "forge" => forge(node, findings).map(Action::Forge),
        "receiver" => receiver(node, findings).map(Action::Receiver),
        "certificate" => certificate(node, findings).map(Action::Certificate),
        "skew" => skew(node, findings).map(Action::Skew),
        "advance" => advance(node, findings).map(Action::Advance),
        "wait" => expectation::wait(node, findings).map(Action::Wait),
        "expect" => expectation::expect(node, findings).map(Action::Expect),
        "note" => members::text(node, "a note", MAX_NOTE, findings).map(Action::Note),
        _ => None,
    }
}

fn call(node: &Node, findings: &mut Findings) -> Option<Call> {
    let mut m = Members::of(node, "a call", findings)?;
    let found = m.one_of(&REQUESTS, findings);
    let request = found.and_then(|(operation, _, node)| request(operation, node, findings));
    let gives = m.take("gives").map_or(Some(Gives::Ok), |node| gives(node, findings));
    let ambiguous = m.take("ambiguous").and_then(|node| members::truth(node, "`ambiguous`", findings));
    let attempts = m.take("attempts").and_then(|node| members::whole(node, "`attempts`", 0, 100, findings));
    let answer = m.take("answer").map(|node| scalar::members(node, "`answer`", findings)).unwrap_or_default();
    m.done(findings);
    Some(Call { request: request?, gives: gives?, ambiguous, attempts, answer })
}

fn request(operation: &str, node: &Node, findings: &mut Findings) -> Option<Request> {
    let mut m = Members::of(node, "a request", findings)?;
    let need = |m: &mut Members<'_>, member, findings: &mut Findings| {
        m.need(member, findings).and_then(|node| members::name(node, findings))
    };
    let made = match operation {
        "createMerchant" => {
            let gateway = m.take("gateway").and_then(|node| members::name(node, findings));
            let merchant_name = m.take("name").and_then(|node| members::text(node, "`name`", 128, findings));
            need(&mut m, "as", findings).map(|merchant| Request::CreateMerchant {
                gateway,
                merchant_name,
                merchant,
            })
        }
        "createToken" => {
            let (merchant, card) = (need(&mut m, "merchant", findings), need(&mut m, "card", findings));
            let source = m.take("source").and_then(|node| members::word(node, "source", &SOURCES, findings));
            let token = m.take("as").and_then(|node| members::name(node, findings));
            merchant.zip(card).map(|(merchant, card)| Request::CreateToken { merchant, card, source, token })
        }
        "getToken" => need(&mut m, "token", findings).map(|token| Request::GetToken { token }),
        "createTransaction" => {
            let token = need(&mut m, "token", findings);
            let kind = m.take("transactionType");
            let kind =
                kind.and_then(|node| members::word(node, "transaction type", &TRANSACTION_TYPES, findings));
            let transaction_type = kind.unwrap_or(TransactionType::Single);
            token.map(|token| Request::CreateTransaction { token, transaction_type })
        }
        _ => need(&mut m, "token", findings).map(|token| Request::DeleteToken { token }),
    };
    m.done(findings);
    made
}

fn gives(node: &Node, findings: &mut Findings) -> Option<Gives> {
    const WORDS: [(&str, u8); 5] =
        [("ok", 0), ("refused", 1), ("noAnswer", 2), ("unreadable", 3), ("notSent", 4)];
    if !matches!(node.value, Value::Members(_)) {
        return members::word(node, "outcome", &WORDS, findings).map(|word| match word {
            0 => Gives::Ok,
            1 => Gives::Refused { status: None, error_code: None },
            2 => Gives::NoAnswer,
            3 => Gives::Unreadable,
            _ => Gives::NotSent,
        });
    }
    let mut m = Members::of(node, "`gives`", findings)?;
    let refused = m.need("refused", findings);
    m.done(findings);
    let mut m = Members::of(refused?, "`refused`", findings)?;
    let status =
        m.need("status", findings).and_then(|node| members::whole(node, "`status`", 300, 599, findings));
    let error_code = m.take("errorCode").and_then(|node| hostile::error_code(node, findings));
    m.done(findings);
    Some(Gives::Refused { status: Some(status?), error_code })
}

fn issuer(node: &Node, findings: &mut Findings) -> Option<Issuer> {
    let mut m = Members::of(node, "`issuer`", findings)?;
    let event =
        m.need("event", findings).and_then(|node| members::word(node, "event", &ISSUER_EVENTS, findings));
    let target = m.one_of(&["token", "card"], findings);
    let target = target.and_then(|(kind, _, node)| {
        let name = members::name(node, findings)?;
        Some(if kind == "token" { Target::Token(name) } else { Target::Card(name) })
    });
    let expiry = m.take("expiry").and_then(|node| members::digits(node, "`expiry`", 4, 4, findings));
    let pan = m.take("pan").and_then(|node| members::digits(node, "`pan`", 12, 19, findings));
    let forbidden = m
        .take("gives")
        .and_then(|node| members::word(node, "outcome", &[("done", false), ("forbidden", true)], findings));
    m.done(findings);
    Some(Issuer { event: event?, target: target?, expiry, pan, forbidden: forbidden.unwrap_or_default() })
}

fn forge(node: &Node, findings: &mut Findings) -> Option<Forge> {
    let mut m = Members::of(node, "`forge`", findings)?;
    let token = m.need("token", findings).and_then(|node| members::name(node, findings));
    let forgery =
        m.need("as", findings).and_then(|node| members::word(node, "forgery", &FORGERIES, findings));
    let answered = m.take("answered").and_then(|node| {
        if matches!(node.value, Value::Whole(_)) {
            return members::whole(node, "`answered`", 200, 599, findings).map(ForgeAnswer::Status);
        }
        let words = [("taken", ForgeAnswer::Taken), ("refused", ForgeAnswer::Refused)];
        members::word(node, "answer", &words, findings)
    });
    m.done(findings);
    Some(Forge { token: token?, forgery: forgery?, answered })
}

const MODES: [(&str, ReceiverMode); 2] = [("up", ReceiverMode::Up), ("down", ReceiverMode::Down)];

fn receiver(node: &Node, findings: &mut Findings) -> Option<ReceiverStep> {
    if !matches!(node.value, Value::Members(_)) {
        let mode = members::word(node, "state of the receiver", &MODES, findings)?;
        return Some(ReceiverStep { gateway: None, mode });
    }
    let mut m = Members::of(node, "`receiver`", findings)?;
    let gateway = m.take("gateway").and_then(|node| members::name(node, findings));
    let mode = match m.one_of(&["is", "answers"], findings) {
        Some(("is", _, node)) => members::word(node, "state of the receiver", &MODES, findings),
        Some((_, _, node)) => {
            members::whole(node, "`answers`: a status", 200, 599, findings).map(ReceiverMode::Answers)
        }
        None => None,
    };
    m.done(findings);
    Some(ReceiverStep { gateway, mode: mode? })
}

fn certificate(node: &Node, findings: &mut Findings) -> Option<Certificate> {
    let mut m = Members::of(node, "`certificate`", findings)?;
    let gateway = m.take("gateway").and_then(|node| members::name(node, findings));
    let least = Duration::from_secs(1);
    let lifetime = m.need("lifetime", findings);
    let lifetime = lifetime.and_then(|node| members::time(node, "`lifetime`", least, MAX_TIME, findings));
    m.done(findings);
    Some(Certificate { gateway, lifetime: lifetime? })
}

fn skew(node: &Node, findings: &mut Findings) -> Option<Skew> {
    let mut m = Members::of(node, "`skew`", findings)?;
    let gateway = m.take("gateway").and_then(|node| members::name(node, findings));
    let found = m.one_of(&["ahead", "behind"], findings);
    let most = Duration::from_hours(24 * 366);
    let by = found.and_then(|(way, _, node)| {
        members::time(node, way, Duration::ZERO, most, findings).map(|by| (by, way == "ahead"))
    });
    m.done(findings);
    let (by, ahead) = by?;
    Some(Skew { gateway, by, ahead })
}

fn advance(node: &Node, findings: &mut Findings) -> Option<Advance> {
    if !matches!(node.value, Value::Members(_)) {
        return members::time(node, "`advance`", INSTANT, MAX_STEP, findings).map(Advance::By);
    }
    let mut m = Members::of(node, "`advance`", findings)?;
    let found = m.one_of(&["by", "to", "until"], findings);
    m.done(findings);
    match found? {
        ("by", _, node) => members::time(node, "`by`", INSTANT, MAX_STEP, findings).map(Advance::By),
        ("to", _, node) => members::instant(node, "`to`", findings).map(Advance::To),
        (_, _, node) if matches!(node.value, Value::Members(_)) => {
            let mut m = Members::of(node, "`until`", findings)?;
            let event = m.need("event", findings);
            m.done(findings);
            members::word(event?, "event", &ISSUER_EVENTS, findings).map(Advance::UntilEvent)
        }
        (_, _, node) => {
            let words = [("quiet", Advance::UntilQuiet), ("next", Advance::UntilNext)];
            members::word(node, "`until`", &words, findings)
        }
    }
}
