//! Time on the manual clock, and what a reset forgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use d1_simulator::{ClockMode, Config, Simulator};
use http::StatusCode;
use serde_json::{Value, json};
use system_tests::{Admin, Caller, Folder, Papers, Port, Reply, Sandbox, ScriptedReceiver, Setup, listen};
use tokio::sync::Notify;

use crate::delivery::with_oauth;

async fn notifying_with_oauth(folder: &Arc<Folder>, name: &str, url: String) -> Sandbox {
    let file = with_oauth(folder, name, &url);
    Sandbox::with(Arc::clone(folder), Setup { receiver: Some(url), file, ..Setup::default() }).await
}

/// A token of a fresh merchant: their identifiers.
async fn tokenized(sandbox: &Sandbox) -> (String, String) {
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    (merchant, token)
}

fn of_kind<'a>(journal: &'a [Value], kind: &str) -> Vec<&'a Value> {
    journal.iter().filter(|entry| entry["kind"] == kind).collect()
}

#[tokio::test]
async fn on_the_real_clock_a_card_that_is_renewed_soon_is_renewed_and_told_of_by_itself() {
    let (folder, port) = (Folder::shared(), Port::take());
    let mut config = Config::read(&folder.path("sandbox.yaml")).expect("a good configuration");
    (config.api, config.admin) = (([127, 0, 0, 1], 0).into(), ([127, 0, 0, 1], 0).into());
    config.clock = ClockMode::Real;
    config.set_receiver(&port.url(), None).expect("a good receiver");
    let receiver = ScriptedReceiver::start(&folder, port, Vec::new(), Vec::new());
    let running = Simulator::start(config).await.expect("a running sandbox");
    let caller = Caller::new(&folder, &running.api_url(), Papers::good(), running.clock().now_ms());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.tokenize(&bearer, &merchant, "9999990000000121", "1239").await.text("tokenId");
    // Five seconds by the table: the only wait here for time to pass.
    let told = Admin::new(running.admin_url()).delivery(&token, 1, 1).await;
    assert_eq!((&told["eventType"], &told["outcome"]), (&json!("CARD_UPDATED"), &json!("delivered")));
    receiver.assert_clean();
}

#[tokio::test]
async fn the_retries_of_an_hour_happen_within_the_hour_each_at_its_moment() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let script = vec![Reply::status(503), Reply::status(503), Reply::status(503)];
    let receiver = ScriptedReceiver::start(&folder, port, script, Vec::new());
    let (_, token) = tokenized(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    sandbox.advance(Duration::from_secs(3600)).await;
    assert_eq!(receiver.got().len(), 4, "all of it is over when the clock has moved");
    let journal = sandbox.admin.journal().await;
    let deliveries = of_kind(&journal, "delivery");
    assert_eq!(deliveries.len(), 4);
    for pair in deliveries.windows(2) {
        assert_eq!(pair[0]["nextAt"], pair[1]["at"], "{pair:?}");
    }
    assert_eq!(deliveries[3]["outcome"], "delivered");
    let last = journal.last().expect("an entry");
    assert_eq!((&last["kind"], &last["now"]), (&json!("clock"), &json!("2026-04-22T11:00:00.000Z")));
}

#[tokio::test]
async fn every_call_for_a_gateways_token_is_in_the_journal() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = notifying_with_oauth(&folder, "token-calls", port.url()).await;
    let script = vec![Reply::status(401), Reply::status(204)];
    let tokens = vec![Reply::status(503), Reply::bearer("one"), Reply::bearer("two")];
    let receiver = ScriptedReceiver::start(&folder, port, script, tokens);
    let (_, token) = tokenized(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    sandbox.advance(Duration::from_secs(60)).await;
    receiver.assert_clean();
    let journal = sandbox.admin.journal().await;
    let calls: Vec<_> = of_kind(&journal, "gatewayToken")
        .into_iter()
        .map(|entry| json!([entry["call"], entry["status"], entry["outcome"]]))
        .collect();
    let wanted = [
        json!(["getAccessToken", 503, "failed"]),
        json!(["getAccessToken", 200, "ok"]),
        json!(["notifyTokenUpdate", 401, "refused"]),
        json!(["getAccessToken", 200, "ok"]),
    ];
    assert_eq!(calls, wanted);
    let deliveries = of_kind(&journal, "delivery");
    let outcomes: Vec<_> = deliveries.iter().map(|entry| json!([entry["call"], entry["outcome"]])).collect();
    assert_eq!(outcomes, [json!(["getAccessToken", "retry"]), json!(["notifyTokenUpdate", "delivered"])]);
    for (call, delivery) in [(0, 0), (1, 1), (2, 1), (3, 1)] {
        let call = of_kind(&journal, "gatewayToken")[call];
        assert_eq!(call["correlationId"], deliveries[delivery]["correlationId"], "{call}");
    }
}

#[tokio::test]
async fn a_reset_forgets_a_delivery_on_its_way_and_the_gateways_token_and_no_identifier_comes_back() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = notifying_with_oauth(&folder, "overtaken", port.url()).await;
    let (arrived, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let asked = Arc::new(AtomicU32::new(0));
    let token = {
        let asked = Arc::clone(&asked);
        async move || {
            asked.fetch_add(1, Ordering::SeqCst);
            axum::Json(json!({"access_token": "one", "expires_in": 900, "token_type": "Bearer"}))
        }
    };
    let notification = {
        let (arrived, go) = (Arc::clone(&arrived), Arc::clone(&go));
        async move || {
            arrived.notify_one();
            go.notified().await;
            StatusCode::NO_CONTENT
        }
    };
    let router = Router::new().route("/oauth2/token", post(token)).fallback(notification);
    let _receiver = listen(&folder, port, "receiver/server", "ca/thales-client-ca.pem", router);

    let (merchant, token) = tokenized(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    arrived.notified().await;
    assert_eq!(sandbox.admin.post("/reset", json!({})).await.0, 204);
    go.notify_one();
    let overtaken = sandbox.admin.delivery(&token, 1, 1).await;
    assert_eq!((&overtaken["outcome"], &overtaken["status"]), (&json!("forgotten"), &json!(204)));

    let (other_merchant, other_token) = tokenized(&sandbox).await;
    assert!(merchant != other_merchant && token != other_token);
    sandbox.admin.event(&other_token, "token.suspend", json!({})).await;
    go.notify_one();
    let delivered = sandbox.admin.delivery(&other_token, 1, 1).await;
    assert_eq!(delivered["outcome"], "delivered");
    assert_ne!(delivered["eventId"], overtaken["eventId"]);
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the token was asked for anew");
}
