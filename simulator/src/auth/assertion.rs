//! The JWT bearer assertion (RFC 7523), judged as a pure function (C4-C6).

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::domain::{GatewayId, Moment};
use crate::jose::{PublicKey, Signed, split};
use crate::journal::Why;

/// `exp` lies at most so far ahead [D1].
const WINDOW_SECONDS: f64 = 900.0;

/// What is configurable in the judgement (C5).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(crate) struct Policy {
    pub(crate) skew_seconds: u32,
    pub(crate) refuse_replayed_jti: bool,
}

/// Judges an assertion that came over the connection of `gateway`, whose keys are `keys`.
/// Returns the `jti`, if there is one, with the second from which on the assertion is refused anyway.
pub(crate) fn check(
    assertion: &str,
    gateway: &GatewayId,
    keys: &[PublicKey],
    now: Moment,
    policy: Policy,
) -> Result<Option<Used>, Why> {
    let signed = split(assertion).map_err(|actual| why("assertion form", "a JWT in compact form", actual))?;
    let key = key_of(&signed.header, gateway, keys, &signed.claims)?;
    if !signed.is_by(key) {
        return Err(why("assertion signature", "ES256 by the key that kid names", "another signature"));
    }
    let end = check_times(&signed.claims, now, policy)?;
    check_sub(&signed)?;
    let jti = signed.claims.get("jti").and_then(Value::as_str);
    Ok(jti.map(|jti| Used { end, jti: jti.chars().take(256).collect() }))
}

/// An assertion's identifier and the second since 1970 from which on it is refused anyway: its end and the skew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Used {
    end: i64,
    jti: String,
}

/// The identifiers of assertions that were used and would be accepted still (C5, if switched on).
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<HashMap<(GatewayId, String), i64>>);

impl Seen {
    /// At most so many live ones are remembered.
    const MOST: usize = 100_000;

    /// Remembers an assertion; refuses one that was used before.
    pub(crate) fn use_up(&self, gateway: &GatewayId, used: Option<Used>, now: Moment) -> Result<(), Why> {
        let Some(used) = used else {
            return Err(why("assertion claim jti", "there, since replays are refused", "none"));
        };
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= Self::MOST {
            seen.retain(|_, end| *end > now.as_seconds());
        }
        if seen.len() >= Self::MOST {
            return Err(why("assertion claim jti", format!("fewer than {} live ones", Self::MOST), "more"));
        }
        match seen.insert((gateway.clone(), used.jti), used.end) {
            None => Ok(()),
            Some(_) => Err(why("assertion claim jti", "not used before", "used before")),
        }
    }

    pub(crate) fn reset(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Forgets what one gateway used.
    pub(crate) fn forget(&self, gateway: &GatewayId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).retain(|(whose, _), _| whose != gateway);
    }
}

fn key_of<'a>(
    header: &Map<String, Value>,
    gateway: &GatewayId,
    keys: &'a [PublicKey],
    claims: &Map<String, Value>,
) -> Result<&'a PublicKey, Why> {
    let text = |name: &str| header.get(name).and_then(Value::as_str);
    if text("alg") != Some("ES256") {
        return Err(why("assertion header alg", "ES256", text("alg").unwrap_or("none").to_owned()));
    }
    if header.contains_key("crit") {
        return Err(why("assertion header crit", "absent", "present"));
    }
    let iss = claims.get("iss").and_then(Value::as_str);
    if iss != Some(gateway.as_str()) {
        let expected = format!("{gateway}, as the client certificate says");
        return Err(why("assertion claim iss", expected, iss.unwrap_or("none").to_owned()));
    }
    let kid = text("kid");
    keys.iter().find(|key| Some(key.kid.as_str()) == kid).ok_or_else(|| {
        let known: Vec<&str> = keys.iter().map(|key| key.kid.as_str()).collect();
        why("assertion header kid", format!("one of {}", known.join(", ")), kid.unwrap_or("none").to_owned())
    })
}

fn check_times(claims: &Map<String, Value>, now: Moment, policy: Policy) -> Result<i64, Why> {
    // Seconds fit a double exactly for the next two hundred million years.
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of this age fit in 53 bits")]
    let now = now.as_ms() as f64 / 1000.0;
    let skew = f64::from(policy.skew_seconds);
    let exp = claims.get("exp").and_then(Value::as_f64);
    let exp =
        exp.ok_or_else(|| why("assertion claim exp", "a number: seconds since 1970", "none, or no number"))?;
    if exp <= now - skew {
        return Err(why("assertion claim exp", format!("after {now:.3}"), format!("{exp}")));
    }
    if exp > now + WINDOW_SECONDS + skew {
        let expected = format!("at most {:.3}, 15 minutes ahead", now + WINDOW_SECONDS + skew);
        return Err(why("assertion claim exp", expected, format!("{exp}")));
    }
    for (name, check) in [("iat", "assertion claim iat"), ("nbf", "assertion claim nbf")] {
        match claims.get(name).map(Value::as_f64) {
            None => {}
            Some(Some(at)) if at <= now + skew => {}
            Some(Some(at)) => return Err(why(check, format!("at most {now:.3}"), format!("{at}"))),
            Some(None) => return Err(why(check, "a number: seconds since 1970", "no number")),
        }
    }
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the window above")]
    Ok((exp + skew).ceil() as i64)
}

fn check_sub(signed: &Signed<'_>) -> Result<(), Why> {
    let (sub, iss) = (signed.claims.get("sub"), signed.claims.get("iss"));
    match sub {
        Some(sub) if Some(sub) != iss => {
            Err(why("assertion claim sub", "the same as iss", sub.as_str().unwrap_or("no text").to_owned()))
        }
        _ => Ok(()),
    }
}

fn why(
    check: &'static str,
    expected: impl Into<Cow<'static, str>>,
    actual: impl Into<Cow<'static, str>>,
) -> Why {
    Why { check, expected: expected.into(), actual: actual.into() }
}

#[cfg(test)]
mod tests;
