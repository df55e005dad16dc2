//! What a case expects and what has come of it, for people. Nothing that a receiver says is repeated but what has the form
//! of a status, a code or a state.

use std::collections::BTreeMap;

use super::case::{Answer, Certificate, End, Refused, Step};
use super::play::{Came, Delivered, ReceiverRan};
use super::probe::Probed;
use crate::cases::Outcome;
use crate::report::InWords;

/// What a case expected and what was told.
pub(super) fn in_words(ran: &ReceiverRan) -> InWords {
    let steps = ran.case.steps.iter().enumerate();
    let mut expected: Vec<String> =
        steps.map(|(place, step)| format!("step {}: {}", place + 1, expected(step))).collect();
    expected.extend(ran.case.end.as_ref().map(|end| format!("in the end: {}", ending(end))));
    let mut told = told(&ran.deliveries);
    told.extend(ran.found.as_ref().map(|found| format!("the probe: {}", seen(found))));
    InWords { expected: expected.join("; "), told: told.join("; ") }
}

fn expected(step: &Step) -> String {
    let answers: Vec<String> = step.answers.iter().map(wanted).collect();
    let answers =
        if step.hang_up { "an answer that nobody waits for".to_owned() } else { answers.join(" or ") };
    if step.at_once == 1 { answers } else { format!("{} times at once {answers}", step.at_once) }
}

fn ending(end: &End) -> String {
    if end.unknown {
        return "the token is unknown".to_owned();
    }
    let members = end.token.iter().map(|(name, value)| format!("{name} {value}"));
    members
        .chain(end.events.map(|events| format!("{events} events handed on")))
        .collect::<Vec<_>>()
        .join(", ")
}

fn told(deliveries: &[Delivered]) -> Vec<String> {
    let mut by_step: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for one in deliveries {
        by_step.entry(one.step).or_default().push(shown(&one.came));
    }
    by_step.into_iter().map(|(step, came)| format!("step {}: {}", step + 1, came.join(", "))).collect()
}

fn seen(found: &Result<Option<Probed>, String>) -> String {
    match found {
        Err(fault) => fault.clone(),
        Ok(None) => "the token is unknown".to_owned(),
        Ok(Some(found)) => {
            let told = found.token.iter().filter_map(|(name, value)| Some((name, value.as_deref()?)));
            let members = told.map(|(name, value)| format!("{name} {}", presentable(value)));
            let events = found.events.map(|events| format!("{events} events handed on"));
            members.chain(events).collect::<Vec<_>>().join(", ")
        }
    }
}

/// An answer that is right.
pub(super) fn wanted(answer: &Answer) -> String {
    match (answer.refused, answer.status, &answer.code) {
        (Some(Refused::Handshake), ..) => "a refused handshake".to_owned(),
        (Some(Refused::Connection), ..) => "a closed connection".to_owned(),
        (None, Some(status), Some(code)) => format!("{status} {code}"),
        (None, status, _) => status.unwrap_or_default().to_string(),
    }
}

/// What has come.
pub(super) fn shown(came: &Came) -> String {
    match came {
        Came::HandshakeRefused => "a refused handshake".to_owned(),
        Came::Closed => "a closed connection".to_owned(),
        Came::HungUp => "nothing that was waited for".to_owned(),
        Came::Nothing(why) => (*why).to_owned(),
        Came::Answer { status, code, .. } => {
            // A receiver may say anything: a code that is none in form is not shown.
            match (Outcome::Refused { status: *status, code: code.clone() }).presentable() {
                Outcome::Refused { code: Some(code), .. } => format!("{status} {code}"),
                _ => status.to_string(),
            }
        }
    }
}

/// States and at most four digits; anything else may be what nobody is to see.
pub(super) fn presentable(value: &str) -> &str {
    let word = value.len() <= 32 && value.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let digits = value.len() <= 4 && value.bytes().all(|byte| byte.is_ascii_digit());
    if word || digits { value } else { "another text" }
}

/// What is wrong with a request on purpose.
pub(super) fn on_purpose(step: &Step) -> Option<String> {
    let certificate = match step.certificate {
        Certificate::D1 => None,
        Certificate::WrongAuthority => Some("a certificate of an authority that nobody knows"),
        Certificate::Expired => Some("a certificate that has ended"),
        Certificate::None => Some("no certificate"),
    };
    step.wrong.clone().or_else(|| certificate.map(str::to_owned))
}
