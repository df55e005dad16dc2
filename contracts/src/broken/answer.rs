//! What the baseline client makes of one answer (contract C34), and what it tells in the end.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value, json};

use super::BrokenClient;
use super::breaks::Break;
use super::request::Request;
use super::wire::{Lost, Reply};
use crate::cases::{Outcome, Retryable};
use crate::subject::Told;

/// The longest pause that D1 may ask for within a call.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// What one attempt has brought.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) outcome: Outcome,
    pub(super) retryable: Retryable,
    pub(super) ambiguous: bool,
    pub(super) result: Map<String, Value>,
    /// The client may make another attempt by itself.
    pub(super) repeat: bool,
    /// D1 asked for this pause.
    pub(super) asked: Option<Duration>,
    /// The `error` text, kept for those that mistake it for something else.
    text: Option<String>,
}

impl Seen {
    fn new(outcome: Outcome) -> Self {
        Self {
            outcome,
            retryable: Retryable::Never,
            ambiguous: false,
            result: Map::new(),
            repeat: false,
            asked: None,
            text: None,
        }
    }

    /// Nothing went out.
    pub(super) fn not_sent() -> Self {
        Self::new(Outcome::NotSent)
    }

    /// May have been carried out: left to the caller's judgement for a creation, repeated for all else.
    fn in_doubt(outcome: Outcome, request: &Request) -> Self {
        let creates = request.creates();
        let retryable = if creates { Retryable::Never } else { Retryable::Safe };
        Self { retryable, ambiguous: creates, repeat: !creates, ..Self::new(outcome) }
    }

    pub(super) fn status(&self) -> Option<u16> {
        match self.outcome {
            Outcome::Refused { status, .. } => Some(status),
            _ => None,
        }
    }
}

impl BrokenClient {
    /// Reads an answer. `doubt`: an attempt before this one may have been carried out.
    pub(super) fn read(&self, request: &Request, reply: Result<Reply, Lost>, doubt: bool) -> Seen {
        let reply = match reply {
            Ok(reply) => reply,
            Err(Lost::NotBegun) if self.broken == Some(Break::RefusalInDoubt) => {
                return Seen::in_doubt(Outcome::NoAnswer, request);
            }
            Err(Lost::Perhaps) => return Seen::in_doubt(Outcome::NoAnswer, request),
            Err(Lost::Unsent | Lost::NotBegun) => {
                return Seen { retryable: Retryable::Safe, repeat: true, ..Seen::new(Outcome::NoAnswer) };
            }
        };
        let gone = reply.status == 404 && request.operation == "deleteToken";
        if gone && (doubt || self.broken == Some(Break::SwallowDelete404)) {
            return Seen::new(Outcome::Ok);
        }
        let good = match self.broken {
            Some(Break::Only200) => reply.status == 200,
            Some(Break::SuccessBelow500) => reply.status < 500,
            _ => (200..300).contains(&reply.status),
        };
        if !good {
            return self.refused(request, &reply);
        }
        match self.result(request.operation, &reply) {
            Some(result) => Seen { result, ..Seen::new(Outcome::Ok) },
            None => Seen::in_doubt(Outcome::Unreadable, request),
        }
    }

    fn refused(&self, request: &Request, reply: &Reply) -> Seen {
        let object: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let readable = self.takes_order_of(&reply.body) && self.takes_types_of(&object);
        if !readable || !self.is_as_documented(request.operation, reply) {
            return Seen::new(Outcome::Unreadable);
        }
        let member = |name: &str| object.get(name).and_then(Value::as_str).map(str::to_owned);
        let member = |name: &str| member(name).filter(|text| !text.is_empty());
        let (status, code, text) = (reply.status, member("errorCode"), member("error"));
        let own_words = code.is_some();
        if self.broken == Some(Break::KnownCodesOnly)
            && code.as_deref().is_some_and(|code| !CODES.contains(&code))
        {
            return Seen::new(Outcome::Unreadable);
        }
        let outcome = Outcome::Refused { status, code };
        let mut seen = match status {
            429 => self.later(outcome, reply),
            503 if own_words => self.later(outcome, reply),
            502..=504 if self.broken == Some(Break::ForeignAnswerIsRefusal) => Seen::new(outcome),
            502..=504 => Seen::in_doubt(outcome, request),
            // A 500 is not to be repeated by its description; of a status without a name nothing can be concluded.
            400..=499 => Seen::new(outcome),
            _ => Seen { ambiguous: request.creates(), ..Seen::new(outcome) },
        };
        seen.text = text;
        match self.broken {
            Some(Break::TextDecides) => {
                let tells = seen.text.as_deref().is_some_and(|text| text.contains("retry"));
                seen.repeat |= tells;
            }
            Some(Break::RetryServerErrors) => seen.repeat |= status >= 500,
            Some(Break::RetryOnlyReads) => seen.repeat &= !request.creates(),
            Some(Break::RetryOnly429) => seen.repeat &= status == 429,
            Some(Break::RetryNoAccessToken) => seen.repeat &= request.operation != "getAccessToken",
            _ => {}
        }
        seen
    }

    /// Nothing was done, and another time it may be.
    fn later(&self, outcome: Outcome, reply: &Reply) -> Seen {
        let asked = reply.header("retry-after").and_then(|text| self.seconds(text));
        let asked = match self.broken {
            Some(Break::IgnoreRetryAfter) => None,
            Some(Break::RetryAfterInMilliseconds) => asked.map(Duration::from_millis),
            _ => asked.map(Duration::from_secs),
        };
        let retryable = if asked.is_some() { Retryable::After } else { Retryable::Safe };
        // A longer pause than a call may take is left to the caller.
        let repeat =
            asked.is_none_or(|asked| asked <= LONGEST_PAUSE || self.broken == Some(Break::WaitForEver));
        Seen { retryable, repeat, asked, ..Seen::new(outcome) }
    }

    /// The seconds of a Retry-After: a number, or a date.
    fn seconds(&self, text: &str) -> Option<u64> {
        let until = |date: SystemTime| date.duration_since((self.props.now)()).unwrap_or_default().as_secs();
        let date = || httpdate::parse_http_date(text).ok().map(until);
        match self.broken {
            Some(Break::RetryAfterOnlySeconds) => text.parse().ok(),
            _ => text.parse().ok().or_else(date),
        }
    }

    /// The members of a good answer with those of its plaintext; nothing if one is missing that a caller needs.
    fn result(&self, operation: &str, reply: &Reply) -> Option<Map<String, Value>> {
        if operation == "deleteToken" && self.broken != Some(Break::WantBodyOfDelete) {
            return Some(Map::new());
        }
        let Some(Value::Object(mut members)) = self.json(reply) else { return None };
        if let Some(Value::String(jwe)) = members.remove("encryptedData") {
            members.extend(self.opened(jwe)?);
        }
        (self.is_as_documented(operation, reply) && self.wants(operation, &members)).then_some(members)
    }

    /// What the caller is told.
    pub(super) fn tell(&self, seen: Seen, waited: Duration) -> Told {
        let result: BTreeMap<String, Value> = seen.result.into_iter().collect();
        let waited_ms = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
        let (outcome, retryable, ambiguous) = (seen.outcome, seen.retryable, seen.ambiguous);
        let mut told = Told { outcome, retryable, ambiguous, result, waited_ms };
        let Some(broken) = self.broken else { return told };
        let failed = told.outcome != Outcome::Ok;
        let server_error = matches!(told.outcome, Outcome::Refused { status: 500.., .. });
        match broken {
            Break::AlwaysOk => {
                (told.outcome, told.retryable, told.ambiguous) = (Outcome::Ok, Retryable::Never, false);
            }
            Break::AlwaysError => told.outcome = Outcome::NoAnswer,
            Break::ErrorIsUnreadable if failed => told.outcome = Outcome::Unreadable,
            Break::NotAmbiguous => told.ambiguous = false,
            Break::AlwaysAmbiguous => told.ambiguous = failed,
            Break::NeverRetryable => told.retryable = Retryable::Never,
            Break::AlwaysRetryable if failed => told.retryable = Retryable::Safe,
            Break::AmbiguousServerErrors => told.ambiguous |= server_error,
            Break::RetryableServerErrors if server_error => told.retryable = Retryable::Safe,
            Break::HidePause if told.retryable == Retryable::After => told.retryable = Retryable::Safe,
            Break::StatusOnly => told.result.clear(),
            Break::DigitsAsNumbers => told.result.values_mut().for_each(into_number),
            _ => {}
        }
        if let Outcome::Refused { status, code } = &mut told.outcome {
            match broken {
                Break::StatusOnly | Break::DropErrorCode => *code = None,
                Break::CodeFromErrorText => *code = seen.text,
                Break::CodeFromStatus => *code = code_of(*status),
                _ => {}
            }
        }
        told
    }
}

fn into_number(value: &mut Value) {
    let number: Option<u64> = value.as_str().and_then(|text| text.parse().ok());
    if let Some(number) = number {
        *value = json!(number);
    }
}

/// The `errorCode` that one who has read the table of statuses in haste takes a status for.
fn code_of(status: u16) -> Option<String> {
    let code = match status {
        400 => "INVALID_FIELD",
        401 => "AUTHORIZER_UNAUTHORIZED",
        403 => "FORBIDDEN",
        404 => "RESOURCE_NOT_FOUND",
        405 => "METHOD_NOT_ALLOWED",
        413 => "PAYLOAD_TOO_LARGE",
        415 => "UNSUPPORTED_MEDIA_TYPE",
        429 => "TOO_MANY_REQUESTS",
        503 => "SERVICE_UNAVAILABLE",
        _ => "INTERNAL_ERROR",
    };
    Some(code.to_owned())
}

/// The codes that one who has read the documents knows.
const CODES: [&str; 11] = [
    "INVALID_FIELD",
    "MISSING_FIELD",
    "FORBIDDEN",
    "FORBIDDEN_STATE",
    "TOKENIZATION_DECLINED",
    "RESOURCE_NOT_FOUND",
    "METHOD_NOT_ALLOWED",
    "PAYLOAD_TOO_LARGE",
    "UNSUPPORTED_MEDIA_TYPE",
    "TOO_MANY_REQUESTS",
    "SERVICE_UNAVAILABLE",
];
