//! Gateways that are made while the sandbox runs: side by side in one process on one port, and nothing to each other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use d1_fixtures::Plan;
use http::Method;
use serde_json::{Value, json};
use system_tests::{Answer, Caller, Folder, Papers, Port, Reply, Sandbox, ScriptedReceiver, Setup};

const ONE: Papers = Papers {
    gateway: "MGW_000042",
    certificate: None,
    assertion: "gateways/MGW_000042/assertion",
    jwe: "gateways/MGW_000042/jwe.jwk",
};
const OTHER: Papers = Papers {
    gateway: "MGW_000043",
    certificate: None,
    assertion: "gateways/MGW_000043/assertion",
    jwe: "gateways/MGW_000043/jwe.jwk",
};

fn papers(of: Papers) -> Papers {
    Papers { certificate: Some(format!("gateways/{}/client", of.gateway)), ..of }
}

/// A folder of its own: gateways that others make in it would take names away.
async fn sandbox() -> Sandbox {
    let folder = Arc::new(Folder::make(&Plan::new(Folder::now())));
    Sandbox::with(folder, Setup::default()).await
}

/// Makes a gateway, and holds the answer against the document.
async fn make(sandbox: &Sandbox, order: Value) -> Value {
    let (status, text) = sandbox.admin.post_text("/gateways", order.to_string()).await;
    assert_eq!(status, 201, "{text}");
    assert!(!text.contains("PRIVATE") && !text.contains("\"d\""), "{text}");
    let headers = [("content-type".to_owned(), "application/json".to_owned())];
    let judged = sandbox.admin.document().judge_answer("addGateway", status, &headers, text.as_bytes());
    assert_eq!(judged, Ok(()), "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// A gateway at work: its merchant, its token, its receiver.
struct AtWork {
    caller: Caller,
    receiver: ScriptedReceiver,
    bearer: String,
    merchant: String,
    token: String,
}

impl AtWork {
    /// Makes it and lets it tokenize and pay.
    async fn new(sandbox: &Sandbox, of: Papers) -> Self {
        let port = Port::take();
        let order = json!({"gateway": of.gateway, "receiver": {"url": port.url()}});
        let made = make(sandbox, order).await;
        let paths = made["paths"].as_object().expect("paths");
        assert!(paths.values().all(|path| Path::new(path.as_str().expect("text")).exists()), "{made}");
        let receiver = ScriptedReceiver::start(&sandbox.folder, port, Vec::new(), Vec::new());
        let caller = sandbox.caller(papers(of));
        let bearer = caller.bearer().await;
        let merchant = caller.merchant(&bearer).await;
        let token = caller.token(&bearer, &merchant).await;
        let paid = caller.pay(&bearer, &merchant, &token).await;
        assert_eq!(paid.status, 201);
        assert_eq!(caller.opened(&paid)["dpan"].as_str().map(str::len), Some(16), "sealed to its own key");
        Self { caller, receiver, bearer, merchant, token }
    }

    fn gateway(&self) -> &'static str {
        self.caller.papers().gateway
    }

    async fn event(&self, sandbox: &Sandbox, event: &str) -> (u16, Value) {
        let body = json!({"gateway": self.gateway(), "tokenId": self.token, "event": event});
        sandbox.admin.post("/events", body).await
    }

    async fn get(&self, bearer: &str, merchant: &str, token: &str) -> Answer {
        let path = self.caller.path(&format!("/{merchant}/tokens/{token}"));
        self.caller.call(Method::GET, &path, bearer, Value::Null).await
    }

    /// The merchants of its view of the state.
    async fn state(&self, sandbox: &Sandbox) -> Value {
        let state = sandbox.admin.get(&format!("/state?gateway={}", self.gateway())).await;
        serde_json::from_str(&state).expect("JSON")
    }
}

async fn both(sandbox: &Sandbox) -> (AtWork, AtWork) {
    tokio::join!(AtWork::new(sandbox, ONE), AtWork::new(sandbox, OTHER))
}

#[tokio::test]
async fn two_made_side_by_side_work_and_see_nothing_of_each_other() {
    let sandbox = sandbox().await;
    let (one, other) = both(&sandbox).await;
    for (ours, theirs) in [(&one, &other), (&other, &one)] {
        let stolen = ours.get(&theirs.bearer, &ours.merchant, &ours.token).await;
        assert_eq!(stolen.status, 401);
        let unknown = ours.get(&ours.bearer, &theirs.merchant, &theirs.token).await;
        assert_eq!((unknown.status, unknown.text("errorCode")), (404, "RESOURCE_NOT_FOUND".to_owned()));
        let path = theirs.caller.path(&format!("/{}/tokens/{}", theirs.merchant, theirs.token));
        let foreign = ours.caller.call(Method::GET, &path, &ours.bearer, Value::Null).await;
        assert_eq!((foreign.status, foreign.text("errorCode")), (403, "FORBIDDEN".to_owned()));
        let body = json!({"gateway": ours.gateway(), "tokenId": theirs.token, "event": "token.suspend"});
        assert_eq!(sandbox.admin.post("/events", body).await.0, 404);
    }
    // Both have tokenized the same card, and what befalls it at one concerns that one alone.
    assert_eq!(one.event(&sandbox, "card.replace").await.0, 202);
    assert_eq!(other.event(&sandbox, "token.suspend").await.0, 202);
    for ours in [&one, &other] {
        assert_eq!(sandbox.admin.delivery(&ours.token, 1, 1).await["outcome"], "delivered");
        ours.receiver.assert_clean();
        let got = ours.receiver.got();
        assert_eq!(got.len(), 1);
        assert!(got[0].path.contains(ours.gateway()), "{}", got[0].path);
    }
    assert_eq!(one.receiver.got()[0].body["eventType"], "CARD_UPDATED");
    assert_eq!(other.receiver.got()[0].body["eventType"], "TOKEN_SUSPENDED");
    let state = one.state(&sandbox).await;
    let shown = state["gateways"].as_array().expect("gateways");
    assert_eq!((shown.len(), &shown[0]["gateway"], &state["outbox"]), (1, &json!(ONE.gateway), &json!(0)));
    let journal = sandbox.admin.get(&format!("/journal?gateway={}", ONE.gateway)).await;
    assert!(journal.lines().count() > 8 && journal.contains("CARD_UPDATED"), "{journal}");
    for line in journal.lines() {
        let entry: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(entry["gateway"], ONE.gateway);
    }
    let info: Value = serde_json::from_str(&sandbox.admin.get("/info").await).expect("JSON");
    let mut known: Vec<_> =
        info["gateways"].as_array().expect("a list").iter().map(Value::to_string).collect();
    // Which of the two was made first is chance.
    known.sort();
    assert_eq!(known, ["MGW_000001", "MGW_000002", ONE.gateway, OTHER.gateway].map(|id| format!("\"{id}\"")));
}

#[tokio::test]
async fn one_begins_anew_and_the_other_goes_on() {
    let sandbox = sandbox().await;
    let (one, other) = both(&sandbox).await;
    let (status, _) = sandbox.admin.post(&format!("/reset?gateway={}", ONE.gateway), json!({})).await;
    assert_eq!(status, 204);
    assert_eq!(one.get(&one.bearer, &one.merchant, &one.token).await.status, 401, "its bearer has ended");
    let bearer = one.caller.bearer().await;
    assert_eq!(one.get(&bearer, &one.merchant, &one.token).await.status, 404, "its token is gone");
    assert_eq!(one.state(&sandbox).await["gateways"], json!([]));
    assert_eq!(other.get(&other.bearer, &other.merchant, &other.token).await.status, 200);
    assert_eq!(sandbox.admin.post("/reset", json!({})).await.0, 204);
    assert_eq!(other.get(&other.bearer, &other.merchant, &other.token).await.status, 401);
    for ours in [&one, &other] {
        let bearer = ours.caller.bearer().await;
        let merchant = ours.caller.merchant(&bearer).await;
        let token = ours.caller.token(&bearer, &merchant).await;
        let body = json!({"gateway": ours.gateway(), "tokenId": token, "event": "token.suspend"});
        assert_eq!(sandbox.admin.post("/events", body).await.0, 202);
        assert_eq!(sandbox.admin.delivery(&token, 1, 1).await["outcome"], "delivered", "the gateways stay");
    }
}

#[tokio::test]
async fn one_that_is_deleted_is_let_in_no_more_and_told_nothing_more() {
    let sandbox = sandbox().await;
    let (one, other) = both(&sandbox).await;
    // Its notifications fail from here on, and wait.
    drop(one.receiver);
    let event = json!({"gateway": ONE.gateway, "tokenId": one.token, "event": "token.suspend"});
    assert_eq!(sandbox.admin.post("/events", event.clone()).await.0, 202);
    assert_eq!(sandbox.admin.delivery(&one.token, 1, 1).await["outcome"], "retry");

    assert_eq!(sandbox.admin.delete("/gateways/MGW_000042").await, 204);
    assert!(!sandbox.folder.path("gateways/MGW_000042").exists(), "its keys are gone");
    assert_eq!(sandbox.admin.delete("/gateways/MGW_000042").await, 404);
    assert_eq!(sandbox.admin.post("/events", event).await.0, 404);
    let last = sandbox.admin.journal().await.last().expect("an entry")["n"].as_u64().expect("a number");
    // The connection that it has still.
    let path = one.caller.path(&format!("/{}/tokens/{}", one.merchant, one.token));
    let refused = one.caller.call(Method::GET, &path, &one.bearer, Value::Null).await;
    assert_eq!((refused.status, refused.text("errorCode")), (403, "FORBIDDEN".to_owned()));
    assert_eq!(one.caller.ask_token(one.caller.token_request()).await.status, 403);
    let entry = sandbox.admin.entry_after(last, "the refusal", |entry| entry["kind"] == "request").await;
    assert_eq!(entry["refused"]["check"], "certificate gateway", "{entry}");
    let state: Value = serde_json::from_str(&sandbox.admin.get("/state").await).expect("JSON");
    assert_eq!((&state["outbox"], state["gateways"].as_array().map(Vec::len)), (&json!(0), Some(1)));
    sandbox.advance(Duration::from_secs(600)).await;
    let told = sandbox.admin.journal().await;
    let after = told.iter().filter(|entry| entry["n"].as_u64() > Some(last));
    assert_eq!(after.filter(|entry| entry["kind"] == "delivery").count(), 0);
    assert_eq!(other.event(&sandbox, "token.suspend").await.0, 202);
    assert_eq!(sandbox.admin.delivery(&other.token, 1, 1).await["outcome"], "delivered");

    // Its name may be had again, by somebody with keys of his own.
    let again = AtWork::new(&sandbox, ONE).await;
    assert_eq!(again.get(&one.bearer, &again.merchant, &again.token).await.status, 401);
    assert_eq!(again.get(&again.bearer, &one.merchant, &one.token).await.status, 404);
}

#[tokio::test]
async fn each_has_the_retries_and_the_credentials_that_it_was_made_with() {
    let sandbox = sandbox().await;
    let port = Port::take();
    let oauth = json!({"tokenUrl": format!("{}/oauth2/token", port.url()), "clientId": "d1", "clientSecret": "open-sesame-12345"});
    let retry = json!({"firstDelay": "30s", "attempts": 2});
    let order =
        json!({"gateway": ONE.gateway, "receiver": {"url": port.url(), "oauth": oauth, "retry": retry}});
    let made = make(&sandbox, order).await;
    assert!(!made.to_string().contains("open-sesame"), "{made}");
    let script = vec![Reply::status(503), Reply::status(503)];
    let receiver = ScriptedReceiver::start(&sandbox.folder, port, script, vec![Reply::bearer("for-the-one")]);
    let caller = sandbox.caller(papers(ONE));
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    let event = json!({"gateway": ONE.gateway, "tokenId": token, "event": "token.suspend"});
    assert_eq!(sandbox.admin.post("/events", event).await.0, 202);
    assert_eq!(sandbox.admin.delivery(&token, 1, 1).await["outcome"], "retry");
    sandbox.advance(Duration::from_secs(23)).await;
    assert_eq!(
        receiver.got().len(),
        2,
        "a token and a notification; the next is due after 24 s at the earliest"
    );
    sandbox.advance(Duration::from_secs(7)).await;
    assert_eq!(sandbox.admin.delivery(&token, 1, 2).await["outcome"], "givenUp");
    receiver.assert_clean();
    let got = receiver.got();
    assert_eq!(got[1].header("authorization"), Some("Bearer for-the-one"));
    let all = sandbox.admin.journal_text().await + &sandbox.admin.get("/gateways").await;
    assert!(!all.contains("open-sesame") && !all.contains("for-the-one"));
}

#[tokio::test]
async fn the_same_run_names_the_same_gateways_and_stopping_takes_their_folders_away() {
    for _ in 0..2 {
        let folder = Arc::new(Folder::make(&Plan::new(Folder::now())));
        let sandbox = Sandbox::with(folder.clone(), Setup::default()).await;
        for wanted in ["MGW_000003", "MGW_000004"] {
            assert_eq!(make(&sandbox, json!({})).await["gateway"], wanted);
        }
        assert!(folder.path("gateways/MGW_000004/client.key").exists());
        sandbox.stop().await;
        assert!(!folder.path("gateways/MGW_000004").exists() && folder.path("gateway/client.key").exists());
    }
}

#[tokio::test]
async fn an_answer_that_one_waits_for_is_its_own_and_is_not_waited_for_once_it_is_deleted() {
    let sandbox = sandbox().await;
    let (one, other) = both(&sandbox).await;
    let fault = json!({"name": "slow", "gateways": [ONE.gateway], "on": ["getToken"], "latency": "10s"});
    assert_eq!(sandbox.admin.post("/faults", fault).await.0, 201);
    let waits = one.get(&one.bearer, &one.merchant, &one.token);
    let held = async |whose: &str| -> Value {
        let text = sandbox.admin.get(&format!("/clock?{whose}")).await;
        let headers = [("content-type".to_owned(), "application/json".to_owned())];
        assert_eq!(
            sandbox.admin.document().judge_answer("getClock", 200, &headers, text.as_bytes()),
            Ok(()),
            "{text}"
        );
        serde_json::from_str::<Value>(&text).expect("JSON")["heldUntil"].clone()
    };
    let (answer, ()) = tokio::join!(waits, async {
        let until = held("wait_ms=60000&gateway=MGW_000043&gateway=MGW_000042").await;
        assert_eq!(until, "2026-04-22T10:00:10.000Z");
        assert_eq!(held("gateway=MGW_000043").await, Value::Null);
        assert_eq!(other.get(&other.bearer, &other.merchant, &other.token).await.status, 200);
        assert_eq!(sandbox.admin.delete("/gateways/MGW_000042").await, 204);
        assert_eq!(held("").await, Value::Null);
    });
    assert_eq!(answer.status, 403, "it is nobody's by then");
    assert_eq!(sandbox.admin.get("/faults").await, r#"{"faults":[]}"#, "its fault is gone with it");
}

/// What stops a call where it is, and what it is answered once its gateway is deleted and the clock moves on.
const UNDER_WAY: [(&str, &str, u16); 4] = [
    // Not judged yet.
    ("slow", r#"{"on":["getToken"],"latency":"2s"}"#, 403),
    // Let go by the deletion, which lifts the fault.
    ("hung", r#"{"on":["deleteToken"],"stall":"before"}"#, 403),
    // Judged, and on its way to a merchant that is gone with the gateway.
    ("issuer", r#"{"on":["createToken"],"card":"approve","latency":"2s"}"#, 404),
    // Carried out before.
    ("paid", r#"{"on":["createTransaction"],"stall":"after"}"#, 201),
];

#[tokio::test]
async fn what_is_under_way_when_its_gateway_is_deleted_comes_to_its_end_and_leaves_nothing_behind() {
    let sandbox = sandbox().await;
    let (one, other) = both(&sandbox).await;
    for (name, fault, _) in UNDER_WAY {
        let mut fault: Value = serde_json::from_str(fault).expect("JSON");
        (fault["name"], fault["gateway"]) = (name.into(), ONE.gateway.into());
        sandbox.admin.fault(fault).await;
    }
    let from = sandbox.admin.journal().await.last().expect("an entry")["n"].as_u64().expect("a number");
    let path = one.caller.path(&format!("/{}/tokens/{}", one.merchant, one.token));
    let deleted = async {
        for (name, ..) in UNDER_WAY {
            sandbox.admin.struck(name).await;
        }
        assert_eq!(sandbox.admin.delete("/gateways/MGW_000042").await, 204);
        sandbox.advance(Duration::from_secs(5)).await;
    };
    let (slow, hung, issuer, paid, ()) = tokio::join!(
        one.get(&one.bearer, &one.merchant, &one.token),
        one.caller.call(Method::DELETE, &path, &one.bearer, Value::Null),
        one.caller.tokenize(&one.bearer, &one.merchant, "9999990000000014", "1239"),
        one.caller.pay(&one.bearer, &one.merchant, &one.token),
        deleted,
    );
    let answered = [slow, hung, issuer, paid];
    for ((name, _, wanted), answer) in UNDER_WAY.iter().zip(&answered) {
        assert_eq!(answer.status, *wanted, "{name}: {}", String::from_utf8_lossy(&answer.body));
    }

    let journal = sandbox.admin.journal().await;
    let of_one = |entry: &&Value| entry["gateway"] == ONE.gateway && entry["n"].as_u64() > Some(from);
    let of_one: Vec<&Value> = journal.iter().filter(of_one).collect();
    let ended = of_one.iter().position(|entry| entry["outcome"] == "deleted").expect("the deletion");
    let told = of_one[ended..].iter().filter(|entry| entry["kind"] == "request").count();
    assert_eq!(told, UNDER_WAY.len(), "each call has one entry: {of_one:#?}");
    for entry in &of_one[ended + 1..] {
        assert!(["request", "fault"].contains(&entry["kind"].as_str().expect("a kind")), "{entry}");
    }
    let state: Value = serde_json::from_str(&sandbox.admin.get("/state").await).expect("JSON");
    let shown: Vec<&Value> =
        state["gateways"].as_array().expect("a list").iter().map(|gateway| &gateway["gateway"]).collect();
    assert_eq!((shown, &state["outbox"]), (vec![&json!(other.gateway())], &json!(0)));
    let faults: Value = serde_json::from_str(&sandbox.admin.get("/faults").await).expect("JSON");
    assert_eq!(faults["faults"], json!([]));
    // Who has the name next begins with nothing.
    let again = AtWork::new(&sandbox, ONE).await;
    assert_eq!(again.get(&again.bearer, &one.merchant, &one.token).await.status, 404);
}
