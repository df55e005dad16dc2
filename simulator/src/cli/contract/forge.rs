//! JWEs that no gateway may open, and the openers of careless ones. For the suite alone: what D1 seals is in `jose`.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{ECDH_P256, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::cipher::{AES_256, DecryptingKey, DecryptionContext, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use d1_contracts::Disguise;
use serde_json::{Map, Value, json};

use crate::jose::{OwnKey, PublicKey, agreed, decode, encode, point};

const TAG: usize = 16;
/// The name of a header member that nobody knows.
const UNKNOWN: &str = "urn:d1-sandbox:unknown";

/// The parts of a JWE.
struct Parts {
    header: Map<String, Value>,
    /// The header as it stands in the JWE.
    protected: String,
    iv: [u8; NONCE_LEN],
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

/// Seals `plaintext` toward `to`, with this one thing wrong. Nothing if there is no randomness or no agreement.
pub(super) fn sealed(plaintext: &str, disguise: Disguise, to: &PublicKey) -> Option<String> {
    let ephemeral = PrivateKey::generate(&ECDH_P256).ok()?;
    let mut header = good_header(&ephemeral, to)?;
    let mut bytes = plaintext.as_bytes().to_vec();
    let mut put = |name: &str, value: Value| header.insert(name.to_owned(), value);
    match disguise {
        Disguise::EncA128Gcm => drop(put("enc", "A128GCM".into())),
        Disguise::AlgDir => drop(put("alg", "dir".into())),
        Disguise::CritUnknown => {
            put("crit", json!([UNKNOWN]));
            put(UNKNOWN, true.into());
        }
        Disguise::ZipDef => {
            put("zip", "DEF".into());
            bytes = deflated(&bytes)?;
        }
        Disguise::EpkOffCurve => drop(put("epk", off_curve(&ephemeral)?)),
        _ => {}
    }
    let mut parts = Parts::seal(header, &bytes, &ephemeral, to)?;
    match disguise {
        Disguise::TagChanged => parts.tag[0] ^= 1,
        Disguise::IvChanged => parts.iv[0] ^= 1,
        // The lowest bit makes a digit of a digit, whichever it is.
        Disguise::CiphertextChanged => parts.sealed[plaintext.find(|c: char| c.is_ascii_digit())?] ^= 1,
        Disguise::HeaderChanged => {
            parts.header.insert(UNKNOWN.to_owned(), true.into());
            parts.protected = encoded(&parts.header);
        }
        Disguise::JsonSerialization => return Some(parts.json()),
        _ => {}
    }
    Some(parts.compact())
}

/// Opens with AES-CTR, which is A256GCM without its tag.
pub(super) fn opened_without_tag(jwe: &str, own: &OwnKey) -> Option<Vec<u8>> {
    let parts = Parts::of_compact(jwe)?;
    if parts.text("alg") != Some("ECDH-ES") || parts.text("enc") != Some("A256GCM") {
        return None;
    }
    let key = agreed::<32>(&own.private, parts.epk()?, "A256GCM")?;
    let key = DecryptingKey::ctr(UnboundCipherKey::new(&AES_256, &*key).ok()?).ok()?;
    // In GCM the first block counts from 2: 1 is for the tag.
    let mut block = [0; 16];
    block[..NONCE_LEN].copy_from_slice(&parts.iv);
    block[15] = 2;
    let mut bytes = parts.sealed;
    let context = DecryptionContext::Iv128(FixedLength::from(block));
    Some(key.decrypt(&mut bytes, context).ok()?.to_vec())
}

/// Opens in the way that the header asks for, in either serialization. Neither `alg` nor `crit` is looked at: there is
/// one kind of key.
pub(super) fn opened_as_told(jwe: &str, own: &OwnKey) -> Option<Vec<u8>> {
    let parts = Parts::of_compact(jwe).or_else(|| Parts::of_json(jwe))?;
    let epk: [u8; 65] = parts.header.get("epk").and_then(point_of)?;
    let key = agreed_aead(&own.private, &epk, parts.text("enc")?)?;
    let nonce = Nonce::assume_unique_for_key(parts.iv);
    let mut bytes = [&parts.sealed[..], &parts.tag].concat();
    let bytes = key.open_in_place(nonce, Aad::from(parts.protected.as_bytes()), &mut bytes).ok()?;
    if parts.text("zip") == Some("DEF") { inflated(bytes) } else { Some(bytes.to_vec()) }
}

impl Parts {
    fn seal(
        header: Map<String, Value>,
        plaintext: &[u8],
        ephemeral: &PrivateKey,
        to: &PublicKey,
    ) -> Option<Self> {
        let key = agreed_aead(ephemeral, &to.point, header.get("enc")?.as_str()?)?;
        let protected = encoded(&header);
        // Each key seals once, so that any IV will do.
        let iv = [1; NONCE_LEN];
        let mut sealed = plaintext.to_vec();
        let (nonce, aad) = (Nonce::assume_unique_for_key(iv), Aad::from(protected.as_bytes()));
        let tag = key.seal_in_place_separate_tag(nonce, aad, &mut sealed).ok()?.as_ref().to_vec();
        Some(Self { header, protected, iv, sealed, tag })
    }

    fn compact(&self) -> String {
        let Self { protected, iv, sealed, tag, .. } = self;
        format!("{protected}..{}.{}.{}", encode(iv), encode(sealed), encode(tag))
    }

    fn json(&self) -> String {
        json!({
            "protected": self.protected,
            "iv": encode(&self.iv),
            "ciphertext": encode(&self.sealed),
            "tag": encode(&self.tag),
        })
        .to_string()
    }

    fn of_compact(jwe: &str) -> Option<Self> {
        let parts: Vec<&str> = jwe.split('.').collect();
        let [protected, "", iv, sealed, tag] = parts[..] else { return None };
        Self::of(protected, iv, sealed, tag)
    }

    fn of_json(jwe: &str) -> Option<Self> {
        let members: Map<String, Value> = serde_json::from_str(jwe).ok()?;
        let text = |name: &str| members.get(name).and_then(Value::as_str);
        Self::of(text("protected")?, text("iv")?, text("ciphertext")?, text("tag")?)
    }

    fn of(protected: &str, iv: &str, sealed: &str, tag: &str) -> Option<Self> {
        let tag = decode(tag).filter(|tag| tag.len() == TAG)?;
        Some(Self {
            header: serde_json::from_slice(&decode(protected)?).ok()?,
            protected: protected.to_owned(),
            iv: decode(iv)?.try_into().ok()?,
            sealed: decode(sealed)?,
            tag,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }

    fn epk(&self) -> Option<UnparsedPublicKey<[u8; 65]>> {
        Some(UnparsedPublicKey::new(&ECDH_P256, self.header.get("epk").and_then(point_of)?))
    }
}

fn encoded(header: &Map<String, Value>) -> String {
    encode(Value::from(header.clone()).to_string().as_bytes())
}

fn good_header(ephemeral: &PrivateKey, to: &PublicKey) -> Option<Map<String, Value>> {
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = public.as_ref().get(1..)?.split_at_checked(32)?;
    let header = json!({"alg": "ECDH-ES", "enc": "A256GCM", "kid": to.kid, "epk": jwk(x, y)});
    header.as_object().cloned()
}

fn jwk(x: &[u8], y: &[u8]) -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)})
}

/// An ephemeral key with a `y` that no point with this `x` has.
fn off_curve(ephemeral: &PrivateKey) -> Option<Value> {
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = public.as_ref().get(1..)?.split_at_checked(32)?;
    let mut y = y.to_vec();
    // The highest bit but one: what is left is neither y nor p - y.
    *y.first_mut()? ^= 0x40;
    Some(jwk(x, &y))
}

fn point_of(jwk: &Value) -> Option<[u8; 65]> {
    let part = |name: &str| jwk.get(name).and_then(Value::as_str).and_then(decode);
    point(&part("x")?, &part("y")?)
}

fn agreed_aead(own: &PrivateKey, theirs: &[u8; 65], enc: &str) -> Option<LessSafeKey> {
    let theirs = UnparsedPublicKey::new(&ECDH_P256, theirs);
    let key = match enc {
        "A128GCM" => UnboundKey::new(&AES_128_GCM, &*agreed::<16>(own, theirs, enc)?),
        "A256GCM" => UnboundKey::new(&AES_256_GCM, &*agreed::<32>(own, theirs, enc)?),
        _ => return None,
    };
    key.map(LessSafeKey::new).ok()
}

/// DEFLATE (RFC 1951) in one block that is stored as it is: whoever inflates anything reads it.
fn deflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let length = u16::try_from(bytes.len()).ok()?;
    Some([&[1][..], &length.to_le_bytes(), &(!length).to_le_bytes(), bytes].concat())
}

/// What [`deflated`] makes, and no other block.
fn inflated(bytes: &[u8]) -> Option<Vec<u8>> {
    let stored = bytes.get(5..)?;
    (deflated(stored)? == bytes).then(|| stored.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{Use, open, seal};

    const PLAINTEXT: &str = r#"{"cryptogram":"AAEC","dpan":"4000000000000016","exp":"0740"}"#;

    #[test]
    fn no_forged_jwe_is_opened_and_each_careless_opener_takes_what_it_does_not_check() {
        let key = d1_fixtures::EcKey::generate().expect("randomness");
        let own = OwnKey::read(&key.private_jwk(d1_fixtures::KeyUse::Encryption)).expect("a key");
        let jwk = key.public_jwk(d1_fixtures::KeyUse::Encryption);
        let to = PublicKey::read(&jwk, Use::Encryption).expect("a key");
        let good = seal(PLAINTEXT.as_bytes(), &to).expect("sealed");
        for opened in [opened_without_tag(&good, &own), opened_as_told(&good, &own)] {
            assert_eq!(opened.as_deref(), Some(PLAINTEXT.as_bytes()));
        }
        let (whole, other) =
            (PLAINTEXT.to_owned(), PLAINTEXT.replace("4000000000000016", "5000000000000016"));
        for disguise in Disguise::ALL {
            let jwe = sealed(PLAINTEXT, disguise, &to).expect("forged");
            assert!(open(&jwe, &own).is_err(), "{disguise:?}");
            let text = |opened: Option<Vec<u8>>| opened.and_then(|bytes| String::from_utf8(bytes).ok());
            let (untagged, trusting) =
                (text(opened_without_tag(&jwe, &own)), text(opened_as_told(&jwe, &own)));
            let (by_tag, by_header) = match disguise {
                Disguise::TagChanged | Disguise::HeaderChanged => (Some(&whole), None),
                Disguise::CiphertextChanged => (Some(&other), None),
                Disguise::CritUnknown => (Some(&whole), Some(&whole)),
                Disguise::EncA128Gcm | Disguise::AlgDir | Disguise::JsonSerialization => (None, Some(&whole)),
                Disguise::ZipDef => {
                    // What is not inflated is not what was sealed.
                    assert!(untagged.is_none_or(|text| text != whole));
                    assert_eq!(trusting.as_ref(), Some(&whole));
                    continue;
                }
                // Another IV makes noise of all of it, and off the curve there is no agreement.
                Disguise::IvChanged | Disguise::EpkOffCurve => {
                    assert!(untagged.is_none_or(|text| text != whole) && trusting.is_none(), "{disguise:?}");
                    continue;
                }
            };
            assert_eq!((untagged.as_ref(), trusting.as_ref()), (by_tag, by_header), "{disguise:?}");
        }
    }
}
