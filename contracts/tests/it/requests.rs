//! Literal requests, good and bad, held against the judge.

use d1_contracts::Contract;

use crate::exchanges::{
    ASSERTION, JWE, MERCHANTS_PATH, NOTIFY_PATH, OAUTH_PATH, TOKEN_PATH, TOKENS_PATH, form_headers, headers,
    inbound_contract, json_headers, notification, outbound_contract,
};

fn bodiless_headers() -> Vec<(String, String)> {
    json_headers().into_iter().take(2).collect()
}

#[test]
fn good_requests_name_their_operation() {
    let contract = inbound_contract();
    let create_token = format!(r#"{{"encryptedData":"{JWE}","source":"MANUAL"}}"#);
    let transactions = format!("{TOKEN_PATH}/transactions");
    for (id, method, path, body) in [
        ("getAccessToken", "POST", OAUTH_PATH, ASSERTION),
        ("createMerchant", "POST", MERCHANTS_PATH, r#"{"merchantName":"Caf\u00e9"}"#),
        ("createToken", "POST", TOKENS_PATH, &create_token),
        ("getToken", "GET", TOKEN_PATH, ""),
        ("createTransaction", "POST", &transactions, r#"{"transactionType":"SPLIT"}"#),
        ("deleteToken", "DELETE", TOKEN_PATH, ""),
    ] {
        let headers = if body.is_empty() { bodiless_headers() } else { json_headers() };
        let verdict = contract.judge_request(method, path, &headers, body.as_bytes());
        assert_eq!(verdict, Ok(id));
    }
    let contract = outbound_contract();
    let verdict = contract.judge_request(
        "POST",
        "/oauth2/token",
        &form_headers(),
        b"grant_type=client_credentials&scope=a+b",
    );
    assert_eq!(verdict, Ok("getAccessToken"));
    let body = notification();
    for headers in [json_headers(), json_headers().split_off(1)] {
        let verdict = contract.judge_request("POST", NOTIFY_PATH, &headers, body.as_bytes());
        assert_eq!(verdict, Ok("notifyTokenUpdate"));
    }
}

/// One bad request: what is wrong with it, and the place that a fault must name.
fn check_request(contract: &Contract, request: (&str, &str, &[(String, String)], &str), at: &str) {
    let (method, path, headers, body) = request;
    let faults = contract.judge_request(method, path, headers, body.as_bytes()).expect_err(at);
    assert!(
        faults.iter().any(|fault| fault.at == at),
        "{method} {path} {body}: expected a fault at {at:?}, found {faults:#?}"
    );
}

#[test]
fn a_bad_body_is_a_fault_at_the_member() {
    let contract = inbound_contract();
    let good = json_headers();
    let transactions = format!("{TOKEN_PATH}/transactions");
    let long_name = format!(r#"{{"merchantName":"{}"}}"#, "x".repeat(129));
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let long_jwe = format!(r#"{{"encryptedData":"{}"}}"#, JWE.replace("YWJj", &"Y".repeat(8196)));
    let name = "request body /merchantName";
    for (path, body, at) in [
        (OAUTH_PATH, r#"{"grant_type":"jwt","assertion":"aa.bb.cc"}"#, "request body /grant_type"),
        (
            OAUTH_PATH,
            r#"{"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer"}"#,
            "request body /assertion",
        ),
        (
            OAUTH_PATH,
            r#"{"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer","assertion":"aa.bb"}"#,
            "request body /assertion",
        ),
        (MERCHANTS_PATH, "{}", name),
        (MERCHANTS_PATH, r#"{"merchantName":""}"#, name),
        (MERCHANTS_PATH, r#"{"merchantName":null}"#, name),
        (MERCHANTS_PATH, r#"{"merchantName":7}"#, name),
        (MERCHANTS_PATH, r#"{"merchantName":"a","merchantName":"b"}"#, name),
        (MERCHANTS_PATH, &long_name, name),
        (MERCHANTS_PATH, r#"{"merchantName":"a","other":1}"#, "request body"),
        (MERCHANTS_PATH, "[]", "request body"),
        (MERCHANTS_PATH, "", "request body"),
        (MERCHANTS_PATH, r#"{"merchantName":"a"}x"#, "request body"),
        (MERCHANTS_PATH, "\u{feff}{\"merchantName\":\"a\"}", "request body"),
        (MERCHANTS_PATH, &deep, "request body"),
        (TOKENS_PATH, r#"{"encryptedData":"a.b.c.d.e"}"#, "request body /encryptedData"),
        (TOKENS_PATH, r#"{"encryptedData":""}"#, "request body /encryptedData"),
        (TOKENS_PATH, &long_jwe, "request body /encryptedData"),
        (TOKENS_PATH, r#"{"source":"MANUAL"}"#, "request body /encryptedData"),
        (TOKENS_PATH, r#"{"source":"TOKEN"}"#, "request body /source"),
        (&transactions, r#"{"transactionType":"EMV"}"#, "request body /transactionType"),
        (&transactions, "{}", "request body /transactionType"),
    ] {
        check_request(&contract, ("POST", path, &good, body), at);
    }
}

fn without(name: &str) -> Vec<(String, String)> {
    let mut headers = bodiless_headers();
    headers.retain(|(known, _)| !known.eq_ignore_ascii_case(name));
    headers
}

fn with(name: &str, value: &str) -> Vec<(String, String)> {
    [without(name), headers(&[(name, value)])].concat()
}

#[test]
fn a_missing_or_wrong_header_is_a_fault() {
    let contract = inbound_contract();
    let twice = [bodiless_headers(), bodiless_headers()].concat();
    let correlation = "x-correlation-id";
    let authorization = "authorization";
    for (headers, name) in [
        (without(correlation), correlation),
        (with(correlation, ""), correlation),
        (with(correlation, "a b"), correlation),
        (with(correlation, &"a".repeat(65)), correlation),
        (twice.clone(), correlation),
        (twice, authorization),
        (without(authorization), authorization),
        (with(authorization, "Basic abc="), authorization),
        (with(authorization, "Bearer "), authorization),
        (with(authorization, "Bearer a b"), authorization),
    ] {
        let at = format!("request header {name}");
        check_request(&contract, ("GET", TOKEN_PATH, &headers, ""), &at);
    }
    let media = "content-type";
    for headers in [
        without(media),
        with(media, "text/plain"),
        with(media, "application/jsonx"),
        with(media, "application/json; charset=latin1"),
    ] {
        let at = "request header content-type";
        check_request(&contract, ("POST", MERCHANTS_PATH, &headers, "{}"), at);
    }
}

#[test]
fn a_wrong_path_or_method_is_a_fault() {
    let contract = inbound_contract();
    let good = bodiless_headers();
    let gateway = TOKEN_PATH.replace("MGW_000001", "MGW_1");
    let merchant = TOKEN_PATH.replace("10610027312", "1061002731%20");
    let broken = TOKEN_PATH.replace("10610027312", "1061002731%2");
    let query = format!("{TOKEN_PATH}?verbose=1");
    let slash = format!("{TOKEN_PATH}/");
    let empty = "/ecom/v1/merchant-gateways//merchants//tokens/";
    for (method, path, body, at) in [
        ("GET", &*gateway, "", "request path merchantGatewayId"),
        ("GET", &*merchant, "", "request path merchantId"),
        ("GET", &*broken, "", "request line"),
        ("GET", &*query, "", "request query"),
        ("GET", TOKEN_PATH, "{}", "request body"),
        ("PUT", TOKEN_PATH, "", "request line"),
        ("get", TOKEN_PATH, "", "request line"),
        ("GET", &*slash, "", "request line"),
        ("GET", "/nowhere", "", "request line"),
        ("GET", "", "", "request line"),
        ("GET", empty, "", "request line"),
    ] {
        check_request(&contract, (method, path, &good, body), at);
    }
}

#[test]
fn a_bad_outbound_request_is_a_fault() {
    let contract = outbound_contract();
    let form = form_headers();
    let basic =
        headers(&[("authorization", "Basic a+b/c="), ("content-type", "application/x-www-form-urlencoded")]);
    let json = json_headers();
    let changed = |from: &str, to: &str| notification().replace(from, to);
    let grant = "grant_type=client_credentials";
    for (path, headers, body, at) in [
        ("/oauth2/token", &form, "grant_type=password".to_owned(), "request body /grant_type"),
        ("/oauth2/token", &form, "scope=a".to_owned(), "request body /grant_type"),
        ("/oauth2/token", &form, format!("{grant}&client_id=a"), "request body"),
        ("/oauth2/token", &form, format!("{grant}&{grant}"), "request body"),
        ("/oauth2/token", &basic, grant.to_owned(), "request header authorization"),
        ("/oauth2/token", &json, grant.to_owned(), "request header content-type"),
        (NOTIFY_PATH, &json, changed("CARD_UPDATED", "CARD_GONE"), "request body /eventType"),
        (NOTIFY_PATH, &json, changed("0c1a35d8-", "0c1a35d8"), "request body /eventId"),
        (NOTIFY_PATH, &json, changed(":2,", ":0,"), "request body /sequence"),
        (NOTIFY_PATH, &json, changed("05:00.000Z", "05:00Z"), "request body /lastUpdateTimestamp"),
        (NOTIFY_PATH, &json, changed("2026-04-22", "2026-02-30"), "request body /lastUpdateTimestamp"),
        (NOTIFY_PATH, &json, changed("0829", "1329"), "request body /cardExpiryDate"),
        (NOTIFY_PATH, &json, changed("\"1012\"", "\"12\""), "request body /cardLastDigits"),
        (NOTIFY_PATH, &json, changed("ACTIVE", "active"), "request body /state"),
    ] {
        check_request(&contract, ("POST", path, headers, &body), at);
    }
}
