//! The error rules, in the order of the checks (contract C7, C9 to C12, C15, C28, C31, C32). Every answer is compared
//! literally here, and held against the contract by the caller.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use system_tests::{Answer, Caller, Papers, Sandbox};

const CORRELATION: (&str, &str) = ("x-correlation-id", "rules-1");
const JSON: (&str, &str) = ("content-type", "application/json");

struct Rules {
    sandbox: Sandbox,
    caller: Caller,
    bearer: String,
    merchant: String,
    token: String,
}

impl Rules {
    async fn new() -> Self {
        let sandbox = Sandbox::start().await;
        let caller = sandbox.caller(Papers::good());
        let bearer = caller.bearer().await;
        let merchant = caller.merchant(&bearer).await;
        let token = caller.token(&bearer, &merchant).await;
        Self { sandbox, caller, bearer, merchant, token }
    }

    /// A request to createMerchant with this body and a good rest.
    async fn create(&self, body: impl Into<bytes::Bytes>) -> Answer {
        let authorization = format!("Bearer {}", self.bearer);
        let headers = [CORRELATION, JSON, ("authorization", authorization.as_str())];
        self.caller.send(Method::POST, &self.caller.path(""), &headers, body).await
    }

    async fn token_state(&self) -> Value {
        let state: Value = serde_json::from_str(&self.sandbox.admin.get("/state").await).expect("JSON");
        state["gateways"].clone()
    }
}

fn check(what: &str, answer: &Answer, status: u16, code: &str, error: &str) {
    let wanted = json!({"errorCode": code, "error": error});
    assert_eq!((answer.status, answer.json()), (status, wanted), "{what}");
    assert_eq!(answer.headers["content-type"], "application/json", "{what}");
}

#[tokio::test]
async fn a_correlation_id_is_required_and_has_a_form() {
    let rules = Rules::new().await;
    let path = rules.caller.path("");
    let authorization = format!("Bearer {}", rules.bearer);
    let good = [JSON, ("authorization", authorization.as_str())];
    let body = r#"{"merchantName":"A"}"#;
    let missing = rules.caller.send(Method::POST, &path, &good, body).await;
    check("no header", &missing, 400, "MISSING_FIELD", "x-correlation-id");
    assert!(!missing.headers.contains_key("x-correlation-id"));
    let long = "a".repeat(65);
    for value in ["", "a b", "a.b", "a/b", "é", long.as_str()] {
        let headers = [&[("x-correlation-id", value)], &good[..]].concat();
        let answer = rules.caller.send(Method::POST, &path, &headers, body).await;
        check(value, &answer, 400, "INVALID_FIELD", "x-correlation-id");
        assert!(!answer.headers.contains_key("x-correlation-id"), "{value}");
    }
    let twice = [&[("x-correlation-id", "a"), ("x-correlation-id", "a")], &good[..]].concat();
    let answer = rules.caller.send(Method::POST, &path, &twice, body).await;
    check("twice", &answer, 400, "INVALID_FIELD", "x-correlation-id");
    let longest = "a".repeat(64);
    let headers = [&[("x-correlation-id", longest.as_str())], &good[..]].concat();
    let answer = rules.caller.send(Method::POST, &path, &headers, body).await;
    assert_eq!(
        (answer.status, answer.headers["x-correlation-id"].to_str().ok()),
        (201, Some(longest.as_str()))
    );
    // The token endpoint asks for it too.
    let body = rules.caller.token_request().to_string();
    let answer = rules.caller.send(Method::POST, "/authz/v1/oauth2/token", &[JSON], body).await;
    check("at the token endpoint", &answer, 400, "MISSING_FIELD", "x-correlation-id");
}

#[tokio::test]
async fn a_body_must_be_one_closed_json_object_and_the_first_fault_is_named() {
    let rules = Rules::new().await;
    let before = rules.token_state().await;
    let deep = format!("{{\"merchantName\":{}1{}}}", "[".repeat(200), "]".repeat(200));
    let long = json!({"merchantName": "a".repeat(129)}).to_string();
    let table: &[(&str, &[u8], &str, &str)] = &[
        ("empty body", b"", "MISSING_FIELD", "merchantName"),
        ("empty object", b"{}", "MISSING_FIELD", "merchantName"),
        ("missing before unknown", br#"{"x":1}"#, "MISSING_FIELD", "merchantName"),
        ("unknown member", br#"{"merchantName":"A","x":1}"#, "INVALID_FIELD", "x"),
        ("null", br#"{"merchantName":null}"#, "INVALID_FIELD", "merchantName"),
        ("a number", br#"{"merchantName":1}"#, "INVALID_FIELD", "merchantName"),
        ("an object", br#"{"merchantName":{}}"#, "INVALID_FIELD", "merchantName"),
        ("an empty name", br#"{"merchantName":""}"#, "INVALID_FIELD", "merchantName"),
        ("a name too long", long.as_bytes(), "INVALID_FIELD", "merchantName"),
        ("a member twice", br#"{"merchantName":"A","merchantName":"A"}"#, "INVALID_FIELD", "merchantName"),
        ("invalid UTF-8", b"{\"merchantName\":\"\xff\"}", "INVALID_FIELD", "body"),
        ("byte-order mark", b"\xef\xbb\xbf{\"merchantName\":\"A\"}", "INVALID_FIELD", "body"),
        ("not JSON", b"merchantName=A", "INVALID_FIELD", "body"),
        ("not whole", br#"{"merchantName":"A""#, "INVALID_FIELD", "body"),
        ("an array", br#"[{"merchantName":"A"}]"#, "INVALID_FIELD", "body"),
        ("a text", br#""merchantName""#, "INVALID_FIELD", "body"),
        ("trailing bytes", br#"{"merchantName":"A"} x"#, "INVALID_FIELD", "body"),
        ("two objects", br#"{"merchantName":"A"}{}"#, "INVALID_FIELD", "body"),
        ("200 deep", deep.as_bytes(), "INVALID_FIELD", "body"),
    ];
    for (what, body, code, error) in table {
        let answer = rules.create(body.to_vec()).await;
        check(what, &answer, 400, code, error);
        assert_eq!(answer.headers["x-correlation-id"], CORRELATION.1, "{what}");
    }
    assert_eq!(rules.token_state().await, before, "nothing was done");
}

#[tokio::test]
async fn size_and_media_type_are_judged_before_the_json() {
    let rules = Rules::new().await;
    let padded = |size: usize| {
        let body = r#"{"merchantName":"A"}"#;
        format!("{body}{}", " ".repeat(size - body.len()))
    };
    assert_eq!(rules.create(padded(64 * 1024)).await.status, 201, "64 KiB are allowed");
    let answer = rules.create(padded(64 * 1024 + 1)).await;
    check("a byte more", &answer, 413, "PAYLOAD_TOO_LARGE", "request body too large");
    let authorization = format!("Bearer {}", rules.bearer);
    let good = [CORRELATION, ("authorization", authorization.as_str())];
    for media in
        ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1", "json"]
    {
        let headers = [&good[..], &[("content-type", media)]].concat();
        let answer = rules.caller.send(Method::POST, &rules.caller.path(""), &headers, "not JSON").await;
        check(media, &answer, 415, "UNSUPPORTED_MEDIA_TYPE", "application/json expected");
    }
    for media in ["application/json; charset=utf-8", "Application/JSON;charset=UTF-8"] {
        let headers = [&good[..], &[("content-type", media)]].concat();
        let body = r#"{"merchantName":"A"}"#;
        let answer = rules.caller.send(Method::POST, &rules.caller.path(""), &headers, body).await;
        assert_eq!(answer.status, 201, "{media}");
    }
}

#[tokio::test]
async fn routes_and_methods_that_do_not_exist_are_told_before_anything_else() {
    let rules = Rules::new().await;
    for path in ["/", "/ecom/v1", "/ecom/v2/merchant-gateways/MGW_000001/merchants", "/authz/v1/oauth2/Token"]
    {
        let answer = rules.caller.send(Method::POST, path, &[], "").await;
        assert_eq!((answer.status, answer.text("errorCode").as_str()), (404, "RESOURCE_NOT_FOUND"), "{path}");
    }
    let token = rules.caller.path(&format!("/{}/tokens/{}", rules.merchant, rules.token));
    for (method, path) in [
        (Method::GET, rules.caller.path("")),
        (Method::PUT, token.clone()),
        (Method::PATCH, token.clone()),
        (Method::DELETE, format!("{token}/transactions")),
        (Method::GET, "/authz/v1/oauth2/token".to_owned()),
    ] {
        let answer = rules.caller.send(method.clone(), &path, &[], "").await;
        check(&format!("{method} {path}"), &answer, 405, "METHOD_NOT_ALLOWED", "method not allowed");
    }
    let bearer = format!("Bearer {}", rules.bearer);
    let headers = [CORRELATION, ("authorization", bearer.as_str())];
    let head = rules.caller.send(Method::HEAD, &token, &headers, "").await;
    assert_eq!((head.status, head.body.len()), (405, 0), "the contract knows no HEAD");
}

#[tokio::test]
async fn a_bearer_must_be_there_be_known_and_be_alive() {
    let rules = Rules::new().await;
    let path = rules.caller.path("");
    let body = r#"{"merchantName":"A"}"#;
    let unauthorized = json!({"error": "AUTHORIZER_UNAUTHORIZED"});
    let basic = format!("Basic {}", rules.bearer);
    let longer = format!("Bearer {}x", rules.bearer);
    let bare = rules.bearer.clone();
    for value in [None, Some("Bearer unknown"), Some("Bearer "), Some(&basic), Some(&longer), Some(&bare)] {
        let mut headers = vec![CORRELATION, JSON];
        headers.extend(value.map(|value| ("authorization", value)));
        let answer = rules.caller.send(Method::POST, &path, &headers, body).await;
        assert_eq!((answer.status, answer.json()), (401, unauthorized.clone()), "{}", value.is_some());
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let create = json!({"merchantName": "A"});
    rules.sandbox.advance(Duration::from_millis(899_999)).await;
    assert_eq!(rules.caller.call(Method::POST, &path, &rules.bearer, create.clone()).await.status, 201);
    rules.sandbox.advance(Duration::from_millis(1)).await;
    let answer = rules.caller.call(Method::POST, &path, &rules.bearer, create).await;
    assert_eq!((answer.status, answer.json()), (401, unauthorized), "after 900 seconds");
}

#[tokio::test]
async fn a_refused_jwe_is_a_fault_of_encrypted_data_whatever_is_wrong_in_it() {
    let rules = Rules::new().await;
    let path = rules.caller.path(&format!("/{}/tokens", rules.merchant));
    let sealed = |plaintext: Value| rules.caller.sealed(&plaintext);
    let good = sealed(json!({"pan": "9999990000000014", "exp": "1239"}));
    let parts: Vec<&str> = good.split('.').collect();
    let bad = [
        "x".to_owned(),
        format!("{good}.x"),
        parts[..4].join("."),
        [parts[0], "AAAA", parts[2], parts[3], parts[4]].join("."),
        [parts[0], "", parts[2], parts[3], "AAAAAAAAAAAAAAAAAAAAAA"].join("."),
        sealed(json!({})),
        sealed(json!([])),
        sealed(json!({"pan": "9999990000000014"})),
        sealed(json!({"pan": "9999990000000014", "exp": "1239", "cvv": "123"})),
        sealed(json!({"pan": "9999990000000015", "exp": "1239"})),
        sealed(json!({"pan": "99999900000", "exp": "1239"})),
        sealed(json!({"pan": 9_999_990_000_000_014_i64, "exp": "1239"})),
        sealed(json!({"pan": "9999990000000014", "exp": "1339"})),
        sealed(json!({"pan": "9999990000000014", "exp": "0326"})),
        sealed(json!({"pan": "9999990000000014", "exp": null})),
    ];
    for jwe in bad {
        let answer =
            rules.caller.call(Method::POST, &path, &rules.bearer, json!({"encryptedData": jwe})).await;
        check("a refused JWE", &answer, 400, "INVALID_FIELD", "encryptedData");
    }
    let this_month = json!({"encryptedData": sealed(json!({"pan": "9999990000000014", "exp": "0426"}))});
    assert_eq!(rules.caller.call(Method::POST, &path, &rules.bearer, this_month).await.status, 201);
    let body = json!({"encryptedData": good, "source": "ELSEWHERE"});
    let answer = rules.caller.call(Method::POST, &path, &rules.bearer, body).await;
    check("an unknown source", &answer, 400, "INVALID_FIELD", "source");
}

#[tokio::test]
async fn an_unknown_merchant_or_token_is_not_found_and_a_state_may_forbid() {
    let rules = Rules::new().await;
    let (caller, bearer) = (&rules.caller, &rules.bearer);
    for merchant in ["10000000000", "short", "abc-_456789"] {
        let answer = caller.tokenize(bearer, merchant, "9999990000000014", "1239").await;
        check(merchant, &answer, 404, "RESOURCE_NOT_FOUND", "merchant not found");
    }
    for token in ["01fb32ff-5ed0-497f-8835-6af0916f29c0", "x"] {
        let answer = caller.pay(bearer, &rules.merchant, token).await;
        check(token, &answer, 404, "RESOURCE_NOT_FOUND", "token not found");
    }
    rules.sandbox.admin.event(&rules.token, "token.suspend", json!({})).await;
    let answer = caller.pay(bearer, &rules.merchant, &rules.token).await;
    check("suspended", &answer, 403, "FORBIDDEN_STATE", "token state forbids the action");
    let path = caller.path(&format!("/{}/tokens/{}", rules.merchant, rules.token));
    let read = caller.call(Method::GET, &path, bearer, Value::Null).await;
    assert_eq!((read.status, read.text("state").as_str()), (200, "SUSPENDED"));
    assert_eq!(caller.call(Method::DELETE, &path, bearer, Value::Null).await.status, 204);
    for method in [Method::GET, Method::DELETE] {
        let answer = caller.call(method, &path, bearer, Value::Null).await;
        check("deleted", &answer, 404, "RESOURCE_NOT_FOUND", "token not found");
    }
}

#[tokio::test]
async fn an_earlier_check_answers_before_a_later_one() {
    let rules = Rules::new().await;
    let path = rules.caller.path("/10000000000/tokens");
    let other = path.replace("MGW_000001", "MGW_000002");
    let authorization = format!("Bearer {}", rules.bearer);
    let bearer = ("authorization", authorization.as_str());
    let send = async |path: &str, headers: &[(&str, &str)], body: &str| {
        rules.caller.send(Method::POST, path, headers, body.to_owned()).await.status
    };
    // Each line mends the first fault of the line before.
    assert_eq!(send("/nowhere", &[], "x").await, 404);
    assert_eq!(send(&other, &[], "x").await, 400);
    assert_eq!(send(&other, &[CORRELATION], "x").await, 401);
    assert_eq!(send(&other, &[CORRELATION, bearer], "x").await, 403);
    assert_eq!(send(&path, &[CORRELATION, bearer], &"x".repeat(70_000)).await, 413);
    assert_eq!(send(&path, &[CORRELATION, bearer], "x").await, 415);
    assert_eq!(send(&path, &[CORRELATION, bearer, JSON], "x").await, 400);
    let body =
        json!({"encryptedData": rules.caller.sealed(&json!({"pan": "9999990000000014", "exp": "1239"}))});
    assert_eq!(send(&path, &[CORRELATION, bearer, JSON], &body.to_string()).await, 404);
}

#[tokio::test]
async fn a_token_request_is_closed_and_every_fault_of_the_assertion_is_one_answer() {
    let rules = Rules::new().await;
    let good = rules.caller.token_request();
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let without = |name: &str| {
        let mut body = good.clone();
        body.as_object_mut().map(|members| members.remove(name));
        body
    };
    for (body, code, error) in [
        (without("grant_type"), "MISSING_FIELD", "grant_type"),
        (without("assertion"), "MISSING_FIELD", "assertion"),
        (with("grant_type", json!("client_credentials")), "INVALID_FIELD", "grant_type"),
        (with("scope", json!("all")), "INVALID_FIELD", "scope"),
        (with("assertion", json!(7)), "INVALID_FIELD", "assertion"),
        (with("assertion", json!("a.b.c")), "INVALID_FIELD", "assertion"),
    ] {
        let answer = rules.caller.ask_token(body).await;
        check(error, &answer, 400, code, error);
    }
    // The assertion ends 300 s after it was made.
    rules.sandbox.advance(Duration::from_secs(300)).await;
    let answer = rules.caller.ask_token(good).await;
    check("an assertion that has ended", &answer, 400, "INVALID_FIELD", "assertion");
}
