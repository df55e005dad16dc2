//! The steps: what is done, one after another.

use std::time::Duration;

use d1_fixtures::IssuerEvent;
use jiff::Timestamp;

use super::expectation::{self, Expectation, Wait};
use super::finding::{Findings, Place};
use super::hostile::{self, Fault};
use super::members::{self, MAX_TIME, Members, Named};
use super::node::{Node, Value};
use super::scalar::{self, Scalar};
use super::words::{
    CardSource, FORGERIES, Forgery, ISSUER_EVENTS, SOURCES, TRANSACTION_TYPES, TransactionType,
};

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
    /// Any 4xx, or no connection.
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

pub(super) const STEPS: [&str; 13] = [
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
pub(super) const REQUESTS: [&str; 5] =
    ["createMerchant", "createToken", "getToken", "createTransaction", "deleteToken"];
const MAX_NOTE: usize = 1000;
const INSTANT: Duration = Duration::from_millis(1);

/// Reads a step of any kind but `repeat`.
pub(super) fn action(kind: &str, node: &Node, findings: &mut Findings) -> Option<Action> {
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
    let expiry = m.take("expiry").and_then(|node| super::stage::digits(node, "`expiry`", 4, 4, findings));
    let pan = m.take("pan").and_then(|node| super::stage::digits(node, "`pan`", 12, 19, findings));
    m.done(findings);
    Some(Issuer { event: event?, target: target?, expiry, pan })
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
        return members::time(node, "`advance`", INSTANT, MAX_TIME, findings).map(Advance::By);
    }
    let mut m = Members::of(node, "`advance`", findings)?;
    let found = m.one_of(&["by", "to", "until"], findings);
    m.done(findings);
    match found? {
        ("by", _, node) => members::time(node, "`by`", INSTANT, MAX_TIME, findings).map(Advance::By),
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
