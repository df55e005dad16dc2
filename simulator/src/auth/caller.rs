//! Certificate, bearer and path must name one gateway (C8, C11).

use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;

use crate::domain::{GatewayId, Moment};
use crate::journal::Why;

use super::AccessTokens;

/// The gateway that calls, as certificate, bearer and path agree.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) gateway: GatewayId,
    pub(crate) correlation: Arc<str>,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AuthError {
    /// The certificate is good, but not for this sandbox (C2, C3).
    Certificate(Why),
    /// No `x-correlation-id` (C7).
    MissingCorrelation(Why),
    /// An `x-correlation-id` that is not of its form (C7).
    BadCorrelation(Why),
    /// No bearer, or none that is good here (C10).
    Bearer(Why),
    /// The path names another gateway (C11).
    Path(Why),
}

impl Caller {
    /// Judges bearer and path of a request that came over the connection of `gateway`.
    pub(crate) fn judge(
        gateway: &GatewayId,
        path_gateway: &str,
        correlation: Arc<str>,
        headers: &HeaderMap,
        tokens: &AccessTokens,
        now: Moment,
    ) -> Result<Self, AuthError> {
        let bearer =
            bearer_of(headers).map_err(|actual| bearer_fault("Bearer and an access token", actual))?;
        let owner = tokens
            .owner(bearer, now)
            .map_err(|actual| bearer_fault("a live bearer of this sandbox", actual))?;
        if owner != *gateway {
            return Err(bearer_fault(
                "a bearer of the gateway that the certificate names",
                "another gateway's",
            ));
        }
        if path_gateway != gateway.as_str() {
            let expected = format!("{gateway}, as certificate and bearer say");
            let actual = path_gateway.to_owned();
            return Err(AuthError::Path(Why {
                check: "gateway in the path",
                expected: expected.into(),
                actual: actual.into(),
            }));
        }
        Ok(Self { gateway: gateway.clone(), correlation })
    }
}

/// The bearer of a request; the scheme's case does not matter (RFC 9110, 11.1).
pub(crate) fn bearer_of(headers: &HeaderMap) -> Result<&str, &'static str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or("no Authorization header")?;
    if values.next().is_some() {
        return Err("two Authorization headers");
    }
    let value = value.to_str().map_err(|_| "a header that is not text")?;
    match value.split_once(' ') {
        Some((scheme, bearer)) if scheme.eq_ignore_ascii_case("bearer") && !bearer.is_empty() => Ok(bearer),
        _ => Err("another scheme"),
    }
}

fn bearer_fault(expected: &'static str, actual: &'static str) -> AuthError {
    AuthError::Bearer(Why { check: "bearer", expected: expected.into(), actual: actual.into() })
}
