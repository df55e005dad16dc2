//! Which assertions are good, and by which check the others are refused.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::{Signer, Use, encode, fresh_signer, sign};

const NOW: i64 = 1_776_852_000;

fn key() -> (Signer, PublicKey) {
    use aws_lc_rs::signature::KeyPair as _;
    let signer = fresh_signer().expect("randomness");
    let mut point = [0; 65];
    point.copy_from_slice(signer.public_key().as_ref());
    let (x, y) = point[1..].split_at(32);
    let jwk = json!({"kty": "EC", "crv": "P-256", "x": encode(x), "y": encode(y), "kid": "k1"});
    (signer, PublicKey::read(&jwk.to_string(), Use::Assertion).expect("a key"))
}

fn judge(header: &Value, claims: &Value, policy: Policy) -> Result<Option<Used>, Why> {
    let (signer, public) = key();
    let jwt = sign(&header.to_string(), &claims.to_string(), &signer).expect("signed");
    let gateway = GatewayId::parse("MGW_000001").expect("an id");
    check(&jwt, &gateway, &[public], Moment::from_ms(NOW * 1000), policy)
}

fn with(name: &str, value: Value) -> Value {
    let mut claims = json!({"iss": "MGW_000001", "exp": NOW + 60});
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = with("sub", json!("MGW_000001"));
    claims.as_object_mut().expect("an object").remove(name);
    claims
}

#[test]
fn each_fault_is_refused_by_the_check_that_it_concerns() {
    let good = json!({"alg": "ES256", "kid": "k1"});
    let table = [
        (json!({"alg": "none", "kid": "k1"}), with("x", json!(1)), "assertion header alg"),
        (json!({"alg": "HS256", "kid": "k1"}), with("x", json!(1)), "assertion header alg"),
        (json!({"alg": "ES256"}), with("x", json!(1)), "assertion header kid"),
        (json!({"alg": "ES256", "kid": "k2"}), with("x", json!(1)), "assertion header kid"),
        (json!({"alg": "ES256", "kid": "k1", "crit": []}), with("x", json!(1)), "assertion header crit"),
        (good.clone(), without("iss"), "assertion claim iss"),
        (good.clone(), with("iss", json!("MGW_000002")), "assertion claim iss"),
        (good.clone(), without("exp"), "assertion claim exp"),
        (good.clone(), with("exp", json!(NOW)), "assertion claim exp"),
        (good.clone(), with("exp", json!(NOW + 901)), "assertion claim exp"),
        (good.clone(), with("exp", json!("soon")), "assertion claim exp"),
        (good.clone(), with("sub", json!("someone")), "assertion claim sub"),
        (good.clone(), with("iat", json!(NOW + 1)), "assertion claim iat"),
        (good, with("nbf", json!(NOW + 1)), "assertion claim nbf"),
    ];
    for (header, claims, wanted) in table {
        let refused = judge(&header, &claims, Policy::default()).expect_err(wanted);
        assert_eq!(refused.check, wanted, "{header} {claims}");
    }
}

#[test]
fn optional_claims_may_be_there_or_not() {
    let header = json!({"alg": "ES256", "kid": "k1", "typ": "JWT"});
    for claims in [
        with("sub", json!("MGW_000001")),
        with("aud", json!(["anything"])),
        with("iat", json!(NOW)),
        with("exp", json!(NOW + 900)),
    ] {
        assert!(judge(&header, &claims, Policy::default()).is_ok(), "{claims}");
    }
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let (signer, _) = key();
    let (_, other) = key();
    let jwt =
        sign(r#"{"alg":"ES256","kid":"k1"}"#, &with("x", json!(1)).to_string(), &signer).expect("signed");
    let gateway = GatewayId::parse("MGW_000001").expect("an id");
    let refused = check(&jwt, &gateway, &[other], Moment::from_ms(NOW * 1000), Policy::default());
    assert_eq!(refused.expect_err("refused").check, "assertion signature");
}

#[test]
fn a_used_jti_is_refused_the_second_time() {
    let seen = Seen::default();
    let gateway = GatewayId::parse("MGW_000001").expect("an id");
    let used = Used { end: NOW + 60, jti: "a".into() };
    let now = Moment::from_ms(NOW * 1000);
    assert!(seen.use_up(&gateway, Some(used.clone()), now).is_ok());
    let again = Used { end: NOW + 90, ..used };
    assert!(seen.use_up(&gateway, Some(again), now).is_err());
    assert!(seen.use_up(&gateway, None, now).is_err());
}

/// The rules of C5 in whole milliseconds: an independent reckoning, without a floating point.
fn within_the_rules(now_ms: i64, skew_ms: i64, exp_ms: i64, others_ms: [Option<i64>; 2]) -> bool {
    let future = |at_ms: i64| at_ms > now_ms + skew_ms;
    let ended = exp_ms <= now_ms - skew_ms;
    let too_far = exp_ms - 900_000 > now_ms + skew_ms;
    !ended && !too_far && !others_ms.into_iter().flatten().any(future)
}

/// Seconds as a JSON number, to the millisecond.
fn seconds(ms: i64) -> Value {
    serde_json::from_str(&format!("{}.{:03}", ms / 1000, ms % 1000)).expect("a number")
}

/// Milliseconds from now, most of them where something changes.
fn offsets() -> impl Strategy<Value = i64> {
    prop_oneof![
        -2_000_000_i64..2_000_000,
        (prop_oneof![Just(0_i64), Just(900), Just(-300), Just(300), Just(600), Just(1200)], -2_i64..=2)
            .prop_map(|(seconds, ms)| seconds * 1000 + ms),
    ]
}

#[test]
fn a_used_jti_is_remembered_as_long_as_the_skew_lets_its_assertion_in() {
    let gateway = GatewayId::parse("MGW_000001").expect("an id");
    let policy = Policy { skew_seconds: 60, refuse_replayed_jti: true };
    let claims = |jti: &str| json!({"exp": NOW, "jti": jti}).as_object().expect("an object").clone();
    let late = Moment::from_ms((NOW + 59) * 1000);
    let used = |jti: String| {
        let end = check_times(&claims(&jti), late, policy).expect("within the skew");
        Some(Used { end, jti })
    };
    let seen = Seen::default();
    for n in 0..Seen::MOST {
        seen.use_up(&gateway, used(n.to_string()), late).expect("not used before");
    }
    assert!(seen.use_up(&gateway, used("0".to_owned()), late).is_err(), "there is no room, and it was used");
    let ended = Moment::from_ms((NOW + 60) * 1000);
    let fresh = Some(Used { end: NOW + 900, jti: "fresh".to_owned() });
    assert_eq!(seen.use_up(&gateway, fresh, ended), Ok(()), "the ended ones made room");
}

proptest! {
    #[test]
    fn the_window_is_that_of_whole_milliseconds(
        now_ms in NOW * 1000..NOW * 1000 + 1_000_000,
        skew in prop_oneof![Just(0_u32), Just(300), 0_u32..900],
        exp in offsets(),
        iat in proptest::option::of(offsets()),
        nbf in proptest::option::of(offsets()),
    ) {
        let mut claims = Map::new();
        claims.insert("exp".to_owned(), seconds(now_ms + exp));
        for (name, offset) in [("iat", iat), ("nbf", nbf)] {
            claims.extend(offset.map(|offset| (name.to_owned(), seconds(now_ms + offset))));
        }
        let policy = Policy { skew_seconds: skew, ..Policy::default() };
        let found = check_times(&claims, Moment::from_ms(now_ms), policy);
        let others = [iat, nbf].map(|offset| offset.map(|offset| now_ms + offset));
        let wanted = within_the_rules(now_ms, i64::from(skew) * 1000, now_ms + exp, others);
        prop_assert_eq!(found.is_ok(), wanted, "{:?}", found);
        if let Ok(end) = found {
            // Remembered until it is refused for its end, so that no replay of it comes in after it was forgotten.
            let refused_from_ms = now_ms + exp + i64::from(skew) * 1000;
            prop_assert!(end * 1000 >= refused_from_ms && (end - 1) * 1000 < refused_from_ms);
        }
    }

    #[test]
    fn the_window_is_open_above_now_and_closed_at_fifteen_minutes(offset in -2000_i64..2000, skew in 0_u32..300) {
        let policy = Policy { skew_seconds: skew, ..Policy::default() };
        let accepted = judge(&json!({"alg": "ES256", "kid": "k1"}), &with("exp", json!(NOW + offset)), policy).is_ok();
        prop_assert_eq!(accepted, offset > -i64::from(skew) && offset <= 900 + i64::from(skew));
    }

    #[test]
    fn any_text_is_answered_without_a_panic(text in ".{0,300}") {
        let (_, public) = key();
        let gateway = GatewayId::parse("MGW_000001").expect("an id");
        prop_assert!(check(&text, &gateway, &[public], Moment::from_ms(0), Policy::default()).is_err());
    }
}
