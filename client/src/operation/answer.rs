//! What every answer has in common: the success body and the error object.

use std::sync::Arc;

use http::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::error::{Cause, ErrorCode};
use crate::json::{self, JsonFault};
use crate::jwe::{self, JweFault};
use crate::jwk::OwnKey;

/// The longest code and the longest text of an error object that are kept, in characters.
const LONGEST_CODE: usize = 128;
const LONGEST_TEXT: usize = 256;

/// Why a success answer could not be understood. Never holds a value of the answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unclear {
    #[error("the body is not the expected JSON object")]
    Body(#[source] JsonFault),
    #[error("`{0}` is missing or cannot be used")]
    Member(&'static str),
    #[error("`encryptedData` cannot be opened")]
    Sealed(#[source] JweFault),
    #[error("the plaintext of `encryptedData` is not the expected JSON object")]
    Plaintext(#[source] JsonFault),
}

impl Unclear {
    /// What lies beneath, for the chain of sources; the text of this fault stands in the error itself.
    pub(crate) fn into_cause(self) -> Option<Cause> {
        match self {
            Self::Body(fault) | Self::Plaintext(fault) => Some(Arc::new(fault)),
            Self::Sealed(fault) => Some(Arc::new(fault)),
            Self::Member(_) => None,
        }
    }
}

pub(super) fn body<T: DeserializeOwned>(response: &Response<impl AsRef<[u8]>>) -> Result<T, Unclear> {
    json::read(response.body().as_ref()).map_err(Unclear::Body)
}

/// Opens a JWE toward our key and reads its plaintext.
pub(crate) fn opened<T: DeserializeOwned>(sealed: &str, own: &OwnKey) -> Result<T, Unclear> {
    let plaintext = jwe::open(sealed, own).map_err(Unclear::Sealed)?;
    json::read(&plaintext).map_err(Unclear::Plaintext)
}

/// D1's error object (contract C9): a code and an informational text; on 401 the text alone (contract C10).
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct ErrorObject {
    pub(crate) code: Option<ErrorCode>,
    pub(crate) text: Option<String>,
}

#[derive(Deserialize)]
struct Wire {
    #[serde(default, rename = "errorCode", deserialize_with = "json::lenient")]
    code: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    error: Option<String>,
}

/// Reads the error object of an answer; both members are absent if there is none.
pub(crate) fn error_object(body: &[u8]) -> ErrorObject {
    let Ok(wire) = json::read::<Wire>(body) else {
        return ErrorObject::default();
    };
    ErrorObject {
        code: wire
            .code
            .map(|code| printable(&code, LONGEST_CODE))
            .filter(|code| !code.is_empty())
            .map(ErrorCode::from),
        text: wire.error.map(|text| printable(&text, LONGEST_TEXT)),
    }
}

// The text ends up in logs: no control characters, no novels.
fn printable(text: &str, longest: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(longest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_object_is_read_and_anything_else_is_none() {
        let read = error_object(br#"{"errorCode":"INVALID_FIELD","error":"exp","more":[1]}"#);
        assert_eq!(read.code, Some(ErrorCode::InvalidField));
        assert_eq!(read.text.as_deref(), Some("exp"));
        let read = error_object(br#"{"error":"AUTHORIZER_UNAUTHORIZED"}"#);
        assert_eq!((read.code, read.text.as_deref()), (None, Some("AUTHORIZER_UNAUTHORIZED")));
        for other in ["1", "{\"a\":[]}", "1e400", "null", "\"\\ud800\""] {
            let read = error_object(format!(r#"{{"error":{other},"errorCode":"FORBIDDEN"}}"#).as_bytes());
            assert_eq!((read.code, read.text), (Some(ErrorCode::Forbidden), None), "{other}");
        }
        for none in [
            &b""[..],
            b"<html>",
            b"[]",
            b"{}",
            b"{\"errorCode\":1}",
            b"{\"errorCode\":\"\"}",
            // Nothing is left of it to be shown.
            b"{\"errorCode\":\"\\u0007\\r\"}",
            b"\xff",
        ] {
            assert_eq!(error_object(none), ErrorObject::default(), "{none:?}");
        }
    }

    #[test]
    fn a_text_cannot_break_a_log_line() {
        let read = error_object(b"{\"errorCode\":\"X\",\"error\":\"a\\r\\nb\\u001b[31m\"}");
        assert_eq!(read.text.as_deref(), Some("ab[31m"));
    }
}
