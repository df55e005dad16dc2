//! Reading receiver cases, as strictly as the others.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use serde_saphyr::Spanned;

use super::case::{Answer, PROBED_MEMBERS, Piece, ReceiverCase, Step, TakenAs};
use crate::cases::Count;
use crate::cases::load::{CaseError, DEPTH, OF_RECEIVERS, find};
use crate::cases::sense::{STATUSES, check_id, check_words, is_code};
use crate::jwe::Forgery;
use crate::yaml::{parse, text_of};

/// The operations that D1 calls.
const OPERATIONS: [&str; 2] = ["notifyTokenUpdate", "getAccessToken"];
/// The most steps of a case, answers of a step, parts of a body, and headers.
const STEPS: usize = 20;
const ANSWERS: usize = 8;
const PIECES: usize = 64;
const HEADERS: usize = 20;
/// The longest method, path, and name and value of a header.
const METHOD: usize = 16;
const PATH: usize = 256;
const HEADER_NAME: usize = 64;
const HEADER_VALUE: usize = 1024;
/// The most requests at once.
const AT_ONCE: u32 = 8;
/// The longest body that a case may make.
const BODY_BYTES: usize = 4 * 1024 * 1024;

/// The receiver cases that are built in, in the order of their ids.
///
/// # Errors
/// [`CaseError`], which would be a fault of this package.
pub fn receiver_cases() -> Result<Vec<ReceiverCase>, CaseError> {
    let files = [
        ("outbound/events.yaml", include_str!("../../cases/outbound/events.yaml")),
        ("outbound/order.yaml", include_str!("../../cases/outbound/order.yaml")),
        ("outbound/sealed.yaml", include_str!("../../cases/outbound/sealed.yaml")),
        ("outbound/bodies.yaml", include_str!("../../cases/outbound/bodies.yaml")),
        ("outbound/callers.yaml", include_str!("../../cases/outbound/callers.yaml")),
        ("outbound/states.yaml", include_str!("../../cases/outbound/states.yaml")),
        ("outbound/getAccessToken.yaml", include_str!("../../cases/outbound/getAccessToken.yaml")),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    gather(files.into_iter().map(Ok))
}

/// The receiver cases of a folder: every `.yaml` file below its folder `outbound`. None if there is no such folder.
///
/// # Errors
/// [`CaseError`] names the file and what is wrong in it.
pub fn receiver_cases_in(folder: &Path) -> Result<Vec<ReceiverCase>, CaseError> {
    let (below, mut paths) = (folder.join(OF_RECEIVERS), Vec::new());
    if below.is_dir() {
        find(&below, DEPTH, &mut paths)?;
    }
    paths.sort();
    gather(paths.into_iter().map(|path| {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Ok((name.clone(), text_of(&path, &name)?))
    }))
}

fn gather(
    files: impl Iterator<Item = Result<(String, String), CaseError>>,
) -> Result<Vec<ReceiverCase>, CaseError> {
    let (mut cases, mut ids) = (Vec::<ReceiverCase>::new(), BTreeSet::new());
    for file in files {
        let (name, text) = file?;
        for one in parse::<Vec<Spanned<ReceiverCase>>>(&text, &name)? {
            let (case, line) = (one.value, one.referenced.line());
            let twice =
                || (!ids.insert(case.id.clone())).then(|| "its id stands twice; change one".to_owned());
            if let Some(reason) = check(&case).err().or_else(twice) {
                return Err(CaseError::Meaning { file: name, line, id: case.id, reason });
            }
            cases.push(case);
        }
    }
    cases.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(cases)
}

fn check(case: &ReceiverCase) -> Result<(), String> {
    check_id(&case.id, "outbound", &OPERATIONS)?;
    check_words(&case.why, &case.source)?;
    if !(1..=STEPS).contains(&case.steps.len()) {
        return Err(format!("`steps`: expected 1 to {STEPS}; correct it"));
    }
    for (place, step) in case.steps.iter().enumerate() {
        check_step(step).map_err(|reason| format!("step {}: {reason}", place + 1))?;
    }
    let (status, code) = case.cell_answer();
    let of_cell = |answer: &Answer| {
        answer.status == Some(status) && (answer.code.is_none() || answer.code.as_deref() == code)
    };
    let own = case.steps.iter().filter(|step| step.operation() == case.operation());
    if !own.flat_map(|step| &step.answers).any(of_cell) {
        return Err("none of the answers that it takes for right is that of its cell".to_owned());
    }
    check_end(case)
}

fn check_step(step: &Step) -> Result<(), String> {
    let bodies = [step.event.is_some(), step.raw.is_some(), step.form.is_some()];
    if bodies.iter().filter(|there| **there).count() != 1 {
        return Err("expected one of `event`, `raw` and `form`".to_owned());
    }
    if !(1..=AT_ONCE).contains(&step.at_once) {
        return Err(format!("expected `at_once` from 1 to {AT_ONCE}"));
    }
    if step.hang_up != step.answers.is_empty() {
        return Err(
            "expected either `answers` or `hang_up`: an answer that nobody sees cannot be right".to_owned()
        );
    }
    if (step.answers.len() > 1) != step.either.is_some() {
        return Err(
            "expected `either` to say why, where more than one answer is right, and only there".to_owned()
        );
    }
    check_request(step)?;
    if step.answers.len() > ANSWERS {
        return Err(format!(
            "`answers`: expected at most {ANSWERS}; where everything is right nothing is shown"
        ));
    }
    for answer in &step.answers {
        let number = answer.status.is_none_or(|status| STATUSES.contains(&status));
        if !number || !answer.code.as_deref().is_none_or(is_code) {
            return Err(
                "`answers`: expected a status from 200 to 599 and a code of capitals, digits and underscores; correct it"
                    .to_owned(),
            );
        }
        if answer.status.is_some() == answer.refused.is_some()
            || (answer.code.is_some() && answer.status.is_none())
        {
            return Err(
                "expected an answer to be a `status`, with or without a `code`, or `refused`".to_owned()
            );
        }
        let good = answer.status.is_some_and(|status| (200..300).contains(&status));
        match step.taken_as {
            Some(TakenAs::Rejected) if good => {
                return Err("an event that is rejected cannot be answered with success".to_owned());
            }
            Some(TakenAs::Applied | TakenAs::Duplicate | TakenAs::Stale) if !good => {
                return Err("an event that is taken over is answered with success".to_owned());
            }
            _ => {}
        }
    }
    if let Some(event) = &step.event {
        check_placeholders(event)?;
    }
    check_pieces(step.raw.as_deref().unwrap_or_default())?;
    if step.padding > BODY_BYTES {
        return Err(format!("expected a padding of at most {BODY_BYTES} bytes"));
    }
    Ok(())
}

/// What is written as it stands must not be read as something else.
fn check_request(step: &Step) -> Result<(), String> {
    let bounded = |text: &str, most: usize| (1..=most).contains(&text.len());
    let letters = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase());
    if !step.method.as_deref().is_none_or(|method| bounded(method, METHOD) && letters(method)) {
        return Err(format!("`method`: expected 1 to {METHOD} capital letters; correct it"));
    }
    let graphic = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let is_path = |path: &str| path.starts_with('/') && bounded(path, PATH) && graphic(path);
    if !step.path.as_deref().is_none_or(is_path) {
        return Err(format!(
            "`path`: expected a slash and then ASCII without blanks, {PATH} bytes at most; correct it"
        ));
    }
    let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let named = |name: &String| bounded(name, HEADER_NAME) && name.bytes().all(of_name);
    let line = |value: &String| {
        value.len() <= HEADER_VALUE && value.bytes().all(|byte| (b' '..=b'~').contains(&byte))
    };
    let good = step.headers.iter().all(|(name, value)| named(name) && value.as_ref().is_none_or(line));
    if step.headers.len() > HEADERS || !good {
        return Err(format!(
            "`headers`: expected at most {HEADERS}, with names of small letters, digits and hyphens and values of one line of ASCII; correct them"
        ));
    }
    Ok(())
}

fn check_pieces(pieces: &[Piece]) -> Result<(), String> {
    if pieces.len() > PIECES {
        return Err(format!("`raw`: expected at most {PIECES} parts; put some together"));
    }
    let mut length = 0_usize;
    for piece in pieces {
        length = length.saturating_add(match piece {
            Piece::Text(text) => text.len(),
            Piece::Hex(digits) => {
                let whole = digits.len() % 2 == 0 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
                if !whole {
                    return Err("expected `hex` to be bytes of two digits each".to_owned());
                }
                digits.len() / 2
            }
            Piece::Event(_) => 36,
            Piece::Repeat { text, times } => text.len().saturating_mul(*times),
        });
    }
    if length > BODY_BYTES {
        return Err(format!("expected a body of at most {BODY_BYTES} bytes"));
    }
    Ok(())
}

/// A misspelled placeholder would be sent as it stands.
fn check_placeholders(value: &Value) -> Result<(), String> {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "$event" if members.len() == 1 && member.as_u64().is_some() => {}
                    "$sealed" if members.len() == 1 => {}
                    "$forged" if members.len() == 1 => {
                        serde_json::from_value::<Forgery>(member.clone())
                            .map_err(|fault| format!("$forged: {fault}"))?;
                    }
                    other if other.starts_with('$') => {
                        return Err(format!(
                            "{other}: expected {{$event: N}}, {{$sealed: ...}} or {{$forged: ...}} alone"
                        ));
                    }
                    _ => check_placeholders(member)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(check_placeholders),
        _ => Ok(()),
    }
}

fn check_end(case: &ReceiverCase) -> Result<(), String> {
    let Some(end) = &case.end else {
        let kept = case.steps.iter().any(|step| step.taken_as.is_some());
        return if kept { Err("expected `end`: what became of the events".to_owned()) } else { Ok(()) };
    };
    if end.unknown && !end.token.is_empty() {
        return Err("`end`: a token that is unknown has no members".to_owned());
    }
    if let Some(other) = end.token.keys().find(|name| !PROBED_MEMBERS.contains(&name.as_str())) {
        return Err(format!("`end`: {other}: expected one of {}", PROBED_MEMBERS.join(", ")));
    }
    let handed_on = |step: &&Step| matches!(step.taken_as, Some(TakenAs::Applied | TakenAs::Stale));
    let least = |step: &&Step| matches!(step.taken_as, Some(TakenAs::Applied));
    let open = case.steps.iter().any(|step| step.taken_as.is_none() && step.event.is_some() && !step.hang_up);
    let count = |which: &dyn Fn(&&Step) -> bool| {
        u32::try_from(case.steps.iter().filter(which).count()).unwrap_or(u32::MAX)
    };
    let (min, max) = match end.events {
        None => return Ok(()),
        Some(Count::Exactly(count)) => (count, count),
        Some(Count::Between { min, max }) => (min, max),
    };
    if !open && (min < count(&least) || max > count(&handed_on) || min > max) {
        return Err(
            "`end`: `events` is not the number of events that the steps apply or call stale".to_owned()
        );
    }
    Ok(())
}
