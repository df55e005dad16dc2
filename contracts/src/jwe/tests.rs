//! What is wrong in one way is opened by those alone who do not look at it.

use super::*;

const OTHER: &str = r#"{"cryptogram":"AAEC","dpan":"5000000000000016","exp":"0740"}"#;

/// A new key, both halves and the public one.
fn keys() -> (JweKey, JweKey) {
    let private = PrivateKey::generate(&agreement::ECDH_P256).expect("randomness");
    let mut members = jwk(&private, false).expect("a key");
    members["kid"] = "a-key".into();
    let public = JweKey::from_jwk(&members.to_string()).expect("the public half");
    let secret: aws_lc_rs::encoding::EcPrivateKeyBin<'_> =
        aws_lc_rs::encoding::AsBigEndian::as_be_bytes(&private).expect("a secret");
    members["d"] = encode(secret.as_ref()).into();
    (JweKey::from_jwk(&members.to_string()).expect("a key"), public)
}

fn plaintext() -> Value {
    json!({"cryptogram": "AAEC", "dpan": "4000000000000016", "exp": "0740"})
}

#[test]
fn a_jwk_that_is_no_key_is_refused() {
    let private = PrivateKey::generate(&agreement::ECDH_P256).expect("randomness");
    let mut good = jwk(&private, false).expect("a key");
    good["kid"] = "a-key".into();
    assert!(JweKey::from_jwk(&good.to_string()).is_ok());
    let mut off = jwk(&private, true).expect("a key");
    off["kid"] = "a-key".into();
    assert!(JweKey::from_jwk(&off.to_string()).is_err(), "off the curve");
    for (name, value) in
        [("kid", Value::Null), ("crv", "P-384".into()), ("x", "AA".into()), ("d", "!".into())]
    {
        let mut bad = good.clone();
        bad[name] = value;
        assert!(JweKey::from_jwk(&bad.to_string()).is_err(), "{name}");
    }
    assert!(JweKey::from_jwk("[").is_err());
}

#[test]
fn what_is_right_is_opened_by_who_has_the_key() {
    let (own, public) = keys();
    let good = public.seal(&Forgery::none(plaintext().to_string())).expect("sealed");
    for care in [Care::Whole, Care::NoTag, Care::AsTold] {
        assert_eq!(own.open(&good, care), Some(plaintext().to_string().into_bytes()), "{care:?}");
        assert_eq!(public.open(&good, care), None, "the public half opens nothing");
    }
    let (another, _) = keys();
    assert_eq!(another.open(&good, Care::AsTold), None);
    // A tag of another length would be one with the ciphertext's end in it.
    let (head, tag) = good.rsplit_once('.').expect("a tag");
    let (head, sealed) = head.rsplit_once('.').expect("a ciphertext");
    let whole = [decode(sealed).expect("bytes"), decode(tag).expect("bytes")].concat();
    assert_eq!(own.open(&format!("{head}.{}.", encode(&whole)), Care::Whole), None);
}

#[test]
fn each_forgery_is_refused_and_each_careless_opener_takes_what_it_does_not_look_at() {
    let (own, public) = keys();
    for disguise in Disguise::ALL {
        let jwe = public.seal(&Forgery::disguised(plaintext().to_string(), disguise)).expect("forged");
        assert_eq!(own.open(&jwe, Care::Whole), None, "{disguise:?}");
        let text = |care| own.open(&jwe, care).and_then(|bytes| String::from_utf8(bytes).ok());
        let (untagged, trusting) = (text(Care::NoTag), text(Care::AsTold));
        let whole = plaintext().to_string();
        let (by_tag, by_header) = match disguise {
            Disguise::TagChanged | Disguise::HeaderChanged => (Some(whole), None),
            Disguise::CiphertextChanged => (Some(OTHER.to_owned()), None),
            Disguise::CritUnknown => (Some(whole.clone()), Some(whole)),
            Disguise::EncA128Gcm | Disguise::AlgDir | Disguise::JsonSerialization => (None, Some(whole)),
            // What is not inflated, and what was sealed with another IV, is noise; off the curve there is no agreement.
            Disguise::ZipDef | Disguise::IvChanged | Disguise::EpkOffCurve => {
                assert_ne!(untagged.as_ref(), Some(&whole), "{disguise:?}");
                assert_eq!(trusting, (disguise == Disguise::ZipDef).then_some(whole), "{disguise:?}");
                continue;
            }
        };
        assert_eq!((untagged, trusting), (by_tag, by_header), "{disguise:?}");
    }
}
