//! Notifications that are repeated, swapped, late, lost, held or forged, and what a receiver makes of them.

use std::time::Duration;

use d1_client::Clock;
use d1_client::receiver::Freshness;
use serde_json::{Value, json};
use system_tests::{Folder, GatewayReceiver, Papers, Port, Sandbox, ScriptedReceiver};

/// A sandbox with a token and a receiver that takes everything.
struct Scene {
    sandbox: Sandbox,
    receiver: ScriptedReceiver,
    token: String,
}

async fn scene() -> Scene {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let receiver = ScriptedReceiver::start(&folder, port, Vec::new(), Vec::new());
    let token = token(&sandbox).await;
    Scene { sandbox, receiver, token }
}

async fn token(sandbox: &Sandbox) -> String {
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    caller.token(&bearer, &merchant).await
}

impl Scene {
    /// Suspends and resumes in turn: so many events.
    async fn events(&self, count: usize) {
        for event in ["token.suspend", "token.resume"].into_iter().cycle().take(count) {
            self.sandbox.admin.event(&self.token, event, json!({})).await;
        }
        // Nothing moves but what is due: when the answer comes all of it is over.
        self.sandbox.advance(Duration::from_millis(1)).await;
    }

    fn sequences(&self) -> Vec<u64> {
        let got = self.receiver.got();
        got.iter().map(|got| got.body["sequence"].as_u64().expect("a sequence")).collect()
    }
}

#[tokio::test]
async fn notifications_come_twice_swapped_late_or_never_and_always_within_the_contract() {
    for (fault, at_once, later) in [
        (json!({"duplicate": 1, "every": 2}), vec![1, 2, 2, 3], vec![]),
        (json!({"drop": true, "nth": 2}), vec![1, 3], vec![]),
        (json!({"reorder": "30s", "nth": 1}), vec![2, 1, 3], vec![]),
        (json!({"reorder": "30s", "nth": 3}), vec![1, 2], vec![3]),
        (json!({"delay": "30s", "nth": 2}), vec![1], vec![2, 3]),
    ] {
        let scene = scene().await;
        scene.sandbox.admin.fault(fault.clone()).await;
        scene.events(3).await;
        assert_eq!(scene.sequences(), at_once, "{fault}");
        scene.sandbox.advance(Duration::from_secs(30)).await;
        assert_eq!(scene.sequences(), [at_once, later].concat(), "{fault}");
        scene.receiver.assert_clean();
    }
}

#[tokio::test]
async fn what_is_held_goes_once_the_fault_is_lifted() {
    for (order, wanted) in [("inOrder", [3, 1, 2]), ("reversed", [3, 2, 1])] {
        let scene = scene().await;
        let admin = &scene.sandbox.admin;
        admin.fault(json!({"name": "hold", "on": ["notifications"], "hold": order, "times": 2})).await;
        scene.events(3).await;
        assert_eq!(scene.sequences(), [3]);
        let state: Value = serde_json::from_str(&admin.get("/state").await).expect("JSON");
        assert_eq!(state["outbox"], 2, "they wait");
        assert_eq!(admin.delete("/faults/hold").await, 204);
        scene.sandbox.advance(Duration::from_millis(1)).await;
        assert_eq!(scene.sequences(), wanted);
    }
}

#[tokio::test]
async fn a_receiver_of_the_client_refuses_forgeries_bears_the_new_and_marks_the_late() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let receiver = GatewayReceiver::start(&folder, port, None, Clock::system());
    let token = token(&sandbox).await;
    for (sequence, event) in [(1, "token.suspend"), (2, "token.resume")] {
        sandbox.admin.event(&token, event, json!({})).await;
        sandbox.admin.delivery(&token, sequence, 1).await;
    }
    for (forgery, status, outcome) in [
        ("wrongCertificate", Value::Null, "givenUp"),
        ("wrongKey", json!(400), "refused"),
        ("tampered", json!(400), "refused"),
        ("oldSequence", json!(204), "delivered"),
        ("unknownType", json!(204), "delivered"),
        ("unknownMembers", json!(204), "delivered"),
    ] {
        let body = json!({"gateway": system_tests::GATEWAY, "tokenId": token, "as": forgery});
        let (answered, told) = sandbox.admin.post("/notifications/forged", body).await;
        assert_eq!(answered, 202, "{forgery}: {told}");
        let sent = |entry: &Value| entry["kind"] == "delivery" && entry["forged"] == forgery;
        let sent = sandbox.admin.entry(forgery, sent).await;
        assert_eq!((&sent["status"], &sent["outcome"]), (&status, &json!(outcome)), "{forgery}: {sent}");
    }
    let seen: Vec<_> =
        receiver.seen.all().into_iter().map(|(told, freshness)| (told.sequence, freshness)).collect();
    let wanted = [
        (Some(1), Freshness::Current),
        (Some(2), Freshness::Current),
        (Some(1), Freshness::Stale),
        (Some(3), Freshness::Current),
        (Some(4), Freshness::Current),
    ];
    assert_eq!(seen, wanted);
}

#[tokio::test]
async fn a_forgery_that_cannot_be_is_refused_by_name() {
    let scene = scene().await;
    let forged = async |token: &str, forgery: &str| {
        let body = json!({"gateway": system_tests::GATEWAY, "tokenId": token, "as": forgery});
        scene.sandbox.admin.post("/notifications/forged", body).await
    };
    let (status, told) = forged(&scene.token, "wrongColour").await;
    assert!(
        status == 400 && told["error"].as_str().is_some_and(|told| told.starts_with("as: expected one of"))
    );
    assert_eq!(forged("01fb32ff-5ed0-497f-8835-6af0916f29c0", "tampered").await.0, 404);
    assert_eq!(forged(&scene.token, "oldSequence").await.0, 409);
    scene.sandbox.admin.event(&scene.token, "token.delete", json!({})).await;
    assert_eq!(forged(&scene.token, "tampered").await.0, 409);
}

#[tokio::test]
async fn a_gateway_without_a_receiver_is_sent_no_forgery_and_the_clock_goes_on() {
    let sandbox = Sandbox::start().await;
    let caller = sandbox.caller(Papers::other());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    let body = json!({"gateway": system_tests::OTHER_GATEWAY, "tokenId": token, "as": "tampered"});
    let (status, told) = sandbox.admin.post("/notifications/forged", body).await;
    assert_eq!((status, &told["errorCode"]), (409, &json!("NO_RECEIVER")), "{told}");
    let state: Value = serde_json::from_str(&sandbox.admin.get("/state").await).expect("JSON");
    assert_eq!(state["outbox"], 0);
}
