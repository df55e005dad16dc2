//! JOSE for the tests, apart from that of the client and of the simulator: both are judged by a third.
//! The only file here that draws randomness.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey, agree};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SystemRandom, fill};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

/// A P-256 key for JWE (contract C28), with its private half if the JWK holds one.
#[derive(Debug, Clone)]
pub struct JweKey(Value);

impl JweKey {
    /// Takes the text of a JWK.
    #[must_use]
    pub fn read(jwk: &str) -> Self {
        Self(serde_json::from_str(jwk).expect("a JWK is JSON"))
    }

    fn member(&self, name: &str) -> &str {
        self.0.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("the JWK has no {name}"))
    }

    fn bytes(&self, name: &str) -> Vec<u8> {
        decode(self.member(name)).unwrap_or_else(|| panic!("{name} of the JWK is base64url"))
    }
}

/// Base64url without padding.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Plain base64 with padding.
#[must_use]
pub fn encode_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads base64url without padding.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Opens a compact JWE (ECDH-ES, A256GCM) with a private key; nothing if it is not one for that key.
#[must_use]
pub fn open(jwe: &str, key: &JweKey) -> Option<Vec<u8>> {
    let parts: Vec<&str> = jwe.split('.').collect();
    let [header, "", iv, sealed, tag] = parts[..] else { return None };
    let read: Value = serde_json::from_slice(&decode(header)?).ok()?;
    if read.get("kid")?.as_str()? != key.member("kid") {
        return None;
    }
    let point = point(&JweKey(read.get("epk")?.clone()));
    let own = PrivateKey::from_private_key(&ECDH_P256, &key.bytes("d")).ok()?;
    let content_key = content_key(&own, &point);
    let mut sealed = [decode(sealed)?, decode(tag)?].concat();
    let nonce = Nonce::try_assume_unique_for_key(&decode(iv)?).ok()?;
    let plaintext = content_key.open_in_place(nonce, Aad::from(header.as_bytes()), &mut sealed).ok()?;
    Some(plaintext.to_vec())
}

/// Seals a plaintext toward a public key.
#[must_use]
pub fn seal(plaintext: &[u8], key: &JweKey) -> String {
    let own = PrivateKey::generate(&ECDH_P256).expect("an ephemeral key");
    let public = own.compute_public_key().expect("its public half");
    let (x, y) = public.as_ref()[1..].split_at(32);
    let epk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": key.member("kid"), "epk": epk});
    let header = encode(header.to_string().as_bytes());
    let mut iv = [0; 12];
    fill(&mut iv).expect("randomness");
    let mut text = plaintext.to_vec();
    let tag = content_key(&own, &point(key))
        .seal_in_place_separate_tag(Nonce::assume_unique_for_key(iv), Aad::from(header.as_bytes()), &mut text)
        .expect("sealed");
    format!("{header}..{}.{}.{}", encode(&iv), encode(&text), encode(tag.as_ref()))
}

/// A signed assertion with any header and claims (ES256; contract 3.1).
#[must_use]
pub fn assertion(pkcs8_pem: &[u8], header: &Value, claims: &Value) -> String {
    let der = PrivatePkcs8KeyDer::from_pem_slice(pkcs8_pem).expect("a PKCS#8 key");
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der());
    let signed =
        format!("{}.{}", encode(header.to_string().as_bytes()), encode(claims.to_string().as_bytes()));
    let signature =
        pair.expect("a P-256 key").sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
    format!("{signed}.{}", encode(signature.as_ref()))
}

fn point(key: &JweKey) -> Vec<u8> {
    [vec![4], key.bytes("x"), key.bytes("y")].concat()
}

/// Concat KDF (RFC 7518, 4.6.2) for direct agreement: one round, `enc` as the algorithm, no party information.
fn content_key(own: &PrivateKey, point: &[u8]) -> LessSafeKey {
    let derived = agree(own, UnparsedPublicKey::new(&ECDH_P256, point), "no agreement", |secret| {
        let mut input = vec![0, 0, 0, 1];
        input.extend_from_slice(secret);
        input.extend_from_slice(&7_u32.to_be_bytes());
        input.extend_from_slice(b"A256GCM");
        input.extend_from_slice(&[0; 8]);
        input.extend_from_slice(&256_u32.to_be_bytes());
        Ok(digest(&SHA256, &input))
    })
    .expect("an agreed key");
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, derived.as_ref()).expect("a key of 256 bits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_can_be_opened_and_nothing_else() {
        let key = d1_fixtures::EcKey::generate().expect("a key");
        let key = JweKey::read(&key.private_jwk(d1_fixtures::KeyUse::Encryption));
        let sealed = seal(b"{}", &key);
        assert_eq!(open(&sealed, &key).as_deref(), Some(&b"{}"[..]));
        let other = d1_fixtures::EcKey::generate().expect("a key");
        let other = JweKey::read(&other.private_jwk(d1_fixtures::KeyUse::Encryption));
        assert_eq!(open(&sealed, &other), None);
        assert_eq!(open(&sealed.replacen('.', ".x", 1), &key), None);
    }
}
