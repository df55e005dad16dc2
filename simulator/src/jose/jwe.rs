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
        return Err(why("JWE form", "five parts (compact serialization)", format!("{} parts", parts.len())));
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
        let key = derive("A256GCM", secret).ok_or(())?;
        UnboundKey::new(&AES_256_GCM, &*key).map(LessSafeKey::new).map_err(|_| ())
    })
    .ok()
}

/// Concat KDF of RFC 7518, 4.6.2 for a 256-bit key and no party information.
fn derive(algorithm: &str, secret: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut info = Vec::with_capacity(32);
    info.extend_from_slice(&u32::try_from(algorithm.len()).ok()?.to_be_bytes());
    info.extend_from_slice(algorithm.as_bytes());
    // apu and apv are absent: their lengths are zero.
    info.extend_from_slice(&[0; 8]);
    info.extend_from_slice(&256_u32.to_be_bytes());
    let mut key = Zeroizing::new([0_u8; 32]);
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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::jose::Use;

    fn keys() -> (OwnKey, PublicKey) {
        let key = d1_fixtures::EcKey::generate().expect("randomness");
        let own = OwnKey::read(&key.private_jwk(d1_fixtures::KeyUse::Encryption)).expect("a key");
        let public = PublicKey::read(&key.public_jwk(d1_fixtures::KeyUse::Encryption), Use::Encryption)
            .expect("a key");
        (own, public)
    }

    fn with_header(jwe: &str, change: impl Fn(&mut Map<String, Value>)) -> String {
        let (header, rest) = jwe.split_once('.').expect("a JWE");
        let mut members: Map<String, Value> =
            serde_json::from_slice(&decode(header).expect("base64url")).expect("JSON");
        change(&mut members);
        format!("{}.{rest}", encode(&serde_json::to_vec(&members).expect("JSON")))
    }

    #[test]
    fn what_is_sealed_toward_a_key_is_opened_with_it() {
        let (own, public) = keys();
        let jwe = seal(b"{\"pan\":\"x\"}", &public).expect("sealed");
        assert_eq!(&*open(&jwe, &own).expect("opened"), b"{\"pan\":\"x\"}");
    }

    #[test]
    fn a_header_that_is_not_just_so_is_refused_with_its_reason() {
        let (own, public) = keys();
        let jwe = seal(b"{}", &public).expect("sealed");
        let set = |name: &'static str, value: Value| {
            with_header(&jwe, move |members| {
                members.insert(name.into(), value.clone());
            })
        };
        let table = [
            (set("alg", "ECDH-ES+A256KW".into()), "JWE header alg"),
            (set("alg", "dir".into()), "JWE header alg"),
            (set("enc", "A128GCM".into()), "JWE header enc"),
            (set("kid", "other".into()), "JWE header kid"),
            (set("zip", "DEF".into()), "JWE header members"),
            (set("crit", serde_json::json!(["exp"])), "JWE header members"),
            (set("apu", "QQ".into()), "JWE header members"),
            (set("epk", "no".into()), "JWE header epk"),
            (set("epk", serde_json::json!({"kty":"EC","crv":"P-384","x":"","y":""})), "JWE header epk"),
            (set("epk", serde_json::json!({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})), "JWE header epk"),
            ("a.b.c".into(), "JWE form"),
            ("x".repeat(LONGEST + 1), "JWE length"),
        ];
        for (changed, check) in table {
            assert_eq!(open(&changed, &own).expect_err(check).check, check);
        }
    }

    #[test]
    fn a_point_off_the_curve_and_another_key_are_refused() {
        let (own, public) = keys();
        let jwe = seal(b"{}", &public).expect("sealed");
        let zeros = encode(&[1; 32]);
        let off = with_header(&jwe, |members| {
            members.insert("epk".into(), serde_json::json!({"kty":"EC","crv":"P-256","x":zeros,"y":zeros}));
        });
        assert_eq!(open(&off, &own).expect_err("refused").check, "JWE decryption");
        let (other, _) = keys();
        assert_eq!(open(&jwe, &other).expect_err("refused").check, "JWE header kid");
    }

    #[test]
    fn a_long_plaintext_is_refused() {
        let (own, public) = keys();
        let jwe = seal(&[b' '; LONGEST_PLAINTEXT + 1], &public).expect("sealed");
        assert_eq!(open(&jwe, &own).expect_err("refused").check, "JWE plaintext");
    }

    proptest! {
        #[test]
        fn any_flipped_bit_is_refused(part in 0_usize..5, bit in 0_usize..10_000) {
            let (own, public) = keys();
            let jwe = seal(b"{\"pan\":\"4000000000000002\",\"exp\":\"1230\"}", &public).expect("sealed");
            let mut parts: Vec<Vec<u8>> = jwe.split('.').map(|part| decode(part).expect("base64url")).collect();
            let bytes = &mut parts[part];
            if bytes.is_empty() {
                bytes.push(1);
            } else {
                let bit = bit % (bytes.len() * 8);
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let changed: Vec<String> = parts.iter().map(|part| encode(part)).collect();
            prop_assert!(open(&changed.join("."), &own).is_err());
        }

        #[test]
        fn any_text_is_answered_without_a_panic(text in ".{0,300}") {
            let (own, _) = keys();
            prop_assert!(open(&text, &own).is_err());
        }
    }
}
