//! The shape of an entry: common members first, then those of its kind.

use std::borrow::Cow;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde::Serialize;

use super::headers::Headers;
use super::redact;
use super::shown::{Deep, Shown};

/// What happened. The kind is the value of `kind` in the line.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub(crate) enum Fact<'a> {
    Handshake(Handshake<'a>),
    Request(Request<'a>),
    Transition(Transition<'a>),
    Delivery(Delivery<'a>),
    GatewayToken(GatewayToken<'a>),
    Expiry(Expiry<'a>),
    Fault(Fault<'a>),
    /// The clock was moved.
    Clock {
        now: String,
    },
    /// Everything but the journal was forgotten, or all of the gateway that the entry names.
    Reset,
    /// A gateway came or went: `made` or `deleted`.
    Gateway {
        outcome: &'static str,
    },
}

/// Which check failed, what it wanted, what it found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Why {
    pub(crate) check: &'static str,
    pub(crate) expected: Cow<'static, str>,
    #[serde(serialize_with = "redacted")]
    pub(crate) actual: Cow<'static, str>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Handshake<'a> {
    pub(crate) accepted: bool,
    /// The common name of the caller's certificate, if it showed one.
    #[serde(serialize_with = "redacted_option")]
    pub(crate) peer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) protocol: Option<&'static str>,
    /// The fault that struck it.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "redacted_all")]
    pub(crate) faults: &'a [Arc<str>],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Why>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Request<'a> {
    /// When it came; the entry is written when the exchange is over.
    pub(crate) arrived: String,
    pub(crate) operation: Option<&'static str>,
    #[serde(serialize_with = "redacted")]
    pub(crate) method: &'a str,
    #[serde(serialize_with = "redacted_path")]
    pub(crate) path: &'a str,
    #[serde(serialize_with = "redacted")]
    pub(crate) peer: &'a str,
    #[serde(skip_serializing_if = "Headers::is_empty")]
    pub(crate) headers: Headers,
    /// Of the answer; null where a fault let none begin.
    pub(crate) status: Option<u16>,
    /// Of the answer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "redacted_option")]
    pub(crate) media_type: Option<&'a str>,
    /// The faults that struck it, in order; an answer that one of them made follows no document.
    #[serde(skip_serializing_if = "<[_]>::is_empty", serialize_with = "redacted_all")]
    pub(crate) faults: &'a [Arc<str>],
    #[serde(skip_serializing_if = "is_false")]
    pub(crate) forced: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Why>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Body<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) answer: Option<Body<'a>>,
}

/// A body: its size and hash as it was, and what may be shown of it.
#[derive(Debug, Serialize)]
pub(crate) struct Body<'a> {
    bytes: usize,
    sha256: String,
    shown: Shown<'a>,
}

impl<'a> Body<'a> {
    /// Nothing for an empty body.
    pub(crate) fn of(bytes: &'a [u8]) -> Option<Self> {
        (!bytes.is_empty()).then(|| Self { bytes: bytes.len(), sha256: sha256(bytes), shown: Shown(bytes) })
    }
}

/// The hash in hexadecimal digits.
fn sha256(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let hash = digest(&SHA256, bytes);
    let digits = hash.as_ref().iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Transition<'a> {
    /// `merchant.created`, `token.created`, `transaction.created`, or the issuer's event.
    pub(crate) cause: &'a str,
    pub(crate) merchant_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) card_last_digits: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_last_digits: Option<String>,
    /// The notification that the change puts into the outbox.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) queued: Option<Queued>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Queued {
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    pub(crate) sequence: u32,
}

/// An attempt to deliver a notification, told of when it is over.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Delivery<'a> {
    /// The call that decided it: `notifyTokenUpdate`, or `getAccessToken` if there was no token.
    pub(crate) call: &'static str,
    pub(crate) token_id: String,
    pub(crate) event_id: String,
    pub(crate) event_type: &'static str,
    pub(crate) sequence: u32,
    pub(crate) attempt: u32,
    /// What is wrong with it on purpose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) forged: Option<&'static str>,
    /// The receiver's status, if it gave one.
    pub(crate) status: Option<u16>,
    /// What went wrong, if there was no answer.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "redacted_option")]
    pub(crate) failure: Option<&'a str>,
    /// `delivered`, `retry`, `refused` (final), `givenUp`, or `forgotten` by a reset.
    pub(crate) outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Body<'a>>,
}

/// Something has come to its end. That changes no state: what follows from it others do.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Expiry<'a> {
    /// `accessToken`, `receiverToken`, `card` or `token`.
    pub(crate) what: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) merchant_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<String>,
    /// The month, as `MMYY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expiry_date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_digits: Option<String>,
}

/// What became of the access token for a receiver, within an attempt of the same correlation id.
#[derive(Debug, Serialize)]
pub(crate) struct GatewayToken<'a> {
    /// `getAccessToken`, or `notifyTokenUpdate` for one that the receiver refuses.
    pub(crate) call: &'static str,
    pub(crate) status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "redacted_option")]
    pub(crate) failure: Option<&'a str>,
    /// `ok`, `failed` or `refused`.
    pub(crate) outcome: &'static str,
}

/// A fault that was set or lifted, or has struck.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fault<'a> {
    #[serde(serialize_with = "redacted")]
    pub(crate) name: &'a str,
    /// `set`, `struck`, `lifted`, or `ended` with its time.
    pub(crate) what: &'static str,
    pub(crate) effect: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<&'static str>,
    /// Stands among the members that every line has.
    #[serde(skip)]
    pub(crate) gateway: Option<&'a str>,
    /// The gateways to which it is limited, where they are several. The line is one of each of them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) gateways: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_id: Option<&'a str>,
    /// Of one that was set: all that was asked for.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "redacted_value")]
    pub(crate) asked: Option<&'a serde_json::Value>,
}

impl<'a> Fault<'a> {
    pub(crate) fn new(name: &'a str, what: &'static str, effect: &'static str) -> Self {
        Self { name, what, effect, ..Self::default() }
    }
}

/// One line without its number.
pub(super) fn render(
    at: &str,
    gateway: Option<&str>,
    correlation: Option<&str>,
    fact: &Fact<'_>,
) -> Box<[u8]> {
    let line = Line { at, gateway, correlation_id: correlation, fact };
    // A Fact holds texts, numbers and options: there is nothing in it that cannot be written.
    serde_json::to_vec(&line).unwrap_or_else(|_| b"{\"kind\":\"unwritable\"}".to_vec()).into()
}

/// Whether a line without its number is one of this gateway. An identifier needs no escape; before the one that every line has
/// comes nothing but the time, and those of a fault that is limited to several stand in a list.
pub(super) fn is_of(line: &[u8], gateway: &str) -> bool {
    let after_time = || {
        let rest = line.strip_prefix(br#"{"at":""#)?;
        let end = rest.iter().position(|byte| *byte == b'"')?;
        rest[end..].strip_prefix(br#"","gateway":"#)
    };
    let Some(rest) = after_time() else { return false };
    match rest.strip_prefix(b"\"") {
        Some(named) => named.strip_prefix(gateway.as_bytes()).is_some_and(|rest| rest.starts_with(b"\"")),
        None => of_several(rest).is_some_and(|mut several| several.any(|one| one == gateway.as_bytes())),
    }
}

/// The gateways of a fault that is limited to several.
fn of_several(rest: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    const LIST: &[u8] = br#","gateways":["#;
    let fault = rest.strip_prefix(br#"null,"correlationId":null,"kind":"fault""#)?;
    let at = fault.windows(LIST.len()).position(|part| part == LIST)?;
    let list = fault[at + LIST.len()..].split(|byte| *byte == b']').next()?;
    Some(list.split(|byte| *byte == b'"'))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    at: &'a str,
    gateway: Option<&'a str>,
    #[serde(serialize_with = "redacted_option")]
    correlation_id: Option<&'a str>,
    #[serde(flatten)]
    fact: &'a Fact<'a>,
}

fn redacted<S: serde::Serializer>(value: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact::text(value))
}

fn redacted_path<S: serde::Serializer>(path: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&redact::path(path))
}

fn redacted_option<S: serde::Serializer>(value: &Option<&str>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(text) => redacted(text, serializer),
        None => serializer.serialize_none(),
    }
}

fn redacted_all<S: serde::Serializer>(values: &[Arc<str>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(|value| redact::text(value)))
}

fn redacted_value<S: serde::Serializer>(
    value: &Option<&serde_json::Value>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    value.map(Deep).serialize(serializer)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's form")]
fn is_false(value: &bool) -> bool {
    !value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_told_to_be_a_gateways_by_what_was_rendered() {
        let whose = |gateway| render("2026-04-22T10:00:00.000Z", gateway, Some("MGW_000002"), &Fact::Reset);
        assert!(is_of(&whose(Some("MGW_000001")), "MGW_000001"));
        for other in [whose(Some("MGW_000002")), whose(None), Box::default(), b"{\"at\":\"".to_vec().into()] {
            assert!(!is_of(&other, "MGW_000001"), "{}", String::from_utf8_lossy(&other));
        }
        assert!(!is_of(&whose(Some("MGW_000001")), "MGW_00000"));
    }

    #[test]
    fn a_fault_of_several_gateways_is_one_of_each_of_them() {
        let gateways = ["MGW_000001".to_owned(), "MGW_000002".to_owned()];
        let fault = Fault { gateways: &gateways, ..Fault::new("storm", "lifted", "answer") };
        let line = render("2026-04-22T10:00:00.000Z", None, None, &Fact::Fault(fault));
        let of = |gateway| is_of(&line, gateway);
        assert_eq!(
            (of("MGW_000001"), of("MGW_000002"), of("MGW_000003"), of("storm")),
            (true, true, false, false)
        );
    }
}
