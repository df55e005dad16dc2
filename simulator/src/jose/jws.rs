//! JWS compact serialization (RFC 7515) with ES256.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use serde_json::{Map, Value};

use super::{PublicKey, decode, encode};
use crate::chance::NoRandomness;

/// A JWS taken apart, with its signature not yet checked.
pub(crate) struct Signed<'a> {
    pub(crate) header: Map<String, Value>,
    pub(crate) claims: Map<String, Value>,
    signing_input: &'a str,
    signature: Vec<u8>,
}

/// A key that signs.
pub(crate) type Signer = EcdsaKeyPair;

/// Takes a JWT apart; says which of its parts is not as it must be.
pub(crate) fn split(jwt: &str) -> Result<Signed<'_>, &'static str> {
    let (signing_input, signature) = jwt.rsplit_once('.').ok_or("not three parts")?;
    let (header, claims) = signing_input.split_once('.').ok_or("not three parts")?;
    if claims.contains('.') {
        return Err("not three parts");
    }
    let object = |part: &str| decode(part).and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(Signed {
        header: object(header).ok_or("a header that is not base64url of a JSON object")?,
        claims: object(claims).ok_or("claims that are not base64url of a JSON object")?,
        signing_input,
        signature: decode(signature).ok_or("a signature that is not base64url")?,
    })
}

impl Signed<'_> {
    /// `true` if the signature is by `key`, as ES256, whatever the header says.
    pub(crate) fn is_by(&self, key: &PublicKey) -> bool {
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, &key.point);
        key.verify(self.signing_input.as_bytes(), &self.signature).is_ok()
    }
}

/// Signs header and claims, both JSON texts.
pub(crate) fn sign(header: &str, claims: &str, key: &Signer) -> Result<String, NoRandomness> {
    let input = format!("{}.{}", encode(header.as_bytes()), encode(claims.as_bytes()));
    let signature = key.sign(&SystemRandom::new(), input.as_bytes()).map_err(|_| NoRandomness)?;
    Ok(format!("{input}.{}", encode(signature.as_ref())))
}

/// Reads a signing key from PKCS#8 DER.
pub(crate) fn signer_from_pkcs8(der: &[u8]) -> Option<Signer> {
    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).ok()
}

/// A signing key that nobody else has, for the life of this process.
pub(crate) fn fresh_signer() -> Result<Signer, NoRandomness> {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| NoRandomness)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Use;

    #[test]
    fn the_signature_of_rfc_7515_a3_is_good_and_no_other_is() {
        let vector: Value = serde_json::from_str(d1_fixtures::RFC7515_A3_ES256).expect("JSON");
        let part = |name: &str| vector[name].as_str().expect("text").to_owned();
        let key = PublicKey::read(&vector["jwk"].to_string(), Use::Assertion).expect("a key");
        let jws = [part("protected"), part("payload"), part("signature")].join(".");
        let signed = split(&jws).expect("a JWT");
        assert_eq!((&signed.header["alg"], &signed.claims["iss"]), (&"ES256".into(), &"joe".into()));
        assert!(signed.is_by(&key));
        // Every bit of the signature, and of what it is over, counts.
        let bytes = decode(&part("signature")).expect("base64url");
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            assert!(!Signed { signature: changed, ..split(&jws).expect("a JWT") }.is_by(&key), "bit {bit}");
        }
        let longer = jws.replacen("eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzI1NiIgfQ", 1);
        assert!(!split(&longer).expect("a JWT").is_by(&key), "the same header with a blank in it");
        let vector: Value = serde_json::from_str(d1_fixtures::RFC7520_5_5_ECDH_ES).expect("JSON");
        assert!(
            PublicKey::read(&vector["recipient"].to_string(), Use::Assertion).is_err(),
            "a key for another use"
        );
    }
}
