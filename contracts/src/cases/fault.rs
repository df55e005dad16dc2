//! What can be wrong with an answer apart from what it says: the connection, the certificate, the bytes.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// One fault. Texts of bytes are Latin-1: each character stands for the byte of its number, so that YAML's own `"\xff"`
/// is that byte.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    /// The connection ends before a request can go out on it. A connection made after an access token was given; from the
    /// first one on if the case is about the token endpoint.
    Connection(ConnectionFault),
    /// Nobody speaks for D1 who can prove to be D1, or D1 does not take the certificate of the gateway. Connections as above.
    Tls(TlsFault),
    /// No answer, though there was a connection.
    Unanswered(Unanswered),
    /// What becomes of a request on a connection of HTTP/2, which is offered for one connection alone. Connections as above.
    Http2(Http2Fault),
    /// The answer as literal bytes, in pieces.
    Bytes(Vec<Piece>),
    /// The answer with another body than it should have.
    Body(Edit),
    /// The answer with these headers, and status, in place of its own.
    Instead(Instead),
    /// The answer with a JWE that is not to be opened in the place of each `$sealed`.
    Sealed(Disguise),
}

/// What is wrong with a JWE. The first four were changed on the way, so that the tag no longer fits. The others were
/// sealed so by somebody who has the key: where the header can be believed at all, key and tag are those that it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disguise {
    /// A bit of the tag.
    TagChanged,
    /// A bit of the IV.
    IvChanged,
    /// A bit of the ciphertext, where a digit of the plaintext becomes another.
    CiphertextChanged,
    /// The header has got a member that says nothing.
    HeaderChanged,
    /// `enc` is A128GCM.
    EncA128Gcm,
    /// `alg` is dir.
    AlgDir,
    /// `crit` names a member that nobody knows.
    CritUnknown,
    /// `zip` is DEF.
    ZipDef,
    /// `epk` is no point of the curve.
    EpkOffCurve,
    /// The flattened JSON serialization (RFC 7516, 7.2.2), as a text.
    JsonSerialization,
}

impl Disguise {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::TagChanged,
        Self::IvChanged,
        Self::CiphertextChanged,
        Self::HeaderChanged,
        Self::EncA128Gcm,
        Self::AlgDir,
        Self::CritUnknown,
        Self::ZipDef,
        Self::EpkOffCurve,
        Self::JsonSerialization,
    ];
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionFault {
    /// Nobody listens.
    Refused,
    /// It is reset when the client begins to say hello.
    Reset,
    /// It is closed when the client has said hello.
    ClosedAfterHello,
    /// It is accepted, and then nothing happens.
    Silent,
    /// What answers the client's hello is no TLS.
    Garbage,
    /// What answers the client's hello is the hello of a server that knows nothing newer than TLS 1.1.
    Tls11,
}

/// What is wrong with the TLS of D1. The names are those of the configurations that the stage was made with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// D1's certificate is of an authority that the client does not know.
    UnknownAuthority,
    /// It has signed itself.
    SelfSigned,
    /// It has ended.
    Expired,
    /// It has not begun.
    NotYetValid,
    /// It is for another host.
    WrongName,
    /// It is for clients.
    ClientUsage,
    /// It is of an authority below the one that the client knows, and the certificate of that authority is not shown.
    NoIntermediate,
    /// D1 does not know the authority of the gateway's certificate.
    CallerRefused,
}

impl TlsFault {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::UnknownAuthority,
        Self::SelfSigned,
        Self::Expired,
        Self::NotYetValid,
        Self::WrongName,
        Self::ClientUsage,
        Self::NoIntermediate,
        Self::CallerRefused,
    ];
}

/// How it comes that there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unanswered {
    /// The connection is reset before anything was read.
    ResetUnread,
    /// The connection is reset when the beginning of the request was read.
    ResetWithin,
    /// The connection is reset when the whole request was read.
    Reset,
    /// The connection is closed, as TLS wants it, when the whole request was read.
    Closed,
    /// The answer is good and comes whole, but long after the client's patience.
    Late,
    /// The answer is good and comes whole, and then the connection is closed although it was to be kept.
    ClosedWhenIdle,
}

/// What becomes of a request of HTTP/2 (RFC 9113, 6.8 and 8.7). D1 has read it whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Http2Fault {
    /// GOAWAY names a stream below that of the request as the last one: the request was not begun.
    GoawayBelow,
    /// GOAWAY names the stream of the request as the last one, and the connection ends without an answer.
    GoawayAboveUnanswered,
    /// GOAWAY names the stream of the request as the last one, and then the good answer comes.
    GoawayAboveAnswered,
    /// `RST_STREAM` with `REFUSED_STREAM`: the request was not begun.
    StreamRefused,
    /// `RST_STREAM` with `INTERNAL_ERROR`.
    StreamFailed,
    /// `RST_STREAM` with `CANCEL`.
    StreamCancelled,
}

impl Http2Fault {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::GoawayBelow,
        Self::GoawayAboveUnanswered,
        Self::GoawayAboveAnswered,
        Self::StreamRefused,
        Self::StreamFailed,
        Self::StreamCancelled,
    ];
}

/// A piece of an answer. In texts `{status}`, `{body}` and `{length}` stand for those of the good answer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Piece {
    /// These bytes.
    Say(String),
    /// The same bytes again and again.
    Repeat {
        /// The bytes.
        text: String,
        /// How often.
        times: u32,
    },
    /// The same bytes until the client leaves, or has had more than anyone may take.
    Endless(String),
    /// One byte after the other, so slowly that the client's patience ends before.
    Drip(String),
    /// The end of the connection. Without one the connection stays open, and the next request on it is a fault of the
    /// client: after these bytes nobody knows where an answer would begin.
    End(End),
}

/// How a connection ends after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// It does not: the answer has a clear end, and the next request may come on the same connection.
    Keep,
    /// As TLS wants it.
    Close,
    /// Without TLS's own end: somebody on the way may have cut it off.
    Cut,
    /// With a reset.
    Reset,
}

/// How a body is changed. `{essential}` stands for the member without which the answer is of no use.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// These bytes before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// These bytes behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<String>,
    /// This member, as bytes, before all others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
    /// These bytes in place of the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
    /// Headers in place of those of the answer.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

/// Another head. In values `{now+N}` and `{now-N}` stand for a date of HTTP, N seconds from now, `{origin}` for
/// the address of D1, and `{elsewhere}` for one that is not D1's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Instead {
    /// The status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Headers beside those that every answer has; an empty value takes one away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
}

impl Fault {
    /// Whether it befalls a connection, on which no request is read that could be judged.
    #[must_use]
    pub const fn is_of_connection(&self) -> bool {
        matches!(
            self,
            Self::Connection(_)
                | Self::Tls(_)
                | Self::Http2(_)
                | Self::Unanswered(Unanswered::ResetUnread | Unanswered::ResetWithin)
        )
    }

    /// Whether it shows only when a request is on the connection.
    pub(crate) const fn waits_for_request(&self) -> bool {
        matches!(self, Self::Http2(_) | Self::Unanswered(Unanswered::ResetWithin))
    }
}

/// What kind of fault it is, for reports.
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection(fault) => write!(f, "connection: {fault:?}"),
            Self::Tls(fault) => write!(f, "TLS: {fault:?}"),
            Self::Unanswered(fault) => write!(f, "no answer: {fault:?}"),
            Self::Http2(fault) => write!(f, "HTTP/2: {fault:?}"),
            Self::Bytes(_) => f.write_str("an answer of literal bytes"),
            Self::Body(_) => f.write_str("a body that was changed"),
            Self::Instead(_) => f.write_str("a head that was changed"),
            Self::Sealed(disguise) => write!(f, "a JWE not to be opened: {disguise:?}"),
        }
    }
}

/// The bytes of a text of bytes; characters beyond Latin-1 are those of UTF-8.
pub(crate) fn bytes_of(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match u8::try_from(u32::from(character)) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_of_bytes_is_latin_1() {
        assert_eq!(bytes_of("a\u{ff}\u{0}"), [b'a', 0xff, 0]);
        assert_eq!(bytes_of("\u{ef}\u{bb}\u{bf}"), "\u{feff}".as_bytes());
        assert_eq!(bytes_of("€"), "€".as_bytes());
    }
}
