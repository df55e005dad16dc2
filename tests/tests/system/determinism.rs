//! One seed and a clock that stands: two runs leave the same journal.

use std::time::Duration;

use serde_json::{Value, json};
use system_tests::{Folder, Papers, Port, Reply, Sandbox, ScriptedReceiver, Setup};

/// A scripted run: onboarding, a good and a declined tokenization, payments, events, a receiver that is slow of mind.
async fn journal_of(seed: u64) -> String {
    let (folder, port) = (Folder::shared(), Port::take());
    let setup = Setup { seed, receiver: Some(port.url()), ..Setup::default() };
    let sandbox = Sandbox::with(folder, setup).await;
    let script = vec![Reply::status(503), Reply::status(500)];
    let _receiver = ScriptedReceiver::start(&sandbox.folder, port, script, Vec::new());
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let merchant = caller.merchant(&bearer).await;
    let token = caller.token(&bearer, &merchant).await;
    caller.tokenize(&bearer, &merchant, "9999990000000022", "1239").await;
    caller.pay(&bearer, &merchant, &token).await;
    sandbox.admin.event(&token, "card.replace", json!({})).await;
    for attempt in 1..=2 {
        sandbox.admin.delivery(&token, 1, attempt).await;
        sandbox.advance(Duration::from_secs(2)).await;
    }
    sandbox.admin.delivery(&token, 1, 3).await;
    caller.pay(&bearer, &merchant, &token).await;
    masked(&sandbox.admin.journal().await)
}

/// Without what must differ: the hash and size of bodies that hold ciphertexts, signatures or bearers.
pub(crate) fn masked(entries: &[Value]) -> String {
    let mut text = String::new();
    for entry in entries {
        let mut entry = entry.clone();
        for body in ["request", "answer"] {
            let random = entry[body]["shown"].as_object().is_some_and(|shown| {
                ["encryptedData", "assertion", "access_token"].iter().any(|name| shown.contains_key(*name))
            });
            if random {
                entry[body]["sha256"] = json!("masked");
                entry[body]["bytes"] = json!("masked");
            }
        }
        text.push_str(&format!("{entry}\n"));
    }
    text
}

#[tokio::test]
async fn the_same_seed_leaves_the_same_journal_and_another_seed_another() {
    let (first, second, other) = (journal_of(11).await, journal_of(11).await, journal_of(12).await);
    assert!(
        first.contains("\"kind\":\"delivery\"") && first.contains("\"cause\":\"card.replace\""),
        "{first}"
    );
    for (one, two) in first.lines().zip(second.lines()) {
        assert_eq!(one, two);
    }
    assert_eq!(first, second);
    assert_ne!(first, other);
}
