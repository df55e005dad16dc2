//! JWEs as they must be, and as they must not.

use proptest::prelude::*;

use super::*;
use crate::jose::Use;

fn keys() -> (OwnKey, PublicKey) {
    let key = d1_fixtures::EcKey::generate().expect("randomness");
    let own = OwnKey::read(&key.private_jwk(d1_fixtures::KeyUse::Encryption)).expect("a key");
    let public =
        PublicKey::read(&key.public_jwk(d1_fixtures::KeyUse::Encryption), Use::Encryption).expect("a key");
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

#[test]
fn any_flipped_bit_of_the_bytes_of_a_part_is_refused() {
    let (own, public) = keys();
    let jwe = seal(b"{}", &public).expect("sealed");
    let parts: Vec<Vec<u8>> = jwe.split('.').map(|part| decode(part).expect("base64url")).collect();
    for (index, bytes) in parts.iter().enumerate() {
        // The second part has no bits: whatever stands there is one too many.
        let bytes = if bytes.is_empty() { vec![0] } else { bytes.clone() };
        for bit in 0..bytes.len() * 8 {
            let (mut bytes, mut changed) = (bytes.clone(), parts.clone());
            bytes[bit / 8] ^= 1 << (bit % 8);
            changed[index] = bytes;
            let changed: Vec<String> = changed.iter().map(|part| encode(part)).collect();
            assert!(open(&changed.join("."), &own).is_err(), "part {index}, bit {bit}");
        }
    }
}

#[test]
fn any_flipped_bit_of_the_text_is_refused() {
    // Also the bits of a last character that stand for nothing, and the dots between the parts.
    let (own, public) = keys();
    for plaintext in [&b"{}"[..], b"{} ", b"{}  "] {
        let jwe = seal(plaintext, &public).expect("sealed");
        for bit in 0..jwe.len() * 8 {
            let mut changed = jwe.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(open(&changed, &own).is_err(), "bit {bit}");
            }
        }
    }
}

#[test]
fn the_keys_are_those_of_the_rfcs() {
    let part = |vector: &Value, pointer: &str| {
        decode(vector.pointer(pointer).and_then(Value::as_str).expect(pointer)).expect(pointer)
    };
    let secret = |vector: &Value, own: &str, peer: &str| {
        let own = OwnKey::read(&vector[own].to_string()).expect("a key");
        let peer = point(&part(vector, &format!("{peer}/x")), &part(vector, &format!("{peer}/y")));
        let peer = UnparsedPublicKey::new(&agreement::ECDH_P256, peer.expect("a point"));
        agreement::agree(&own.private, peer, (), |secret| Ok(secret.to_vec())).expect("agreed")
    };
    let vector: Value = serde_json::from_str(d1_fixtures::RFC7518_C_ECDH_ES).expect("JSON");
    let parties = [part(&vector, "/header/apu"), part(&vector, "/header/apv")];
    for (own, peer) in [("ephemeral", "/recipient"), ("recipient", "/header/epk")] {
        let secret = secret(&vector, own, peer);
        assert_eq!(secret, part(&vector, "/sharedSecret"));
        let key = derive::<16>("A128GCM", &secret, [&parties[0], &parties[1]]).expect("derived");
        assert_eq!(key.as_slice(), part(&vector, "/derivedKey"));
    }
    let vector: Value = serde_json::from_str(d1_fixtures::RFC7520_5_5_ECDH_ES).expect("JSON");
    let secret = secret(&vector, "recipient", "/header/epk");
    let key = derive::<32>("A128CBC-HS256", &secret, [b"", b""]).expect("derived");
    assert_eq!(key.as_slice(), part(&vector, "/derivedKey"));
}

/// A JWE that is sealed as it should be under a header in which this member was replaced or added.
fn sealed_under(name: &str, value: &Value, to: &PublicKey) -> String {
    let good = seal(b"", to).expect("sealed");
    let (header, _) = good.split_once('.').expect("a JWE");
    let mut header: Value = serde_json::from_slice(&decode(header).expect("base64url")).expect("JSON");
    let ephemeral = PrivateKey::generate(&agreement::ECDH_P256).expect("a key");
    let public = ephemeral.compute_public_key().expect("its public key");
    header["epk"]["x"] = encode(&public.as_ref()[1..33]).into();
    header["epk"]["y"] = encode(&public.as_ref()[33..]).into();
    header[name] = value.clone();
    let header = encode(header.to_string().as_bytes());
    let key = agreed_key(&ephemeral, to.parsed.clone()).expect("agreed");
    let (iv, mut sealed) = ([7; NONCE_LEN], b"{}".to_vec());
    let nonce = Nonce::assume_unique_for_key(iv);
    let tag =
        key.seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut sealed).expect("sealed");
    format!("{header}..{}.{}.{}", encode(&iv), encode(&sealed), encode(tag.as_ref()))
}

proptest! {
    #[test]
    fn a_header_that_says_something_else_is_refused_before_a_key_is_used_whatever_it_says(
        (name, good, check) in prop_oneof![
            Just(("alg", "ECDH-ES", "JWE header alg")),
            Just(("enc", "A256GCM", "JWE header enc")),
            Just(("kid", "", "JWE header kid")),
            Just(("epk", "", "JWE header epk")),
            Just(("zip", "", "JWE header members")),
            Just(("crit", "", "JWE header members")),
            Just(("apu", "", "JWE header members")),
            Just(("typ", "", "JWE header members")),
        ],
        value in prop_oneof![
            ".{0,12}".prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(Value::Null),
            Just(serde_json::json!({"kty": "EC", "crv": "P-256"})),
            Just(serde_json::json!(["exp"])),
        ],
    ) {
        prop_assume!(value != good);
        let (own, public) = keys();
        // It is sealed under this very header, so that nothing but the judgement of the header can refuse it.
        let refused = open(&sealed_under(name, &value, &public), &own).expect_err("refused");
        prop_assert_eq!(refused.check, check);
    }

    #[test]
    fn what_is_sealed_opens_again(plaintext in proptest::collection::vec(any::<u8>(), 0..=LONGEST_PLAINTEXT)) {
        let (own, public) = keys();
        let opened = open(&seal(&plaintext, &public).expect("sealed"), &own).expect("opened");
        prop_assert_eq!(&*opened, &plaintext);
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in ".{0,300}") {
        let (own, _) = keys();
        prop_assert!(open(&text, &own).is_err());
    }
}
