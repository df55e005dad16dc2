//! Answers that a fault gives in D1's place.

use serde_json::{Map, Value};

use super::{FaultError, LONGEST_LIFE, wrong};
use crate::clock::parse_rfc3339;
use crate::config::parse_duration;
use crate::faults::fault::{Answer, AnswerBody, RetryAfter};
use crate::faults::form::{AnswerForm, RetryAfterForm};

/// The longest text of a forced answer, in bytes.
const LONGEST_TEXT: usize = 16 * 1024;

pub(super) fn answer(form: &AnswerForm) -> Result<Answer, FaultError> {
    if !(200..=599).contains(&form.status) {
        return Err(wrong("answer", "a status from 200 to 599"));
    }
    let object = form.error_code.is_some() || form.error.is_some() || form.members.is_some();
    if object && form.body.is_some() {
        return Err(wrong("answer", "body, or errorCode, error and members: one of the two"));
    }
    if matches!(form.status, 204 | 205 | 304)
        && (object || form.body.as_deref().is_some_and(|body| !body.is_empty()))
    {
        return Err(wrong("answer", "no body with 204, 205 and 304"));
    }
    let body = match &form.body {
        Some(text) if text.len() > LONGEST_TEXT => return Err(wrong("answer", "a body of at most 16 KiB")),
        Some(text) => AnswerBody::Text(text.clone()),
        None if matches!(form.status, 204 | 205 | 304) => AnswerBody::Text(String::new()),
        None => AnswerBody::Json(error_object(form)),
    };
    let retry_after = form.retry_after.as_ref().map(retry_after).transpose()?;
    Ok(Answer { status: form.status, retry_after, body })
}

/// The error object of C9, and of C10 for 401.
fn error_object(form: &AnswerForm) -> Map<String, Value> {
    let (code, error) = usual(form.status);
    let code = form.error_code.as_deref().or(code);
    let mut object = Map::new();
    if let Some(code) = code {
        object.insert("errorCode".into(), code.into());
    }
    object.insert("error".into(), form.error.as_deref().unwrap_or(error).into());
    object.extend(form.members.clone().unwrap_or_default());
    object
}

/// The error object of a status about which nothing more is said.
pub(in crate::faults) fn usual_object(status: u16) -> Map<String, Value> {
    let (error_code, error, members, body, retry_after) = (None, None, None, None, None);
    error_object(&AnswerForm { status, error_code, error, retry_after, members, body })
}

/// What the answers of this sandbox with a status say (C9-C15, C32); where it has several texts for one, a word for all.
fn usual(status: u16) -> (Option<&'static str>, &'static str) {
    match status {
        400 => (Some("INVALID_FIELD"), "body"),
        401 => (None, "AUTHORIZER_UNAUTHORIZED"),
        403 => (Some("FORBIDDEN"), "forbidden"),
        404 => (Some("RESOURCE_NOT_FOUND"), "not found"),
        405 => (Some("METHOD_NOT_ALLOWED"), "method not allowed"),
        413 => (Some("PAYLOAD_TOO_LARGE"), "request body too large"),
        415 => (Some("UNSUPPORTED_MEDIA_TYPE"), "application/json expected"),
        429 => (Some("TOO_MANY_REQUESTS"), "too many requests"),
        500 => (Some("INTERNAL_ERROR"), "internal error"),
        503 => (Some("SERVICE_UNAVAILABLE"), "service unavailable"),
        _ => (None, "forced by a fault"),
    }
}

fn retry_after(form: &RetryAfterForm) -> Result<RetryAfter, FaultError> {
    let text = match form {
        RetryAfterForm::Text(literal) => {
            let good = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
            let fits = literal.text.len() <= 128 && literal.text.bytes().all(good);
            let text = fits.then(|| RetryAfter::Text(literal.text.clone()));
            return text
                .ok_or_else(|| wrong("retryAfter", "a text of at most 128 printable ASCII characters"));
        }
        RetryAfterForm::Told(text) => text,
    };
    if let Some(moment) = parse_rfc3339(text) {
        // What an HTTP date can name.
        let names = (0..253_402_300_800).contains(&moment.as_seconds());
        return names
            .then_some(RetryAfter::Date(moment))
            .ok_or_else(|| wrong("retryAfter", "a moment from 1970 to 9999"));
    }
    let length = parse_duration(text).filter(|length| *length <= LONGEST_LIFE);
    let seconds = length
        .map(|length| RetryAfter::Seconds(length.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX)));
    seconds.ok_or_else(|| wrong("retryAfter", "\"30s\", a moment in RFC 3339, or {\"text\": ...}"))
}
