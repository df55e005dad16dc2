//! Bearers: JWTs in form, looked up by their hash (C8).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};

use crate::chance::{NoRandomness, secret_bytes};
use crate::domain::{GatewayId, Moment};
use crate::jose::{Signer, encode, fresh_signer, sign};

/// A bearer lives for so long [D8].
pub(crate) const LIFE_SECONDS: u32 = 900;
/// What a bearer is good for [D1].
pub(crate) const SCOPE: &str = "d1-s2s:api:merchant-gtw";
/// At most so many live bearers.
const MOST: usize = 100_000;

/// The bearers that were given out and have not ended.
pub(crate) struct AccessTokens {
    signer: Signer,
    live: Mutex<HashMap<[u8; 32], Grant>>,
}

#[derive(Debug, Clone)]
struct Grant {
    gateway: GatewayId,
    /// Of the request that asked for it.
    correlation: Arc<str>,
    ends: Moment,
}

/// A bearer that ended before its time.
#[derive(Debug)]
pub(crate) struct Revoked {
    pub(crate) gateway: GatewayId,
    /// Of the request that had asked for it.
    pub(crate) correlation: Arc<str>,
    /// When it would have ended.
    pub(crate) ends: Moment,
}

/// Why no bearer was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooManyTokens {
    Full,
    Randomness(NoRandomness),
}

impl AccessTokens {
    pub(crate) fn new() -> Result<Self, NoRandomness> {
        Ok(Self { signer: fresh_signer()?, live: Mutex::default() })
    }

    /// Makes a bearer for a gateway, which asks under `correlation`, and says when it ends.
    pub(crate) fn issue(
        &self,
        gateway: &GatewayId,
        correlation: &Arc<str>,
        now: Moment,
    ) -> Result<(String, Moment), TooManyTokens> {
        let id = encode(&secret_bytes().map_err(TooManyTokens::Randomness)?[..16]);
        let ends = now.after(Duration::from_secs(LIFE_SECONDS.into()));
        let claims = format!(
            r#"{{"iss":"d1sim","sub":"{gateway}","exp":{},"iat":{},"scope":"{SCOPE}","jti":"{id}"}}"#,
            ends.as_seconds(),
            now.as_seconds(),
        );
        let bearer = sign(r#"{"alg":"ES256","typ":"JWT"}"#, &claims, &self.signer)
            .map_err(TooManyTokens::Randomness)?;
        let mut live = self.lock();
        if live.len() >= MOST {
            live.retain(|_, grant| grant.ends > now);
        }
        if live.len() >= MOST {
            return Err(TooManyTokens::Full);
        }
        let (gateway, correlation) = (gateway.clone(), Arc::clone(correlation));
        live.insert(hash(&bearer), Grant { gateway, correlation, ends });
        Ok((bearer, ends))
    }

    /// Whose bearer this is; nothing if it is unknown or has ended.
    pub(crate) fn owner(&self, bearer: &str, now: Moment) -> Result<GatewayId, &'static str> {
        match self.lock().get(&hash(bearer)) {
            Some(grant) if grant.ends > now => Ok(grant.gateway.clone()),
            Some(_) => Err("a bearer that has ended"),
            None => Err("a bearer that was not given out here"),
        }
    }

    /// Ends a bearer before its time.
    pub(crate) fn revoke(&self, bearer: &str) -> Option<Revoked> {
        let Grant { gateway, correlation, ends } = self.lock().remove(&hash(bearer))?;
        Some(Revoked { gateway, correlation, ends })
    }

    pub(crate) fn reset(&self) {
        self.lock().clear();
    }

    /// Ends the bearers of one gateway.
    pub(crate) fn forget(&self, gateway: &GatewayId) {
        self.lock().retain(|_, grant| grant.gateway != *gateway);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Grant>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hash(bearer: &str) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bearer.as_bytes()).as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_names_its_gateway_until_it_ends() {
        let tokens = AccessTokens::new().expect("randomness");
        let gateway = GatewayId::parse("MGW_000001").expect("an id");
        let (bearer, ends) = tokens.issue(&gateway, &"c".into(), Moment::from_ms(0)).expect("issued");
        assert_eq!(ends, Moment::from_ms(900_000));
        assert_eq!(tokens.owner(&bearer, Moment::from_ms(899_999)), Ok(gateway));
        assert!(tokens.owner(&bearer, Moment::from_ms(900_000)).is_err());
        assert!(tokens.owner("another", Moment::from_ms(0)).is_err());
    }

    #[test]
    fn the_bearers_of_one_gateway_end_and_those_of_the_others_do_not() {
        let tokens = AccessTokens::new().expect("randomness");
        let [one, other] = ["MGW_000001", "MGW_000002"].map(|id| GatewayId::parse(id).expect("an id"));
        let now = Moment::from_ms(0);
        let bearers =
            [&one, &other].map(|gateway| tokens.issue(gateway, &"c".into(), now).expect("issued").0);
        tokens.forget(&one);
        assert!(tokens.owner(&bearers[0], now).is_err());
        assert_eq!(tokens.owner(&bearers[1], now), Ok(other));
    }
}
