//! An answer as it leaves: what its turn says, and what is wrong with it on purpose.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::delivery::{Step, Then};
use super::http;
use crate::cases::{Edit, End, Fault, Instead, Piece, Turn, Unanswered, bytes_of, essential_of};

/// How late an answer is that comes late: several times the patience that a client is asked for.
pub(super) const LATE: Duration = Duration::from_secs(2);

/// An answer that is to be delivered, and what a report may say of it.
pub(super) struct Sent {
    /// 0 if none is sent, or none that could be read.
    pub(super) status: u16,
    /// Those that can be read; none of literal bytes.
    pub(super) headers: BTreeMap<String, String>,
    /// What can be read; nothing of literal bytes.
    pub(super) body: Vec<u8>,
    pub(super) steps: Vec<Step>,
    pub(super) then: Then,
}

/// Where and when an answer is given, and to what.
pub(super) struct Place<'a> {
    pub(super) origin: &'a str,
    pub(super) elsewhere: &'a str,
    pub(super) now: SystemTime,
    pub(super) operation: &'a str,
}

impl Sent {
    fn whole(status: u16, headers: BTreeMap<String, String>, body: Vec<u8>, then: Then) -> Self {
        let steps = vec![Step::Bytes(http::answer(status, &headers, &body))];
        Self { status, headers, body, steps, then }
    }

    fn nothing(then: Then) -> Self {
        Self { status: 0, headers: BTreeMap::new(), body: Vec::new(), steps: Vec::new(), then }
    }
}

impl Place<'_> {
    /// What leaves of a turn with these headers and this body.
    pub(super) fn sent(&self, turn: &Turn, mut headers: BTreeMap<String, String>, body: Vec<u8>) -> Sent {
        match &turn.fault {
            // Those end connections before there is an answer; or what is wrong stands in the body already.
            None | Some(Fault::Connection(_) | Fault::Tls(_) | Fault::Http2(_) | Fault::Sealed(_)) => {
                Sent::whole(turn.status, headers, body, Then::Keep)
            }
            Some(Fault::Unanswered(unanswered)) => match unanswered {
                Unanswered::Reset | Unanswered::ResetUnread | Unanswered::ResetWithin => {
                    Sent::nothing(Then::Reset)
                }
                Unanswered::Closed => Sent::nothing(Then::Close),
                Unanswered::ClosedWhenIdle => Sent::whole(turn.status, headers, body, Then::Close),
                Unanswered::Late => {
                    let mut sent = Sent::whole(turn.status, headers, body, Then::Keep);
                    sent.steps.insert(0, Step::Wait(LATE));
                    sent
                }
            },
            Some(Fault::Bytes(pieces)) => {
                let begins = |text: &String| text.starts_with("HTTP/1.1 {status} ");
                let has_status = pieces
                    .iter()
                    .take(1)
                    .any(|first| matches!(first, Piece::Say(text) | Piece::Drip(text) if begins(text)));
                let (steps, then) = pieces_of(pieces, turn.status, &body);
                Sent { status: if has_status { turn.status } else { 0 }, steps, ..Sent::nothing(then) }
            }
            Some(Fault::Body(edit)) => {
                headers.extend(edit.headers.clone());
                headers.retain(|_, value| !value.is_empty());
                Sent::whole(turn.status, headers, edited(edit, self.operation, body), Then::Keep)
            }
            Some(Fault::Instead(Instead { headers: other, .. })) => {
                headers.extend(other.iter().map(|(name, value)| (name.clone(), self.value(value))));
                headers.retain(|_, value| !value.is_empty());
                Sent::whole(turn.shown_status(), headers, body, Then::Keep)
            }
        }
    }

    /// The value of a header, with what cannot stand in a file.
    fn value(&self, value: &str) -> String {
        let shift = value.strip_prefix("{now").and_then(|rest| rest.strip_suffix('}'));
        let Some(seconds) = shift.and_then(|shift| shift.parse::<i64>().ok()) else {
            return value.replace("{origin}", self.origin).replace("{elsewhere}", self.elsewhere);
        };
        let by = Duration::from_secs(seconds.unsigned_abs());
        let moment = if seconds < 0 { self.now.checked_sub(by) } else { self.now.checked_add(by) };
        httpdate::fmt_http_date(moment.unwrap_or(UNIX_EPOCH))
    }
}

/// The pieces of an answer as steps.
fn pieces_of(pieces: &[Piece], status: u16, body: &[u8]) -> (Vec<Step>, Then) {
    let filled = |text: &str| fill(text, status, body);
    let (mut steps, mut then) = (Vec::new(), Then::Spoil);
    for piece in pieces {
        match piece {
            Piece::Say(text) => steps.push(Step::Bytes(filled(text))),
            Piece::Repeat { text, times } => steps.push(Step::Repeat(filled(text), *times)),
            Piece::Endless(text) => steps.push(Step::Endless(filled(text))),
            Piece::Drip(text) => steps.push(Step::Drip(filled(text))),
            Piece::End(End::Keep) => then = Then::Keep,
            Piece::End(End::Close) => then = Then::Close,
            Piece::End(End::Cut) => then = Then::Cut,
            Piece::End(End::Reset) => then = Then::Reset,
        }
    }
    (steps, then)
}

/// The bytes of a text with `{status}`, `{length}`, `{length+48}` (of a body behind so many blanks) and `{body}` filled in.
fn fill(text: &str, status: u16, body: &[u8]) -> Vec<u8> {
    let (length, longer) = (body.len().to_string(), (body.len() + 48).to_string());
    let text = text.replace("{status}", &status.to_string());
    let text = text.replace("{length}", &length).replace("{length+48}", &longer);
    let mut parts = text.split("{body}");
    let mut bytes = parts.next().map(bytes_of).unwrap_or_default();
    for part in parts {
        bytes.extend_from_slice(body);
        bytes.extend(bytes_of(part));
    }
    bytes
}

fn edited(edit: &Edit, operation: &str, body: Vec<u8>) -> Vec<u8> {
    let essential = essential_of(operation).unwrap_or_default();
    let bytes = |text: &Option<String>| {
        text.as_ref().map(|text| bytes_of(&text.replace("{essential}", essential))).unwrap_or_default()
    };
    let mut edited = bytes(&edit.before);
    match &edit.instead {
        Some(_) => edited.extend(bytes(&edit.instead)),
        None if edit.member.is_some() => {
            edited.push(b'{');
            edited.extend(bytes(&edit.member));
            edited.push(b',');
            edited.extend(body.strip_prefix(b"{").unwrap_or(&body));
        }
        None => edited.extend(body),
    }
    edited.extend(bytes(&edit.behind));
    edited
}
