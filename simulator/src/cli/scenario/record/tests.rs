//! Journals of others than our client, and hostile ones.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::lines::{Line, read};
use super::whole::{Head, whole};
use crate::scenario::{Action, Request, Scenario, load};

const GATEWAY: &str = "MGW_000001";
const MERCHANTS: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants";

/// Entries with numbers from 1 on; each at so many milliseconds after ten o'clock.
fn journal(entries: &[(u64, Value)]) -> Vec<Line> {
    let mut text = String::new();
    for (n, (millis, entry)) in (1_u64..).zip(entries) {
        let at = "2026-04-22T10:00:00Z".parse::<jiff::Timestamp>().expect("an instant");
        let at = at.checked_add(std::time::Duration::from_millis(*millis)).expect("an instant");
        let mut line =
            json!({"n": n, "at": format!("{at:.3}"), "gateway": GATEWAY, "correlationId": format!("c-{n}")});
        let members = entry.as_object().expect("an object").clone();
        line.as_object_mut().expect("an object").extend(members);
        text.push_str(&format!("{line}\n"));
    }
    read("j", text.as_bytes()).expect("a journal")
}

fn merchant(name: &str) -> Value {
    json!({"kind": "request", "operation": "createMerchant", "method": "POST", "path": MERCHANTS, "status": 201,
        "request": {"shown": {"merchantName": name}}, "answer": {"shown": {"merchantId": "77"}}})
}

fn token(id: &str, digits: &str) -> Value {
    json!({"kind": "request", "operation": "createToken", "method": "POST", "path": format!("{MERCHANTS}/77/tokens"),
        "status": 201, "request": {"shown": {}}, "answer": {"shown": {"tokenId": id, "cardLastDigits": digits}}})
}

fn with(mut value: Value, more: Value) -> Value {
    value.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    value
}

fn recorded(lines: &[Line]) -> (String, Scenario) {
    let head = Head { name: "day", of: "a test", seed: None, before: None, others: BTreeMap::new() };
    let (text, _) = whole(&head, lines, GATEWAY).expect("a scenario");
    let loaded = load("day.yaml", &[], &|_| Ok(text.clone()));
    let told: Vec<String> = loaded.findings.all().map(ToString::to_string).collect();
    assert_eq!(told, [""; 0], "{text}");
    (text, loaded.scenario.expect("a scenario"))
}

/// The steps alone.
fn steps(entries: &[(u64, Value)]) -> String {
    let (text, _) = recorded(&journal(entries));
    text.split("steps:\n").nth(1).expect("steps").to_owned()
}

#[test]
fn what_our_client_cannot_do_is_a_comment_with_its_number() {
    let refused = |status: u64, check: &str| {
        with(
            token("t", "1111"),
            json!({"status": status, "refused": {"check": check}, "answer": {"shown": {"errorCode": "FORBIDDEN"}}}),
        )
    };
    let text = steps(&[
        (
            0,
            json!({"kind": "handshake", "gateway": null, "accepted": false, "peer": "mallory", "refused": {"check": "chain"}}),
        ),
        (0, merchant("Books")),
        (0, refused(401, "bearer")),
        (0, refused(403, "gateway in the path")),
        (0, json!({"kind": "request", "operation": null, "method": "GET", "path": "/admin", "status": 404})),
        (0, with(token("t", "1111"), json!({"path": format!("{MERCHANTS}/88/tokens")}))),
        (
            0,
            json!({"kind": "transition", "cause": "token.suspend", "tokenId": "u", "from": "ACTIVE", "to": "SUSPENDED"}),
        ),
    ]);
    for wanted in [
        "# journal 1: a connection that D1 refused (chain; mallory) is not played\n",
        "# journal 3: createToken: D1 refused it with 401 (bearer)",
        "# journal 4: createToken: D1 refused it with 403 (gateway in the path)",
        "# journal 5: GET /admin is no operation of D1\n",
        "# journal 6: createToken: nothing played here has made its merchant\n",
        "# journal 7: token.suspend of a token that nothing played here has made\n",
    ] {
        assert!(text.contains(wanted), "{wanted}: {text}");
    }
    assert_eq!(text.matches("- call:").count(), 1, "{text}");
}

#[test]
fn a_caller_that_does_not_repeat_is_not_played_by_our_client_that_does() {
    let storm = json!({"kind": "fault", "gateway": null, "name": "Storm!", "what": "set", "effect": "answer",
        "asked": {"name": "Storm!", "on": ["createToken"], "times": 1, "answer": {"status": 503, "errorCode": "SERVICE_UNAVAILABLE"}}});
    let struck = |status: u64, correlation: &str| {
        with(
            token("t", "1111"),
            json!({"correlationId": correlation, "status": status, "faults": ["Storm!"], "forced": true,
            "answer": {"shown": {"errorCode": "SERVICE_UNAVAILABLE"}}}),
        )
    };
    let alone =
        steps(&[(0, merchant("Books")), (0, storm.clone()), (0, struck(503, "a")), (9, token("t", "1111"))]);
    assert!(alone.contains("- fault: {name: fault-1, on: [createToken],"), "{alone}");
    assert!(
        alone.contains("# journal 3: createToken: the caller left it at 503, which our client repeats\n"),
        "{alone}"
    );
    let again = with(token("t", "1111"), json!({"correlationId": "a"}));
    let both = steps(&[(0, merchant("Books")), (0, storm), (0, struck(503, "a")), (9, again)]);
    assert!(both.contains("card: approve, as: token-1}, attempts: 2}\n"), "{both}");
}

#[test]
fn a_fault_of_a_scenario_on_a_shared_sandbox_is_called_as_there_and_one_of_others_is_not_played() {
    let set = |name: &str, gateways: &[&str]| {
        json!({"kind": "fault", "gateway": null, "name": name, "what": "set", "effect": "goaway",
            "asked": {"name": name, "gateways": gateways, "goaway": true}})
    };
    let (ours, theirs) = (format!("{GATEWAY}-storm"), "MGW_000009-storm");
    let days = [
        (0, set(&ours, &[GATEWAY])),
        (0, set(theirs, &["MGW_000009"])),
        (0, merchant("Books")),
        (1, token("t", "1111")),
    ];
    let text = steps(&days);
    assert!(text.contains("- fault: {name: storm, goaway: true}\n"), "{text}");
    assert!(
        text.contains("the fault `MGW_000009-storm` is not played: it is not for this gateway"),
        "{text}"
    );
}

#[test]
fn on_a_real_clock_times_are_rounded_to_seconds() {
    let pay = |n: &str| {
        json!({"kind": "request", "operation": "createTransaction", "path": format!("{MERCHANTS}/77/tokens/t/transactions"),
            "correlationId": n, "status": 201, "request": {"shown": {"transactionType": "SPLIT"}}})
    };
    let days = [(12, merchant("Books")), (340, token("t", "1111")), (750, pay("a")), (7_733, pay("b"))];
    let text = steps(&days);
    assert_eq!(text.matches("- advance:").count(), 1, "{text}");
    assert!(text.contains("- advance: 7s\n") && text.contains("transactionType: SPLIT"), "{text}");
    let clock = json!({"kind": "clock", "now": "2026-04-22T10:00:07.733Z", "gateway": null});
    let manual = steps(&[&days[..3], &[(7_733, clock), days[3].clone()]].concat());
    assert!(manual.contains("- advance: 6s983ms\n"), "{manual}");
}

#[test]
fn what_the_receiver_answered_is_told_before_the_step_that_makes_it_answer() {
    let suspend = json!({"kind": "transition", "cause": "token.suspend", "tokenId": "t", "from": "ACTIVE", "to": "SUSPENDED",
        "queued": {"eventId": "e", "eventType": "TOKEN_SUSPENDED", "sequence": 1}});
    let delivery = |attempt: u64, status: Value, outcome: &str| {
        json!({"kind": "delivery", "call": "notifyTokenUpdate", "tokenId": "t", "eventId": "e", "attempt": attempt,
            "status": status, "outcome": outcome})
    };
    let text = steps(&[
        (0, merchant("Books")),
        (0, token("t", "1111")),
        (0, suspend),
        (0, delivery(1, Value::Null, "retry")),
        (900, delivery(2, json!(503), "retry")),
        (2_000, delivery(3, json!(200), "delivered")),
    ]);
    let order = [
        "receiver: down",
        "issuer: {event: token.suspend",
        "advance: 899ms",
        "receiver: {answers: 503}",
        "advance: 1s100ms",
        "receiver: up",
        "advance: 1ms",
        "outcome: delivered}",
    ];
    let mut rest = text.as_str();
    for wanted in order {
        let at = rest.find(wanted).unwrap_or_else(|| panic!("{wanted} in {text}"));
        rest = &rest[at..];
    }
}

#[test]
fn what_a_test_card_does_by_itself_is_not_done_twice() {
    let suspend = json!({"kind": "transition", "cause": "token.suspend", "tokenId": "t", "from": "ACTIVE", "to": "SUSPENDED"});
    let soon = steps(&[(0, merchant("Books")), (0, token("t", "0147")), (5_000, suspend.clone())]);
    assert!(soon.contains("card: suspended-soon") && !soon.contains("issuer:"), "{soon}");
    let other = steps(&[(0, merchant("Books")), (0, token("t", "1111")), (5_000, suspend)]);
    assert!(
        other.contains("card: approve") && other.contains("issuer: {event: token.suspend, token: token-1}"),
        "{other}"
    );
}

#[test]
fn what_is_lost_of_a_journal_is_told() {
    let mut lines = journal(&[(0, merchant("Books"))]);
    lines.insert(0, Line::Gap { n: 0, from: 0 });
    let (text, _) = recorded(&lines);
    assert!(text.contains("# journal 0: the entries from 0 on are lost"), "{text}");
}

/// Texts that would be something else if they were not quoted.
fn hostile() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "\n",
        "\r\n",
        "steps:\n",
        "\n  - advance: 1d\n",
        "\"",
        "'",
        "\\",
        "}",
        "]",
        ", as: evil",
        ": ",
        " #",
        "&a",
        "*a",
        "${x}",
        "${",
        "!!binary ",
        "|\n",
        "\u{85}",
        "\u{2028}",
        "\u{202E}",
        "\0",
        "---\n",
        "...\n",
        "null",
        "4000",
        "é",
    ]);
    prop_oneof![prop::collection::vec(pieces, 1..6).prop_map(|all| all.concat()), any::<String>()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn no_text_of_a_journal_is_anything_but_a_text(text in hostile(), other in hostile()) {
        let fault = json!({"kind": "fault", "gateway": null, "name": text, "what": "set", "effect": "answer",
            "asked": {"on": ["createToken"], "answer": {"status": 503, "error": other}}});
        let lifted = json!({"kind": "fault", "gateway": null, "name": text, "what": "lifted", "effect": "answer"});
        let lines = journal(&[
            (0, with(merchant(&text), json!({"correlationId": other}))),
            (0, json!({"kind": "request", "operation": null, "method": other, "path": text, "status": 404})),
            (0, json!({"kind": text, "peer": other})),
            (0, json!({"kind": "handshake", "accepted": false, "peer": text, "refused": {"check": other}})),
            (0, with(token("t", &text), json!({"correlationId": text}))),
            (0, fault),
            (0, lifted),
        ]);
        let (written, scenario) = recorded(&lines);
        let named = |step: &crate::scenario::Step| match &step.action {
            Action::Call(call) => match &call.request {
                Request::CreateMerchant { merchant_name, .. } => Some(merchant_name.clone()),
                _ => None,
            },
            _ => None,
        };
        let name = scenario.steps.iter().find_map(named).expect("the merchant");
        let kept = (1..=128).contains(&text.chars().count()) && !text.contains("${");
        prop_assert_eq!(name, kept.then(|| text.clone()), "{}", written);
        // Two calls and what is expected; a fault that is lifted where its text can be told.
        let kinds = scenario.steps.len();
        prop_assert!(kinds == 3 || kinds == 5, "{}", written);
    }
}
