//! Get Access Token (contract 3.1).

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use serde::Deserialize;

use super::{Endpoints, Unclear, Unmade, answer, request};
use crate::json;
use crate::model::CorrelationId;
use crate::secret::SecretText;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// The documented life of a token (\[D8\]), taken where D1 does not name one.
const DEFAULT_LIFE: Duration = Duration::from_secs(15 * 60);
const LONGEST_LIFE_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// A bearer and how long it lives.
#[derive(Debug)]
pub(crate) struct AccessToken {
    pub(crate) bearer: SecretText,
    pub(crate) life: Duration,
    /// The status of the answer that brought it.
    pub(crate) status: u16,
}

pub(crate) fn access_token_request(
    endpoints: &Endpoints,
    assertion: &SecretText,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let body = serde_json::json!({ "grant_type": GRANT, "assertion": assertion.expose() });
    request(
        Method::POST,
        &format!("{}/oauth2/token", endpoints.oauth),
        correlation,
        Some(Bytes::from(body.to_string())),
    )
}

// All members are optional by the contract; a token that cannot be found in the answer is still of no use.
#[derive(Deserialize)]
struct Wire {
    access_token: Option<SecretText>,
    #[serde(default, deserialize_with = "json::lenient")]
    expires_in: Option<f64>,
}

pub(crate) fn read_access_token(response: &Response<Bytes>) -> Result<AccessToken, Unclear> {
    let wire: Wire = answer::body(response)?;
    let bearer = wire
        .access_token
        .filter(|bearer| !bearer.expose().is_empty() && bearer.expose().bytes().all(|b| b.is_ascii_graphic()))
        .ok_or(Unclear::Member("access_token"))?;
    let life = match wire.expires_in {
        None => DEFAULT_LIFE,
        // A NaN cannot come out of JSON; the comparison would refuse it too.
        Some(seconds) if seconds > 0.0 => Duration::from_secs_f64(seconds.min(LONGEST_LIFE_SECONDS)),
        Some(_) => return Err(Unclear::Member("expires_in")),
    };
    Ok(AccessToken { bearer, life, status: response.status().as_u16() })
}
