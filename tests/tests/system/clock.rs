//! The clock over the admin port: how far it is moved, what falls due on the way, and what is said of it.

use d1_simulator::AuthClock;
use http::Method;
use serde_json::{Value, json};
use system_tests::{Caller, Folder, OTHER_GATEWAY, Papers, Port, Reply, Sandbox, ScriptedReceiver, Setup};

/// Suspended five seconds after its tokenization.
const SUSPENDED_SOON: &str = "9999990000000147";
/// Approved after two seconds.
const SLOW: &str = "9999990000000048";

/// `POST /clock/advance`, its answer held against the document of the admin port.
pub(crate) async fn advanced(sandbox: &Sandbox, body: Value) -> (u16, Value) {
    let (status, text) = sandbox.admin.post_text("/clock/advance", body.to_string()).await;
    let json = [("content-type".to_owned(), "application/json".to_owned())];
    let judged = sandbox.admin.document().judge_answer("advanceClock", status, &json, text.as_bytes());
    assert_eq!(judged, Ok(()), "{body}: {status} {text}");
    (status, serde_json::from_str(&text).expect("JSON"))
}

/// Each thing that fired: seconds since the sandbox began, kind, and what or how it was.
fn fired(passed: &Value) -> Vec<Value> {
    let detail = |fired: &Value| match fired["kind"].as_str() {
        Some("event") => json!([fired["what"], fired["outcome"]]),
        Some("delivery") => json!([fired["attempt"], fired["outcome"]]),
        Some("expiry") => fired["what"].clone(),
        _ => fired["correlationId"].clone(),
    };
    let all = passed["fired"].as_array().expect("a list");
    all.iter().map(|fired| json!([fired["at"], fired["kind"], detail(fired)])).collect()
}

async fn merchant(caller: &Caller) -> (String, String) {
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    (bearer, merchant)
}

#[tokio::test]
async fn what_falls_due_is_told_in_order_each_at_its_moment_and_stands_in_the_journal() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let script = vec![Reply::status(503).retry_after(90), Reply::status(204)];
    let receiver = ScriptedReceiver::start(&folder, port, script, Vec::new());
    let caller = sandbox.caller(Papers::good());
    let (bearer, merchant) = merchant(&caller).await;
    let token = caller.tokenize(&bearer, &merchant, SUSPENDED_SOON, "0426").await.text("tokenId");
    let (status, passed) = advanced(&sandbox, json!({"by": "90d"})).await;
    assert_eq!((status, &passed["now"]), (200, &json!("2026-07-21T10:00:00.000Z")));
    let wanted = [
        json!(["2026-04-22T10:00:05.000Z", "event", ["token.suspend", "done"]]),
        json!(["2026-04-22T10:00:05.000Z", "delivery", [1, "retry"]]),
        json!(["2026-04-22T10:01:35.000Z", "delivery", [2, "delivered"]]),
        json!(["2026-04-22T10:15:00.000Z", "expiry", "accessToken"]),
        json!(["2026-05-01T00:00:00.000Z", "expiry", "card"]),
    ];
    assert_eq!(fired(&passed), wanted);
    let journal = sandbox.admin.journal().await;
    for fired in passed["fired"].as_array().expect("a list") {
        let n = fired["journal"].as_u64().expect("a number");
        let entry = &journal[usize::try_from(n).expect("small") - 1];
        assert_eq!((&entry["n"], &entry["at"]), (&json!(n), &fired["at"]));
        assert_eq!(entry["gateway"], fired["gateway"]);
        if fired["kind"] != "expiry" || fired["what"] == "card" {
            assert_eq!((&entry["tokenId"], &fired["tokenId"]), (&json!(token), &json!(token)));
        } else {
            assert_eq!(entry["correlationId"], "system-tests", "of the request that asked for it");
        }
    }
    assert_eq!(passed["journal"], journal.last().expect("an entry")["n"]);
    receiver.assert_clean();
    // A card that has expired changes no token: that is the issuer's business (C21, C25).
    let state: Value = serde_json::from_str(&sandbox.admin.get("/state").await).expect("JSON");
    assert_eq!(state["gateways"][0]["merchants"][0]["tokens"][0]["state"], "SUSPENDED");
    // It is not tokenized any more (C29).
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let late = caller.tokenize(&bearer, &merchant, SUSPENDED_SOON, "0426").await;
    assert_eq!((late.status, late.text("errorCode").as_str()), (400, "INVALID_FIELD"));
}

#[tokio::test]
async fn a_slow_answer_falls_due_and_the_clock_waits_until_it_was_given() {
    let sandbox = Sandbox::start().await;
    let caller = sandbox.caller(Papers::good());
    let (bearer, merchant) = merchant(&caller).await;
    // Until it is at the issuer, and so waits for the clock, nothing falls due but ends.
    let slow = caller.tokenize(&bearer, &merchant, SLOW, "1239");
    let moved = async {
        loop {
            let (_, passed) = advanced(&sandbox, json!({"until": "quiet"})).await;
            assert_eq!(passed["now"], "2026-04-22T10:00:00.000Z");
            let (status, passed) = advanced(&sandbox, json!({"by": "2s"})).await;
            assert_eq!(status, 200);
            if !fired(&passed).is_empty() {
                return passed;
            }
        }
    };
    let (slow, passed) = tokio::join!(slow, moved);
    assert_eq!(slow.status, 201);
    assert_eq!(passed["fired"][0]["correlationId"], "system-tests");
    let created = slow.text("creationTimestamp");
    assert_eq!(fired(&passed), [json!([created, "answer", "system-tests"])]);
}

#[tokio::test]
async fn tokens_expire_as_facts_and_still_pay() {
    let sandbox = Sandbox::start().await;
    let other = sandbox.caller(Papers::other());
    let (other_bearer, other_merchant) = merchant(&other).await;
    other.token(&other_bearer, &other_merchant).await;
    let caller = sandbox.caller(Papers::good());
    let (bearer, merchant) = merchant(&caller).await;
    let token = caller.token(&bearer, &merchant).await;
    let until = json!({"event": "expiry.token", "tokenId": token});
    let (status, passed) = advanced(&sandbox, json!({"until": until})).await;
    assert_eq!((status, &passed["now"]), (200, &json!("2030-05-01T00:00:00.000Z")));
    let gateways: Vec<_> =
        passed["fired"].as_array().expect("a list").iter().map(|fired| &fired["gateway"]).collect();
    assert!(gateways.contains(&&json!(OTHER_GATEWAY)), "the other token expires then as well: {gateways:?}");
    let caller = sandbox.caller(Papers::good());
    let paid = caller.pay(&caller.bearer().await, &merchant, &token).await;
    assert_eq!(paid.status, 201, "no state of C21 is one of being expired");
    let path = caller.path(&format!("/{merchant}/tokens/{token}"));
    let read = caller.call(Method::GET, &path, &caller.bearer().await, Value::Null).await;
    assert_eq!(read.text("state"), "ACTIVE");
}

#[tokio::test]
async fn what_cannot_be_done_is_told_with_the_time_and_moves_nothing() {
    let sandbox = Sandbox::start().await;
    for (body, named) in [
        (json!({}), "by, to and until"),
        (json!({"by": "1s", "until": "next"}), "more than one"),
        (json!({"by": "0s"}), "by:"),
        (json!({"by": "4000d"}), "by:"),
        (json!({"to": "tomorrow"}), "to:"),
        (json!({"to": "2026-04-22T09:59:59Z"}), "2026-04-22T10:00:00.000Z"),
        (json!({"to": "2100-01-01T00:00:01Z"}), "2099"),
        (json!({"until": "later"}), "until:"),
        (json!({"until": {"gateway": "MGW_000001"}}), "no event"),
        (json!({"until": {"event": "doomsday"}}), "expiry.accessToken"),
        (json!({"until": {"event": "answer", "whose": "mine"}}), "until:"),
        (json!({"until": {"event": "answer", "gateway": "short"}}), "until.gateway"),
        (json!({"until": "quiet", "silence": "11s"}), "silence:"),
        (json!({"until": "quiet", "silence": 200}), "silence:"),
        (json!({"until": "quiet", "patience": "1s"}), "patience"),
    ] {
        let (status, answer) = advanced(&sandbox, body.clone()).await;
        let error = answer["error"].as_str().expect("a text");
        assert_eq!((status, error.contains(named)), (400, true), "{body}: {error}");
    }
    for until in [json!("next"), json!({"event": "delivery"})] {
        let (status, answer) = advanced(&sandbox, json!({"until": until})).await;
        assert_eq!((status, &answer["errorCode"]), (409, &json!("NOTHING_DUE")), "{answer}");
    }
    assert_eq!(sandbox.admin.now().await, "2026-04-22T10:00:00.000Z");
}

#[tokio::test]
async fn assertions_go_by_the_systems_clock_if_told_and_all_else_by_the_sandboxs() {
    let setup = Setup { auth_clock: AuthClock::System, ..Setup::default() };
    let sandbox = Sandbox::with(Folder::shared(), setup).await;
    let info: Value = serde_json::from_str(&sandbox.admin.get("/info").await).expect("JSON");
    assert_eq!((&info["clock"], &info["authClock"]), (&json!("manual"), &json!("system")));
    let now_ms = Folder::now().unix_timestamp() * 1000;
    let by_the_system = Caller::new(&sandbox.folder, &sandbox.api_url(), Papers::good(), now_ms);
    for step in ["1s", "90d", "2900d"] {
        assert_eq!(advanced(&sandbox, json!({"by": step})).await.0, 200);
        let (bearer, merchant) = merchant(&by_the_system).await;
        by_the_system.token(&bearer, &merchant).await;
        let by_the_sandbox = sandbox.caller(Papers::good());
        let refused = by_the_sandbox.ask_token(by_the_sandbox.token_request()).await;
        assert_eq!((refused.status, refused.text("error").as_str()), (400, "assertion"), "{step}");
        // The bearer ends on the sandbox's clock.
        let until = json!({"event": "expiry.accessToken"});
        assert_eq!(advanced(&sandbox, json!({"until": until})).await.0, 200);
        let path = by_the_system.path("");
        let ended = by_the_system.call(Method::POST, &path, &bearer, json!({"merchantName": "A"})).await;
        assert_eq!(ended.status, 401);
    }
}

#[tokio::test]
async fn who_holds_the_clock_moves_it_alone_and_others_are_told_who_it_is() {
    let sandbox = Sandbox::start().await;
    let (status, lease) =
        sandbox.admin.post("/clock/lease", json!({"holder": "nightly run", "for": "1h"})).await;
    assert_eq!((status, &lease["holder"], &lease["seconds"]), (201, &json!("nightly run"), &json!(3600.0)));
    let id = lease["lease"].as_str().expect("a lease");
    for body in [json!({"by": "1s"}), json!({"by": "1s", "lease": "another"})] {
        let (status, refused) = advanced(&sandbox, body).await;
        let error = refused["error"].as_str().expect("a text");
        assert_eq!((status, &refused["errorCode"]), (409, &json!("CLOCK_IN_USE")));
        assert!(error.contains("nightly run") && !error.contains(id), "{error}");
    }
    let (status, refused) = sandbox.admin.post("/clock/lease", json!({"holder": "another"})).await;
    assert_eq!((status, &refused["errorCode"]), (409, &json!("CLOCK_IN_USE")));
    assert_eq!(sandbox.admin.post("/clock/lease", json!({"lease": id, "for": "60s"})).await.0, 200);
    let (status, passed) = advanced(&sandbox, json!({"by": "1s", "lease": id})).await;
    assert_eq!((status, &passed["now"]), (200, &json!("2026-04-22T10:00:01.000Z")));
    for (body, named) in [
        (json!({}), "holder"),
        (json!({"holder": ""}), "holder:"),
        (json!({"holder": "a", "for": "2h"}), "for:"),
        (json!({"holder": "a", "lease": "b"}), "body:"),
        (json!({"holder": "a", "still": "yes"}), "still:"),
        (json!({"holder": "a", "wait": "61s"}), "wait:"),
        (json!({"lease": id, "still": true}), "still:"),
        (json!({"lease": id, "wait": "1s"}), "wait:"),
    ] {
        let (status, answer) = sandbox.admin.post("/clock/lease", body).await;
        assert_eq!(
            (status, answer["error"].as_str().expect("a text").contains(named)),
            (400, true),
            "{answer}"
        );
    }
    let path = format!("/clock/lease/{id}");
    assert_eq!((sandbox.admin.delete(&path).await, sandbox.admin.delete(&path).await), (204, 409));
    assert_eq!(advanced(&sandbox, json!({"by": "1s"})).await.0, 200);
    let (status, ended) = advanced(&sandbox, json!({"by": "1s", "lease": id})).await;
    assert_eq!((status, &ended["errorCode"]), (409, &json!("LEASE_ENDED")));
    assert!(!sandbox.admin.journal_text().await.contains(id));
}

#[tokio::test]
async fn while_somebody_needs_the_clock_to_stand_still_nobody_moves_it_and_who_waits_comes_next() {
    let sandbox = Sandbox::start().await;
    let lease = |body: Value| {
        let sandbox = &sandbox;
        async move {
            let (status, text) = sandbox.admin.post_text("/clock/lease", body.to_string()).await;
            let headers = [("content-type".to_owned(), "application/json".to_owned())];
            assert_eq!(
                sandbox.admin.document().judge_answer("leaseClock", status, &headers, text.as_bytes()),
                Ok(()),
                "{text}"
            );
            (status, serde_json::from_str::<Value>(&text).expect("JSON"))
        }
    };
    let (status, one) = lease(json!({"holder": "one", "still": true})).await;
    assert_eq!((status, &one["still"]), (201, &json!(true)));
    let (_, other) = lease(json!({"holder": "other", "still": true})).await;
    for shown in [json!({}), json!({"lease": one["lease"]})] {
        let with = |way: Value| {
            let mut body = way;
            body.as_object_mut().expect("an object").extend(shown.as_object().expect("an object").clone());
            body
        };
        let (status, refused) = advanced(&sandbox, with(json!({"by": "1s"}))).await;
        assert_eq!((status, &refused["errorCode"]), (409, &json!("CLOCK_IN_USE")));
        assert!(
            refused["error"].as_str().is_some_and(|text| text.starts_with("one needs the clock")),
            "{refused}"
        );
        assert_eq!(advanced(&sandbox, with(json!({"until": "quiet"}))).await.0, 200);
    }
    let (waited, ()) = tokio::join!(lease(json!({"holder": "mover", "wait": "60s"})), async {
        for held in [&one, &other] {
            let path = format!("/clock/lease/{}", held["lease"].as_str().expect("a lease"));
            assert_eq!(sandbox.admin.delete(&path).await, 204);
        }
    });
    assert_eq!((waited.0, &waited.1["still"]), (201, &json!(false)));
    let (status, refused) = lease(json!({"holder": "one", "still": true})).await;
    assert_eq!((status, &refused["errorCode"]), (409, &json!("CLOCK_IN_USE")));
}
