//! Which requests were one call of a client's, and what the client was told.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::super::run::happened::Entry;

/// So many attempts our client makes of one call, a replay after a 401 aside.
const ATTEMPTS: usize = 4;

/// What faults do, by their names.
pub(super) type Effects = BTreeMap<String, String>;

/// A call with all its attempts.
#[derive(Debug)]
pub(super) struct Made<'e> {
    pub(super) attempts: Vec<&'e Entry>,
    /// When it began; the journal tells of a request when that is over.
    pub(super) began: Timestamp,
}

/// What came of a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Came {
    Ok,
    Refused(u64, Option<String>),
    NoAnswer,
    Unreadable,
    /// Our client cannot be made to do the like, for this reason.
    Strange(String),
}

/// The calls of a gateway, by the number of the entry that tells of their first attempt. Our client repeats a request with
/// the same correlation id.
pub(super) fn calls<'e>(entries: &[&'e Entry], effects: &Effects) -> BTreeMap<u64, Made<'e>> {
    let mut calls: BTreeMap<u64, Made<'e>> = BTreeMap::new();
    let mut open: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    // When what is on its way was struck first.
    let mut struck: BTreeMap<(&str, &str), Timestamp> = BTreeMap::new();
    for entry in entries {
        let (Some(operation), Some(correlation)) = (entry.text("operation"), entry.text("correlationId"))
        else {
            if entry.is("request") && entry.text("operation").is_some() {
                calls.insert(entry.n, Made { attempts: vec![entry], began: entry.at });
            }
            continue;
        };
        if entry.is("fault") {
            struck.entry((operation, correlation)).or_insert(entry.at);
        }
        if !entry.is("request") || operation == "getAccessToken" {
            continue;
        }
        let began = struck.remove(&(operation, correlation)).unwrap_or(entry.at);
        let key = (operation, entry.text("path").unwrap_or_default(), correlation);
        match open.get(&key).and_then(|first| calls.get_mut(first)) {
            Some(made) if made.goes_on(effects) => made.attempts.push(entry),
            _ => {
                open.insert(key, entry.n);
                calls.insert(entry.n, Made { attempts: vec![entry], began });
            }
        }
    }
    calls
}

impl<'e> Made<'e> {
    pub(super) fn first(&self) -> &'e Entry {
        self.attempts[0]
    }

    pub(super) fn last(&self) -> &'e Entry {
        self.attempts[self.attempts.len() - 1]
    }

    pub(super) fn operation(&self) -> &'e str {
        self.first().text("operation").unwrap_or_default()
    }

    /// The names of the faults that struck it.
    pub(super) fn faults(&self) -> impl Iterator<Item = &'e str> {
        self.attempts.iter().flat_map(|entry| faults(entry))
    }

    /// Whether our client sends it once more after the last attempt (contract C34).
    pub(super) fn goes_on(&self, effects: &Effects) -> bool {
        let last = self.last();
        let creates = self.operation().starts_with("create");
        let renewed = self.attempts.iter().filter(|entry| entry.status() == Some(401)).count();
        if last.status() == Some(401) {
            return renewed == 1;
        }
        let again = match came(last, effects) {
            Came::NoAnswer | Came::Unreadable => !creates,
            Came::Refused(429, _) | Came::Refused(503, Some(_)) => true,
            Came::Refused(502..=504, _) => !creates,
            _ => false,
        };
        again && self.attempts.len() < ATTEMPTS + renewed
    }

    /// What came of the whole call.
    pub(super) fn came(&self, effects: &Effects) -> Came {
        let came = came(self.last(), effects);
        // A deletion that is repeated and finds nothing has been carried out.
        let gone = self.operation() == "deleteToken" && self.attempts.len() > 1;
        match &came {
            Came::Refused(404, _) if gone => Came::Ok,
            Came::Refused(status, _) if self.goes_on(effects) => {
                Came::Strange(format!("the caller left it at {status}, which our client repeats"))
            }
            Came::NoAnswer | Came::Unreadable if self.goes_on(effects) => Came::Strange(
                "the caller left it at no good answer, and our client repeats such a call".to_owned(),
            ),
            _ => came,
        }
    }
}

pub(super) fn faults(entry: &Entry) -> impl Iterator<Item = &str> {
    let list = entry.line.get("faults").and_then(serde_json::Value::as_array);
    list.into_iter().flatten().filter_map(serde_json::Value::as_str)
}

fn came(entry: &Entry, effects: &Effects) -> Came {
    let mut struck = faults(entry).map(|name| effects.get(name).map_or("", String::as_str));
    let mut has = |effect: &str| struck.any(|one| one == effect);
    let Some(status) = entry.status() else {
        return if faults(entry).next().is_some() {
            Came::NoAnswer
        } else {
            Came::Strange("the caller went away before the answer".to_owned())
        };
    };
    let good = (200..300).contains(&status);
    let forced = entry.line.get("forced").is_some();
    if has("malformed") || (good && forced) {
        return if good { Came::Unreadable } else { Came::Refused(status, None) };
    }
    let mut struck = faults(entry).map(|name| effects.get(name).map_or("", String::as_str));
    if struck.any(|one| one == "truncate" || one == "reset") {
        return Came::NoAnswer;
    }
    if good {
        return Came::Ok;
    }
    let code = entry.of_answer("errorCode").filter(|code| {
        let capital = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        (1..=64).contains(&code.len()) && code.bytes().all(capital)
    });
    let by_fault = forced
        || faults(entry)
            .any(|name| effects.get(name).is_some_and(|one| one == "limit" || one == "revokeBearer"));
    let of_d1 = matches!(
        (status, code),
        (403, Some("FORBIDDEN_STATE" | "TOKENIZATION_DECLINED"))
            | (404, Some("RESOURCE_NOT_FOUND"))
            | (503, Some("SERVICE_UNAVAILABLE"))
    );
    if by_fault || of_d1 {
        return Came::Refused(status, code.map(str::to_owned));
    }
    let check = entry.line["refused"]["check"].as_str().unwrap_or("no reason given");
    Came::Strange(format!("D1 refused it with {status} ({check}), which our client gives it no cause for"))
}
