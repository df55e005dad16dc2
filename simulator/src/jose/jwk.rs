//! P-256 keys in JWK form (RFC 7517).

use std::fmt;

use aws_lc_rs::agreement::{self, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::digest::{SHA256, digest};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{decode, encode, point};

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Use {
    /// `use` `sig`, `alg` `ES256`.
    Assertion,
    /// `use` `enc`, `alg` `ECDH-ES`.
    Encryption,
}

/// The public half of a P-256 key.
#[derive(Clone)]
pub(crate) struct PublicKey {
    pub(crate) kid: String,
    /// Uncompressed: 0x04, x, y.
    pub(crate) point: [u8; 65],
    /// The same, checked once to lie on the curve.
    pub(super) parsed: ParsedPublicKey,
}

/// A P-256 key of ours, to open what others seal.
pub(crate) struct OwnKey {
    pub(crate) public: PublicKey,
    pub(crate) private: PrivateKey,
}

/// Why a JWK cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwkError {
    /// Not JSON, or a member of the wrong type.
    #[error("not a JWK: {0}")]
    NotAJwk(String),
    /// A member that is not what it must be.
    #[error("`{member}` must be {expected}")]
    Member {
        /// The name of the member.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    x: String,
    y: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    usage: Option<String>,
    d: Option<Zeroizing<String>>,
}

impl PublicKey {
    /// Reads the public half of a JWK; a private part in it is not looked at.
    pub(crate) fn read(json: &str, usage: Use) -> Result<Self, JwkError> {
        Self::of(&parse(json)?, usage)
    }

    /// The RFC 7638 thumbprint: what `kid` is where a JWK names none.
    fn thumbprint(x: &str, y: &str) -> String {
        let members = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        encode(digest(&SHA256, members.as_bytes()).as_ref())
    }

    fn of(jwk: &Jwk, usage: Use) -> Result<Self, JwkError> {
        let (wanted_alg, wanted_use) = match usage {
            Use::Assertion => ("ES256", "sig"),
            Use::Encryption => ("ECDH-ES", "enc"),
        };
        let must =
            |good: bool, member, expected| good.then_some(()).ok_or(JwkError::Member { member, expected });
        let is = |value: &Option<String>, wanted: &str| value.as_deref().is_none_or(|value| value == wanted);
        must(jwk.kty == "EC", "kty", "EC")?;
        must(jwk.crv == "P-256", "crv", "P-256")?;
        must(is(&jwk.alg, wanted_alg), "alg", wanted_alg)?;
        must(is(&jwk.usage, wanted_use), "use", wanted_use)?;
        let coordinate = |text: &str, member| {
            let bytes = decode(text).filter(|bytes| bytes.len() == 32);
            bytes.ok_or(JwkError::Member { member, expected: "32 bytes as base64url without padding" })
        };
        let (x, y) = (coordinate(&jwk.x, "x")?, coordinate(&jwk.y, "y")?);
        let point = point(&x, &y).ok_or(JwkError::Member { member: "x", expected: "32 bytes" })?;
        let parsed = ParsedPublicKey::try_from(UnparsedPublicKey::new(&agreement::ECDH_P256, &point));
        let off = |_| JwkError::Member { member: "x", expected: "with `y` a point of P-256" };
        let parsed = parsed.map_err(off)?;
        let kid = jwk.kid.clone().unwrap_or_else(|| Self::thumbprint(&jwk.x, &jwk.y));
        Ok(Self { kid, point, parsed })
    }
}

impl OwnKey {
    /// Reads a private JWK.
    pub(crate) fn read(json: &str) -> Result<Self, JwkError> {
        let jwk = parse(json)?;
        let public = PublicKey::of(&jwk, Use::Encryption)?;
        let fault = |expected| JwkError::Member { member: "d", expected };
        let text = jwk.d.as_ref().ok_or(fault("there: a private key is needed here"))?;
        let d = Zeroizing::new(decode(text).ok_or(fault("base64url without padding"))?);
        let private = PrivateKey::from_private_key(&agreement::ECDH_P256, &d)
            .map_err(|_| fault("32 bytes below the order of P-256"))?;
        let computed = private.compute_public_key().map_err(|_| fault("a private key of P-256"))?;
        if computed.as_ref() != public.point {
            return Err(fault("the private half of `x` and `y`"));
        }
        Ok(Self { public, private })
    }
}

fn parse(json: &str) -> Result<Jwk, JwkError> {
    // serde_json names line and column and the kind of fault; it prints no string of the input
    // but the unexpected one, which for a member of the wrong type is no key.
    serde_json::from_str(json).map_err(|fault| {
        JwkError::NotAJwk(format!(
            "{:?} fault in line {}, column {}",
            fault.classify(),
            fault.line(),
            fault.column()
        ))
    })
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}

impl fmt::Debug for OwnKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnKey({})", self.public.kid)
    }
}
