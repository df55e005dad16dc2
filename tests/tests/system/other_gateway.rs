//! Two gateways in one sandbox that must not see each other (contract C8, C11, C12, C36).

use http::Method;
use serde_json::{Value, json};
use system_tests::{GATEWAY, OTHER_GATEWAY, Papers, Sandbox};

#[tokio::test]
async fn another_gateway_works_on_its_own_path_and_sees_nothing_of_ours() {
    let sandbox = Sandbox::start().await;
    let (ours, other) = (sandbox.caller(Papers::good()), sandbox.caller(Papers::other()));
    let (our_bearer, other_bearer) = (ours.bearer().await, other.bearer().await);
    let merchant = ours.merchant(&our_bearer).await;
    let token = ours.token(&our_bearer, &merchant).await;

    let own = other.merchant(&other_bearer).await;
    assert_ne!(own, merchant);
    let own_token = other.token(&other_bearer, &own).await;
    let paid = other.pay(&other_bearer, &own, &own_token).await;
    assert_eq!(paid.status, 201);
    assert_eq!(other.opened(&paid)["dpan"].as_str().map(str::len), Some(16), "sealed toward its own key");

    // Our merchant and token, sought below the path of the other gateway.
    let not_found = json!("RESOURCE_NOT_FOUND");
    let tokenized = other.tokenize(&other_bearer, &merchant, "9999990000000014", "1239").await;
    let paid = other.pay(&other_bearer, &merchant, &token).await;
    let path = other.path(&format!("/{merchant}/tokens/{token}"));
    let read = other.call(Method::GET, &path, &other_bearer, Value::Null).await;
    let deleted = other.call(Method::DELETE, &path, &other_bearer, Value::Null).await;
    // Our token below a merchant of its own.
    let path = other.path(&format!("/{own}/tokens/{token}"));
    let mixed = other.call(Method::GET, &path, &other_bearer, Value::Null).await;
    for answer in [tokenized, paid, read, deleted, mixed] {
        assert_eq!((answer.status, &answer.json()["errorCode"]), (404, &not_found));
    }
    assert_eq!(ours.pay(&our_bearer, &merchant, &token).await.status, 201, "our token is as it was");
}

#[tokio::test]
async fn a_bearer_of_another_gateway_is_refused_with_401() {
    let sandbox = Sandbox::start().await;
    let (ours, other) = (sandbox.caller(Papers::good()), sandbox.caller(Papers::other()));
    let our_bearer = ours.bearer().await;
    let path = other.path("");
    // Stolen by a gateway with good papers of its own, on its own path and on ours.
    for path in [path, ours.path("")] {
        let answer = other.call(Method::POST, &path, &our_bearer, json!({"merchantName": "A"})).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json(), json!({"error": "AUTHORIZER_UNAUTHORIZED"}));
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let entries = sandbox.admin.journal().await;
    let why = &entries.last().expect("an entry")["refused"];
    assert_eq!((&why["check"], &why["actual"]), (&json!("bearer"), &json!("another gateway's")));
    assert_eq!(
        ours.call(Method::POST, &ours.path(""), &our_bearer, json!({"merchantName": "A"})).await.status,
        201
    );
}

#[tokio::test]
async fn the_path_of_another_gateway_is_refused_with_403() {
    let sandbox = Sandbox::start().await;
    let ours = sandbox.caller(Papers::good());
    let bearer = ours.bearer().await;
    for gateway in [OTHER_GATEWAY, "MGW_999999"] {
        let path = format!("/ecom/v1/merchant-gateways/{gateway}/merchants");
        let answer = ours.call(Method::POST, &path, &bearer, json!({"merchantName": "A"})).await;
        assert_eq!((answer.status, &answer.json()["errorCode"]), (403, &json!("FORBIDDEN")));
        let entries = sandbox.admin.journal().await;
        let why = &entries.last().expect("an entry")["refused"];
        assert_eq!((&why["check"], &why["actual"]), (&json!("gateway in the path"), &json!(gateway)));
    }
}

#[tokio::test]
async fn an_assertion_of_another_gateway_is_refused_whoever_signed_it() {
    let sandbox = Sandbox::start().await;
    let (ours, other) = (sandbox.caller(Papers::good()), sandbox.caller(Papers::other()));
    // The certificate of one with the assertion of the other, and one key under the other's name.
    let mixed = Papers { gateway: GATEWAY, ..Papers::other() };
    let mixed = Papers { certificate: Papers::good().certificate, ..mixed };
    let mixed = sandbox.caller(mixed);
    for (caller, body) in
        [(&ours, other.token_request()), (&other, ours.token_request()), (&mixed, mixed.token_request())]
    {
        let answer = caller.ask_token(body).await;
        let wanted = json!({"errorCode": "INVALID_FIELD", "error": "assertion"});
        assert_eq!((answer.status, answer.json()), (400, wanted));
    }
}
