//! The token endpoint of the gateway: client credentials (contract 3.2, \[D4\]).

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::answer::Refusal;
use super::form;
use crate::chance;
use crate::clock::Clock;
use crate::secret::SecretText;

/// How long a bearer lives: the example of the documentation (\[D4\]).
const LIFE: Duration = Duration::from_secs(900);
/// How many bearers are good at once. D1 needs one; the rest is room for its instances and restarts.
const MAX_BEARERS: usize = 1_000;
const MAX_HEADER_CHARACTERS: usize = 4_096;

/// The credentials that were given to D1 for the gateway's token endpoint. `Debug` does not show the secret.
#[derive(Clone)]
pub struct ClientCredentials {
    client_id: String,
    client_secret: SecretText,
}

impl ClientCredentials {
    /// A client id, which must not hold a colon, and its secret.
    ///
    /// # Errors
    /// One of them is empty, or the id holds a colon, which Basic authentication cannot carry.
    pub fn new(
        client_id: impl Into<String>,
        client_secret: impl Into<String>,
    ) -> Result<Self, crate::model::InvalidValue> {
        let client_id = client_id.into();
        let client_secret = SecretText::new(client_secret.into());
        if client_id.is_empty() || client_id.contains(':') || client_secret.expose().is_empty() {
            return Err(crate::model::InvalidValue::new(
                "the client credentials",
                "an id without a colon and a secret, neither empty",
            ));
        }
        Ok(Self { client_id, client_secret })
    }

    /// Compares in constant time, the id too: which half was wrong is nobody's business.
    fn are(&self, id: &[u8], secret: &[u8]) -> bool {
        let same_id = self.client_id.as_bytes().ct_eq(id);
        let same_secret = self.client_secret.expose().as_bytes().ct_eq(secret);
        (same_id & same_secret).into()
    }
}

impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials").field("client_id", &self.client_id).finish_non_exhaustive()
    }
}

/// Issues bearers and knows them again, by digest: the bearers themselves are not kept.
#[derive(Debug)]
pub(super) struct Issuer {
    credentials: ClientCredentials,
    clock: Clock,
    issued: Mutex<Issued>,
}

#[derive(Debug, Default)]
struct Issued {
    ends: HashMap<[u8; 32], Duration>,
    order: VecDeque<[u8; 32]>,
}

impl Issuer {
    pub(super) fn new(credentials: ClientCredentials, clock: Clock) -> Self {
        Self { credentials, clock, issued: Mutex::default() }
    }

    /// Answers a token request: the JSON body of a 200, which is secret.
    pub(super) fn issue(&self, headers: &HeaderMap, body: &[u8]) -> Result<Zeroizing<String>, Refusal> {
        self.authenticate(headers).ok_or(Refusal::Credentials)?;
        let members = form::decode(body).ok_or(Refusal::Format("body"))?;
        if single(&members, "grant_type")? != Some("client_credentials") {
            return Err(Refusal::Format("grant_type"));
        }
        let scope = single(&members, "scope")?;
        let bytes = chance::secret_bytes().map_err(|_| Refusal::Unavailable)?;
        let bearer = Zeroizing::new(URL_SAFE_NO_PAD.encode(*bytes));
        self.remember(sha256(bearer.as_bytes()));
        let mut answer = serde_json::json!({
            "access_token": bearer.as_str(),
            "expires_in": LIFE.as_secs(),
            "token_type": "Bearer",
        });
        if let Some(scope) = scope {
            answer["scope"] = scope.into();
        }
        Ok(Zeroizing::new(answer.to_string()))
    }

    /// Whether the request carries a bearer that was issued here and has not ended.
    pub(super) fn admits(&self, headers: &HeaderMap) -> bool {
        let Some(bearer) = scheme(headers, "Bearer") else {
            return false;
        };
        let end = self.lock().ends.get(&sha256(bearer.as_bytes())).copied();
        end.is_some_and(|end| self.clock.elapsed() < end)
    }

    fn authenticate(&self, headers: &HeaderMap) -> Option<()> {
        let given = scheme(headers, "Basic")?;
        // Documented as base64url with padding; RFC 7617 has plain base64. Both are read, with or without padding.
        let plain: Zeroizing<String> = Zeroizing::new(
            given
                .trim_end_matches('=')
                .chars()
                .map(|c| match c {
                    '+' => '-',
                    '/' => '_',
                    other => other,
                })
                .collect(),
        );
        let decoded = Zeroizing::new(URL_SAFE_NO_PAD.decode(plain.as_bytes()).ok()?);
        let colon = decoded.iter().position(|b| *b == b':')?;
        let (id, secret) = decoded.split_at_checked(colon)?;
        self.credentials.are(id, secret.get(1..).unwrap_or_default()).then_some(())
    }

    fn remember(&self, bearer: [u8; 32]) {
        let end = self.clock.elapsed().saturating_add(LIFE);
        let mut issued = self.lock();
        issued.ends.insert(bearer, end);
        issued.order.push_back(bearer);
        if issued.order.len() > MAX_BEARERS
            && let Some(oldest) = issued.order.pop_front()
        {
            issued.ends.remove(&oldest);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The value of a member that must not be given twice.
fn single<'a>(members: &'a [(String, String)], name: &'static str) -> Result<Option<&'a str>, Refusal> {
    let mut values = members.iter().filter(|(given, _)| given == name);
    let value = values.next().map(|(_, value)| value.as_str());
    match values.next() {
        None => Ok(value),
        Some(_) => Err(Refusal::Format(name)),
    }
}

/// What follows `scheme` in the one `Authorization` header.
fn scheme<'a>(headers: &'a HeaderMap, scheme: &str) -> Option<&'a str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (given, rest) = value.to_str().ok()?.split_once(' ')?;
    (given.eq_ignore_ascii_case(scheme) && rest.len() <= MAX_HEADER_CHARACTERS).then(|| rest.trim())
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&SHA256, bytes).as_ref());
    hash
}
