//! Our client and our receiver against `--hostile`: everything comes to its end, and nothing is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use d1_client::{Card, Client, Error, MerchantId, NewMerchant, NewToken, Retry, TokenId, TransactionType};
use serde_json::{Value, json};
use system_tests::{Folder, GatewayReceiver, Port, Sandbox, Setup};

use crate::flow::APPROVED;

const TOKENS: usize = 4;
const PAYMENTS: usize = 3;
const EVENTS: usize = 7;
/// Faults that a good application gets over by calling again, at most.
const MOST_CALLS: usize = 10;

/// What a run has left behind.
#[derive(Debug)]
struct Outcome {
    /// The state of each token at D1, and in the receiver's store.
    states: Vec<(String, String)>,
    /// The state of each token for who believes whatever came last.
    believed: Vec<String>,
    /// The effects that struck.
    effects: BTreeSet<String>,
}

/// As an application does it: what may be made again is made again.
async fn again<T>(call: impl AsyncFn() -> Result<T, Error>) -> T {
    for _ in 0..MOST_CALLS {
        match call().await {
            Ok(done) => return done,
            Err(fault) if fault.is_ambiguous() || fault.retry() != Retry::Never => {}
            Err(fault) => panic!("{fault}"),
        }
    }
    panic!("no end in {MOST_CALLS} calls")
}

async fn tokenized(client: &Client) -> (MerchantId, Vec<TokenId>) {
    let new = NewMerchant::new("Corner Bookshop").expect("a name");
    let merchant = again(async || client.create_merchant(&new, None).await).await.merchant_id;
    let new = NewToken::new(Card::new(APPROVED, "1239").expect("a card"));
    let mut tokens = Vec::new();
    for _ in 0..TOKENS {
        let token = again(async || client.create_token(&merchant, &new, None).await).await.token_id;
        for _ in 0..PAYMENTS {
            again(async || client.create_transaction(&merchant, &token, TransactionType::Single, None).await)
                .await;
            again(async || client.get_token(&merchant, &token, None).await).await;
        }
        tokens.push(token);
    }
    (merchant, tokens)
}

async fn run(seed: u64) -> Outcome {
    let (folder, port) = (Folder::shared(), Port::take());
    let setup = Setup { seed, receiver: Some(port.url()), hostile: true, ..Setup::default() };
    let sandbox = Sandbox::with(folder.clone(), setup).await;
    let receiver = GatewayReceiver::start(&folder, port, None, sandbox.clock.clone());
    let client = sandbox.client(&sandbox.api_url());
    // Time passes while something waits for it, on both sides alike.
    let passes = async || loop {
        sandbox.advance(Duration::from_millis(100)).await;
    };
    let (merchant, tokens) = tokio::select! {
        made = tokenized(&client) => made,
        never = passes() => never,
    };
    for event in ["token.suspend", "token.resume"].into_iter().cycle().take(EVENTS) {
        for token in &tokens {
            sandbox.admin.event(token.as_str(), event, json!({})).await;
        }
    }
    // More than a swap waits for.
    sandbox.advance(Duration::from_secs(60)).await;
    let state: Value = serde_json::from_str(&sandbox.admin.get("/state").await).expect("JSON");
    assert_eq!(state["outbox"], 0, "all is delivered");
    let told = state.to_string();
    let mut states = Vec::new();
    for token in &tokens {
        let at_d1 = state_of(&state, token.as_str()).unwrap_or_else(|| panic!("{token:?} in {told}"));
        let record = receiver.record(&merchant, token).await.expect("a record");
        let kept = record.state.map(|state| state.as_str().to_owned()).unwrap_or_default();
        states.push((at_d1, kept));
    }
    let seen = receiver.seen.all();
    let mut last: BTreeMap<String, String> = BTreeMap::new();
    for (notification, _) in seen {
        let state = notification.state.map(|state| state.as_str().to_owned()).unwrap_or_default();
        last.insert(notification.token_id.as_str().to_owned(), state);
    }
    let believed = tokens.iter().map(|token| last[token.as_str()].clone()).collect();
    let entries = sandbox.admin.journal().await;
    let struck = entries.iter().filter(|entry| entry["kind"] == "fault" && entry["what"] == "struck");
    let effects = struck.map(|entry| entry["effect"].as_str().expect("an effect").to_owned()).collect();
    Outcome { states, believed, effects }
}

fn state_of(state: &Value, token: &str) -> Option<String> {
    let merchants = state["gateways"].as_array()?.iter().flat_map(|gateway| gateway["merchants"].as_array());
    let tokens = merchants.flatten().filter_map(|merchant| merchant["tokens"].as_array());
    let found = tokens.flatten().find(|one| one["tokenId"] == token)?;
    Some(found["state"].as_str()?.to_owned())
}

#[tokio::test]
async fn client_and_receiver_get_over_all_of_it_and_who_believes_what_comes_last_does_not() {
    let (mut effects, mut misled) = (BTreeSet::new(), 0);
    for seed in 1..=3 {
        let outcome = run(seed).await;
        for ((at_d1, kept), believed) in outcome.states.iter().zip(&outcome.believed) {
            assert_eq!((at_d1, kept), (&"SUSPENDED".to_owned(), at_d1), "seed {seed}: {outcome:?}");
            misled += usize::from(believed != at_d1);
        }
        effects.extend(outcome.effects);
    }
    assert!(misled > 0, "some token's last two events are swapped");
    for effect in ["unknownMembers", "latency", "answer", "closeIdle", "duplicate", "reorder"] {
        assert!(effects.contains(effect), "{effect} never struck: {effects:?}");
    }
}
