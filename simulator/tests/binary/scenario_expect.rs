//! Steps `expect` of `d1sim scenario run`: what holds is taken, and each thing that does not is told.

use std::fs;
use std::path::Path;

use crate::{empty_folder, ends};

const STAGE: &str = "stage:
  gateways: {shop: {receiver: own}, rival: {receiver: own}}
  merchants: {books: {gateway: shop}, toys: {gateway: rival}}
  cards: {alice: approve}
";
/// A token, a payment at the second attempt, a suspension that is told at the second attempt.
const STEPS: &str = "steps:
  - call: {createToken: {merchant: books, card: alice, source: ON_FILE, as: subscription}}
  - fault: {name: busy, on: [createTransaction], times: 1, answer: {status: 503, errorCode: SERVICE_UNAVAILABLE, retryAfter: 5s}}
  - call: {createTransaction: {token: subscription, transactionType: RECURRING}, attempts: 2}
  - receiver: {gateway: shop, answers: 503}
  - issuer: {event: token.suspend, token: subscription}
  - advance: {until: quiet}
  - receiver: {gateway: shop, is: up}
  - advance: 1m
";

fn scenario(folder: &Path, expected: &str) {
    let head = "scenario: 1\nname: day\ntitle: Something.\nwhy: For a test.\n";
    fs::write(folder.join("day.yaml"), format!("{head}{STAGE}{STEPS}  - expect:\n{expected}"))
        .expect("written");
}

#[test]
fn every_kind_of_expectation_can_hold() {
    let folder = empty_folder();
    scenario(
        folder.path(),
        "      calls:
        - {operation: getAccessToken, gateway: shop, count: 1, headers: {authorization: null, content-length: true}}
        - {operation: createToken, count: 1, answered: 201, members: {source: ON_FILE, pan: null}}
        - operation: createTransaction
          merchant: books
          token: subscription
          count: 2
          spacing: [5s]
          members: {transactionType: RECURRING, source: null}
          headers:
            Content-Type: application/json
            Authorization: Bearer
            X-Correlation-Id: true
            user-agent: null
            cookie: null
        - {operation: createTransaction, answered: 503, atMost: 1}
        - {operation: createTransaction, answered: 201, atLeast: 1, atMost: 1}
        - {gateway: rival, operation: createToken, count: 0}
      inOrder:
        - getAccessToken
        - {operation: createTransaction, answered: 503}
        - {operation: createTransaction, answered: 201}
      notifications:
        - {token: subscription, event: TOKEN_SUSPENDED, count: 1, attempts: 2, spacing: [750ms], outcome: delivered}
        - {answered: 503, count: 1}
        - {gateway: rival, count: 0}
      tokens: {subscription: {state: SUSPENDED, cardExpiryDate: \"1239\"}}
      receiver: {subscription: SUSPENDED}
      never:
        - {notification: {token: subscription}, within: 1d}
        - {call: {operation: createToken}, within: 1d}
",
    );
    let (out, _) = ends(folder.path(), &["scenario", "run", "day.yaml"], 0);
    assert!(out.ends_with("day: as expected\n"), "{out}");
    let (out, _) = ends(folder.path(), &["scenario", "explain", "day.yaml"], 0);
    for told in ["headers Content-Type = \"application/json\"", "cookie = absent", "X-Correlation-Id = there"]
    {
        assert!(out.contains(told), "{told}: {out}");
    }
}

#[test]
fn every_kind_of_expectation_can_fail() {
    // What is expected, and what is told of it.
    let all = [
        (
            "calls",
            "{operation: getAccessToken, gateway: shop, count: 7}",
            "expected 7 of getAccessToken of the gateway `shop`",
        ),
        (
            "calls",
            "{operation: createTransaction, spacing: [6s]}",
            "expected a pause of at least 6s before number 2",
        ),
        ("calls", "{operation: createTransaction, atMost: 1}", "expected at most 1 of createTransaction"),
        (
            "calls",
            "{operation: createTransaction, answered: 404}",
            "expected at least 1 of createTransaction answered 404",
        ),
        (
            "calls",
            "{operation: createToken, members: {source: MANUAL}}",
            "expected the member `source` to be \"MANUAL\"",
        ),
        (
            "calls",
            "{operation: createToken, members: {source: null}}",
            "expected the member `source` to be absent",
        ),
        (
            "calls",
            "{operation: createToken, headers: {content-type: text/plain}}",
            "expected the header `content-type` to be \"text/plain\"",
        ),
        (
            "calls",
            "{operation: createToken, headers: {authorization: Basic}}",
            "expected the header `authorization` to be \"Basic\"",
        ),
        (
            "calls",
            "{operation: createToken, headers: {authorization: null}}",
            "expected the header `authorization` to be absent",
        ),
        (
            "calls",
            "{operation: createToken, headers: {cookie: true}}",
            "expected the header `cookie` to be there",
        ),
        (
            "calls",
            "{operation: createToken, headers: {x-correlation-id: day}}",
            "expected the header `x-correlation-id` to be \"day\"",
        ),
        (
            "calls",
            "{operation: createToken, headers: {content-length: 7}}",
            "expected the header `content-length` to be \"7\"",
        ),
        ("notifications", "{token: subscription, attempts: 3}", "expected 3 attempts of notification"),
        (
            "notifications",
            "{token: subscription, spacing: [1h]}",
            "expected a pause of at least 1h before number 2",
        ),
        (
            "notifications",
            "{token: subscription, outcome: givenUp}",
            "expected at least 1 of notification of the token `subscription`, given up",
        ),
        ("notifications", "{answered: 418}", "expected at least 1 of notification answered 418"),
        ("never", "{call: {operation: createToken}, within: 1m}", ""),
    ];
    let folder = empty_folder();
    let mut expected = String::new();
    for kind in ["calls", "notifications", "never"] {
        expected.push_str(&format!("      {kind}:\n"));
        let of_kind = all.iter().filter(|(of, ..)| *of == kind);
        of_kind.for_each(|(_, what, _)| expected.push_str(&format!("        - {what}\n")));
    }
    expected.push_str("      inOrder: [{operation: createTransaction, answered: 201}, {operation: createTransaction, answered: 503}]\n");
    scenario(folder.path(), &expected);
    let (out, _) = ends(folder.path(), &["scenario", "run", "day.yaml"], 1);
    for (_, what, told) in all {
        assert!(out.contains(told), "{what}\nwanted: {told}\n{out}");
    }
    assert!(out.contains("expected createTransaction answered 503 as number 2 of the order"), "{out}");
    assert!(out.contains("found: \"application/json\"") && out.contains("found: \"Bearer\""), "{out}");
}

#[test]
fn what_must_not_happen_within_a_time_is_told_when_it_does() {
    let folder = empty_folder();
    let steps = STEPS.replace("  - receiver: {gateway: shop, is: up}\n  - advance: 1m\n", "");
    let head = "scenario: 1\nname: day\ntitle: Something.\nwhy: For a test.\n";
    let never =
        "  - expect: {never: {notification: {token: subscription, event: TOKEN_SUSPENDED}, within: 10s}}\n";
    fs::write(folder.path().join("day.yaml"), format!("{head}{STAGE}{steps}{never}")).expect("written");
    let (out, _) = ends(folder.path(), &["scenario", "run", "day.yaml"], 1);
    let told = "expected none of notification TOKEN_SUSPENDED of the token `subscription` within 10s";
    assert!(out.contains(told), "{out}");
}
