//! `d1sim scenario run` with a receiver that is not ours, as far as its probe tells of it; and ours by the same members.

use std::fs;
use std::path::Path;

use crate::{ends, made};

const STAGE: &str = "scenario: 1
name: day
title: A day.
why: For a test.
stage:
  seed: 7
  merchants: {books: {}}
  cards: {alice: {pan: \"9999990000000014\", exp: \"1239\"}}
  tokens: {subscription: {merchant: books, card: alice}}
steps:
";

fn day(folder: &Path, steps: &str) {
    fs::write(folder.join("day.yaml"), format!("{STAGE}{steps}")).expect("written");
}

#[test]
fn a_receiver_that_remembers_an_earlier_run_is_told_before_anything_is_judged() {
    let folder = made();
    day(folder.path(), "  - expect: {receiver: {subscription: SUSPENDED}}\n");
    let run = |probe: &str, more: &[&str], code| {
        let run = ["scenario", "run", "day.yaml", "--receiver", "https://127.0.0.1:1", "--probe", probe];
        ends(folder.path(), &[&run, more].concat(), code)
    };
    // It has heard of every token, whichever it is asked for.
    let (out, said) = run("echo '{\"events\": 1}'", &["--seed", "3"], 4);
    let why = "your receiver knows the token `subscription` already, from an earlier run with seed 3: start it anew, or take";
    assert!(out.contains(why) && !out.contains("step 1"), "{out}");
    assert!(said.contains("--seed 3") && said.contains("start your receiver anew before"), "{said}");
    let (out, _) = run("echo '{\"state\": \"SUSPENDED\"}'", &["--seeds", "3..9"], 4);
    assert!(out.starts_with("seed 3: ") && out.contains("from an earlier run with seed 3"), "{out}");
    for news in ["echo null", "echo {}", "echo '{\"state\": null, \"events\": 0}'"] {
        let (out, _) = run(news, &[], 1);
        assert!(!out.contains("already"), "{out}");
    }
}

#[test]
fn what_a_probe_leaves_out_is_told_as_that_where_a_scenario_asks_for_it() {
    let folder = made();
    // The first question is whether it knows the token already.
    let script = "[ -e asked ] && echo '{\"state\": \"ACTIVE\", \"events\": 2, \"dpanLastDigits\": \"0014\"}' || echo null; : > asked";
    fs::write(folder.path().join("probe.sh"), script).expect("written");
    let expect = |members: &str, code| {
        let _ = fs::remove_file(folder.path().join("asked"));
        day(folder.path(), &format!("  - expect: {{receiver: {{subscription: {{{members}}}}}}}\n"));
        let run =
            ["scenario", "run", "day.yaml", "--receiver", "https://127.0.0.1:1", "--probe", "sh probe.sh"];
        ends(folder.path(), &run, code).0
    };
    expect("state: ACTIVE, events: 2, dpanLastDigits: \"0014\"", 0);
    let out = expect("state: ACTIVE, cardExpiryDate: \"1239\"", 1);
    assert!(out.contains("found: your probe did not tell cardExpiryDate"), "{out}");
    assert!(expect("events: 1", 1).contains("expected the receiver to have events 1 for `subscription`"));
}

#[test]
fn our_receiver_counts_its_events_and_knows_the_end_of_the_dpan() {
    let folder = made();
    let steps = "  - issuer: {event: token.suspend, token: subscription}
  - fault: {name: twice, on: [notifications], duplicate: 1}
  - issuer: {event: card.replace, card: alice}
  - advance: {until: quiet}
  - expect: {receiver: {subscription: {state: SUSPENDED, events: 2}}}
  - expect: {receiver: {subscription: {events: 3, dpanLastDigits: \"000x\"}}}
";
    day(folder.path(), &steps.replace("000x", "0000"));
    let (out, _) = ends(folder.path(), &["scenario", "run", "day.yaml"], 1);
    assert!(out.contains("have events 3 for `subscription`") && out.contains("found: 2\n"), "{out}");
    let digits = out.split("have dpanLastDigits \"0000\"").nth(1).expect("a miss");
    let found = digits.split("found: \"").nth(1).and_then(|rest| rest.split('"').next()).expect("digits");
    day(folder.path(), &steps.replace("events: 3", "events: 2").replace("000x", found));
    ends(folder.path(), &["scenario", "run", "day.yaml"], 0);
    let tokens = "  - expect: {tokens: {subscription: {events: 2}}}\n";
    day(folder.path(), tokens);
    let (_, said) = ends(folder.path(), &["scenario", "run", "day.yaml"], 64);
    assert!(said.contains("day.yaml:11:") && said.contains("events"), "{said}");
}

#[test]
fn an_authority_that_cannot_be_read_is_told_with_its_place() {
    let folder = made();
    let stage = "  gateways: {shop: {receiver: {url: \"https://127.0.0.1:1\", authority: nowhere.pem}}}\n";
    day(folder.path(), "  - note: x\n  - expect: {tokens: {subscription: ACTIVE}}\n");
    let text = fs::read_to_string(folder.path().join("day.yaml")).expect("text");
    fs::write(folder.path().join("day.yaml"), text.replace("stage:\n", &format!("stage:\n{stage}")))
        .expect("written");
    let (_, said) = ends(folder.path(), &["scenario", "run", "day.yaml"], 71);
    assert!(said.contains("day.yaml:6:14: cannot read nowhere.pem (authority)"), "{said}");
}
