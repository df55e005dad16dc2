//! Faults that are set over the admin port, on the wire.

use std::time::Duration;

use d1_client::{Card, Error, NewToken};
use http::Method;
use serde_json::{Value, json};
use system_tests::{Caller, Papers, Sandbox};

use crate::clock::advanced;
use crate::flow::{APPROVED, first_payment, onboard, tokenize};

/// A caller with a bearer and a merchant, over one version of HTTP.
struct Shop {
    sandbox: Sandbox,
    caller: Caller,
    bearer: String,
    merchant: String,
}

impl Shop {
    async fn open(http2: bool) -> Self {
        let sandbox = Sandbox::start().await;
        let caller =
            Caller::with(&sandbox.folder, &sandbox.api_url(), Papers::good(), sandbox.now_ms(), |builder| {
                if http2 { builder } else { builder.http1_only() }
            });
        let bearer = caller.bearer().await;
        let merchant = caller.merchant(&bearer).await;
        Self { sandbox, caller, bearer, merchant }
    }

    /// A tokenization that may come to nothing.
    async fn tokenize(&self) -> Result<u16, String> {
        let card = self.caller.sealed(&json!({"pan": APPROVED, "exp": "1239"}));
        let path = self.caller.path(&format!("/{}/tokens", self.merchant));
        let bearer = format!("Bearer {}", self.bearer);
        let headers = [
            ("x-correlation-id", "faults"),
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
        ];
        let body = json!({"encryptedData": card}).to_string();
        self.caller.try_send(Method::POST, &path, &headers, body).await.map(|answer| answer.status)
    }

    /// How many tokens there are.
    async fn tokens(&self) -> usize {
        let state: Value = serde_json::from_str(&self.sandbox.admin.get("/state").await).expect("JSON");
        state["gateways"][0]["merchants"][0]["tokens"].as_array().expect("tokens").len()
    }

    /// The entry of the last tokenization.
    async fn entry(&self) -> Value {
        let entries = self.sandbox.admin.journal().await;
        let last = entries
            .iter()
            .rev()
            .find(|entry| entry["operation"] == "createToken" && entry["kind"] == "request");
        last.expect("a createToken").clone()
    }
}

#[tokio::test]
async fn a_forced_answer_comes_as_often_as_told_does_nothing_and_is_marked() {
    let shop = Shop::open(true).await;
    let fault = json!({
        "name": "busy", "on": ["creates"], "merchant": shop.merchant, "times": 2,
        "answer": {"status": 503, "retryAfter": "30s"},
    });
    shop.sandbox.admin.fault(fault).await;
    let answer = shop.caller.tokenize(&shop.bearer, &shop.merchant, APPROVED, "1239").await;
    assert_eq!(answer.json(), json!({"errorCode": "SERVICE_UNAVAILABLE", "error": "service unavailable"}));
    assert_eq!((answer.status, &answer.headers["retry-after"]), (503, &"30".parse().expect("a value")));
    assert_eq!((shop.tokenize().await, shop.tokens().await), (Ok(503), 0));
    let entry = shop.entry().await;
    assert_eq!((&entry["forced"], &entry["faults"]), (&json!(true), &json!(["busy"])));
    assert_eq!((shop.tokenize().await, shop.tokens().await), (Ok(201), 1));
    assert_eq!(shop.entry().await["forced"], Value::Null);
    let faults: Value = serde_json::from_str(&shop.sandbox.admin.get("/faults").await).expect("JSON");
    let (applied, over) = (&faults["faults"][0]["applied"], &faults["faults"][0]["over"]);
    assert_eq!((applied, over), (&json!(2), &json!(true)));
}

#[tokio::test]
async fn a_reset_before_does_nothing_and_a_reset_after_loses_the_answer_alone() {
    for http2 in [false, true] {
        let shop = Shop::open(http2).await;
        for (at, done) in [("before", 0), ("after", 1)] {
            shop.sandbox
                .admin
                .fault(json!({"name": at, "on": ["createToken"], "times": 1, "reset": at}))
                .await;
            let fault = shop.tokenize().await.expect_err("no answer");
            assert!(fault.contains("reset"), "no orderly end: {fault}");
            assert_eq!((shop.tokens().await, &shop.entry().await["status"]), (done, &Value::Null), "{at}");
        }
        assert_eq!(shop.tokenize().await, Ok(201), "the next call is answered, http2: {http2}");
    }
}

#[tokio::test]
async fn an_answer_breaks_in_its_head_in_its_body_or_is_cut_short_and_was_done() {
    for http2 in [false, true] {
        let shop = Shop::open(http2).await;
        let effects = [json!({"reset": "head"}), json!({"reset": "body"}), json!({"truncate": true})];
        for (done, mut fault) in (1..).zip(effects) {
            fault["times"] = json!(1);
            fault["on"] = json!(["createToken"]);
            shop.sandbox.admin.fault(fault.clone()).await;
            let told = shop.tokenize().await.expect_err("no whole answer");
            assert_eq!(shop.tokens().await, done, "{fault}: {told}");
            assert_eq!(shop.entry().await["status"], 201, "{fault}");
        }
        assert_eq!(shop.tokenize().await, Ok(201), "http2: {http2}");
    }
}

#[tokio::test]
async fn a_connection_that_is_sent_away_answers_and_the_next_call_comes_over_another() {
    for http2 in [false, true] {
        let shop = Shop::open(http2).await;
        let handshakes = async || {
            let entries = shop.sandbox.admin.journal().await;
            entries.iter().filter(|entry| entry["kind"] == "handshake").count()
        };
        assert_eq!((shop.tokenize().await, handshakes().await), (Ok(201), 1));
        shop.sandbox.admin.fault(json!({"goaway": true, "times": 1})).await;
        let answer = shop.caller.tokenize(&shop.bearer, &shop.merchant, APPROVED, "1239").await;
        // A caller of HTTP/1.1 learns it from the answer, or would send his next call onto a connection that dies.
        let told = answer.headers.get("connection").map(http::HeaderValue::as_bytes);
        assert_eq!((answer.status, told), (201, (!http2).then_some(&b"close"[..])));
        // In HTTP/2 the farewell may come after the answer: whoever is first, the second call from here is not the first
        // connection's any more.
        assert_eq!((shop.tokenize().await, shop.tokenize().await), (Ok(201), Ok(201)));
        assert_eq!(handshakes().await, 2, "http2: {http2}");
    }
}

#[tokio::test]
async fn latency_passes_on_the_sandbox_clock() {
    let shop = Shop::open(true).await;
    shop.sandbox.admin.fault(json!({"name": "slow", "on": ["createToken"], "latency": "10s"})).await;
    let waits = async {
        shop.sandbox.admin.struck("slow").await;
        let before = shop.tokens().await;
        let (_, passed) = advanced(&shop.sandbox, json!({"until": "next"})).await;
        (before, passed)
    };
    let (answered, (before, passed)) = tokio::join!(shop.tokenize(), waits);
    assert_eq!((answered, before, shop.tokens().await), (Ok(201), 0, 1));
    let fired = json!({
        "at": "2026-04-22T10:00:10.000Z", "kind": "answer", "gateway": "MGW_000001", "correlationId": "faults",
        "journal": passed["fired"][0]["journal"],
    });
    assert_eq!(passed["fired"], json!([fired]));
}

#[tokio::test]
async fn a_call_hangs_until_the_fault_is_lifted_before_or_after_it_is_done() {
    for (at, done) in [("before", 0), ("after", 1)] {
        let shop = Shop::open(true).await;
        shop.sandbox.admin.fault(json!({"name": "hang", "on": ["createToken"], "stall": at})).await;
        let lifts = async {
            shop.sandbox.admin.struck("hang").await;
            if done == 1 {
                let made = |entry: &Value| entry["cause"] == "token.created";
                shop.sandbox.admin.entry("the token", made).await;
            }
            let before = shop.tokens().await;
            assert_eq!(shop.sandbox.admin.delete("/faults/hang").await, 204);
            before
        };
        let (answered, before) = tokio::join!(shop.tokenize(), lifts);
        assert_eq!((answered, before, shop.tokens().await), (Ok(201), done, 1), "{at}");
    }
}

#[tokio::test]
async fn a_call_that_hangs_holds_no_clock_up_and_goes_on_when_the_faults_time_is_over() {
    let shop = Shop::open(true).await;
    shop.sandbox
        .admin
        .fault(json!({"on": ["createToken"], "name": "hang", "stall": "before", "for": "1h"}))
        .await;
    let passes = async {
        shop.sandbox.admin.struck("hang").await;
        let (status, early) = advanced(&shop.sandbox, json!({"by": "59m"})).await;
        assert_eq!(status, 200, "it is in the clock's way: {early}");
        let before = shop.tokens().await;
        let (_, late) = advanced(&shop.sandbox, json!({"until": {"event": "expiry.fault"}})).await;
        (early["fired"].clone(), before, late)
    };
    let (answered, (early, before, late)) = tokio::join!(shop.tokenize(), passes);
    // The bearer ends after a quarter of an hour, so that the call goes on to be refused.
    assert_eq!((answered, &early[0]["what"], &early[1]), (Ok(401), &json!("accessToken"), &Value::Null));
    assert_eq!((before, &late["now"]), (0, &json!("2026-04-22T11:00:00.000Z")));
    let ended = &late["fired"][0];
    assert_eq!(
        (&ended["kind"], &ended["what"], &ended["at"]),
        (&json!("expiry"), &json!("fault"), &late["now"])
    );
    let entries = shop.sandbox.admin.journal().await;
    let found = entries.iter().find(|entry| entry["n"] == ended["journal"]).expect("the entry");
    assert_eq!(
        (&found["kind"], &found["what"], &found["name"]),
        (&json!("fault"), &json!("ended"), &json!("hang"))
    );
    let refused = shop.entry().await;
    assert_eq!(
        (&refused["status"], &refused["at"]),
        (&json!(401), &late["now"]),
        "the advance waited for it"
    );
}

#[tokio::test]
async fn a_revoked_bearer_is_refused_from_then_on_and_a_new_one_is_good() {
    let shop = Shop::open(true).await;
    shop.sandbox.admin.fault(json!({"on": ["createToken"], "revokeBearer": true, "times": 1})).await;
    assert_eq!((shop.tokenize().await, shop.tokenize().await), (Ok(401), Ok(401)));
    let shop = Shop { bearer: shop.caller.bearer().await, ..shop };
    assert_eq!(shop.tokenize().await, Ok(201));
    // The first has ended already: of the two there is one end to come.
    let (_, passed) = advanced(&shop.sandbox, json!({"by": "1h"})).await;
    let what = |fired: &Value| fired["what"].clone();
    let fired: Vec<Value> = passed["fired"].as_array().expect("a list").iter().map(what).collect();
    assert_eq!(fired, [json!("accessToken")]);
}

#[tokio::test]
async fn what_befalls_a_body_waits_for_an_answer_that_has_one() {
    let shop = Shop::open(true).await;
    let token = shop.caller.token(&shop.bearer, &shop.merchant).await;
    shop.sandbox.admin.fault(json!({"name": "half", "truncate": true, "times": 1})).await;
    let path = shop.caller.path(&format!("/{}/tokens/{token}", shop.merchant));
    let deleted = shop.caller.call(Method::DELETE, &path, &shop.bearer, Value::Null).await;
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    let bearer = format!("Bearer {}", shop.bearer);
    let headers = [("x-correlation-id", "faults"), ("authorization", bearer.as_str())];
    shop.caller.try_send(Method::GET, &path, &headers, "").await.expect_err("half of its 404");
    shop.caller.call(Method::GET, &path, &shop.bearer, Value::Null).await;
    let entries = shop.sandbox.admin.journal().await;
    let struck: Vec<_> = entries.iter().filter(|entry| entry["what"] == "struck").collect();
    assert_eq!((struck.len(), &struck[0]["operation"]), (1, &json!("getToken")));
}

#[tokio::test]
async fn a_call_that_waits_goes_on_when_what_it_waits_for_is_lifted_or_all_begins_anew() {
    let shop = Shop::open(true).await;
    let again = shop.sandbox.caller(Papers::good());
    for end in ["/faults/slow", "/reset", "/reset?gateway=MGW_000001"] {
        let (bearer, merchant) = (again.bearer().await, again.merchant(&again.bearer().await).await);
        for name in ["slow", "slower"] {
            shop.sandbox.admin.fault(json!({"name": name, "on": ["createToken"], "latency": "10s"})).await;
            if end.starts_with("/faults") {
                break;
            }
        }
        let ends = async {
            shop.sandbox.admin.struck("slow").await;
            while shop.sandbox.admin.get("/clock?wait_ms=10000").await.contains(r#""heldUntil":null"#) {}
            match end {
                "/faults/slow" => assert_eq!(shop.sandbox.admin.delete(end).await, 204),
                reset => assert_eq!(shop.sandbox.admin.post(reset, json!({})).await.0, 204),
            }
            shop.sandbox.admin.get("/clock").await
        };
        let (answer, clock) = tokio::join!(again.tokenize(&bearer, &merchant, APPROVED, "1239"), ends);
        // What began anew knows the bearer no more.
        assert_eq!(answer.status, if end == "/faults/slow" { 201 } else { 401 }, "{end}");
        assert!(clock.contains(r#""heldUntil":null"#), "{end}: {clock}");
        shop.sandbox.admin.delete("/faults").await;
    }
}

#[tokio::test]
async fn our_client_gets_over_a_revoked_bearer_and_unknown_members() {
    let sandbox = Sandbox::start().await;
    sandbox.admin.fault(json!({"unknownMembers": 10})).await;
    sandbox.admin.fault(json!({"on": ["creates", "reads"], "revokeBearer": true, "every": 2})).await;
    let now = sandbox.admin.now().await;
    assert_eq!(first_payment(&sandbox.client(&sandbox.api_url()), &now).await, Ok(()));
}

#[tokio::test]
async fn a_limit_refuses_what_is_beyond_it_until_its_window_ends() {
    let shop = Shop::open(true).await;
    shop.sandbox.admin.fault(json!({"on": ["createToken"], "limit": {"calls": 1, "per": "1m"}})).await;
    assert_eq!(shop.tokenize().await, Ok(201));
    shop.sandbox.advance(Duration::from_secs(20)).await;
    let answer = shop.caller.tokenize(&shop.bearer, &shop.merchant, APPROVED, "1239").await;
    assert_eq!((answer.status, &answer.headers["retry-after"]), (429, &"40".parse().expect("a value")));
    shop.sandbox.advance(Duration::from_secs(40)).await;
    assert_eq!(shop.tokenize().await, Ok(201));
}

#[tokio::test]
async fn a_fault_of_a_card_comes_behind_all_checks_before_the_card() {
    let shop = Shop::open(true).await;
    let fault = json!({
        "name": "card", "on": ["createToken"], "card": "decline", "answer": {"status": 503},
    });
    shop.sandbox.admin.fault(fault).await;
    let with = async |bearer: &str, pan: &str| {
        shop.caller.tokenize(bearer, &shop.merchant, pan, "1239").await.status
    };
    assert_eq!(with("nobody's", "9999990000000022").await, 401);
    assert_eq!(with(&shop.bearer, APPROVED).await, 201);
    assert_eq!(with(&shop.bearer, "9999990000000022").await, 503);
    assert_eq!(shop.entry().await["faults"], json!(["card"]));
}

#[tokio::test]
async fn a_malformed_answer_leaves_our_client_in_doubt_and_the_token_made() {
    for how in [
        json!("notJson"),
        json!("empty"),
        json!("html"),
        json!({"missing": "tokenId"}),
        json!({"wrongType": "tokenId"}),
    ] {
        let sandbox = Sandbox::start().await;
        let client = sandbox.client(&sandbox.api_url());
        let merchant = onboard(&client, &sandbox.admin.now().await).await.expect("a merchant");
        sandbox.admin.fault(json!({"on": ["createToken"], "malformed": how, "times": 1})).await;
        let new = NewToken::new(Card::new(APPROVED, "1239").expect("a card"));
        let fault = client.create_token(&merchant, &new, None).await.expect_err("unreadable");
        assert!(matches!(fault, Error::Unreadable { .. }) && fault.is_ambiguous(), "{how}: {fault}");
        let made = |entry: &Value| entry["cause"] == "token.created";
        sandbox.admin.entry("the token", made).await;
        tokenize(&client, &merchant, &sandbox.admin.now().await).await.expect("a good answer");
    }
}

#[tokio::test]
async fn faults_are_listed_lifted_and_ended_by_a_reset_and_bad_ones_named() {
    let sandbox = Sandbox::start().await;
    let admin = &sandbox.admin;
    let names = async || {
        let faults: Value = serde_json::from_str(&admin.get("/faults").await).expect("JSON");
        let all = faults["faults"].as_array().expect("faults").iter();
        all.map(|fault| fault["name"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    for name in ["a", "b", "c"] {
        admin.fault(json!({"name": name, "goaway": true})).await;
    }
    assert_eq!((admin.delete("/faults/b").await, admin.delete("/faults/b").await), (204, 404));
    assert_eq!(names().await, ["a", "c"]);
    assert_eq!((admin.delete("/faults").await, names().await.len()), (204, 0));
    admin.fault(json!({"goaway": true})).await;
    assert_eq!((admin.post("/reset", json!({})).await.0, names().await.len()), (204, 0));
    for (fault, told) in [
        (json!({"goaway": true, "probabilty": 1}), "probabilty: expected only `name`"),
        (json!({"answer": {"code": "X"}}), "answer.code: expected only `status`"),
        (json!({"answer": {}}), "answer.status: expected a value, found none"),
        (json!([]), "body: "),
        (json!({"goaway": true, "card": "4000000000000002"}), "card: expected"),
        (json!({"reset": "4000000000000002"}), "reset: expected one of `before`"),
    ] {
        let (status, answer) = admin.post("/faults", fault).await;
        let error = answer["error"].as_str().expect("a text").to_owned();
        assert!(status == 400 && error.starts_with(told), "{status} {error}");
    }
}

#[tokio::test]
async fn a_handshake_shows_a_certificate_that_proves_nothing_and_the_next_is_good() {
    let sandbox = Sandbox::start().await;
    for (bad, told) in [
        ("expired", "expired"),
        ("notYetValid", "not valid yet"),
        ("wrongName", "not valid for name"),
        ("clientUsage", "usage"),
        ("unknownAuthority", "UnknownIssuer"),
        ("selfSigned", "UnknownIssuer"),
    ] {
        sandbox.admin.fault(json!({"name": bad, "handshake": {"certificate": bad}, "times": 1})).await;
        let caller = sandbox.caller(Papers::good());
        let path = "/authz/v1/oauth2/token";
        let fault = caller.try_send(Method::POST, path, &[], "").await.expect_err("no handshake");
        assert!(fault.contains(told), "{bad}: {fault}");
        caller.bearer().await;
        let blamed = |entry: &Value| entry["refused"].is_object() && entry["faults"] == json!([bad]);
        sandbox.admin.entry("the fault's name", blamed).await;
    }
    let view = |entry: &Value| entry["refused"]["check"] == "the caller's view of D1's certificate";
    sandbox.admin.entry("the caller's refusal", view).await;
}

#[tokio::test]
async fn a_handshake_is_closed_or_hangs_until_the_fault_is_lifted() {
    let sandbox = Sandbox::start().await;
    sandbox
        .admin
        .fault(json!({"name": "close", "on": ["connections"], "handshake": "close", "times": 1}))
        .await;
    let caller = sandbox.caller(Papers::good());
    caller.try_send(Method::POST, "/authz/v1/oauth2/token", &[], "").await.expect_err("no handshake");
    sandbox.admin.fault(json!({"name": "hang", "handshake": "stall"})).await;
    let lifts = async {
        sandbox.admin.struck("hang").await;
        assert_eq!(sandbox.admin.delete("/faults/hang").await, 204);
    };
    tokio::join!(caller.bearer(), lifts);
    for (name, accepted) in [("close", false), ("hang", true)] {
        let struck = |entry: &Value| entry["kind"] == "handshake" && entry["faults"] == json!([name]);
        assert_eq!(sandbox.admin.entry("the fault's name", struck).await["accepted"], accepted);
    }
}

#[tokio::test]
async fn a_connection_that_fell_idle_closes_without_a_word() {
    let shop = Shop::open(false).await;
    let handshakes = async || {
        let entries = shop.sandbox.admin.journal().await;
        entries.iter().filter(|entry| entry["kind"] == "handshake").count()
    };
    shop.sandbox.admin.fault(json!({"closeIdle": "1ms", "times": 1})).await;
    assert_eq!((shop.tokenize().await, handshakes().await), (Ok(201), 1));
    // A call on the old connection fails for want of an answer; how many come before the end depends on who is faster.
    while shop.tokenize().await == Ok(201) && handshakes().await == 1 {}
    assert_eq!((shop.tokenize().await, handshakes().await), (Ok(201), 2));
}
