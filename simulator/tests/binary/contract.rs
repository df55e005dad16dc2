//! `d1sim contract`: exit codes, and what the reports for programs hold.

use std::fs;

use serde_json::{Value, json};

use crate::{empty_folder, ends};

/// A case that looks at the outcome alone.
const EMPTIED: &str = "- id: inbound/getToken/200/none/emptied\n  why: A case that looks at nothing but the outcome.\n  \
    source: [C18]\n  expect: {outcome: ok, retryable: never, ambiguous: false, attempts: {min: 1, max: 20}}\n";

#[test]
fn cases_that_let_a_broken_client_live_end_with_6_and_cases_that_fail_a_whole_one_with_1() {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("cases")).expect("a folder");
    let write = |text: &str| fs::write(folder.path().join("cases/one.yaml"), text).expect("written");
    let sabotage = ["contract", "sabotage", "--cases", "cases", "--json", "kills.json"];
    write(EMPTIED);
    let (out, err) = ends(folder.path(), &sabotage, 6);
    assert!(out.contains("survivor: StatusOnly: "), "{out}");
    assert!(out.contains("idle: inbound/getToken/200/none/emptied: "), "{out}");
    assert!(err.contains("broken clients survived") && !err.contains("panicked at"), "{err}");
    let kills = fs::read_to_string(folder.path().join("kills.json")).expect("the report");
    let kills: Value = serde_json::from_str(&kills).expect("JSON");
    assert_eq!(kills["idle"], json!(["inbound/getToken/200/none/emptied"]));
    let survivors = kills["survivors"].as_array().expect("survivors");
    assert!(survivors.contains(&json!("RetryNever")), "{survivors:?}");
    write(&EMPTIED.replace("outcome: ok", "outcome: unreadable"));
    let (out, _) = ends(folder.path(), &sabotage, 1);
    assert!(out.contains("unsound: inbound/getToken/200/none/emptied: "), "{out}");
    write("[]\n");
    ends(folder.path(), &sabotage, 3);
}

#[test]
fn a_run_with_kills_proves_what_a_run_without_has_only_seen() {
    let folder = empty_folder();
    let standing = |kills: &[&str]| {
        let run = ["contract", "run", "--filter", "getAccessToken/400/", "--json", "run.json"];
        ends(folder.path(), &[&run[..], kills].concat(), 0);
        let report = fs::read_to_string(folder.path().join("run.json")).expect("the report");
        let report: Value = serde_json::from_str(&report).expect("JSON");
        (report["standing"]["documented"].clone(), report["witnesses"].as_array().map_or(0, Vec::len))
    };
    assert_eq!(standing(&[]), (json!({"cells": 3, "passed": 2, "proven": 0}), 3));
    assert_eq!(standing(&["--kills"]), (json!({"cells": 3, "passed": 2, "proven": 2}), 4));
}
