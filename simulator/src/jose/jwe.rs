//! JWE compact serialization (RFC 7516) with direct ECDH-ES (RFC 7518, 4.6) and A256GCM (C28).

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, ParsedPublicKey, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use aws_lc_rs::rand;
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::{OwnKey, PublicKey, decode, encode, point};
use crate::chance::NoRandomness;
use crate::journal::Why;

/// The longest JWE that is looked at, in characters (C17).
const LONGEST: usize = 8196;
/// The longest plaintext, in bytes (C28).
const LONGEST_PLAINTEXT: usize = 1024;
const TAG: usize = 16;
/// The header members that a JWE toward D1 has, and no other (C28).
const HEADER: [&str; 4] = ["alg", "enc", "kid", "epk"];

/// Seals `plaintext` toward `to`, with an ephemeral key and an IV from the system.
pub(crate) fn seal(plaintext: &[u8], to: &PublicKey) -> Result<String, NoRandomness> {
    let ephemeral = PrivateKey::generate(&agreement::ECDH_P256).map_err(|_| NoRandomness)?;
    let public = ephemeral.compute_public_key().map_err(|_| NoRandomness)?;
    let (x, y) = public.as_ref()[1..].split_at(32);
    let kid = Value::String(to.kid.clone());
    let header = encode(
        format!(
            r#"{{"alg":"ECDH-ES","enc":"A256GCM","kid":{kid},"epk":{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}}}"#,
            encode(x),
            encode(y)
        )
        .as_bytes(),
    );
    let key = agreed_key(&ephemeral, to.parsed.clone()).ok_or(NoRandomness)?;
    let mut iv = [0_u8; NONCE_LEN];
    rand::fill(&mut iv).map_err(|_| NoRandomness)?;
    let mut sealed = plaintext.to_vec();
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag = key
        .seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut sealed)
        .map_err(|_| NoRandomness)?;
    Ok(format!("{header}..{}.{}.{}", encode(&iv), encode(&sealed), encode(tag.as_ref())))
}

/// Opens a JWE that was sealed toward `own`. The header is judged before any key is used.
pub(crate) fn open(jwe: &str, own: &OwnKey) -> Result<Zeroizing<Vec<u8>>, Why> {
    if jwe.len() > LONGEST {
        return Err(why("JWE length", format!("at most {LONGEST} characters"), jwe.len().to_string()));
    }
    let parts: Vec<&str> = jwe.split('.').collect();
    let [header_text, key_part, iv, sealed, tag] = parts[..] else {
        return Err(why(
            "JWE form",
            "five parts (compact serialization)",
            match parts.len() {
                1 => "1 part".to_owned(),
                more => format!("{more} parts"),
            },
        ));
    };
    if !key_part.is_empty() {
        return Err(why("JWE encrypted key", "empty (direct key agreement)", "present"));
    }
    let epk = judge_header(header_text, &own.public.kid)?;
    let undecodable = || why("JWE form", "base64url without padding in every part", "another text");
    let iv: [u8; NONCE_LEN] = decode(iv)
        .ok_or_else(undecodable)?
        .try_into()
        .map_err(|iv: Vec<u8>| why("JWE IV", "12 bytes", format!("{} bytes", iv.len())))?;
    let mut sealed = Zeroizing::new(decode(sealed).ok_or_else(undecodable)?);
    let tag = decode(tag).ok_or_else(undecodable)?;
    if tag.len() != TAG {
        return Err(why("JWE tag", "16 bytes", format!("{} bytes", tag.len())));
    }
    if sealed.len() > LONGEST_PLAINTEXT {
        return Err(why(
            "JWE plaintext",
            format!("at most {LONGEST_PLAINTEXT} bytes"),
            format!("{} bytes", sealed.len()),
        ));
    }
    // One refusal for every fault of key, header, ciphertext and tag: they cannot be told apart.
    let unopened = || why("JWE decryption", "sealed toward D1's key and unchanged", "cannot be opened");
    let key =
        agreed_key(&own.private, UnparsedPublicKey::new(&agreement::ECDH_P256, epk)).ok_or_else(unopened)?;
    sealed.extend_from_slice(&tag);
    let nonce = Nonce::assume_unique_for_key(iv);
    let length = key
        .open_in_place(nonce, Aad::from(header_text.as_bytes()), &mut sealed)
        .map_err(|_| unopened())?
        .len();
    sealed.truncate(length);
    Ok(sealed)
}

/// The ephemeral public key of a header that is just as it must be.
fn judge_header(text: &str, own_kid: &str) -> Result<[u8; 65], Why> {
    let bytes = decode(text).ok_or_else(|| why("JWE header", "base64url without padding", "another text"))?;
    let members: Map<String, Value> =
        serde_json::from_slice(&bytes).map_err(|_| why("JWE header", "a JSON object", "something else"))?;
    let text_of = |name: &str| members.get(name).and_then(Value::as_str);
    for (name, wanted) in [("alg", "ECDH-ES"), ("enc", "A256GCM")] {
        if text_of(name) != Some(wanted) {
            let check = if name == "alg" { "JWE header alg" } else { "JWE header enc" };
            return Err(why(check, wanted, text_of(name).unwrap_or("none").to_owned()));
        }
    }
    if let Some(other) = members.keys().find(|name| !HEADER.contains(&name.as_str())) {
        return Err(why("JWE header members", "alg, enc, kid, epk and no other", other.clone()));
    }
    if text_of("kid") != Some(own_kid) {
        let actual = text_of("kid").unwrap_or("none").to_owned();
        return Err(why("JWE header kid", format!("{own_kid}, the recipient's"), actual));
    }
    let epk = members.get("epk").and_then(Value::as_object);
    let epk = epk.ok_or_else(|| why("JWE header epk", "a JWK", "none"))?;
    let part = |name: &str| epk.get(name).and_then(Value::as_str);
    if part("kty") != Some("EC") || part("crv") != Some("P-256") {
        return Err(why("JWE header epk", "kty EC and crv P-256", "another key"));
    }
    let coordinate = |name: &str| part(name).and_then(decode);
    coordinate("x")
        .zip(coordinate("y"))
        .and_then(|(x, y)| point(&x, &y))
        .ok_or_else(|| why("JWE header epk", "x and y of 32 bytes each", "another length or text"))
}

fn agreed_key(own: &PrivateKey, theirs: impl TryInto<ParsedPublicKey>) -> Option<LessSafeKey> {
    agreement::agree(own, theirs, (), |secret| {
        let key = derive::<32>("A256GCM", secret, [b"", b""]).ok_or(())?;
        UnboundKey::new(&AES_256_GCM, &*key).map(LessSafeKey::new).map_err(|_| ())
    })
    .ok()
}

/// Concat KDF of RFC 7518, 4.6.2 for a key of `N` bytes. Toward D1 the party information, `apu` and `apv`, is empty.
fn derive<const N: usize>(algorithm: &str, secret: &[u8], party: [&[u8]; 2]) -> Option<Zeroizing<[u8; N]>> {
    let mut info = Vec::with_capacity(32);
    for part in [algorithm.as_bytes(), party[0], party[1]] {
        info.extend_from_slice(&u32::try_from(part.len()).ok()?.to_be_bytes());
        info.extend_from_slice(part);
    }
    info.extend_from_slice(&u32::try_from(N * 8).ok()?.to_be_bytes());
    let mut key = Zeroizing::new([0_u8; N]);
    let hash = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256)?;
    sskdf_digest(hash, secret, &info, &mut *key).ok()?;
    Some(key)
}

fn why(
    check: &'static str,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    actual: impl Into<std::borrow::Cow<'static, str>>,
) -> Why {
    Why { check, expected: expected.into(), actual: actual.into() }
}

#[cfg(test)]
mod tests;
