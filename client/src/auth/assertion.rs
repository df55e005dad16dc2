//! The assertion: a JWT that says who asks for an access token (contract 3.1, RFC 7523).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::config::AssertionKey;
use crate::model::GatewayId;
use crate::secret::SecretText;

/// How far our clock and D1's may be apart either way, in seconds: `iat` lies that far back, since D1 admits none in the
/// future (contract C5).
const CLOCK_SKEW_SECONDS: u64 = 300;
/// How long an assertion lives from now on, in seconds. D1 wants its end to lie ahead, by up to 900 \[D1\]: halfway, it
/// does so by a clock that is off by the above.
const LIFE_SECONDS: u64 = 450;

/// Signs an assertion with ES256. `iss` and `exp` are documented \[D1\]; `kid`, `sub` and `iat` are what the sibling
/// API asks for \[S1\].
pub(crate) fn sign(
    key: &AssertionKey,
    gateway: &GatewayId,
    now_unix_seconds: u64,
    jti: &str,
) -> Result<SecretText, aws_lc_rs::error::Unspecified> {
    let header = serde_json::json!({ "alg": "ES256", "kid": key.kid, "typ": "JWT" });
    let claims = serde_json::json!({
        "iss": gateway.as_str(),
        "sub": gateway.as_str(),
        "iat": now_unix_seconds.saturating_sub(CLOCK_SKEW_SECONDS),
        "exp": now_unix_seconds.saturating_add(LIFE_SECONDS),
        "jti": jti,
    });
    let mut token = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header.to_string()),
        URL_SAFE_NO_PAD.encode(claims.to_string()),
    );
    let signature = key.pair.sign(&crate::chance::system(), token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
    Ok(SecretText::new(token))
}
