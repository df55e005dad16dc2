//! JWE compact serialization with direct ECDH-ES on P-256 and A256GCM (RFC 7516, RFC 7518 section 4.6; contract
//! section 4, \[D9\]). Nothing else is spoken: the algorithms are not negotiable.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::json;
use crate::jwk::{COORDINATE_BYTES, OwnKey, RecipientKey};

/// The longest JWE that is opened, in characters. Siblings name 8,192 and 8,196 \[S14\] \[S15\]; this leaves room.
pub(crate) const MAX_JWE_CHARACTERS: usize = 16 * 1024;
const TAG_BYTES: usize = 16;
const NONCE_BYTES: usize = 12;
const CONTENT_ALGORITHM: &str = "A256GCM";

/// Why a JWE was not made or opened. Everything that touches a key is one fault, `Sealed`, on purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JweFault {
    #[error("the JWE is longer than {MAX_JWE_CHARACTERS} characters")]
    TooLong,
    #[error("the JWE must have five parts in base64url without padding, the second one empty")]
    Form,
    #[error("the JWE header must be JSON with `alg` ECDH-ES, `enc` A256GCM, `kid`, and `epk` on P-256")]
    Header,
    #[error("the JWE header holds `{0}`, which is not supported")]
    Unsupported(&'static str),
    #[error("the `kid` of the JWE does not name our key: check which public key was given to D1")]
    ForeignKey,
    #[error("the JWE cannot be opened with our key")]
    Sealed,
    #[error("the JWE cannot be made")]
    Making,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    enc: String,
    kid: String,
    epk: PublicPoint,
    apu: Option<String>,
    apv: Option<String>,
    #[serde(default, deserialize_with = "json::present")]
    zip: bool,
    #[serde(default, deserialize_with = "json::present")]
    crit: bool,
}

#[derive(Deserialize)]
struct PublicPoint {
    kty: String,
    crv: String,
    x: String,
    y: String,
}

/// Seals `plaintext` to `recipient` under a fresh ephemeral key.
pub(crate) fn seal(plaintext: &[u8], recipient: &RecipientKey) -> Result<String, JweFault> {
    let ephemeral = PrivateKey::generate(&ECDH_P256).map_err(|_| JweFault::Making)?;
    let public = ephemeral.compute_public_key().map_err(|_| JweFault::Making)?;
    let (x, y) = public
        .as_ref()
        .get(1..)
        .and_then(|point| point.split_at_checked(COORDINATE_BYTES))
        .ok_or(JweFault::Making)?;
    let header = serde_json::json!({
        "alg": "ECDH-ES",
        "enc": CONTENT_ALGORITHM,
        "kid": recipient.kid,
        "epk": {
            "kty": "EC",
            "crv": "P-256",
            "x": URL_SAFE_NO_PAD.encode(x),
            "y": URL_SAFE_NO_PAD.encode(y),
        },
    });
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let key = agree(&ephemeral, &recipient.point, &[], &[]).map_err(|()| JweFault::Making)?;
    let mut nonce = [0_u8; NONCE_BYTES];
    aws_lc_rs::rand::SecureRandom::fill(&crate::chance::system(), &mut nonce)
        .map_err(|_| JweFault::Making)?;
    let mut text = Zeroizing::new(plaintext.to_vec());
    let tag = content_key(&key)
        .and_then(|key| {
            key.seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(header.as_bytes()),
                &mut text,
            )
            .map_err(|_| ())
        })
        .map_err(|()| JweFault::Making)?;
    Ok(format!(
        "{header}..{}.{}.{}",
        URL_SAFE_NO_PAD.encode(nonce),
        URL_SAFE_NO_PAD.encode(text.as_slice()),
        URL_SAFE_NO_PAD.encode(tag.as_ref()),
    ))
}

/// Opens a JWE that was sealed to `own`.
///
/// Header members that this version does not know are ignored, as RFC 7516 section 4 and contract section 9 want;
/// those that change the meaning of the rest (`zip`, `crit`) are refused.
pub(crate) fn open(compact: &str, own: &OwnKey) -> Result<Zeroizing<Vec<u8>>, JweFault> {
    if compact.len() > MAX_JWE_CHARACTERS {
        return Err(JweFault::TooLong);
    }
    let parts: Vec<&str> = compact.split('.').collect();
    let [protected, "", nonce, ciphertext, tag] = parts.as_slice() else {
        return Err(JweFault::Form);
    };
    let header: Header = json::read(&decode(protected)?).map_err(|_| JweFault::Header)?;
    check(&header)?;
    let private = own.private(&header.kid).ok_or(JweFault::ForeignKey)?;
    let point = point(&header.epk)?;
    let nonce: [u8; NONCE_BYTES] = decode(nonce)?.try_into().map_err(|_| JweFault::Form)?;
    let tag = decode(tag)?;
    if tag.len() != TAG_BYTES {
        return Err(JweFault::Form);
    }
    let mut text = Zeroizing::new(decode(ciphertext)?);
    text.extend_from_slice(&tag);
    let apu = party(header.apu.as_deref())?;
    let apv = party(header.apv.as_deref())?;
    let key = agree(private, &point, &apu, &apv).map_err(|()| JweFault::Sealed)?;
    let opened = content_key(&key)
        .and_then(|key| {
            key.open_in_place(
                Nonce::assume_unique_for_key(nonce),
                // What was received is authenticated, not a rewriting of it.
                Aad::from(protected.as_bytes()),
                &mut text,
            )
            .map(|plaintext| plaintext.len())
            .map_err(|_| ())
        })
        .map_err(|()| JweFault::Sealed)?;
    text.truncate(opened);
    Ok(text)
}

fn check(header: &Header) -> Result<(), JweFault> {
    if header.zip {
        return Err(JweFault::Unsupported("zip"));
    }
    if header.crit {
        return Err(JweFault::Unsupported("crit"));
    }
    if header.alg != "ECDH-ES"
        || header.enc != CONTENT_ALGORITHM
        || header.epk.kty != "EC"
        || header.epk.crv != "P-256"
    {
        return Err(JweFault::Header);
    }
    Ok(())
}

fn decode(part: &str) -> Result<Vec<u8>, JweFault> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| JweFault::Form)
}

fn party(info: Option<&str>) -> Result<Vec<u8>, JweFault> {
    info.map_or_else(|| Ok(Vec::new()), decode)
}

fn point(epk: &PublicPoint) -> Result<Vec<u8>, JweFault> {
    let mut point = vec![4];
    for coordinate in [&epk.x, &epk.y] {
        let bytes = decode(coordinate)?;
        if bytes.len() != COORDINATE_BYTES {
            return Err(JweFault::Header);
        }
        point.extend_from_slice(&bytes);
    }
    Ok(point)
}

fn content_key(key: &[u8]) -> Result<LessSafeKey, ()> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| ())
}

/// ECDH with the other side's point, then the Concat KDF to the content key. Off-curve points fail here.
fn agree(own: &PrivateKey, point: &[u8], apu: &[u8], apv: &[u8]) -> Result<Zeroizing<Vec<u8>>, ()> {
    agreement::agree(own, UnparsedPublicKey::new(&ECDH_P256, point), (), |shared| {
        concat_kdf(shared, CONTENT_ALGORITHM, apu, apv, 32)
    })
}

/// The Concat KDF of RFC 7518 section 4.6.2 with SHA-256, for direct key agreement.
fn concat_kdf(
    shared: &[u8],
    algorithm: &str,
    apu: &[u8],
    apv: &[u8],
    key_bytes: u16,
) -> Result<Zeroizing<Vec<u8>>, ()> {
    let mut info = Vec::with_capacity(64);
    for field in [algorithm.as_bytes(), apu, apv] {
        let length = u32::try_from(field.len()).map_err(|_| ())?;
        info.extend_from_slice(&length.to_be_bytes());
        info.extend_from_slice(field);
    }
    info.extend_from_slice(&(u32::from(key_bytes) * 8).to_be_bytes());
    let digest = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(())?;
    let mut key = Zeroizing::new(vec![0_u8; usize::from(key_bytes)]);
    sskdf_digest(digest, shared, &info, &mut key).map_err(|_| ())?;
    Ok(key)
}

#[cfg(test)]
mod tests;
