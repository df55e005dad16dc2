//! A scenario in plain English: what there is, and step by step what is done and expected.

mod expects;
mod kinds;
mod stage;

use serde_json::Value as Json;

use super::hostile::Fault;
use super::load::Scenario;
use super::members::{Named, shown};
use super::scalar::Scalar;
use super::step::{
    Action, Advance, Call, Forge, ForgeAnswer, Gives, Issuer, ReceiverMode, ReceiverStep, Request, Skew,
    Step, Target,
};
use super::words::EventType;
use crate::journal::redacted_whole;

pub(crate) use expects::{calls as told_calls, notifications as told_notifications};
pub(crate) use kinds::step_kinds;

/// The whole scenario, as text with a line for each step.
pub(crate) fn explain(scenario: &Scenario) -> String {
    let heading = format!("{}: {}", scenario.name, redacted_whole(&scenario.title));
    let mut lines = vec![heading, redacted_whole(scenario.why.trim()), String::new()];
    if !scenario.parameters.is_empty() {
        let all: Vec<String> = scenario
            .parameters
            .iter()
            .map(|(name, value)| format!("{name} = {}", redacted_whole(value)))
            .collect();
        lines.push(format!("Parameters: {} (--set gives other values).", all.join(", ")));
    }
    lines.extend(stage::told(&scenario.stage).iter().map(|line| redacted_whole(line)));
    lines.push(String::new());
    for step in &scenario.steps {
        let (place, told) = (&step.place, redacted_whole(&told(step)));
        lines.push(format!("{}. {told}  [{}, {}:{}]", step.number, step.path, place.file, place.line));
    }
    lines.join("\n")
}

/// One step in a sentence.
pub(crate) fn told(step: &Step) -> String {
    match &step.action {
        Action::Call(call) => called(call),
        Action::Issuer(issuer) => issued(issuer),
        Action::Fault(fault) => fault_told(fault),
        Action::Lift(name) => format!("The fault {} ends.", quoted(name)),
        Action::Forge(forge) => forged(forge),
        Action::Receiver(receiver) => receiver_told(receiver),
        Action::Certificate(certificate) => format!(
            "Our client{} gets a new certificate, which is good for {} of the sandbox clock.",
            of_gateway(certificate.gateway.as_ref()),
            shown(certificate.lifetime)
        ),
        Action::Skew(skew) => skewed(skew),
        Action::Advance(advance) => advanced(*advance),
        Action::Wait(wait) => expects::waited(wait),
        Action::Expect(all) => {
            let all: Vec<String> = all.iter().map(|one| expects::expected(&one.expected)).collect();
            format!("Expected: {}.", all.join("; "))
        }
        Action::Note(text) => format!("({text})"),
    }
}

fn quoted(named: &Named) -> String {
    format!("`{}`", named.name)
}

fn of_gateway(gateway: Option<&Named>) -> String {
    gateway.map(|gateway| format!(" of {}", quoted(gateway))).unwrap_or_default()
}

fn called(call: &Call) -> String {
    let request = match &call.request {
        Request::CreateMerchant { gateway, merchant_name, merchant } => {
            let name = merchant_name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
            format!(
                "The gateway{} onboards the merchant {}{name}",
                of_gateway(gateway.as_ref()),
                quoted(merchant)
            )
        }
        Request::CreateToken { merchant, card, source, token } => {
            let source = source.map(|source| format!(" from {}", source.as_str())).unwrap_or_default();
            let token = token.as_ref().map(|token| format!(", as {}", quoted(token))).unwrap_or_default();
            format!("The merchant {} tokenizes the card {}{source}{token}", quoted(merchant), quoted(card))
        }
        Request::GetToken { token } => format!("The gateway reads the token {}", quoted(token)),
        Request::CreateTransaction { token, transaction_type } => {
            format!("The gateway pays ({}) with the token {}", transaction_type.as_str(), quoted(token))
        }
        Request::DeleteToken { token } => format!("The merchant deletes the token {}", quoted(token)),
    };
    let gives = match &call.gives {
        Gives::Ok => "it must come out well".to_owned(),
        Gives::Refused { status: None, .. } => "D1 must refuse it".to_owned(),
        Gives::Refused { status: Some(status), error_code } => {
            let code = error_code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            format!("D1 must refuse it with {status}{code}")
        }
        Gives::NoAnswer => "no answer must come".to_owned(),
        Gives::Unreadable => "the answer must be unreadable".to_owned(),
        Gives::NotSent => "it must not leave the client".to_owned(),
    };
    let ambiguous = match call.ambiguous {
        Some(true) => ", and the client must say that it may have been carried out",
        Some(false) => ", and the client must say that it was not carried out",
        None => "",
    };
    let attempts = call.attempts.map(|n| format!(", after {}", counted(n, "attempt"))).unwrap_or_default();
    let answer =
        if call.answer.is_empty() { String::new() } else { format!(", with {}", members(&call.answer)) };
    format!("{request}; {gives}{ambiguous}{attempts}{answer}.")
}

pub(crate) fn counted(number: u32, thing: &str) -> String {
    match thing.strip_suffix('y') {
        _ if number == 1 => format!("1 {thing}"),
        Some(thing) => format!("{number} {thing}ies"),
        None => format!("{number} {thing}s"),
    }
}

pub(super) fn members(all: &[(String, Scalar)]) -> String {
    let all: Vec<String> = all.iter().map(|(name, value)| format!("{name} = {}", value.told())).collect();
    all.join(", ")
}

fn issued(issuer: &Issuer) -> String {
    let target = match &issuer.target {
        Target::Token(token) => format!("the token {}", quoted(token)),
        Target::Card(card) => format!("the card {} and all its tokens", quoted(card)),
    };
    let expiry =
        issuer.expiry.as_ref().map(|expiry| format!(", new expiry date {expiry}")).unwrap_or_default();
    let pan = issuer.pan.as_ref().map(|pan| format!(", new number ending in {}", &pan[pan.len() - 4..]));
    let tells = match issuer.forbidden {
        true => "The state forbids it: nothing changes, and D1 tells nothing".to_owned(),
        false => format!("D1 tells the gateway: {}", EventType::of(issuer.event).as_str()),
    };
    format!("The issuer: {} on {target}{expiry}{}. {tells}.", issuer.event, pan.unwrap_or_default())
}

fn fault_told(fault: &Fault) -> String {
    let text = |name: &str| match fault.body.get(name) {
        None => None,
        Some(Json::String(text)) => Some(text.clone()),
        Some(Json::Array(items)) => {
            let items: Vec<&str> = items.iter().filter_map(Json::as_str).collect();
            Some(items.join(", "))
        }
        Some(other) => Some(other.to_string()),
    };
    let mut parts = vec![format!("befalls {}", text("on").unwrap_or_else(|| "whatever it can".to_owned()))];
    for (who, named) in [
        ("gateway", &fault.gateway),
        ("merchant", &fault.merchant),
        ("card", &fault.card),
        ("token", &fault.token),
    ] {
        parts.extend(named.as_ref().map(|named| format!("of the {who} {}", quoted(named))));
    }
    for (member, words) in [
        ("nth", "only number"),
        ("every", "one in"),
        ("times", "at most so often:"),
        ("for", "for"),
        ("probability", "with probability"),
        ("mostInARow", "in a row at most"),
    ] {
        parts.extend(text(member).map(|value| format!("{words} {value}")));
    }
    let effect = text(fault.effect).unwrap_or_default();
    let effect =
        if effect == "true" { fault.effect.to_owned() } else { format!("{} {effect}", fault.effect) };
    format!("A fault {}: {effect}. It {}.", quoted(&fault.name), parts.join(", "))
}

fn forged(forge: &Forge) -> String {
    let answered = match forge.answered {
        None => "; what the receiver answers is not judged".to_owned(),
        Some(ForgeAnswer::Taken) => "; the receiver must take it".to_owned(),
        Some(ForgeAnswer::Refused) => "; the receiver must refuse it".to_owned(),
        Some(ForgeAnswer::Status(status)) => format!("; the receiver must answer {status}"),
    };
    let (token, how) = (quoted(&forge.token), forge.forgery.told());
    format!("Somebody sends the receiver a notification for the token {token}, {how}{answered}.")
}

fn receiver_told(receiver: &ReceiverStep) -> String {
    let mode = match receiver.mode {
        ReceiverMode::Up => "is up, and keeps what it gets".to_owned(),
        ReceiverMode::Down => "is down: nobody answers".to_owned(),
        ReceiverMode::Answers(status) => format!("answers {status} to everything, and keeps nothing"),
    };
    format!("Our receiver{} {mode}.", of_gateway(receiver.gateway.as_ref()))
}

fn skewed(skew: &Skew) -> String {
    let of = of_gateway(skew.gateway.as_ref());
    if skew.by.is_zero() {
        return format!("The clock of our client{of} is right again.");
    }
    let way = if skew.ahead { "ahead of" } else { "behind" };
    format!("The clock of our client{of} is {} {way} D1's.", shown(skew.by))
}

fn advanced(advance: Advance) -> String {
    let told = match advance {
        Advance::By(by) => format!("moves on by {}", shown(by)),
        Advance::To(to) => format!("moves on to {to}"),
        Advance::UntilQuiet => {
            let told = "The sandbox clock stays until all is quiet: what is due by now happens";
            return format!("{told}, what is due later (the next attempt at a notification, say) does not.");
        }
        Advance::UntilNext => "moves on to the next thing that is due".to_owned(),
        Advance::UntilEvent(event) => format!("moves on until {event} happens by itself"),
    };
    format!("The sandbox clock {told}; whatever falls due on the way happens, in order.")
}
