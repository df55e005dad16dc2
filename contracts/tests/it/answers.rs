//! Literal answers and plaintexts, good and bad, held against the judge.

use d1_contracts::{Contract, Fault};

use crate::exchanges::{
    MERCHANTS_PATH, OAUTH_PATH, headers, inbound_contract, json_headers, outbound_contract, token,
    token_details, transaction,
};

fn answer_headers() -> Vec<(String, String)> {
    headers(&[
        ("content-type", "application/json"),
        ("x-correlation-id", "checkout-42"),
        ("www-authenticate", "Bearer"),
    ])
}

#[test]
fn good_answers_pass() {
    let contract = inbound_contract();
    let good = answer_headers();
    let retry = [good.clone(), headers(&[("Retry-After", "30")])].concat();
    let date = headers(&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let date = [good.clone(), date].concat();
    let unavailable = r#"{"errorCode":"SERVICE_UNAVAILABLE","error":"later"}"#;
    for (id, status, headers, body) in [
        ("getAccessToken", 200, &good, r#"{"access_token":"a","expires_in":900,"token_type":"Bearer","scope":"s"}"#.to_owned()),
        ("getAccessToken", 400, &good, r#"{"errorCode":"INVALID_FIELD","error":"assertion"}"#.to_owned()),
        ("createMerchant", 201, &good, r#"{"merchantId":"10610027312","merchantName":"a","creationTimestamp":"2026-04-22T09:30:00.000Z"}"#.to_owned()),
        ("createToken", 201, &good, token()),
        ("createToken", 403, &good, r#"{"errorCode":"TOKENIZATION_DECLINED","error":"declined"}"#.to_owned()),
        ("getToken", 200, &good, token_details()),
        ("getToken", 401, &good, r#"{"error":"AUTHORIZER_UNAUTHORIZED"}"#.to_owned()),
        ("createTransaction", 201, &good, transaction()),
        ("createTransaction", 503, &good, unavailable.to_owned()),
        ("createTransaction", 503, &retry, unavailable.to_owned()),
        ("createTransaction", 503, &date, unavailable.to_owned()),
        ("deleteToken", 204, &good, String::new()),
    ] {
        let verdict = contract.judge_answer(id, status, headers, body.as_bytes());
        assert_eq!(verdict, Ok(()), "{id} {status}");
    }
    let unknown = br#"{"errorCode":"RESOURCE_NOT_FOUND","error":"none"}"#;
    let without_id = headers(&[("content-type", "application/json")]);
    assert_eq!(contract.judge_outside_answer(404, &without_id, unknown), Ok(()));
    let contract = outbound_contract();
    assert_eq!(contract.judge_answer("notifyTokenUpdate", 204, &[], b""), Ok(()));
    assert_eq!(contract.judge_answer("notifyTokenUpdate", 503, &[], b""), Ok(()));
}

fn check_answer(contract: &Contract, answer: (&str, u16, &[(String, String)], &str), at: &str) {
    let (id, status, headers, body) = answer;
    let faults = contract.judge_answer(id, status, headers, body.as_bytes()).expect_err(at);
    assert!(
        faults.iter().any(|fault| fault.at == at),
        "{id} {status} {body}: expected a fault at {at:?}, found {faults:#?}"
    );
}

#[test]
fn an_answer_with_a_wrong_status_or_header_is_a_fault() {
    let contract = inbound_contract();
    let id = ("x-correlation-id", "a");
    let json = ("content-type", "application/json");
    let html = headers(&[("content-type", "text/html"), id]);
    let no_media = headers(&[id]);
    let no_id = headers(&[json]);
    let bad_id = headers(&[json, ("x-correlation-id", "a b")]);
    let retry = headers(&[json, id, ("retry-after", "-1")]);
    let challenge = headers(&[json, id, ("www-authenticate", "Basic")]);
    let good = answer_headers();
    let later = r#"{"errorCode":"TOO_MANY_REQUESTS","error":"later"}"#;
    let unauthorized = r#"{"error":"AUTHORIZER_UNAUTHORIZED"}"#;
    let (token, details) = (token(), token_details());
    for (id, status, headers, body, at) in [
        ("getToken", 418, &good, "", "status"),
        ("getToken", 201, &good, &*details, "status"),
        ("getAccessToken", 401, &good, unauthorized, "status"),
        ("createToken", 201, &no_id, &*token, "header x-correlation-id"),
        ("createToken", 201, &bad_id, &*token, "header x-correlation-id"),
        ("createToken", 201, &html, &*token, "header content-type"),
        ("createToken", 201, &no_media, &*token, "header content-type"),
        ("getToken", 401, &no_id, unauthorized, "header www-authenticate"),
        ("getToken", 401, &challenge, unauthorized, "header www-authenticate"),
        ("getToken", 429, &retry, later, "header retry-after"),
    ] {
        let at = format!("answer {at}");
        check_answer(&contract, (id, status, headers, body), &at);
    }
    check_answer(&contract, ("noSuch", 200, &good, ""), "operation id");
}

#[test]
fn an_answer_with_a_wrong_body_is_a_fault() {
    let contract = inbound_contract();
    let good = answer_headers();
    let (token, details, transaction) = (token(), token_details(), transaction());
    let state = token.replace("ACTIVE", "LIVE");
    let expiry = token.replace("\"0829\"", "829");
    let eci = transaction.replace("\"07\"", "\"7\"");
    let declined = r#"{"errorCode":"TOKENIZATION_DECLINED","error":"x"}"#;
    let forbidden = r#"{"errorCode":"FORBIDDEN_STATE","error":"x"}"#;
    let code = r#"{"errorCode":"X","error":"AUTHORIZER_UNAUTHORIZED"}"#;
    for (id, status, body, member) in [
        ("getToken", 200, &*token, " /encryptedData"),
        ("createToken", 201, &*details, ""),
        ("createToken", 201, "", ""),
        ("createToken", 201, "[]", ""),
        ("createToken", 201, &*state, " /state"),
        ("createToken", 201, &*expiry, " /cardExpiryDate"),
        ("createTransaction", 201, &*eci, " /eci"),
        ("createTransaction", 403, declined, " /errorCode"),
        ("createToken", 403, forbidden, " /errorCode"),
        ("getToken", 403, declined, " /errorCode"),
        ("getToken", 404, r#"{"error":"x"}"#, " /errorCode"),
        ("getToken", 404, r#"{"errorCode":"RESOURCE_NOT_FOUND"}"#, " /error"),
        ("getToken", 401, r#"{"error":"expired"}"#, " /error"),
        ("getToken", 401, code, ""),
        ("deleteToken", 204, "{}", ""),
    ] {
        let at = format!("answer body{member}");
        check_answer(&contract, (id, status, &good, body), &at);
    }
    let wrong = br#"{"errorCode":"NOT_FOUND","error":"none"}"#;
    assert!(contract.judge_outside_answer(404, &good, wrong).is_err());
    assert!(contract.judge_outside_answer(418, &good, wrong).is_err());
}

#[test]
fn a_plaintext_is_judged_closed_and_a_fault_shows_none_of_it() {
    let contract = inbound_contract();
    let pan = "9999990000001012";
    let good = format!(r#"{{"pan":"{pan}","exp":"0829"}}"#);
    let judge = |text: &str| contract.judge_plaintext("CardCredentials", text.as_bytes());
    assert_eq!(judge(&good), Ok(()));
    for (bad, at) in [
        (good.replace("1012", "1013"), "plaintext /pan"),
        (good.replace(pan, "99999"), "plaintext /pan"),
        (good.replace("\"9999990000001012\"", pan), "plaintext /pan"),
        (good.replace("0829", "2908"), "plaintext /exp"),
        (good.replace("\"exp\"", "\"expiry\""), "plaintext /exp"),
        (good.replace("\"exp\"", "\"9999990000001012\""), "plaintext"),
        (good.replace('}', ",\"cvv\":\"123\"}"), "plaintext"),
        (format!("{good}{good}"), "plaintext"),
    ] {
        let faults: Vec<Fault> = judge(&bad).expect_err(at);
        assert!(faults.iter().any(|fault| fault.at == at), "{faults:?}");
        for fault in &faults {
            assert!(!fault.to_string().contains("99999"), "{fault}");
        }
    }
    let payment = r#"{"dpan":"9999998100000016","exp":"0730","cryptogram":"AAECAwQFBgcICQoLDA0ODxAREhM="}"#;
    let judge = |text: &str| contract.judge_plaintext("PaymentData", text.as_bytes());
    assert_eq!(judge(payment), Ok(()));
    assert!(judge(&payment.replace("EhM=", "EhMT")).is_err());
    assert!(judge(&payment.replace("dpan", "pan")).is_err());
    assert!(judge(&payment.replace("9999998100000016", "999999810000001")).is_err());
    assert!(contract.judge_plaintext("NoSuchSchema", b"{}").is_err());
}

#[test]
fn another_base_path_moves_the_operations_and_not_the_token_endpoint() {
    let contract = inbound_contract().with_base_path("/d1/ecom/");
    let moved = MERCHANTS_PATH.replace("/ecom/v1", "/d1/ecom");
    let matched = contract.operation("POST", &moved).expect("it is there");
    assert_eq!(matched.operation.id(), "createMerchant");
    assert_eq!(matched.path_parameters, [("merchantGatewayId", "MGW_000001".to_owned())]);
    assert!(contract.operation("POST", MERCHANTS_PATH).is_none());
    assert!(contract.operation("POST", OAUTH_PATH).is_some());
}

#[test]
fn a_body_over_the_bound_is_not_read() {
    let contract = inbound_contract();
    let body = format!(r#"{{"merchantName":"{}"}}"#, "x".repeat(1 << 20));
    let faults = contract
        .judge_request("POST", MERCHANTS_PATH, &json_headers(), body.as_bytes())
        .expect_err("too large");
    assert_eq!(faults.len(), 1);
    assert!(faults[0].expected.contains("bytes"), "{faults:?}");
}

#[test]
fn a_contract_can_be_shared_between_threads() {
    fn is_shared<T: Send + Sync + Clone>() {}
    is_shared::<Contract>();
}
