//! JWEs of either direction as the contract has them (C28, \[D9\]), ones that are wrong in one way, and the openers of
//! those who do not look. For the suite alone.

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use miniz_oxide::deflate::compress_to_vec;
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::cases::Disguise;

const TAG_BYTES: usize = 16;
/// The most that is inflated.
const INFLATED_BYTES: usize = 64 * 1024;
/// The members of a good header.
const HEADER: [&str; 4] = ["alg", "enc", "kid", "epk"];
/// The name of a header member that nobody knows.
const UNKNOWN: &str = "urn:d1-sandbox:unknown";

/// A P-256 key of the pretend world, of a gateway or of D1. Sealing needs its public half alone.
#[derive(Clone)]
pub struct JweKey {
    /// What a header names it.
    kid: String,
    point: [u8; 65],
    private: Option<Vec<u8>>,
}

/// A JWK that is no such key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a JWK of a P-256 key, with kid, x and y, and with d where it opens what others seal")]
pub struct KeyError;

/// A JWE as it is to be sealed: right, or wrong in one way.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Forgery {
    /// What is sealed: JSON, or a text that is sealed as it is.
    plaintext: Value,
    /// Other members of the header, under which it is really sealed; `null` leaves one out.
    #[serde(default)]
    header: Map<String, Value>,
    /// The part in which a bit is changed afterwards.
    #[serde(default)]
    changed: Option<Part>,
    /// The ephemeral key is a point off the curve.
    #[serde(default)]
    off_curve: bool,
    /// JSON serialization instead of the compact one.
    #[serde(default)]
    as_json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Part {
    Header,
    Iv,
    Ciphertext,
    Tag,
}

/// How whoever opens a JWE looks at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Care {
    /// At all of it.
    Whole,
    /// At its algorithms, and not at its tag.
    NoTag,
    /// As its header says, in either serialization: neither `alg`, `kid` nor `crit` is looked at.
    AsTold,
}

impl Forgery {
    /// A JWE that is right, of a text that is sealed as it is: the order of its members and the form of its numbers count.
    pub(crate) fn none(plaintext: String) -> Self {
        Self {
            plaintext: plaintext.into(),
            header: Map::new(),
            changed: None,
            off_curve: false,
            as_json: false,
        }
    }

    /// One that is wrong as a fault of D1's answers has it.
    pub(crate) fn disguised(plaintext: String, disguise: Disguise) -> Self {
        let none = Self::none(plaintext);
        let with = |members: Value| members.as_object().cloned().unwrap_or_default();
        match disguise {
            Disguise::TagChanged => Self { changed: Some(Part::Tag), ..none },
            Disguise::IvChanged => Self { changed: Some(Part::Iv), ..none },
            Disguise::CiphertextChanged => Self { changed: Some(Part::Ciphertext), ..none },
            Disguise::HeaderChanged => Self { changed: Some(Part::Header), ..none },
            Disguise::EncA128Gcm => Self { header: with(json!({"enc": "A128GCM"})), ..none },
            Disguise::AlgDir => Self { header: with(json!({"alg": "dir"})), ..none },
            Disguise::CritUnknown => Self { header: with(json!({"crit": [UNKNOWN], UNKNOWN: true})), ..none },
            Disguise::ZipDef => Self { header: with(json!({"zip": "DEF"})), ..none },
            Disguise::EpkOffCurve => Self { off_curve: true, ..none },
            Disguise::JsonSerialization => Self { as_json: true, ..none },
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match &self.plaintext {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        }
    }
}

impl JweKey {
    /// Reads a JWK, the public half or both.
    ///
    /// # Errors
    /// It is none of P-256 with a `kid`.
    pub fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let jwk: Value = serde_json::from_str(text).map_err(|_| KeyError)?;
        let private = match jwk.get("d") {
            None => None,
            Some(d) => Some(d.as_str().and_then(decode).ok_or(KeyError)?),
        };
        let kid = jwk.get("kid").and_then(Value::as_str).ok_or(KeyError)?.to_owned();
        let key = Self { kid, point: point_of(&jwk).ok_or(KeyError)?, private };
        let public = agreement::ParsedPublicKey::try_from(key.public());
        let sound = public.is_ok() && (key.private.is_none() || key.private().is_some());
        if sound { Ok(key) } else { Err(KeyError) }
    }

    fn public(&self) -> UnparsedPublicKey<&[u8; 65]> {
        UnparsedPublicKey::new(&agreement::ECDH_P256, &self.point)
    }

    fn private(&self) -> Option<PrivateKey> {
        PrivateKey::from_private_key(&agreement::ECDH_P256, self.private.as_deref()?).ok()
    }

    /// A JWE toward this key; nothing if the system has no randomness.
    pub(crate) fn seal(&self, forgery: &Forgery) -> Option<String> {
        let ephemeral = PrivateKey::generate(&agreement::ECDH_P256).ok()?;
        let mut header = Map::from_iter([
            ("alg".to_owned(), json!("ECDH-ES")),
            ("enc".to_owned(), json!("A256GCM")),
            ("kid".to_owned(), json!(self.kid)),
            ("epk".to_owned(), jwk(&ephemeral, forgery.off_curve)?),
        ]);
        header.extend(forgery.header.clone());
        header.retain(|_, value| !value.is_null());
        let text = |name: &str| header.get(name).and_then(Value::as_str);
        let key = agreed(&ephemeral, &self.point, text("enc").unwrap_or("A256GCM"))?;
        let plain = forgery.bytes();
        let digit = plain.iter().position(u8::is_ascii_digit).unwrap_or_default();
        let mut sealed = if text("zip") == Some("DEF") { compress_to_vec(&plain, 6) } else { plain };
        let mut header = Value::Object(header).to_string().into_bytes();
        let mut protected = encode(&header);
        // Each key seals once, so that any IV will do.
        let mut iv = [1; NONCE_LEN];
        let (nonce, aad) = (Nonce::assume_unique_for_key(iv), Aad::from(protected.as_bytes()));
        let mut tag = key.seal_in_place_separate_tag(nonce, aad, &mut sealed).ok()?.as_ref().to_vec();
        match forgery.changed {
            None => {}
            Some(Part::Header) => {
                // Still the same members, so that it is the bytes that have to be looked at.
                header.push(b' ');
                protected = encode(&header);
            }
            Some(Part::Iv) => iv[0] ^= 1,
            // The lowest bit makes a digit of a digit, whichever it is.
            Some(Part::Ciphertext) => *sealed.get_mut(digit)? ^= 1,
            Some(Part::Tag) => *tag.first_mut()? ^= 1,
        }
        let (iv, sealed, tag) = (encode(&iv), encode(&sealed), encode(&tag));
        Some(if forgery.as_json {
            json!({"protected": protected, "iv": iv, "ciphertext": sealed, "tag": tag}).to_string()
        } else {
            format!("{protected}..{iv}.{sealed}.{tag}")
        })
    }

    /// Opens a JWE toward this key.
    pub(crate) fn open(&self, jwe: &str, care: Care) -> Option<Vec<u8>> {
        let parts =
            Parts::of_compact(jwe).or_else(|| Parts::of_json(jwe).filter(|_| care == Care::AsTold))?;
        let usual = parts.text("alg") == Some("ECDH-ES") && parts.text("enc") == Some("A256GCM");
        let whole = || {
            let known = |name: &String| HEADER.contains(&name.as_str());
            parts.text("kid") == Some(&self.kid) && parts.header.keys().all(known)
        };
        let looked_at = match care {
            Care::Whole => usual && whole(),
            Care::NoTag => usual,
            Care::AsTold => true,
        };
        let epk = parts.header.get("epk").and_then(point_of).filter(|_| looked_at)?;
        let key = agreed(&self.private()?, &epk, parts.text("enc")?)?;
        if care == Care::NoTag {
            return keystream(&key, parts.iv, parts.sealed);
        }
        let inflates = care == Care::AsTold && parts.text("zip") == Some("DEF");
        let mut bytes = [parts.sealed, parts.tag].concat();
        let (nonce, aad) = (Nonce::assume_unique_for_key(parts.iv), Aad::from(parts.protected.as_bytes()));
        let opened = key.open_in_place(nonce, aad, &mut bytes).ok()?.len();
        bytes.truncate(opened);
        if inflates { decompress_to_vec_with_limit(&bytes, INFLATED_BYTES).ok() } else { Some(bytes) }
    }
}

/// The parts of a JWE.
struct Parts {
    header: Map<String, Value>,
    /// The header as it stands in the JWE.
    protected: String,
    iv: [u8; NONCE_LEN],
    sealed: Vec<u8>,
    tag: Vec<u8>,
}

impl Parts {
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
        Some(Self {
            header: serde_json::from_slice(&decode(protected)?).ok()?,
            protected: protected.to_owned(),
            iv: decode(iv)?.try_into().ok()?,
            sealed: decode(sealed)?,
            // Of another length it would share its bytes with the ciphertext.
            tag: decode(tag).filter(|tag| tag.len() == TAG_BYTES)?,
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.header.get(name).and_then(Value::as_str)
    }
}

/// GCM without its tag is the ciphertext against a stream of bytes: that stream is what zeros are sealed to.
fn keystream(key: &LessSafeKey, iv: [u8; NONCE_LEN], mut sealed: Vec<u8>) -> Option<Vec<u8>> {
    let mut stream = vec![0; sealed.len()];
    let nonce = Nonce::assume_unique_for_key(iv);
    let _tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut stream).ok()?;
    sealed.iter_mut().zip(stream).for_each(|(byte, other)| *byte ^= other);
    Some(sealed)
}

fn agreed(own: &PrivateKey, theirs: &[u8; 65], enc: &str) -> Option<LessSafeKey> {
    let (algorithm, bits): (&'static Algorithm, u32) = match enc {
        "A256GCM" => (&AES_256_GCM, 256),
        "A128GCM" => (&AES_128_GCM, 128),
        _ => return None,
    };
    let theirs = UnparsedPublicKey::new(&agreement::ECDH_P256, theirs);
    agreement::agree(own, theirs, (), |secret| {
        // RFC 7518, 4.6.2, without party information.
        let mut info = u32::try_from(enc.len()).map_err(|_| ())?.to_be_bytes().to_vec();
        info.extend_from_slice(enc.as_bytes());
        info.extend_from_slice(&[0; 8]);
        info.extend_from_slice(&bits.to_be_bytes());
        let mut key = vec![0; algorithm.key_len()];
        let hash = get_sskdf_digest_algorithm(SskdfDigestAlgorithmId::Sha256).ok_or(())?;
        sskdf_digest(hash, secret, &info, &mut key).map_err(|_| ())?;
        UnboundKey::new(algorithm, &key).map(LessSafeKey::new).map_err(|_| ())
    })
    .ok()
}

/// The public half of an ephemeral key; off the curve with a `y` that no point with this `x` has.
fn jwk(ephemeral: &PrivateKey, off_curve: bool) -> Option<Value> {
    let public = ephemeral.compute_public_key().ok()?;
    let (x, y) = public.as_ref().get(1..)?.split_at_checked(32)?;
    let mut y = y.to_vec();
    if off_curve {
        // The highest bit but one: what is left is neither y nor p - y.
        *y.first_mut()? ^= 0x40;
    }
    Some(json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(&y)}))
}

/// The point of a JWK of P-256, on the curve or off it.
fn point_of(jwk: &Value) -> Option<[u8; 65]> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let coordinate = |name: &str| text(name).and_then(decode).filter(|bytes| bytes.len() == 32);
    let usual = text("kty") == Some("EC") && text("crv") == Some("P-256");
    [vec![4], coordinate("x").filter(|_| usual)?, coordinate("y")?].concat().try_into().ok()
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

#[cfg(test)]
mod tests;
