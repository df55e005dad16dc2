//! The answers of the receiver: the one place where a refusal becomes a status and a body.

use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

/// Why a request is not answered with success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// No client certificate was seen.
    NoCertificate,
    /// No bearer, or not one of ours, or an ended one.
    Bearer,
    /// No client credentials, or wrong ones.
    Credentials,
    /// Another gateway's path.
    NotFound,
    /// The named part is not in its format (\[D4\] for the code).
    Format(&'static str),
    TooLarge,
    /// Come again: too much to do, or the handler or store failed or took too long.
    Unavailable,
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, code, text) = match self {
            Self::NoCertificate => (StatusCode::FORBIDDEN, Some("FORBIDDEN"), "client certificate"),
            Self::Bearer | Self::Credentials => (StatusCode::UNAUTHORIZED, None, "AUTHORIZER_UNAUTHORIZED"),
            Self::NotFound => (StatusCode::NOT_FOUND, Some("RESOURCE_NOT_FOUND"), "merchantGatewayId"),
            Self::Format(part) => (StatusCode::BAD_REQUEST, Some("FIELD_INVALID_FORMAT"), part),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, Some("PAYLOAD_TOO_LARGE"), "body"),
            Self::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, Some("SERVICE_UNAVAILABLE"), "deliver again later")
            }
        };
        let body = match code {
            Some(code) => serde_json::json!({ "errorCode": code, "error": text }),
            None => serde_json::json!({ "error": text }),
        };
        let mut response = (status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let challenge = match self {
            Self::Bearer => Some("Bearer"),
            Self::Credentials => Some("Basic realm=\"d1\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}
