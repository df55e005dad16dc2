//! JWEs toward the gateway: good ones, and ones that are wrong in one way (contract C28, \[D9\]).

use aws_lc_rs::aead::{AES_128_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::agreement::{self, PrivateKey, UnparsedPublicKey};
use aws_lc_rs::kdf::{SskdfDigestAlgorithmId, get_sskdf_digest_algorithm, sskdf_digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The P-256 key pair of a gateway. D1 uses its public half alone; the private one is for receivers of the suite's own.
#[derive(Clone)]
pub struct GatewayKey {
    /// The `kid` that D1 names.
    pub(crate) kid: String,
    x: String,
    y: String,
    d: String,
}

/// A JWK that is no such key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a JWK of a P-256 key pair, with kid, x, y and d")]
pub struct KeyError;

/// A JWE that is wrong in one way, as a case describes it.
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

impl Forgery {
    /// A JWE that is right.
    pub(crate) fn none(plaintext: Value) -> Self {
        Self { plaintext, header: Map::new(), changed: None, off_curve: false, as_json: false }
    }
}

impl GatewayKey {
    /// Reads a private JWK.
    ///
    /// # Errors
    /// It is none of P-256 with a `kid`.
    pub fn from_jwk(text: &str) -> Result<Self, KeyError> {
        let jwk: Value = serde_json::from_str(text).map_err(|_| KeyError)?;
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).map(str::to_owned).ok_or(KeyError);
        let key = Self { kid: member("kid")?, x: member("x")?, y: member("y")?, d: member("d")? };
        let sound = jwk.get("crv").and_then(Value::as_str) == Some("P-256") && key.private().is_some();
        if sound && point(&key.x, &key.y).is_some() { Ok(key) } else { Err(KeyError) }
    }

    fn private(&self) -> Option<PrivateKey> {
        PrivateKey::from_private_key(&agreement::ECDH_P256, &decode(&self.d)?).ok()
    }

    /// A JWE toward this key as a case describes it; nothing if the system has no randomness.
    pub(crate) fn seal(&self, forgery: &Forgery) -> Option<String> {
        let ephemeral = PrivateKey::generate(&agreement::ECDH_P256).ok()?;
        let public = ephemeral.compute_public_key().ok()?;
        let (x, y) = public.as_ref().get(1..)?.split_at_checked(32)?;
        // The two coordinates the other way round are no point of the curve, but for one in 2^255.
        let (x, y) = if forgery.off_curve { (y, x) } else { (x, y) };
        let epk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y)});
        let mut header = Map::from_iter([
            ("alg".to_owned(), json!("ECDH-ES")),
            ("enc".to_owned(), json!("A256GCM")),
            ("kid".to_owned(), json!(self.kid)),
            ("epk".to_owned(), epk),
        ]);
        for (name, value) in &forgery.header {
            header.insert(name.clone(), value.clone());
        }
        header.retain(|_, value| !value.is_null());
        let enc = header.get("enc").and_then(Value::as_str).unwrap_or("A256GCM").to_owned();
        let header = encode(Value::Object(header).to_string().as_bytes());
        let key = agreed(&ephemeral, &point(&self.x, &self.y)?, &enc)?;
        let mut sealed = match &forgery.plaintext {
            Value::String(text) => text.clone().into_bytes(),
            json => json.to_string().into_bytes(),
        };
        // Each key seals once, so that any IV will do.
        let iv = [1; NONCE_LEN];
        let aad = Aad::from(header.as_bytes());
        let nonce = Nonce::assume_unique_for_key(iv);
        let tag = key.seal_in_place_separate_tag(nonce, aad, &mut sealed).ok()?;
        let mut parts = [header, encode(&iv), encode(&sealed), encode(tag.as_ref())];
        match forgery.changed {
            None => {}
            // Still the same members, so that it is the bytes that have to be looked at.
            Some(Part::Header) => parts[0] = encode(&[&decode(&parts[0])?[..], b" "].concat()),
            Some(Part::Iv) => spoil(&mut parts[1]),
            Some(Part::Ciphertext) => spoil(&mut parts[2]),
            Some(Part::Tag) => spoil(&mut parts[3]),
        }
        let [header, iv, sealed, tag] = parts;
        Some(if forgery.as_json {
            json!({"protected": header, "iv": iv, "ciphertext": sealed, "tag": tag}).to_string()
        } else {
            format!("{header}..{iv}.{sealed}.{tag}")
        })
    }
}

/// What a receiver of the suite's own does not look at when it opens a JWE.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Blind {
    pub(crate) alg: bool,
    /// The header says how it is to be opened.
    pub(crate) enc: bool,
    pub(crate) kid: bool,
    pub(crate) other_members: bool,
    pub(crate) tag: bool,
}

impl GatewayKey {
    /// Opens a JWE toward this key.
    pub(crate) fn open(&self, jwe: &str, blind: Blind) -> Option<Vec<u8>> {
        let parts: Vec<&str> = jwe.split('.').collect();
        let [header, "", iv, sealed, tag] = parts[..] else { return None };
        let members: Map<String, Value> = serde_json::from_slice(&decode(header)?).ok()?;
        let is = |name: &str, wanted: &str| members.get(name).and_then(Value::as_str) == Some(wanted);
        let known = |name: &String| ["alg", "enc", "kid", "epk"].contains(&name.as_str());
        let good = (blind.alg || is("alg", "ECDH-ES"))
            && (blind.enc || is("enc", "A256GCM"))
            && (blind.kid || is("kid", &self.kid))
            && (blind.other_members || members.keys().all(known));
        let enc = members.get("enc").and_then(Value::as_str).filter(|_| good)?;
        let coordinate = |name: &str| members.get("epk")?.get(name)?.as_str();
        let key = agreed(&self.private()?, &point(coordinate("x")?, coordinate("y")?)?, enc)?;
        let iv: [u8; NONCE_LEN] = decode(iv)?.try_into().ok()?;
        let mut sealed = decode(sealed)?;
        if blind.tag {
            return Some(keystream(&key, iv, sealed));
        }
        sealed.extend(decode(tag)?);
        let aad = Aad::from(header.as_bytes());
        let opened = key.open_in_place(Nonce::assume_unique_for_key(iv), aad, &mut sealed).ok()?.len();
        sealed.truncate(opened);
        Some(sealed)
    }
}

/// GCM without its tag is the ciphertext against a stream of bytes: that stream is what zeros are sealed to.
fn keystream(key: &LessSafeKey, iv: [u8; NONCE_LEN], mut sealed: Vec<u8>) -> Vec<u8> {
    let mut stream = vec![0; sealed.len()];
    let nonce = Nonce::assume_unique_for_key(iv);
    if key.seal_in_place_separate_tag(nonce, Aad::empty(), &mut stream).is_ok() {
        sealed.iter_mut().zip(stream).for_each(|(byte, other)| *byte ^= other);
    }
    sealed
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

fn point(x: &str, y: &str) -> Option<[u8; 65]> {
    let mut bytes = vec![4];
    bytes.extend(decode(x)?);
    bytes.extend(decode(y)?);
    bytes.try_into().ok()
}

/// Changes a bit that a decoder reads: one of the first character.
fn spoil(part: &mut String) {
    let other = if part.starts_with('A') { "B" } else { "A" };
    part.replace_range(..1, other);
}

fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
