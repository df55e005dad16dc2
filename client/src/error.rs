//! Errors of a call. The variant says how far the call got, and with that whose move it is.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::model::CorrelationId;
use crate::operation::Operation;
use crate::retry::{self, Retry};

/// A cause that several callers may share, since they may wait for one refresh of the access token.
pub(crate) type Cause = Arc<dyn StdError + Send + Sync>;

/// Which call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Context {
    /// The operation that failed. This is the token endpoint when the call itself could not be made for want of an
    /// access token.
    pub operation: Operation,
    /// The value of `x-correlation-id` that was sent, to be named to D1's support.
    pub correlation_id: CorrelationId,
    /// How many requests were sent, or begun, for this operation.
    pub attempts: u32,
}

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (correlation id {}, attempts: {})", self.operation, self.correlation_id, self.attempts)
    }
}

/// How an answer came to be missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Loss {
    /// No byte of the request was sent: not connected, connection refused, handshake not completed, or the connection was
    /// gone before the request was written.
    BeforeFirstByte,
    /// The request was sent, at least in part, and then the connection or the time was lost.
    AfterFirstByte,
    /// The request was sent over HTTP/2, and D1 said that it had not begun with it (RFC 9113, 6.8 and 8.7).
    NotBegun,
    /// D1 ended the TLS handshake with an alert, most often about our certificate. Sending again will not help.
    RefusedInHandshake,
    /// We ended the TLS handshake: D1's certificate is not of the trusted authorities or not for this host.
    ServerNotTrusted,
    /// We ended the TLS handshake: D1 and this client have no version or algorithm of TLS in common. Sending again
    /// will not help.
    NothingInCommon,
}

impl fmt::Display for Loss {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BeforeFirstByte => "the connection could not be made, nothing was sent",
            Self::AfterFirstByte => "the request was sent, but no answer arrived in time",
            Self::NotBegun => "D1 is going away or has too much to do, and has not begun with the request",
            Self::RefusedInHandshake => {
                "D1 refused the TLS connection: check the client certificate, its dates and its authority"
            }
            Self::ServerNotTrusted => {
                "D1's server certificate is not trusted: check the authorities and the host name"
            }
            Self::NothingInCommon => {
                "no version or algorithm of TLS is in common: check tls_versions and that the address is D1's"
            }
        })
    }
}

/// A machine-readable error code of D1. Open: D1 may introduce further codes (\[D10\]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// `INVALID_FIELD` (\[D2\]).
    InvalidField,
    /// `MISSING_FIELD` (\[D2\]).
    MissingField,
    /// `FORBIDDEN` (contract C11).
    Forbidden,
    /// `FORBIDDEN_STATE` (contract C11): the token's state does not allow it.
    ForbiddenState,
    /// `TOKENIZATION_DECLINED` (contract C11): the issuer declines.
    TokenizationDeclined,
    /// `RESOURCE_NOT_FOUND` (contract C12).
    ResourceNotFound,
    /// `TOO_MANY_REQUESTS` (contract C13).
    TooManyRequests,
    /// `SERVICE_UNAVAILABLE` (contract C13).
    ServiceUnavailable,
    /// `INTERNAL_ERROR` (contract C14).
    InternalError,
    /// A code that this version does not know, as D1 wrote it.
    Other(String),
}

impl ErrorCode {
    /// The code on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::InvalidField => "INVALID_FIELD",
            Self::MissingField => "MISSING_FIELD",
            Self::Forbidden => "FORBIDDEN",
            Self::ForbiddenState => "FORBIDDEN_STATE",
            Self::TokenizationDeclined => "TOKENIZATION_DECLINED",
            Self::ResourceNotFound => "RESOURCE_NOT_FOUND",
            Self::TooManyRequests => "TOO_MANY_REQUESTS",
            Self::ServiceUnavailable => "SERVICE_UNAVAILABLE",
            Self::InternalError => "INTERNAL_ERROR",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for ErrorCode {
    fn from(text: String) -> Self {
        match text.as_str() {
            "INVALID_FIELD" => Self::InvalidField,
            "MISSING_FIELD" => Self::MissingField,
            "FORBIDDEN" => Self::Forbidden,
            "FORBIDDEN_STATE" => Self::ForbiddenState,
            "TOKENIZATION_DECLINED" => Self::TokenizationDeclined,
            "RESOURCE_NOT_FOUND" => Self::ResourceNotFound,
            "TOO_MANY_REQUESTS" => Self::TooManyRequests,
            "SERVICE_UNAVAILABLE" => Self::ServiceUnavailable,
            "INTERNAL_ERROR" => Self::InternalError,
            _ => Self::Other(text),
        }
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a call has no result. `Display` does not print the source; walk `source()` for the whole chain.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// The request could not be made; nothing was sent.
    Prepare {
        /// Which call.
        context: Context,
        /// What could not be made, and what to do.
        reason: String,
    },
    /// No answer arrived. Whether D1 carried the call out may be unknown, see [`Error::is_ambiguous`].
    NoAnswer {
        /// Which call.
        context: Context,
        /// How the answer came to be missing.
        loss: Loss,
        /// What the network said.
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
    /// D1 answered with an error status.
    Refused {
        /// Which call.
        context: Context,
        /// The HTTP status.
        status: u16,
        /// The code of D1's error object; absent if the answer held none.
        code: Option<ErrorCode>,
        /// The text of D1's error object: for field errors the name of the field (contract C9). Informational.
        error: Option<String>,
        /// How long D1 asks to wait.
        retry_after: Option<Duration>,
    },
    /// D1 answered with success, but the answer could not be understood. The call may have been carried out.
    Unreadable {
        /// Which call.
        context: Context,
        /// The HTTP status.
        status: u16,
        /// What was expected.
        reason: String,
        /// The fault in detail.
        source: Option<Arc<dyn StdError + Send + Sync>>,
    },
}

impl Error {
    /// Which call failed.
    #[must_use]
    pub fn context(&self) -> &Context {
        match self {
            Self::Prepare { context, .. }
            | Self::NoAnswer { context, .. }
            | Self::Refused { context, .. }
            | Self::Unreadable { context, .. } => context,
        }
    }

    /// Whether, and when, the same call may be made again (contract C34). The client has already repeated what it may
    /// repeat by itself.
    #[must_use]
    pub fn retry(&self) -> Retry {
        retry::advice(self)
    }

    /// True if a creation may or may not have been carried out (contract C34). D1 has no idempotency key: find out
    /// by other means (or let a person decide) before the call is made again.
    ///
    /// Always false for reads, the token endpoint and deleteToken, which can be repeated without harm.
    #[must_use]
    pub fn is_ambiguous(&self) -> bool {
        retry::is_ambiguous(self)
    }

    /// The HTTP status, if D1 answered.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Prepare { .. } | Self::NoAnswer { .. } => None,
            Self::Refused { status, .. } | Self::Unreadable { status, .. } => Some(*status),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prepare { context, reason } => {
                write!(f, "{context} could not be prepared: {reason}")
            }
            Self::NoAnswer { context, loss, .. } => write!(f, "{context} has no answer: {loss}"),
            Self::Refused { context, status, code, error, .. } => {
                write!(f, "{context} was refused with status {status}")?;
                if let Some(code) = code {
                    write!(f, ", {code}")?;
                }
                if let Some(error) = error {
                    write!(f, ": {error}")?;
                }
                Ok(())
            }
            Self::Unreadable { context, status, reason, .. } => write!(
                f,
                "{context} was answered with status {status}, but the answer cannot be read: {reason}"
            ),
        }
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::NoAnswer { source, .. } | Self::Unreadable { source, .. } => {
                source.as_ref().map(|source| -> &(dyn StdError + 'static) { &**source })
            }
            Self::Prepare { .. } | Self::Refused { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_documented_code_has_a_name_of_its_own_and_keeps_its_text() {
        for (text, code) in [
            ("INVALID_FIELD", ErrorCode::InvalidField),
            ("MISSING_FIELD", ErrorCode::MissingField),
            ("FORBIDDEN", ErrorCode::Forbidden),
            ("FORBIDDEN_STATE", ErrorCode::ForbiddenState),
            ("TOKENIZATION_DECLINED", ErrorCode::TokenizationDeclined),
            ("RESOURCE_NOT_FOUND", ErrorCode::ResourceNotFound),
            ("TOO_MANY_REQUESTS", ErrorCode::TooManyRequests),
            ("SERVICE_UNAVAILABLE", ErrorCode::ServiceUnavailable),
            ("INTERNAL_ERROR", ErrorCode::InternalError),
            ("new_code", ErrorCode::Other("new_code".to_owned())),
        ] {
            assert_eq!((ErrorCode::from(text.to_owned()), code.as_str()), (code.clone(), text));
            assert_eq!(code.to_string(), text);
        }
    }

    #[test]
    fn each_loss_says_what_to_look_at() {
        for (loss, said) in [
            (Loss::BeforeFirstByte, "nothing was sent"),
            (Loss::AfterFirstByte, "no answer arrived"),
            (Loss::NotBegun, "not begun"),
            (Loss::RefusedInHandshake, "client certificate"),
            (Loss::ServerNotTrusted, "server certificate"),
            (Loss::NothingInCommon, "tls_versions"),
        ] {
            assert!(loss.to_string().contains(said), "{loss}");
        }
    }
}
