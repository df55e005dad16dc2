//! An advance is complete: whether the clock goes its way in one step or in many, the same things happen at the same
//! moments in the same order. Over random schedules, with two gateways whose receivers fail as drawn, over real TLS.

use std::fmt;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use serde_json::{Value, json};
use system_tests::{Caller, Folder, OTHER_GATEWAY, Papers, Port, Reply, Sandbox, ScriptedReceiver, Setup};
use tokio::runtime::Runtime;

use crate::determinism::masked;

/// Approved; and suspended, renewed, replaced, deleted, extended five seconds after their tokenization.
const CARDS: [&str; 6] = [
    "9999990000000014",
    "9999990000000147",
    "9999990000000121",
    "9999990000000139",
    "9999990000000154",
    "9999990000000162",
];
/// The first ones expire on the way of most schedules.
const EXPIRIES: [&str; 3] = ["0426", "0526", "1239"];
const EVENTS: [&str; 5] = ["token.suspend", "token.resume", "token.extend", "card.renew", "card.replace"];
/// What befalls notifications, for as long as it says.
const FAULTS: [&str; 4] = [
    r#"{"on": ["notifications"], "delay": "90m", "for": "3d"}"#,
    r#"{"on": ["notifications"], "reorder": "20m", "every": 2, "for": "10d"}"#,
    r#"{"on": ["notifications"], "duplicate": 1, "probability": 0.5, "mostInARow": 2, "for": "1h"}"#,
    r#"{"on": ["notifications"], "drop": true, "nth": 3}"#,
];
/// An hour before the tokens expire that were made when the sandbox began.
const YEARS_LATER: &str = "2030-04-30T23:00:00Z";
/// Two thousand bearers are more than a schedule needs; a token endpoint without one would answer 503 for ever.
const BEARERS: usize = 2_000;

/// A token of a gateway (0 or 1), made with a bearer of its own, some milliseconds after the one before it.
#[derive(Debug, Clone)]
struct Made {
    gateway: usize,
    card: &'static str,
    expiry: &'static str,
    gap_ms: u64,
}

/// A schedule, and a way of many steps from its begin to its end.
#[derive(Debug, Clone)]
struct Plan {
    seed: u64,
    tokens: Vec<Made>,
    /// The schedule begins years later.
    late: bool,
    faults: Vec<&'static str>,
    /// Told before the clock moves, each of the token with this number.
    events: Vec<(usize, &'static str)>,
    /// What the receiver of each gateway answers first: status, and the seconds of a `Retry-After`.
    answers: [Vec<(u16, Option<u32>)>; 2],
    /// At which of its first requests the token endpoint of the second gateway fails.
    tokenless: Vec<bool>,
    length_ms: u64,
    steps_ms: Vec<u64>,
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:#?}")
    }
}

/// As likely a few milliseconds as a few weeks.
fn length(most_bits: u32) -> impl Strategy<Value = u64> {
    (0..most_bits).prop_flat_map(|bits| (1_u64 << bits)..(2_u64 << bits))
}

fn answers() -> impl Strategy<Value = Vec<(u16, Option<u32>)>> {
    let status = prop::sample::select(vec![204_u16, 400, 401, 429, 500, 503, 503, 503]);
    prop::collection::vec((status, prop::option::of(0_u32..5_000)), 0..14)
}

fn plans() -> impl Strategy<Value = Plan> {
    let made =
        (0_usize..2, prop::sample::select(&CARDS[..]), prop::sample::select(&EXPIRIES[..]), 0_u64..4_000);
    let made = made.prop_map(|(gateway, card, expiry, gap_ms)| Made { gateway, card, expiry, gap_ms });
    (
        any::<u64>(),
        prop::collection::vec(made, 1..6),
        (any::<bool>(), prop::sample::subsequence(&FAULTS[..], 0..3)),
        prop::collection::vec((0_usize..6, prop::sample::select(&EVENTS[..])), 0..4),
        [answers(), answers()],
        prop::collection::vec(any::<bool>(), 0..4),
        length(33),
        prop::collection::vec(length(32), 1..20),
    )
        .prop_map(|(seed, tokens, (late, faults), events, answers, tokenless, length_ms, steps_ms)| {
            Plan { seed: seed >> 1, tokens, late, faults, events, answers, tokenless, length_ms, steps_ms }
        })
}

/// A sandbox with a receiver for each of its gateways; the second one asks for a bearer.
struct Stage {
    sandbox: Sandbox,
    _receivers: [ScriptedReceiver; 2],
}

impl Stage {
    async fn new(plan: &Plan) -> Self {
        let folder = Folder::shared();
        let (first, second) = (Port::take(), Port::take());
        let url = second.url();
        let name = url.rsplit(':').next().expect("a port");
        folder.write(&format!("{name}.secret"), "open-sesame-12345");
        let receiver = format!(
            "    receiver:\n      url: {url}\n      authority: ca/receiver-ca.pem\n      oauth:\n        tokenUrl: \
             {url}/oauth2/token\n        clientId: d1-sandbox\n        clientSecretFile: {name}.secret\n"
        );
        let file = format!("steps-{name}.yaml");
        folder.write(&file, &(folder.text("sandbox.yaml").trim_end().to_owned() + "\n" + &receiver));
        let setup = Setup { seed: plan.seed, receiver: Some(first.url()), file, ..Setup::default() };
        let sandbox = Sandbox::with(Arc::clone(&folder), setup).await;
        let script = |answers: &[(u16, Option<u32>)]| -> Vec<Reply> {
            let reply = |(status, wait): &(u16, Option<u32>)| match wait {
                Some(seconds) => Reply::status(*status).retry_after(*seconds),
                None => Reply::status(*status),
            };
            answers.iter().map(reply).collect()
        };
        let failing = plan.tokenless.iter().copied().chain(std::iter::repeat(false));
        let token =
            |(n, fails)| if fails { Reply::status(503) } else { Reply::bearer(&format!("bearer-{n}")) };
        let tokens = (0..BEARERS).zip(failing).map(token).collect();
        let receivers = [
            ScriptedReceiver::start(&folder, first, script(&plan.answers[0]), Vec::new()),
            ScriptedReceiver::start(&folder, second, script(&plan.answers[1]), tokens),
        ];
        Self { sandbox, _receivers: receivers }
    }

    async fn advance(&self, body: Value) {
        let (status, answer) = self.sandbox.admin.post("/clock/advance", body).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// All that is there when the clock begins its way.
    async fn prepare(&self, plan: &Plan) {
        let callers: [Caller; 2] =
            [Papers::good(), Papers::other()].map(|papers| self.sandbox.caller(papers));
        let mut merchants = Vec::new();
        for caller in &callers {
            merchants.push(caller.merchant(&caller.bearer().await).await);
        }
        let mut tokens = Vec::new();
        for Made { gateway, card, expiry, gap_ms } in &plan.tokens {
            let caller = &callers[*gateway];
            let made = caller.tokenize(&caller.bearer().await, &merchants[*gateway], card, expiry).await;
            tokens.push((*gateway, made.text("tokenId")));
            self.advance(json!({"by": format!("{}ms", gap_ms + 1)})).await;
        }
        if plan.late {
            self.advance(json!({"to": YEARS_LATER})).await;
        }
        for fault in &plan.faults {
            let fault: Value = serde_json::from_str(fault).expect("JSON");
            assert_eq!(self.sandbox.admin.post("/faults", fault).await.0, 201);
        }
        for (token, event) in &plan.events {
            let (gateway, token) = &tokens[token % tokens.len()];
            let gateway = [system_tests::GATEWAY, OTHER_GATEWAY][*gateway];
            // The state may forbid it by now: then that is what both ways have.
            let body = json!({"gateway": gateway, "tokenId": token, "event": event});
            self.sandbox.admin.post("/events", body).await;
            self.advance(json!({"until": "quiet"})).await;
        }
    }

    /// The journal without the clock's own entries and the numbers that they take.
    async fn journal(&self) -> String {
        let mut entries = self.sandbox.admin.journal().await;
        entries.retain(|entry| entry["kind"] != "clock");
        for entry in &mut entries {
            entry.as_object_mut().expect("an object").remove("n");
        }
        masked(&entries)
    }
}

async fn in_one_step(plan: &Plan) -> String {
    let stage = Stage::new(plan).await;
    stage.prepare(plan).await;
    stage.advance(json!({"by": format!("{}ms", plan.length_ms)})).await;
    stage.journal().await
}

async fn in_many_steps(plan: &Plan) -> String {
    let stage = Stage::new(plan).await;
    stage.prepare(plan).await;
    let mut left = plan.length_ms;
    for step in plan.steps_ms.iter().cycle() {
        // A hundred steps at most, however short they are.
        let step = (*step).max(plan.length_ms / 100 + 1).min(left);
        stage.advance(json!({"by": format!("{step}ms")})).await;
        left -= step;
        if left == 0 {
            break;
        }
    }
    stage.journal().await
}

/// The first line in which they differ.
fn same(one: &str, many: &str) -> Result<(), String> {
    if one == many {
        return Ok(());
    }
    let (mut ones, mut manys) = (one.lines(), many.lines());
    loop {
        match (ones.next(), manys.next()) {
            (Some(one), Some(many)) if one == many => {}
            (one, many) => return Err(format!("in one step:\n{one:?}\nin many:\n{many:?}")),
        }
    }
}

#[test]
fn one_step_and_many_leave_the_same_journal() {
    let runtime = Runtime::new().expect("a runtime");
    let config = ProptestConfig { cases: 30, max_shrink_iters: 100, ..ProptestConfig::default() };
    let seen = std::cell::RefCell::new(String::new());
    let gone = TestRunner::new(config).run(&plans(), |plan| {
        let (one, many) = runtime.block_on(async { (in_one_step(&plan).await, in_many_steps(&plan).await) });
        seen.borrow_mut().push_str(&one);
        same(&one, &many).map_err(TestCaseError::fail)
    });
    match gone {
        Ok(()) => {}
        Err(TestError::Fail(reason, least)) => panic!("{reason}\nin\n{least}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
    // What was drawn has all that can fall due in it.
    let seen = seen.into_inner();
    for word in [
        "\"outcome\":\"retry\"",
        "\"outcome\":\"delivered\"",
        "\"outcome\":\"refused\"",
        "\"what\":\"accessToken\"",
        "\"what\":\"receiverToken\"",
        "\"what\":\"card\"",
        "\"what\":\"token\"",
        "\"what\":\"struck\"",
        "\"what\":\"ended\"",
        "\"cause\":\"token.suspend\"",
    ] {
        assert!(seen.contains(word), "no schedule has {word}");
    }
}
