//! Requests as they must stand on the wire, and answers as they may arrive.

mod compatible;

use std::time::Duration;

use http::Response;
use proptest::prelude::*;

use super::*;
use crate::json::testing::any_json;
use crate::jwe;
use crate::jwk::testing::jwk_pair;
use crate::jwk::{OwnKey, RecipientKey};
use crate::model::{CardSource, NewMerchant, TokenState, TransactionType};
use crate::secret::SecretText;

fn endpoints() -> Endpoints {
    Endpoints { oauth: "https://d1.test/authz/v1".to_owned(), ecom: "https://d1.test/ecom/v1".to_owned() }
}

fn ids() -> (GatewayId, MerchantId, TokenId, CorrelationId) {
    (
        GatewayId::new("MGW_000001").expect("gateway"),
        MerchantId::new("10610027312").expect("merchant"),
        TokenId::new("tok-1").expect("token"),
        CorrelationId::new("corr-1").expect("correlation"),
    )
}

fn answer(body: impl Into<Bytes>) -> Response<Bytes> {
    Response::new(body.into())
}

#[track_caller]
fn check(request: &Request<Bytes>, line: &str, body: &str) {
    assert_eq!(format!("{} {}", request.method(), request.uri()), line);
    assert_eq!(request.body(), body);
    assert_eq!(request.headers()["x-correlation-id"], "corr-1");
    let media = request.headers().get("content-type").map(HeaderValue::as_bytes);
    assert_eq!(media, (!body.is_empty()).then_some(&b"application/json"[..]));
}

#[test]
fn requests_are_those_of_the_contract() {
    let (gateway, merchant, token, correlation) = ids();
    let at = endpoints();
    let one = "https://d1.test/ecom/v1/merchant-gateways/MGW_000001/merchants";
    let name = NewMerchant::new("Caf\u{e9} \"1\"").expect("a name");
    check(
        &create_merchant(&at, &gateway, &name, &correlation).expect("made"),
        &format!("POST {one}"),
        "{\"merchantName\":\"Caf\u{e9} \\\"1\\\"\"}",
    );
    check(
        &create_token(&at, &gateway, &merchant, "a..b.c.d", None, &correlation).expect("made"),
        &format!("POST {one}/10610027312/tokens"),
        r#"{"encryptedData":"a..b.c.d"}"#,
    );
    let source = Some(CardSource::OnFile);
    check(
        &create_token(&at, &gateway, &merchant, "a..b.c.d", source, &correlation).expect("made"),
        &format!("POST {one}/10610027312/tokens"),
        r#"{"encryptedData":"a..b.c.d","source":"ON_FILE"}"#,
    );
    check(
        &get_token(&at, &gateway, &merchant, &token, &correlation).expect("made"),
        &format!("GET {one}/10610027312/tokens/tok-1"),
        "",
    );
    for (kind, text) in [
        (TransactionType::Single, "SINGLE"),
        (TransactionType::Recurring, "RECURRING"),
        (TransactionType::Split, "SPLIT"),
    ] {
        check(
            &create_transaction(&at, &gateway, &merchant, &token, kind, &correlation).expect("made"),
            &format!("POST {one}/10610027312/tokens/tok-1/transactions"),
            &format!(r#"{{"transactionType":"{text}"}}"#),
        );
    }
    check(
        &delete_token(&at, &gateway, &merchant, &token, &correlation).expect("made"),
        &format!("DELETE {one}/10610027312/tokens/tok-1"),
        "",
    );
}

#[test]
fn the_token_request_is_json_with_the_grant_and_the_assertion_alone() {
    let (_, _, _, correlation) = ids();
    let assertion = SecretText::new("a.b.c".to_owned());
    let request = access_token_request(&endpoints(), &assertion, &correlation).expect("made");
    assert_eq!(request.uri(), "https://d1.test/authz/v1/oauth2/token");
    let body: serde_json::Value = serde_json::from_slice(request.body()).expect("JSON");
    assert_eq!(
        body,
        serde_json::json!({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"})
    );
    assert_eq!(request.headers()["x-correlation-id"], "corr-1");
}

#[test]
fn an_access_token_is_read_whatever_is_optional() {
    let life = |body: &'static str| read_access_token(&answer(body)).map(|token| token.life);
    assert_eq!(life(r#"{"access_token":"x","expires_in":900}"#), Ok(Duration::from_secs(900)));
    assert_eq!(life(r#"{"access_token":"x","expires_in":900.0}"#), Ok(Duration::from_secs(900)));
    assert_eq!(life(r#"{"access_token":"x"}"#), Ok(Duration::from_secs(900)));
    assert_eq!(life(r#"{"access_token":"x","expires_in":"60"}"#), Ok(Duration::from_secs(900)));
    assert_eq!(life(r#"{"access_token":"x","expires_in":1e300}"#), Ok(Duration::from_secs(86_400)));
    for useless in [
        r#"{"expires_in":900}"#,
        r#"{"access_token":""}"#,
        r#"{"access_token":"a b"}"#,
        r#"{"access_token":"x","expires_in":0}"#,
        r#"{"access_token":"x","expires_in":-1}"#,
        r#"{"access_token":"x","access_token":"y"}"#,
        "null",
        "",
    ] {
        assert!(life(useless).is_err(), "{useless}");
    }
}

#[test]
fn a_merchant_and_a_token_are_useless_without_their_id_alone() {
    let merchant = read_merchant(&answer(
        r#"{"merchantId":"10610027312","merchantName":"Shop","creationTimestamp":"2026-01-01T00:00:00.000Z"}"#,
    ))
    .expect("read");
    assert_eq!(merchant.merchant_id.as_str(), "10610027312");
    assert_eq!(merchant.merchant_name.as_deref(), Some("Shop"));
    assert_eq!(merchant.creation_timestamp.as_deref(), Some("2026-01-01T00:00:00.000Z"));
    assert!(read_merchant(&answer(r#"{"merchantId":"10610027312"}"#)).is_ok());
    assert!(read_merchant(&answer(r#"{"merchantName":"Shop"}"#)).is_err());
    assert!(read_merchant(&answer(r#"{"merchantId":"../x"}"#)).is_err());
    let token = read_token(&answer(
        r#"{"tokenId":"t","state":"ACTIVE","cardLastDigits":"0014","cardExpiryDate":"1230","tokenLastDigits":"9876",
            "tokenExpiryDate":"1131","par":"P","creationTimestamp":"2026-01-01T00:00:00.000Z"}"#,
    ))
    .expect("read");
    assert_eq!(token.state, Some(TokenState::Active));
    assert_eq!(token.card_last_digits.as_deref(), Some("0014"));
    assert_eq!(token.card_expiry_date.as_deref(), Some("1230"));
    assert_eq!(token.token_last_digits.as_deref(), Some("9876"));
    assert_eq!(token.token_expiry_date.as_deref(), Some("1131"));
    assert_eq!(token.par.as_deref(), Some("P"));
    assert!(read_token(&answer(r#"{"tokenId":"t","state":"NEW_STATE"}"#)).is_ok());
    assert!(read_token(&answer(r#"{"state":"ACTIVE"}"#)).is_err());
}

#[test]
fn a_member_of_another_type_costs_only_itself_unless_it_is_needed() {
    let (public, own) = keys();
    for other in ["1", "1e400", "[\"x\"]", "{}", "null", "true", "\"\\ud800\""] {
        let token = read_token(&answer(format!(
            r#"{{"tokenId":"t","state":{other},"cardLastDigits":{other},"par":{other},"tokenExpiryDate":"1131"}}"#
        )))
        .expect(other);
        assert_eq!((token.state, token.card_last_digits, token.par), (None, None, None), "{other}");
        assert_eq!(token.token_expiry_date.as_deref(), Some("1131"));
        let body =
            format!(r#"{{"merchantId":"10610027312","merchantName":{other},"creationTimestamp":{other}}}"#);
        assert_eq!(read_merchant(&answer(body)).expect(other).merchant_name, None);
        let sealed = jwe::seal(br#"{"dpan":"1","exp":"1131","cryptogram":"AA=="}"#, &public).expect("sealed");
        let body = format!(
            r#"{{"transactionId":"x","encryptedData":"{sealed}","eci":{other},"cryptogramExpiryDate":{other}}}"#
        );
        assert_eq!(read_payment(&answer(body), &own).expect(other).eci, None);
        assert!(read_token(&answer(format!(r#"{{"tokenId":{other}}}"#))).is_err(), "{other}");
    }
}

fn keys() -> (RecipientKey, OwnKey) {
    let (public, private) = jwk_pair("own");
    (
        RecipientKey::from_jwk(public.as_bytes()).expect("public"),
        OwnKey::from_jwk(private.as_bytes()).expect("private"),
    )
}

#[test]
fn credentials_come_out_of_the_jwe() {
    let (public, own) = keys();
    let seal = |text: &str| jwe::seal(text.as_bytes(), &public).expect("sealed");
    let sealed = seal(r#"{"dpan":"9999991234567893","exp":"1131","more":true}"#);
    let details = read_details(&answer(format!(r#"{{"tokenId":"t","encryptedData":"{sealed}"}}"#)), &own)
        .expect("read");
    assert_eq!(details.network_token.dpan.expose(), "9999991234567893");
    assert_eq!(details.network_token.exp, "1131");
    let sealed = seal(r#"{"dpan":"9999991234567893","exp":"1131","cryptogram":"AAECAw=="}"#);
    let body = format!(
        r#"{{"transactionId":"x","encryptedData":"{sealed}","eci":"07","cryptogramExpiryDate":"2026-01-01T00:00:00.000Z"}}"#
    );
    let payment = read_payment(&answer(body), &own).expect("read");
    assert_eq!(payment.cryptogram.expose(), "AAECAw==");
    assert_eq!(payment.network_token.dpan.last_four(), "7893");
    assert_eq!(payment.eci.as_deref(), Some("07"));
    let text = format!("{payment:?} {details:?}");
    assert!(!text.contains("AAECAw") && !text.contains("999999"), "{text}");
}

#[test]
fn an_answer_without_credentials_is_unclear() {
    let (public, own) = keys();
    let (_, stranger) = keys();
    let good = jwe::seal(br#"{"dpan":"1","exp":"1131"}"#, &public).expect("sealed");
    let bad_plaintext = jwe::seal(br#"{"dpan":"1","dpan":"2","exp":"1131"}"#, &public).expect("sealed");
    let details = |sealed: &str, key: &OwnKey| {
        read_details(&answer(format!(r#"{{"tokenId":"t","encryptedData":"{sealed}"}}"#)), key).map(|_| ())
    };
    assert_eq!(details(&good, &own), Ok(()));
    assert!(matches!(details(&good, &stranger), Err(Unclear::Sealed(_))));
    assert!(matches!(details("rubbish", &own), Err(Unclear::Sealed(_))));
    assert!(matches!(details(&bad_plaintext, &own), Err(Unclear::Plaintext(_))));
    assert!(matches!(read_details(&answer(r#"{"tokenId":"t"}"#), &own), Err(Unclear::Body(_))));
    // A transaction needs a cryptogram too.
    let body = format!(r#"{{"transactionId":"x","encryptedData":"{good}"}}"#);
    assert!(matches!(read_payment(&answer(body), &own), Err(Unclear::Plaintext(_))));
}
