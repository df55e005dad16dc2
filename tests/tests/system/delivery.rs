//! Delivery to receivers that are down, slow of mind, or final (contract C23, C24).

use std::time::Duration;

use d1_client::Clock;
use d1_client::receiver::ClientCredentials;
use serde_json::{Value, json};
use system_tests::{
    Caller, Folder, GatewayReceiver, Papers, Port, Reply, START_MS, Sandbox, ScriptedReceiver, Setup, Tap,
};

/// A token of a fresh merchant, and who may ask for more.
struct Ready {
    caller: Caller,
    bearer: String,
    merchant: String,
    token: String,
}

async fn ready(sandbox: &Sandbox) -> Ready {
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    Ready { caller, bearer, merchant, token }
}

/// Moves the clock to where the entry says that the next attempt is due.
async fn advance_to_next(sandbox: &Sandbox, delivery: &Value) -> u64 {
    let due = millis(delivery["nextAt"].as_str().expect("a next attempt"));
    let left = u64::try_from(due - sandbox.now_ms()).expect("in the future");
    sandbox.advance(Duration::from_millis(left)).await;
    left
}

/// Milliseconds since 1970 of an RFC 3339 text of April 22, 2026 (no delivery here lasts beyond the day).
fn millis(text: &str) -> i64 {
    let clock = text.strip_prefix("2026-04-22T").and_then(|rest| rest.strip_suffix('Z')).expect("that day");
    let number = |range: std::ops::Range<usize>| clock[range].parse::<i64>().expect("a number");
    let of_day = ((number(0..2) * 60 + number(3..5)) * 60 + number(6..8)) * 1000 + number(9..12);
    START_MS - 10 * 3_600_000 + of_day
}

#[tokio::test]
async fn a_receiver_that_was_down_gets_every_event_once_and_in_order_when_it_returns() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let Ready { caller, bearer, merchant, token } = ready(&sandbox).await;
    let other = caller.token(&bearer, &merchant).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    sandbox.admin.event(&token, "token.resume", json!({})).await;
    sandbox.admin.event(&token, "card.delete", json!({})).await;
    for (token, attempt) in [(&token, 1), (&other, 1), (&token, 2), (&other, 2)] {
        let failed = sandbox.admin.delivery(token, 1, attempt).await;
        assert_eq!((&failed["outcome"], &failed["status"]), (&json!("retry"), &Value::Null), "{failed}");
        if attempt == 1 && token == &other {
            // Both second attempts fall due within this second, the third ones do not.
            sandbox.advance(Duration::from_secs(1)).await;
        }
    }
    let receiver = GatewayReceiver::start(&folder, port, None, Clock::system());
    sandbox.advance(Duration::from_secs(2)).await;
    for (token, sequence, attempt) in [(&token, 1, 3), (&token, 2, 1), (&token, 3, 1), (&other, 1, 3)] {
        assert_eq!(sandbox.admin.delivery(token, sequence, attempt).await["outcome"], "delivered");
    }
    let told: Vec<(String, Option<u64>)> = receiver
        .seen
        .all()
        .into_iter()
        .map(|(told, _)| (told.token_id.as_str().to_owned(), told.sequence))
        .collect();
    let of = |id: &str| -> Vec<Option<u64>> {
        told.iter().filter(|(token, _)| token == id).map(|(_, sequence)| *sequence).collect()
    };
    assert_eq!(of(&token), [Some(1), Some(2), Some(3)], "each once, and in order");
    assert_eq!(of(&other), [Some(1)]);
}

#[tokio::test]
async fn an_event_is_given_up_after_eight_attempts_at_growing_distances_and_the_next_one_goes_on() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let script = vec![Reply::status(500), Reply::status(503), Reply::status(502), Reply::status(429)];
    let script = [script.clone(), script].concat();
    let receiver = ScriptedReceiver::start(&folder, port, script, Vec::new());
    let Ready { token, .. } = ready(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    sandbox.admin.event(&token, "token.resume", json!({})).await;
    for attempt in 1..8_u32 {
        let entry = sandbox.admin.delivery(&token, 1, u64::from(attempt)).await;
        assert_eq!(entry["outcome"], "retry", "{entry}");
        let waited = advance_to_next(&sandbox, &entry).await;
        let full = 1000 * 2_u64.pow(attempt - 1);
        assert!((full * 8 / 10..=full).contains(&waited), "attempt {attempt}: {waited} ms of {full}");
    }
    let last = sandbox.admin.delivery(&token, 1, 8).await;
    assert_eq!((&last["outcome"], &last["nextAt"]), (&json!("givenUp"), &Value::Null));
    let next = sandbox.admin.delivery(&token, 2, 1).await;
    assert_eq!(next["outcome"], "delivered");
    receiver.assert_clean();
    let got = receiver.got();
    assert_eq!(got.len(), 9);
    assert!(got[..8].windows(2).all(|pair| pair[0].text == pair[1].text), "the same event, byte for byte");
    assert_eq!((&got[0].body["sequence"], &got[8].body["sequence"]), (&json!(1), &json!(2)));
}

#[tokio::test]
async fn an_answer_that_is_final_is_not_repeated() {
    for status in [400, 401, 403, 404, 405, 413, 415, 301] {
        let (folder, port) = (Folder::shared(), Port::take());
        let sandbox = Sandbox::notifying(port.url()).await;
        let receiver = ScriptedReceiver::start(&folder, port, vec![Reply::status(status)], Vec::new());
        let Ready { token, .. } = ready(&sandbox).await;
        sandbox.admin.event(&token, "token.suspend", json!({})).await;
        sandbox.admin.event(&token, "token.resume", json!({})).await;
        let entry = sandbox.admin.delivery(&token, 1, 1).await;
        assert_eq!((&entry["outcome"], &entry["status"]), (&json!("refused"), &json!(status)), "{entry}");
        sandbox.admin.delivery(&token, 2, 1).await;
        // Whatever might still come would come within the longest pause.
        sandbox.advance(Duration::from_secs(3600)).await;
        assert_eq!(receiver.got().len(), 2, "{status}");
        receiver.assert_clean();
    }
}

#[tokio::test]
async fn the_receiver_s_retry_after_is_honoured_where_it_is_longer() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = Sandbox::notifying(port.url()).await;
    let script = vec![Reply::status(429).retry_after(120), Reply::status(503).retry_after(0)];
    let receiver = ScriptedReceiver::start(&folder, port, script, Vec::new());
    let Ready { token, .. } = ready(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    let first = sandbox.admin.delivery(&token, 1, 1).await;
    assert_eq!(advance_to_next(&sandbox, &first).await, 120_000);
    let second = sandbox.admin.delivery(&token, 1, 2).await;
    let waited = advance_to_next(&sandbox, &second).await;
    assert!((1600..=2000).contains(&waited), "{waited} ms: a receiver cannot ask for haste");
    let third = sandbox.admin.delivery(&token, 1, 3).await;
    assert_eq!(third["outcome"], "delivered");
    receiver.assert_clean();
}

/// A configuration with client credentials, in a file of its own.
pub(crate) fn with_oauth(folder: &Folder, name: &str, url: &str) -> String {
    folder.write(&format!("{name}.secret"), "open-sesame-12345");
    let oauth = format!(
        "      authority: ca/receiver-ca.pem\n      oauth:\n        tokenUrl: {url}/oauth2/token\n        clientId: \
         d1-sandbox\n        clientSecretFile: {name}.secret\n        scope: notify\n"
    );
    let text = folder.text("sandbox.yaml");
    let changed = text.replacen("      authority: ca/receiver-ca.pem\n", &oauth, 1);
    assert_ne!(text, changed, "the template names the receiver's authority");
    let file = format!("{name}.yaml");
    folder.write(&file, &changed);
    file
}

async fn notifying_with_oauth(folder: std::sync::Arc<Folder>, name: &str, url: String) -> Sandbox {
    let file = with_oauth(&folder, name, &url);
    Sandbox::with(folder, Setup { receiver: Some(url), file, ..Setup::default() }).await
}

#[tokio::test]
async fn with_client_credentials_one_token_serves_all_notifications_within_the_contract() {
    let folder = Folder::shared();
    let credentials = ClientCredentials::new("d1-sandbox", "open-sesame-12345").expect("credentials");
    let receiver = GatewayReceiver::start(&folder, Port::take(), Some(credentials), Clock::system());
    let tap = Tap::outbound(&folder, receiver.url.clone());
    let sandbox = notifying_with_oauth(folder, "happy", tap.url()).await;
    let Ready { token, .. } = ready(&sandbox).await;
    for (sequence, event) in [(1, "token.suspend"), (2, "token.resume")] {
        sandbox.admin.event(&token, event, json!({})).await;
        assert_eq!(sandbox.admin.delivery(&token, sequence, 1).await["outcome"], "delivered");
    }
    tap.assert_clean();
    let contract = tap.contract();
    let passed: Vec<_> =
        tap.exchanges().iter().map(|one| one.operation(contract).map(str::to_owned)).collect();
    let wanted =
        ["getAccessToken", "notifyTokenUpdate", "notifyTokenUpdate"].map(|name| Some(name.to_owned()));
    assert_eq!(passed, wanted);
    assert_eq!(receiver.seen.all().len(), 2);
}

#[tokio::test]
async fn a_refused_bearer_is_replaced_once_and_the_notification_replayed_once() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = notifying_with_oauth(folder.clone(), "replay", port.url()).await;
    let script = vec![Reply::status(401), Reply::status(204), Reply::status(401), Reply::status(401)];
    let tokens = ["one", "two", "three"].map(Reply::bearer).to_vec();
    let receiver = ScriptedReceiver::start(&folder, port, script, tokens);
    let Ready { token, .. } = ready(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    assert_eq!(sandbox.admin.delivery(&token, 1, 1).await["outcome"], "delivered");
    sandbox.admin.event(&token, "token.resume", json!({})).await;
    let refused = sandbox.admin.delivery(&token, 2, 1).await;
    assert_eq!((&refused["outcome"], &refused["status"]), (&json!("refused"), &json!(401)));
    receiver.assert_clean();
    let got = receiver.got();
    let seen: Vec<String> = got
        .iter()
        .map(|one| {
            format!(
                "{} {}",
                one.path.rsplit('/').next().unwrap_or(""),
                one.header("authorization").unwrap_or("")
            )
        })
        .collect();
    let basic = "token Basic ZDEtc2FuZGJveDpvcGVuLXNlc2FtZS0xMjM0NQ==";
    let wanted = [
        basic,
        "notify-update Bearer one",
        basic,
        "notify-update Bearer two",
        "notify-update Bearer two",
        basic,
        "notify-update Bearer three",
    ];
    assert_eq!(seen, wanted);
    assert_eq!(got[0].text, "grant_type=client_credentials&scope=notify");
}

#[tokio::test]
async fn without_a_token_of_the_receiver_the_notification_waits_and_is_tried_again() {
    let (folder, port) = (Folder::shared(), Port::take());
    let sandbox = notifying_with_oauth(folder.clone(), "tokenless", port.url()).await;
    let receiver =
        ScriptedReceiver::start(&folder, port, Vec::new(), vec![Reply::status(503), Reply::bearer("late")]);
    let Ready { token, .. } = ready(&sandbox).await;
    sandbox.admin.event(&token, "token.suspend", json!({})).await;
    let first = sandbox.admin.delivery(&token, 1, 1).await;
    assert_eq!((&first["call"], &first["outcome"]), (&json!("getAccessToken"), &json!("retry")), "{first}");
    advance_to_next(&sandbox, &first).await;
    assert_eq!(sandbox.admin.delivery(&token, 1, 2).await["outcome"], "delivered");
    receiver.assert_clean();
}
