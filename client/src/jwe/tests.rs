//! JWEs as they must be, and as they must not.

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::json::testing::any_json;
use crate::jwk::testing::jwk_pair;

fn pair(kid: &str) -> (RecipientKey, OwnKey) {
    let (public, private) = jwk_pair(kid);
    (
        RecipientKey::from_jwk(public.as_bytes()).expect("public"),
        OwnKey::from_jwk(private.as_bytes()).expect("private"),
    )
}

/// A part of a vector of `d1-fixtures`, as bytes.
fn bytes(vector: &Value, pointer: &str) -> Vec<u8> {
    let text = vector.pointer(pointer).and_then(Value::as_str).expect(pointer);
    URL_SAFE_NO_PAD.decode(text).expect(pointer)
}

/// The key that the holder of the private JWK at `own` derives from the public one at `peer`.
fn derived(vector: &Value, [own, peer]: [&str; 2], [apu, apv]: [&[u8]; 2], key_bytes: u16) -> Vec<u8> {
    let private = PrivateKey::from_private_key(&ECDH_P256, &bytes(vector, &format!("{own}/d"))).expect(own);
    let peer: PublicPoint = serde_json::from_value(vector.pointer(peer).expect(peer).clone()).expect(peer);
    let peer = point(&peer).expect("a point");
    let algorithm = vector["header"]["enc"].as_str().expect("an algorithm");
    agreement::agree(&private, UnparsedPublicKey::new(&ECDH_P256, peer), (), |shared| {
        concat_kdf(shared, algorithm, apu, apv, key_bytes)
    })
    .expect("a key")
    .to_vec()
}

#[test]
fn the_derived_keys_are_those_of_the_rfcs() {
    let vector: Value = serde_json::from_str(d1_fixtures::RFC7518_C_ECDH_ES).expect("JSON");
    let parties = [bytes(&vector, "/header/apu"), bytes(&vector, "/header/apv")];
    for ends in [["/ephemeral", "/recipient"], ["/recipient", "/ephemeral"]] {
        let key = derived(&vector, ends, [&parties[0], &parties[1]], 16);
        assert_eq!(key, bytes(&vector, "/derivedKey"));
    }
    let vector: Value = serde_json::from_str(d1_fixtures::RFC7520_5_5_ECDH_ES).expect("JSON");
    let key = derived(&vector, ["/recipient", "/header/epk"], [b"", b""], 32);
    assert_eq!(key, bytes(&vector, "/derivedKey"));
}

#[test]
fn while_keys_are_changed_over_either_one_opens_what_names_it() {
    let (to_new, new) = pair("new");
    let (to_old, old) = pair("old");
    let (to_stranger, _) = pair("stranger");
    let both = new.clone().with_previous(old);
    assert_eq!(both.kid(), "new");
    for recipient in [&to_new, &to_old] {
        assert_eq!(open(&seal(b"{}", recipient).expect("sealed"), &both).expect("opened").as_slice(), b"{}");
    }
    let foreign = seal(b"{}", &to_stranger).expect("sealed");
    assert_eq!(open(&foreign, &both).map(|_| ()), Err(JweFault::ForeignKey));
    let old = seal(b"{}", &to_old).expect("sealed");
    assert_eq!(open(&old, &new).map(|_| ()), Err(JweFault::ForeignKey));
}

#[test]
fn any_flipped_bit_of_the_bytes_of_a_part_is_noticed() {
    let (public, own) = pair("k1");
    let sealed = seal(b"{}", &public).expect("sealed");
    for (part_index, part) in sealed.split('.').enumerate() {
        // The second part has no bits: whatever stands there is one too many.
        let bytes = if part.is_empty() { vec![0] } else { URL_SAFE_NO_PAD.decode(part).expect("a part") };
        for bit in 0..bytes.len() * 8 {
            let mut changed = bytes.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let mut parts: Vec<String> = sealed.split('.').map(str::to_owned).collect();
            parts[part_index] = URL_SAFE_NO_PAD.encode(&changed);
            assert!(open(&parts.join("."), &own).is_err(), "part {part_index}, bit {bit}");
        }
    }
}

#[test]
fn any_flipped_bit_of_the_text_is_noticed() {
    // Also the bits of a last character that stand for nothing, and the dots between the parts.
    let (public, own) = pair("k1");
    for plaintext in [&b"{}"[..], b"{} ", b"{}  "] {
        let sealed = seal(plaintext, &public).expect("sealed");
        for bit in 0..sealed.len() * 8 {
            let mut changed = sealed.clone().into_bytes();
            changed[bit / 8] ^= 1 << (bit % 8);
            if let Ok(changed) = String::from_utf8(changed) {
                assert!(open(&changed, &own).is_err(), "bit {bit}");
            }
        }
    }
}

/// A JWE that is sealed as it should be, with this header beside `epk` and this party information.
fn sealed_with(more: &[(&str, Value)], [apu, apv]: [&[u8]; 2], to: &RecipientKey) -> String {
    let good = seal(b"", to).expect("sealed");
    let (header, _) = good.split_once('.').expect("parts");
    let header = URL_SAFE_NO_PAD.decode(header).expect("a header");
    let mut header: Value = serde_json::from_slice(&header).expect("JSON");
    let ephemeral = PrivateKey::generate(&ECDH_P256).expect("a key");
    let public = ephemeral.compute_public_key().expect("its public key");
    for (name, coordinate) in [("x", &public.as_ref()[1..33]), ("y", &public.as_ref()[33..])] {
        header["epk"][name] = URL_SAFE_NO_PAD.encode(coordinate).into();
    }
    for (name, value) in more {
        header[*name] = value.clone();
    }
    let header = URL_SAFE_NO_PAD.encode(header.to_string());
    let key = content_key(&agree(&ephemeral, &to.point, apu, apv).expect("agreed")).expect("a key");
    let mut text = b"{\"a\":1}".to_vec();
    let nonce = Nonce::assume_unique_for_key([7; NONCE_BYTES]);
    let tag = key.seal_in_place_separate_tag(nonce, Aad::from(header.as_bytes()), &mut text).expect("sealed");
    let [nonce, text, tag] =
        [&[7; NONCE_BYTES][..], &text, tag.as_ref()].map(|part| URL_SAFE_NO_PAD.encode(part));
    format!("{header}..{nonce}.{text}.{tag}")
}

#[test]
fn party_information_goes_into_the_key() {
    let (public, own) = pair("k1");
    let named: [(&str, Value); 2] = [("apu", "QWxpY2U".into()), ("apv", "Qm9i".into())];
    let sealed = sealed_with(&named, [b"Alice", b"Bob"], &public);
    assert_eq!(open(&sealed, &own).expect("opened").as_slice(), b"{\"a\":1}");
    for other in [[&b""[..], b""], [b"Alice", b""], [b"", b"Bob"], [b"Bob", b"Alice"]] {
        assert_eq!(open(&sealed_with(&named, other, &public), &own).map(drop), Err(JweFault::Sealed));
    }
    let sealed = sealed_with(&[("apu", "QWxp Y2U".into())], [b"Alice", b""], &public);
    assert_eq!(open(&sealed, &own).map(drop), Err(JweFault::Form));
}

#[test]
fn every_member_of_the_ephemeral_key_is_checked_before_a_key_is_used() {
    let (public, own) = pair("k1");
    let good = || {
        let (_, x, y) = ("", "A".repeat(43), "B".repeat(42) + "A");
        serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y })
    };
    let with = |name: &str, value: Value| {
        let mut epk = good();
        epk[name] = value;
        open(&sealed_with(&[("epk", epk)], [b"", b""], &public), &own).map(drop)
    };
    assert_eq!(with("more", 1.into()), Err(JweFault::Sealed), "a point off the curve");
    for (name, value, fault) in [
        ("kty", "OKP", JweFault::Header),
        ("crv", "P-384", JweFault::Header),
        ("crv", "p-256", JweFault::Header),
        ("x", "", JweFault::Header),
        ("x", "AA", JweFault::Header),
        ("y", &"A".repeat(44), JweFault::Header),
        ("y", "A=", JweFault::Form),
    ] {
        assert_eq!(with(name, value.into()), Err(fault), "{name} {value}");
        assert_eq!(with(name, Value::Null), Err(JweFault::Header), "{name}");
    }
}

#[test]
fn the_parts_have_the_lengths_of_the_algorithm() {
    let (public, own) = pair("k1");
    let sealed = seal(b"{}", &public).expect("sealed");
    let parts: Vec<&str> = sealed.split('.').collect();
    for (index, bytes) in [(2, 11), (2, 13), (4, 15), (4, 17), (4, 0)] {
        let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
        changed[index] = URL_SAFE_NO_PAD.encode(vec![0; bytes]);
        assert_eq!(open(&changed.join("."), &own).map(drop), Err(JweFault::Form), "{index} {bytes}");
    }
}

#[test]
fn a_jwe_is_opened_up_to_its_longest_and_not_beyond() {
    let (public, own) = pair("k1");
    let around = seal(b"", &public).expect("sealed").len();
    // Four characters for three bytes: the longest ends on the limit or a few characters before it.
    let fits = (MAX_JWE_CHARACTERS - around) / 4 * 3;
    let longest = seal(&vec![b' '; fits], &public).expect("sealed");
    assert!(MAX_JWE_CHARACTERS - longest.len() < 4);
    assert_eq!(open(&longest, &own).expect("opened").len(), fits);
    let of_the_siblings = seal(&vec![b' '; 6_000], &public).expect("sealed");
    assert!(of_the_siblings.len() > 8_196 && open(&of_the_siblings, &own).is_ok());
    let longer = seal(&vec![b' '; fits + 3], &public).expect("sealed");
    assert_eq!(open(&longer, &own).map(drop), Err(JweFault::TooLong));
    let filled = format!("{}{}", "A".repeat(MAX_JWE_CHARACTERS - 4), "....");
    assert_eq!(
        open(&filled, &own).map(drop),
        Err(JweFault::Header),
        "of the longest, the header is looked at"
    );
}

#[test]
fn a_header_that_says_something_else_is_refused_before_a_key_is_used() {
    let (public, own) = pair("k1");
    let sealed = seal(b"{}", &public).expect("sealed");
    let (header, rest) = sealed.split_once('.').expect("parts");
    let header = String::from_utf8(URL_SAFE_NO_PAD.decode(header).expect("header")).expect("text");
    for (from, to, fault) in [
        ("ECDH-ES", "ECDH-ES+A256KW", JweFault::Header),
        ("A256GCM", "A128GCM", JweFault::Header),
        ("P-256", "P-384", JweFault::Header),
        ("\"k1\"", "\"k2\"", JweFault::ForeignKey),
        ("{\"alg\"", "{\"zip\":\"DEF\",\"alg\"", JweFault::Unsupported("zip")),
        ("{\"alg\"", "{\"crit\":[\"x\"],\"alg\"", JweFault::Unsupported("crit")),
        ("{\"alg\"", "{\"zip\":null,\"alg\"", JweFault::Unsupported("zip")),
        ("{\"alg\"", "{\"crit\":null,\"alg\"", JweFault::Unsupported("crit")),
        ("\"kid\":", "\"kif\":", JweFault::Header),
        ("{\"alg\"", "{\"x\":1,\"alg\"", JweFault::Sealed),
    ] {
        assert!(header.contains(from), "{header}");
        let changed = URL_SAFE_NO_PAD.encode(header.replace(from, to));
        assert_eq!(open(&format!("{changed}.{rest}"), &own).map(|_| ()), Err(fault), "{to}");
    }
}

#[test]
fn another_form_is_refused() {
    let (public, own) = pair("k1");
    let sealed = seal(b"{}", &public).expect("sealed");
    for bad in [
        String::new(),
        "....".to_owned(),
        format!("{sealed}.x"),
        format!("{sealed}="),
        sealed.replacen("..", ".AA.", 1),
        sealed.chars().take(sealed.len() - 4).collect(),
        "a".repeat(MAX_JWE_CHARACTERS + 1),
    ] {
        assert!(open(&bad, &own).is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_header_that_says_something_else_is_refused_before_a_key_is_used_whatever_it_says(
        name in prop_oneof![Just("alg"), Just("enc"), Just("kid"), Just("epk"), Just("zip"), Just("crit")],
        value in any_json(),
    ) {
        let (public, own) = pair("k1");
        let said = (name, value.as_str());
        prop_assume!(!matches!(said, ("alg", Some("ECDH-ES")) | ("enc", Some("A256GCM")) | ("kid", Some("k1"))));
        // It is sealed under this very header, so that nothing but the judgement of the header can refuse it.
        let sealed = sealed_with(&[(name, value.clone())], [b"", b""], &public);
        let fault = match said {
            ("zip", _) => JweFault::Unsupported("zip"),
            ("crit", _) => JweFault::Unsupported("crit"),
            ("kid", Some(_)) => JweFault::ForeignKey,
            _ => JweFault::Header,
        };
        prop_assert_eq!(open(&sealed, &own).map(drop), Err(fault));
    }

    #[test]
    fn header_members_that_nobody_knows_change_nothing(more in proptest::collection::btree_map("x-[a-z]{1,8}", any_json(), 0..4)) {
        let (public, own) = pair("k1");
        let more: Vec<(&str, Value)> = more.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        let opened = open(&sealed_with(&more, [b"", b""], &public), &own).expect("opened");
        prop_assert_eq!(opened.as_slice(), b"{\"a\":1}");
    }

    #[test]
    fn what_is_sealed_opens(plaintext in proptest::collection::vec(any::<u8>(), 0..300)) {
        let (public, own) = pair("k1");
        let (_, stranger) = pair("k1");
        let sealed = seal(&plaintext, &public).expect("sealed");
        let opened = open(&sealed, &own).expect("opened");
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        prop_assert_eq!(open(&sealed, &stranger).map(|_| ()), Err(JweFault::Sealed));
    }

    #[test]
    fn any_text_is_refused_without_panic(text in "[A-Za-z0-9_.-]{0,200}") {
        let (_, own) = pair("k1");
        prop_assert!(open(&text, &own).is_err());
    }
}
