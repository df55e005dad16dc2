use serde_json::json;

use super::*;

const PAN: &str = "9999990000000014";
const JWE: &str = "eyJhbGciOiJFQ0RILUVTIn0..aXY.Y2lwaGVydGV4dA.dGFn";

fn shown(request: &Request, answer: &Value) -> ShownExchange {
    let contract = crate::inbound().expect("the contract");
    let known = Known::of(contract.document());
    let operation = contract.operation(&request.method, &request.path).map(|matched| matched.operation);
    let headers = BTreeMap::from([
        ("content-type".to_owned(), "application/json".to_owned()),
        ("retry-after".to_owned(), "2".to_owned()),
        ("x-correlation-id".to_owned(), PAN.to_owned()),
    ]);
    known.exchange(request, operation, &headers, answer.to_string().as_bytes())
}

fn request(headers: &[(&str, &str)], body: &Value) -> Request {
    Request {
        method: "POST".to_owned(),
        path: format!("/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens?pan={PAN}"),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        body: body.to_string().into_bytes(),
    }
}

#[test]
fn of_a_request_what_the_contract_and_the_suite_know_is_shown_and_nothing_else() {
    let body = json!({
        "encryptedData": JWE,
        "source": "ON_FILE",
        "merchantName": "Corner Bookshop",
        PAN: {"merchantName": PAN, "deep": [PAN, 9_999_990_000_000_014_u64, 7, true, null]},
    });
    let headers = [
        ("content-type", "application/json; charset=UTF-8"),
        ("accept", "application/9999990000000014"),
        ("authorization", "Bearer abc"),
        (PAN, "x"),
    ];
    let seen = shown(&request(&headers, &body), &json!({}));
    let path = "/ecom/v1/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens";
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", path));
    let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let wanted = [
        named("content-type", "application/json;charset=utf-8"),
        named("accept", "(28 characters)"),
        named("authorization", "(10 characters)"),
        named("(another header)", "(1 characters)"),
    ];
    assert_eq!(seen.request.headers, wanted);
    let deep = json!(["(16 characters)", "(number)", 7, true, null]);
    let members = json!({"merchantName": "(16 characters)", "(unknown member 1)": deep});
    let body = seen.request.body.clone().expect("a body");
    assert_eq!(body["encryptedData"], json!(format!("({} characters)", JWE.len())));
    assert_eq!((&body["source"], &body["merchantName"]), (&json!("ON_FILE"), &json!("Corner Bookshop")));
    assert!(body.as_object().expect("an object").values().any(|member| *member == members), "{body}");
    for secret in [PAN, "0000014", "eyJ", "abc"] {
        assert!(!format!("{seen:?}").contains(secret), "{secret}: {seen:?}");
    }
}

#[test]
fn what_is_of_no_operation_and_no_json_is_named_alone() {
    let mut strange = request(&[], &json!(null));
    PAN.clone_into(&mut strange.method);
    strange.body = format!("pan={PAN}").into_bytes();
    let seen = shown(&strange, &json!({}));
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("(another method)", ""));
    assert_eq!(seen.request.body, Some("(20 bytes that were not read as JSON)".into()));
    strange.body.clear();
    assert_eq!(shown(&strange, &json!({})).request.body, None);
    strange.body = json!("x".repeat(LONGEST_BODY)).to_string().into_bytes();
    assert!(
        shown(&strange, &json!({})).request.body.is_some_and(|body| body.to_string().contains("65538 bytes"))
    );
}

#[test]
fn of_an_answer_all_is_shown_but_what_is_secret() {
    let answer = json!({
        "errorCode": "FORBIDDEN", "error": "No.", "expires_in": 900, "access_token": "short", "cardLastDigits": "0014",
        "encryptedData": "anything", "note": JWE, "other": format!("of {PAN}"), "spaced": "9999 9900 0000 0014",
        "tokenId": TOKEN_ID, "merchantId": MERCHANT_ID, "creationTimestamp": "2026-04-22T09:30:00.000Z",
    });
    let seen = shown(&request(&[], &json!(null)), &answer);
    let wanted = json!({
        "errorCode": "FORBIDDEN", "error": "No.", "expires_in": 900, "access_token": "(5 characters)",
        "cardLastDigits": "0014", "encryptedData": "(8 characters)", "note": format!("({} characters)", JWE.len()),
        "other": "(19 characters)", "spaced": "(19 characters)",
        "tokenId": TOKEN_ID, "merchantId": MERCHANT_ID, "creationTimestamp": "2026-04-22T09:30:00.000Z",
    });
    assert_eq!(seen.answer.body, Some(wanted));
    let headers: Vec<_> = seen.answer.headers.iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(headers, ["application/json", "2", "(16 characters)"], "the client chose the correlation id");
}

#[test]
fn a_body_of_many_values_is_cut() {
    let many: Vec<u32> = (0..10_000).collect();
    let seen = shown(&request(&[], &json!({"source": many, "merchantName": "x"})), &json!({}));
    let body = seen.request.body.expect("a body").to_string();
    assert!(body.len() < 4000 && body.contains("(more)"), "{body}");
}
