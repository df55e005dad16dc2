//! Whether a case can be meant. All but the last three checks are in `case.schema.json` too, and what goes together in a
//! natural case.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Case, Count, Fault, Outcome, Piece, Turn, given};
use crate::standing::is_source;
use crate::yaml::nearest;

/// More requests than this no case expects: a bound beyond it would hold for a client that never ends. Nor has a script
/// more answers.
const MOST_REQUESTS: u32 = 20;
/// The longest pause that a case demands: a day.
const LONGEST_PAUSE_MS: u64 = 86_400_000;
/// The most bytes that are repeated.
const MOST_BYTES: usize = 16 * 1024 * 1024;
/// Endings that a case takes beside the first.
const MOST_ENDINGS: usize = 8;
/// What a client can be asked to wait for an attempt.
const PATIENCE_MS: std::ops::RangeInclusive<u64> = 100..=10_000;
/// The bounds of what is said of a case.
const WHY: std::ops::RangeInclusive<usize> = 20..=400;
/// The statuses that end an exchange.
pub(crate) const STATUSES: std::ops::RangeInclusive<u16> = 200..=599;
/// The operations that clients call.
const OPERATIONS: [&str; 6] =
    ["getAccessToken", "createMerchant", "createToken", "getToken", "createTransaction", "deleteToken"];

/// What is wrong with a case, what was expected, and what to do.
pub(super) fn check(case: &Case) -> Result<(), String> {
    let parts = check_id(&case.id, "inbound", &OPERATIONS)?;
    check_words(&case.why, &case.source)?;
    let counts = [("attempts", Some(case.expect.attempts)), ("access_tokens", case.expect.access_tokens)];
    let of_others = case.expect.or.iter().map(|ending| ("attempts", ending.attempts));
    for (name, count) in counts.into_iter().chain(of_others) {
        let good = count.is_none_or(|count| match count {
            Count::Exactly(number) => (1..=MOST_REQUESTS).contains(&number),
            Count::Between { min, max } => min >= 1 && min <= max && max <= MOST_REQUESTS,
        });
        if !good {
            return Err(format!(
                "`{name}`: expected a number or bounds from 1 to {MOST_REQUESTS}; a bound beyond holds for a client that never ends"
            ));
        }
    }
    check_patience(case.attempt_timeout_ms)?;
    check_pause(case.expect.waits_at_least_ms)?;
    if case.answers.len() > MOST_REQUESTS as usize {
        return Err(format!(
            "`answers`: expected at most {MOST_REQUESTS}; use `always` for an answer without end"
        ));
    }
    case.answers.iter().try_for_each(check_turn)?;
    if case.expect.or.len() > MOST_ENDINGS {
        return Err(format!(
            "`or`: expected at most {MOST_ENDINGS}; a case that takes everything shows nothing"
        ));
    }
    case.expect.endings().try_for_each(|ending| check_outcome(&ending.outcome))?;
    case.given.as_ref().map_or(Ok(()), |given| given::check(case, given))?;
    check_script(case, parts)
}

fn check_outcome(outcome: &Outcome) -> Result<(), String> {
    if let Outcome::Refused { status, code } = outcome {
        if !STATUSES.contains(status) {
            return Err(format!("`refused`: expected a status from 200 to 599, found {status}; correct it"));
        }
        if code.as_deref().is_some_and(|code| !is_code(code)) {
            return Err(
                "`refused`: expected a code of capitals, digits and underscores; correct it".to_owned()
            );
        }
    }
    Ok(())
}

/// What is said of a case, and from where it is known.
pub(crate) fn check_words(why: &str, source: &[String]) -> Result<(), String> {
    let letters = why.chars().count();
    if !WHY.contains(&letters) || why.trim() != why {
        let (least, most) = (WHY.start(), WHY.end());
        return Err(format!(
            "`why`: expected {least} to {most} letters, found {letters}; say what goes wrong for the users of a client that fails"
        ));
    }
    if source.is_empty() {
        return Err("`source`: expected the numbers in the contract, found none; add some".to_owned());
    }
    if let Some(source) = source.iter().find(|source| !is_source(source)) {
        return Err(format!(
            "`source`: expected D1 to D19, S1 to S28, C1 to C36, I with a section such as I6.3, or RFC 7516, found {source:?}; correct the number"
        ));
    }
    Ok(())
}

/// How long a client is asked to wait.
pub(super) fn check_patience(attempt_timeout_ms: Option<u64>) -> Result<(), String> {
    if attempt_timeout_ms.is_some_and(|time| !PATIENCE_MS.contains(&time)) {
        let (least, most) = (PATIENCE_MS.start(), PATIENCE_MS.end());
        return Err(format!("`attempt_timeout_ms`: expected {least} to {most}; correct it"));
    }
    Ok(())
}

/// How long a client has to wait in all.
pub(super) fn check_pause(waits_at_least_ms: u64) -> Result<(), String> {
    if waits_at_least_ms > LONGEST_PAUSE_MS {
        return Err(format!("`waits_at_least_ms`: expected at most {LONGEST_PAUSE_MS}, a day; lower it"));
    }
    Ok(())
}

/// A good answer is one of an operation, and no refusal.
pub(super) fn check_good(operation: &str, turn: &Turn) -> Result<(), String> {
    if !OPERATIONS.contains(&operation) {
        let (known, hint) = (OPERATIONS.join(", "), nearest(operation, &OPERATIONS));
        return Err(format!("no operation {operation:?} in the contract; expected one of {known}{hint}"));
    }
    if !(200..300).contains(&turn.status) {
        let status = turn.status;
        return Err(format!(
            "`status`: expected one from 200 to 299, found {status}; a refusal is no good answer"
        ));
    }
    check_headers(&turn.headers)
}

/// The last part of an id, or the name of a fault.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    if name.is_empty() || name.starts_with('-') || name.len() > 64 || !name.bytes().all(of_name) {
        return Err(format!(
            "expected small letters, digits, hyphens and full stops as name, found {name:?}; say in a word or two what happens"
        ));
    }
    Ok(())
}

/// What is wrong with an answer on purpose has bounds, and ends no head but its own.
pub(super) fn check_fault(fault: &Fault) -> Result<(), String> {
    match fault {
        Fault::Bytes(pieces) => pieces.iter().try_for_each(|piece| match piece {
            Piece::Repeat { text, times } if text.len().saturating_mul(*times as usize) > MOST_BYTES => {
                Err(format!("`repeat`: expected at most {MOST_BYTES} bytes in all; use `endless` for more"))
            }
            _ => Ok(()),
        }),
        Fault::Body(edit) => check_headers(&edit.headers),
        Fault::Instead(instead) => {
            instead.status.map_or(Ok(()), check_status)?;
            check_headers(&instead.headers)
        }
        Fault::Connection(_) | Fault::Tls(_) | Fault::Unanswered(_) | Fault::Http2(_) | Fault::Sealed(_) => {
            Ok(())
        }
    }
}

/// A status that ends an exchange.
pub(super) fn check_status(status: u16) -> Result<(), String> {
    if STATUSES.contains(&status) {
        return Ok(());
    }
    Err(format!("`status`: expected one from 200 to 599, which ends an exchange, found {status}"))
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in headers {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > 64 || !name.bytes().all(of_name) {
            return Err(format!("`headers`: expected names in small letters, found {name:?}; correct it"));
        }
        if value.len() > 1024 || !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(format!(
                "`headers`: expected at most 1024 letters of ASCII on one line as {name}; anything else would end the head"
            ));
        }
    }
    Ok(())
}

pub(crate) fn check_id<'a>(id: &'a str, of: &str, operations: &[&str]) -> Result<[&'a str; 5], String> {
    let parts: Vec<&str> = id.split('/').collect();
    let Ok(parts) = <[&str; 5]>::try_from(parts) else {
        return Err(
            "expected an id of five parts, SIDE/OPERATION/STATUS/CODE/NAME, such as inbound/getToken/200/none/reads"
                .to_owned(),
        );
    };
    let [side, operation, status, code, name] = parts;
    if side != of {
        return Err(format!(
            "expected an id that begins with {of}/, found {side:?}; what clients are shown begins with inbound/, what receivers are with outbound/"
        ));
    }
    if !operations.contains(&operation) {
        let (known, hint) = (operations.join(", "), nearest(operation, operations));
        return Err(format!("no operation {operation:?} in the contract; expected one of {known}{hint}"));
    }
    if status == "transport" {
        return check_clock(code).and_then(|()| check_last(name)).map(|()| parts);
    }
    let number = status.len() == 3 && status.parse().is_ok_and(|status| STATUSES.contains(&status));
    if !number {
        return Err(format!("expected a status from 200 to 599 as third part of the id, found {status:?}"));
    }
    if code != "none" && !is_code(code) {
        return Err(format!(
            "expected an errorCode in capitals, or `none`, as fourth part of the id, found {code:?}"
        ));
    }
    check_last(name).map(|()| parts)
}

fn is_word(text: &str) -> bool {
    let of_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && !text.starts_with('-') && text.len() <= 64 && text.bytes().all(of_word)
}

fn check_last(name: &str) -> Result<(), String> {
    if is_word(name) {
        return Ok(());
    }
    Err(format!(
        "expected small letters, digits and hyphens as last part of the id, found {name:?}; say in a word or two what happens"
    ))
}

/// The faults of clocks are the only ones that are written down case by case; all others are made.
fn check_clock(fault: &str) -> Result<(), String> {
    if fault.strip_prefix("clock-").is_some_and(is_word) && fault.len() <= 64 {
        return Ok(());
    }
    Err(format!(
        "expected a fault that begins with clock- as fourth part of the id, found {fault:?}; all others stand in transport.yaml"
    ))
}

pub(crate) fn is_code(code: &str) -> bool {
    let of_code = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    code.len() <= 64
        && code.starts_with(|first: char| first.is_ascii_uppercase())
        && code.bytes().all(of_code)
}

fn check_turn(turn: &Turn) -> Result<(), String> {
    check_status(turn.status)?;
    check_headers(&turn.headers)?;
    turn.fault.as_ref().map_or(Ok(()), check_fault)
}

/// What no schema can say: it sees neither the place in a list nor two members at once.
fn check_script(case: &Case, [_, _, status, code, _]: [&str; 5]) -> Result<(), String> {
    if status == "transport" {
        let has_clock = case.given.as_ref().is_some_and(|given| given.clock.is_some());
        let missing = "`given`: expected a `clock`, as its id says; add one".to_owned();
        return if has_clock { Ok(()) } else { Err(missing) };
    }
    let endless = case.answers.iter().rev().skip(1).any(|turn| turn.always);
    if endless {
        return Err(
            "`always`: expected on the last answer alone; nothing after it would be given, take the rest away"
                .to_owned(),
        );
    }
    let fits = |turn: &Turn| {
        let shown = turn.body.as_ref().and_then(|body| body.get("errorCode")).and_then(Value::as_str);
        // What ends a connection before a request shows no status.
        let is_shown = !turn.fault.as_ref().is_some_and(Fault::is_of_connection);
        is_shown && turn.status.to_string() == status && shown.unwrap_or("none") == code
    };
    // A cell of good answers is shown by the good answer that stands at the end of every script; D1 by itself has none.
    let needed = case.given.is_some() || !status.starts_with('2');
    if needed && !case.answers.iter().any(fits) {
        return Err(format!(
            "none of its answers has status {status} and code {code}, as its id says; add the answer, or correct the id"
        ));
    }
    Ok(())
}
