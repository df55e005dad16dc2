//! Access tokens on the wire, and what a request carries.

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use wiremock::Mock;
use wiremock::matchers::{method, path};

use super::script::{ALL, BEARER, Numbered, PAN, Script, Step, World};
use crate::jwe;
use crate::jwk::testing::jwk_pair;
use crate::operation::Operation;

#[tokio::test]
async fn many_calls_at_once_fetch_one_token() {
    let world = World::new().await;
    world.script(Operation::GetToken, Script::new(&[Step::Good])).await;
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let client = world.client.clone();
            tokio::spawn(async move {
                let merchant = crate::MerchantId::new("10610027312").expect("an id");
                let token = crate::TokenId::new("tok-1").expect("an id");
                client.get_token(&merchant, &token, None).await.map(drop)
            })
        })
        .collect();
    for call in calls {
        call.await.expect("no panic").expect("a token");
    }
    assert_eq!(world.requests(Operation::GetAccessToken).await, 1);
    assert_eq!(world.requests(Operation::GetToken).await, 30);
    let ids: HashSet<String> = world
        .received(Operation::GetToken)
        .await
        .iter()
        .map(|request| format!("{:?}", request.headers["x-correlation-id"]))
        .collect();
    assert_eq!(ids.len(), 30, "each call has a correlation id of its own");
}

#[tokio::test]
async fn a_token_is_reused_until_shortly_before_its_end() {
    let world = World::new().await;
    Mock::given(method("POST"))
        .and(path("/authz/v1/oauth2/token"))
        .respond_with(Numbered::living(900))
        .mount(&world.server)
        .await;
    world.script(Operation::GetToken, Script::new(&[Step::Good])).await;
    let sent = async || {
        world.call(Operation::GetToken).await.expect("a token");
        let requests = world.received(Operation::GetToken).await;
        requests.last().expect("one").headers["authorization"].clone()
    };
    for (after_seconds, bearer) in [(0, 1), (839, 1), (51, 2), (839, 2), (1, 2)] {
        world.clock.advance(Duration::from_secs(after_seconds));
        assert_eq!(sent().await, format!("Bearer bearer-{bearer}"), "after {after_seconds} s more");
    }
    // 60 s before its end the last call has begun a refresh beside it, which the ones that follow profit from.
    for _ in 0..100 {
        if sent().await != "Bearer bearer-2" {
            break;
        }
    }
    assert_eq!(sent().await, "Bearer bearer-3");
    assert_eq!(world.requests(Operation::GetAccessToken).await, 3);
}

#[tokio::test]
async fn a_client_with_other_settings_goes_on_with_the_access_token_and_is_of_the_same_gateway() {
    let mut world = World::new().await;
    world.script(Operation::CreateMerchant, Script::new(&[Step::Good])).await;
    world.call(Operation::CreateMerchant).await.expect("a token");
    let config = |gateway: &str, world: &World| {
        let (public, _) = jwk_pair("d1");
        let (_, own) = jwk_pair("own");
        let credentials = super::script::credentials(
            crate::RecipientKey::from_jwk(public.as_bytes()).expect("a key"),
            crate::OwnKey::from_jwk(own.as_bytes()).expect("a key"),
        );
        let gateway = crate::GatewayId::new(gateway).expect("an id");
        let mut config =
            crate::Config::new(world.server.uri(), gateway, credentials).clock(world.clock.clone());
        config.plain_http = true;
        config
    };
    let other = world.client.reconfigured(config("MGW_000002", &world)).expect_err("another gateway");
    assert!(other.to_string().contains("MGW_000001"), "{other}");
    world.client = world.client.reconfigured(config("MGW_000001", &world)).expect("a client");
    world.call(Operation::CreateMerchant).await.expect("the same access token");
    assert_eq!(world.requests(Operation::CreateMerchant).await, 2);
    assert_eq!(world.requests(Operation::GetAccessToken).await, 1);
}

#[tokio::test]
async fn every_request_carries_bearer_and_correlation_id() {
    for operation in ALL {
        let world = World::new().await;
        world.script(operation, Script::new(&[Step::Good])).await;
        world.call(operation).await.expect("done");
        for request in world.received(operation).await {
            assert_eq!(request.headers["x-correlation-id"], "corr-1", "{operation}");
            let bearer = request.headers.get("authorization");
            if operation == Operation::GetAccessToken {
                assert!(bearer.is_none());
            } else {
                assert_eq!(bearer.expect("a bearer"), &format!("Bearer {BEARER}"), "{operation}");
            }
        }
    }
}

#[tokio::test]
async fn the_card_goes_out_sealed_to_d1_alone() {
    let world = World::new().await;
    world.script(Operation::CreateToken, Script::new(&[Step::Good])).await;
    world.call(Operation::CreateToken).await.expect("done");
    let request = &world.received(Operation::CreateToken).await[0];
    let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
    let sealed = body["encryptedData"].as_str().expect("a JWE");
    assert!(sealed.len() <= 8_196);
    let plaintext = jwe::open(sealed, &world.d1).expect("opened");
    assert_eq!(&*plaintext, format!(r#"{{"pan":"{PAN}","exp":"1239"}}"#).as_bytes());
    assert_eq!(body.as_object().expect("an object").len(), 1);
}

#[tokio::test]
async fn each_attempt_at_the_token_endpoint_has_its_own_assertion() {
    let world = World::new().await;
    let steps = [Step::Lost, Step::Answer(502, ""), Step::Good];
    world.script(Operation::GetAccessToken, Script::new(&steps)).await;
    world.call(Operation::GetAccessToken).await.expect("done");
    let mut seen = HashSet::new();
    for request in world.received(Operation::GetAccessToken).await {
        let body: serde_json::Value = serde_json::from_slice(&request.body).expect("JSON");
        let assertion = body["assertion"].as_str().expect("an assertion");
        let claims = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).expect("claims")).expect("base64url");
        let claims: serde_json::Value = serde_json::from_slice(&claims).expect("JSON");
        assert_eq!(claims["iss"], "MGW_000001");
        assert!(seen.insert(claims["jti"].to_string()));
    }
    assert_eq!(seen.len(), 3);
}

#[tokio::test]
async fn a_call_without_a_token_fails_as_the_token_endpoint_and_is_not_in_doubt() {
    let world = World::new().await;
    let refusal = Step::Answer(400, r#"{"errorCode":"INVALID_FIELD","error":"assertion"}"#);
    world.script(Operation::GetAccessToken, Script::new(&[refusal])).await;
    let error = world.call(Operation::CreateToken).await.expect_err("no token");
    assert_eq!(error.context().operation, Operation::GetAccessToken);
    assert_eq!(
        (error.status(), error.is_ambiguous(), error.retry()),
        (Some(400), false, crate::Retry::Never)
    );
    assert_eq!(world.requests(Operation::CreateToken).await, 0);
}
