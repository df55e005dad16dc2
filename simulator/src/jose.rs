//! JOSE as D1 uses it: ES256 signatures and direct ECDH-ES with A256GCM, on P-256 alone.

mod jwe;
mod jwk;
mod jws;

pub(crate) use jwe::{open, seal};
pub(crate) use jwk::{OwnKey, PublicKey, Use};
pub(crate) use jws::{Signed, Signer, fresh_signer, sign, signer_from_pkcs8, split};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64url without padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of a base64url text without padding; nothing for any other text.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// An uncompressed P-256 point from its coordinates.
pub(crate) fn point(x: &[u8], y: &[u8]) -> Option<[u8; 65]> {
    let mut point = [4_u8; 65];
    let both = x.len() == 32 && y.len() == 32;
    both.then(|| {
        point[1..33].copy_from_slice(x);
        point[33..].copy_from_slice(y);
        point
    })
}
