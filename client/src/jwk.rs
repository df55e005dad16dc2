//! P-256 keys as JSON Web Keys (RFC 7517, RFC 7518 section 6.2): D1's public key, and the gateway's own.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::config::ConfigError;
use crate::json;
use crate::secret::SecretText;

/// Bytes of one coordinate on P-256.
pub(crate) const COORDINATE_BYTES: usize = 32;
const MAX_KID_CHARACTERS: usize = 256;

/// A public P-256 key of somebody to whom JWEs are sealed, with its `kid` (contract section 4, \[D9\]).
#[derive(Debug, Clone)]
pub struct RecipientKey {
    pub(crate) kid: String,
    /// The point as 0x04, x, y.
    pub(crate) point: Vec<u8>,
}

impl RecipientKey {
    /// Reads a public JWK: `kty` `EC`, `crv` `P-256`, `kid`, `x`, `y`; `use` `enc` and `alg` `ECDH-ES` where present.
    ///
    /// # Errors
    /// Names the member at fault and what was expected of it.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, ConfigError> {
        let (kid, point, _) = parse(jwk, "the recipient's JWK")?;
        Ok(Self { kid, point })
    }

    /// The key's identifier, as it stands in the `kid` of a JWE header.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

/// The gateway's own P-256 key, with which JWEs that D1 sent are opened; while keys are changed over, the one before it
/// too. `Debug` shows the `kid` alone.
#[derive(Clone)]
pub struct OwnKey {
    kid: String,
    private: Arc<PrivateKey>,
    previous: Option<Arc<OwnKey>>,
}

impl OwnKey {
    /// Reads a private JWK: the members of a public one and `d`. That `d` belongs to `x` and `y` is checked.
    ///
    /// # Errors
    /// Names the member at fault and what was expected of it; never a value.
    pub fn from_jwk(jwk: &[u8]) -> Result<Self, ConfigError> {
        const WHAT: &str = "the own JWK";
        let (kid, point, d) = parse(jwk, WHAT)?;
        let d = d.ok_or_else(|| {
            ConfigError::new(WHAT, "`d` is missing: expected a private key, this is a public one")
        })?;
        let private = PrivateKey::from_private_key(&ECDH_P256, &d)
            .map_err(|_| ConfigError::new(WHAT, "`d` is not a private key of P-256"))?;
        let derived =
            private.compute_public_key().map_err(|_| ConfigError::new(WHAT, "`d` has no public key"))?;
        if derived.as_ref() != point.as_slice() {
            return Err(ConfigError::new(
                WHAT,
                "`d` does not belong to `x` and `y`: the file mixes two keys",
            ));
        }
        Ok(Self { kid, private: Arc::new(private), previous: None })
    }

    /// Opens also what is sealed to `previous`: for the time between the making of a new key and the day from which D1
    /// uses nothing else. Of two keys with one `kid`, this one is tried.
    #[must_use]
    pub fn with_previous(mut self, previous: Self) -> Self {
        self.previous = Some(Arc::new(previous));
        self
    }

    /// The private key that belongs to the `kid` of a JWE.
    pub(crate) fn private(&self, kid: &str) -> Option<&PrivateKey> {
        if self.kid == kid {
            return Some(&self.private);
        }
        self.previous.as_deref()?.private(kid)
    }

    /// The key's identifier, which D1 must name in the `kid` of what it seals to this key.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OwnKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Wire {
    kty: Option<String>,
    crv: Option<String>,
    kid: Option<String>,
    x: Option<String>,
    y: Option<String>,
    d: Option<SecretText>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

type Parsed = (String, Vec<u8>, Option<Zeroizing<Vec<u8>>>);

fn parse(jwk: &[u8], what: &'static str) -> Result<Parsed, ConfigError> {
    let wire: Wire = json::read(jwk)
        .map_err(|fault| ConfigError::new(what, format!("expected a JSON Web Key: {fault}")))?;
    exact(what, "kty", wire.kty.as_deref(), "EC", true)?;
    exact(what, "crv", wire.crv.as_deref(), "P-256", true)?;
    exact(what, "use", wire.purpose.as_deref(), "enc", false)?;
    exact(what, "alg", wire.alg.as_deref(), "ECDH-ES", false)?;
    let kid = wire
        .kid
        .filter(|kid| !kid.is_empty() && kid.chars().count() <= MAX_KID_CHARACTERS)
        .ok_or_else(|| ConfigError::new(what, "`kid` must be present, 1 to 256 characters"))?;
    let x = coordinate(what, "x", wire.x.as_deref())?;
    let y = coordinate(what, "y", wire.y.as_deref())?;
    let mut point = Vec::with_capacity(1 + 2 * COORDINATE_BYTES);
    point.push(4);
    point.extend_from_slice(&x);
    point.extend_from_slice(&y);
    on_curve(&point).map_err(|()| ConfigError::new(what, "`x` and `y` are not a point of P-256"))?;
    let d = match &wire.d {
        Some(d) => Some(coordinate(what, "d", Some(d.expose()))?),
        None => None,
    };
    Ok((kid, point, d))
}

/// Checks that an uncompressed point is on P-256.
pub(crate) fn on_curve(point: &[u8]) -> Result<(), ()> {
    let unparsed = UnparsedPublicKey::new(&ECDH_P256, point);
    aws_lc_rs::agreement::ParsedPublicKey::try_from(&unparsed).map(|_| ()).map_err(|_| ())
}

fn exact(
    what: &'static str,
    member: &str,
    found: Option<&str>,
    expected: &str,
    required: bool,
) -> Result<(), ConfigError> {
    match found {
        Some(found) if found == expected => Ok(()),
        None if !required => Ok(()),
        Some(_) | None => Err(ConfigError::new(what, format!("`{member}` must be \"{expected}\""))),
    }
}

fn coordinate(
    what: &'static str,
    member: &str,
    text: Option<&str>,
) -> Result<Zeroizing<Vec<u8>>, ConfigError> {
    text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok())
        .map(Zeroizing::new)
        .filter(|bytes| bytes.len() == COORDINATE_BYTES)
        .ok_or_else(|| {
            ConfigError::new(what, format!("`{member}` must be 32 bytes in base64url without padding"))
        })
}

#[cfg(test)]
pub(crate) mod testing {
    //! Fresh key pairs for tests.
    use aws_lc_rs::encoding::AsBigEndian;

    use super::*;

    /// A fresh pair as (public JWK, private JWK) with the given kid.
    pub(crate) fn jwk_pair(kid: &str) -> (String, String) {
        let key = PrivateKey::generate(&ECDH_P256).expect("a key");
        let public = key.compute_public_key().expect("its public key");
        let point = public.as_ref();
        let secret: aws_lc_rs::encoding::EcPrivateKeyBin<'static> = key.as_be_bytes().expect("its secret");
        let x = URL_SAFE_NO_PAD.encode(&point[1..33]);
        let y = URL_SAFE_NO_PAD.encode(&point[33..65]);
        let d = URL_SAFE_NO_PAD.encode(secret.as_ref());
        let public = format!(
            r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","kid":"{kid}","alg":"ECDH-ES","use":"enc"}}"#
        );
        let private = format!(
            r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}","d":"{d}","kid":"{kid}","alg":"ECDH-ES","use":"enc"}}"#
        );
        (public, private)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_is_read() {
        let (public, private) = testing::jwk_pair("k1");
        assert_eq!(RecipientKey::from_jwk(public.as_bytes()).expect("public").kid(), "k1");
        assert_eq!(OwnKey::from_jwk(private.as_bytes()).expect("private").kid(), "k1");
    }

    #[test]
    fn every_fault_names_its_member() {
        let (public, private) = testing::jwk_pair("k1");
        let (_, other) = testing::jwk_pair("k1");
        let d = |jwk: &str| {
            let start = jwk.find("\"d\":\"").expect("d") + 5;
            jwk[start..start + 43].to_owned()
        };
        for (jwk, named) in [
            (public.replace("\"EC\"", "\"RSA\""), "`kty`"),
            (public.replace("P-256", "P-384"), "`crv`"),
            (public.replace("\"k1\"", "\"\""), "`kid`"),
            (public.replace("\"enc\"", "\"sig\""), "`use`"),
            (public.replace("ECDH-ES", "ES256"), "`alg`"),
            (public.replace("\"x\":\"", "\"x\":\"AA"), "`x`"),
            (public.replace("\"y\"", "\"z\""), "`y`"),
            (public.clone(), "`d`"),
            (private.replace(&d(&private), &d(&other)), "`d`"),
            ("[]".to_owned(), "JSON Web Key"),
        ] {
            let error = OwnKey::from_jwk(jwk.as_bytes()).expect_err(named);
            assert!(error.to_string().contains(named), "{error}");
        }
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let (public, _) = testing::jwk_pair("k1");
        let start = public.find("\"y\":\"").expect("y") + 5;
        let moved = format!("{}{}{}", &public[..start], "A".repeat(43), &public[start + 43..]);
        let error = RecipientKey::from_jwk(moved.as_bytes()).expect_err("off the curve");
        assert!(error.to_string().contains("point"), "{error}");
    }
}
