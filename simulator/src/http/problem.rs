//! The only place where a refusal becomes status and body (C9-C15, C31-C33).

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{HeaderValue, WWW_AUTHENTICATE};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::auth::{AuthError, TooManyTokens};
use crate::chance::NoRandomness;
use crate::domain::Refusal;
use crate::journal::Why;

use super::answer::answer;
use super::strict_json::{DecodeError, DecodeKind};

/// The longest text of an error, in characters.
const LONGEST_ERROR: usize = 512;

/// An answer that says no. What it says to the caller is little; the journal gets the reason.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: Option<&'static str>,
    error: Cow<'static, str>,
    why: Option<Why>,
    /// Members beside code and error.
    more: Option<Box<Map<String, Value>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    error_code: Option<&'static str>,
    error: &'a str,
    #[serde(flatten)]
    more: Option<&'a Map<String, Value>>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, error: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: Some(code), error: error.into(), why: None, more: None }
    }

    /// The same with these members beside code and error.
    pub(crate) fn with(self, more: Map<String, Value>) -> Self {
        Self { more: Some(Box::new(more)), ..self }
    }

    /// A member of a request on the admin port that is not as it must be. What is told of the request was masked before.
    pub(crate) fn invalid(error: &str) -> Self {
        let error: String = error.chars().take(LONGEST_ERROR).collect();
        Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", error)
    }

    pub(crate) fn because(mut self, why: Why) -> Self {
        self.why = Some(why);
        self
    }

    /// No such route (C32); also what an unknown merchant or token gets (C12).
    pub(crate) fn not_found(what: &'static str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "RESOURCE_NOT_FOUND", what)
    }

    pub(crate) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "method not allowed")
    }

    /// A fault of ours. It is not retryable (C14).
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "internal error")
    }

    pub(crate) fn unavailable(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", what)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        let bad = |code, error| Self::new(StatusCode::BAD_REQUEST, code, error);
        match error {
            AuthError::Certificate(why) => {
                Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", "client certificate not allowed").because(why)
            }
            AuthError::MissingCorrelation(why) => bad("MISSING_FIELD", "x-correlation-id").because(why),
            AuthError::BadCorrelation(why) => bad("INVALID_FIELD", "x-correlation-id").because(why),
            AuthError::Bearer(why) => Self {
                status: StatusCode::UNAUTHORIZED,
                code: None,
                error: "AUTHORIZER_UNAUTHORIZED".into(),
                why: Some(why),
                more: None,
            },
            AuthError::Path(why) => {
                Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", "merchant gateway not allowed").because(why)
            }
        }
    }
}

impl From<DecodeError> for Problem {
    fn from(error: DecodeError) -> Self {
        let DecodeError { kind, member, expected, actual } = error;
        let why = Why { check: "request body", expected: expected.into(), actual: actual.into() };
        match kind {
            DecodeKind::Missing => Self::new(StatusCode::BAD_REQUEST, "MISSING_FIELD", member),
            DecodeKind::Invalid => Self::new(StatusCode::BAD_REQUEST, "INVALID_FIELD", member),
            DecodeKind::TooLarge => {
                Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", "request body too large")
            }
            DecodeKind::MediaType => Self::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "UNSUPPORTED_MEDIA_TYPE",
                "application/json expected",
            ),
        }
        .because(why)
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::UnknownMerchant => Self::not_found("merchant not found").because(Why {
                check: "merchant in the path",
                expected: "one that this gateway made since the start or the last reset".into(),
                actual: "unknown, or another gateway's".into(),
            }),
            Refusal::UnknownToken => Self::not_found("token not found").because(Why {
                check: "token in the path",
                expected: "a live one of this merchant".into(),
                actual: "unknown, deleted, or another merchant's".into(),
            }),
            Refusal::ForbiddenState { state, wanted } => {
                let why =
                    Why { check: "token state", expected: wanted.into(), actual: state.as_str().into() };
                Self::new(StatusCode::FORBIDDEN, "FORBIDDEN_STATE", "token state forbids the action")
                    .because(why)
            }
            Refusal::Declined => {
                let why = Why {
                    check: "issuer",
                    expected: "approval".into(),
                    actual: "declined (test card)".into(),
                };
                Self::new(StatusCode::FORBIDDEN, "TOKENIZATION_DECLINED", "tokenization declined")
                    .because(why)
            }
            Refusal::IssuerUnavailable => {
                let why = Why {
                    check: "issuer",
                    expected: "an answer".into(),
                    actual: "unavailable (test card)".into(),
                };
                Self::unavailable("service unavailable").because(why)
            }
            Refusal::Full { what, limit } => {
                let why = Why {
                    check: "room in the sandbox",
                    expected: format!("fewer than {limit} {what}").into(),
                    actual: "full; POST /reset on the admin port empties it".into(),
                };
                Self::unavailable("service unavailable").because(why)
            }
            // Only the issuer's side fixes dates and numbers, and forges: the admin port answers these itself.
            Refusal::DateNotLater | Refusal::SamePan | Refusal::NoReceiver => Self::internal(),
        }
    }
}

impl From<NoRandomness> for Problem {
    fn from(_: NoRandomness) -> Self {
        let why = Why { check: "randomness", expected: "from the system".into(), actual: "none".into() };
        Self::internal().because(why)
    }
}

impl From<TooManyTokens> for Problem {
    fn from(error: TooManyTokens) -> Self {
        match error {
            TooManyTokens::Full => Self::unavailable("service unavailable").because(Why {
                check: "room in the sandbox",
                expected: "fewer than 100000 live access tokens".into(),
                actual: "full; POST /reset on the admin port empties it".into(),
            }),
            TooManyTokens::Randomness(none) => none.into(),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = answer(
            self.status,
            &ErrorBody { error_code: self.code, error: &self.error, more: self.more.as_deref() },
        );
        if self.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(why) = self.why {
            response.extensions_mut().insert(why);
        }
        response
    }
}
