//! The published schema of receiver cases and their strict loader accept the same and refuse the same.

use std::fs;
use std::path::Path;

use d1_contracts::{RECEIVER_CASE_SCHEMA, receiver_cases_in};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::changed::copies;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases/outbound");

fn validator() -> Validator {
    let schema: Value = serde_json::from_str(RECEIVER_CASE_SCHEMA).expect("JSON");
    jsonschema::meta::validate(&schema).expect("a schema");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// Each file with its text.
fn files() -> Vec<(String, String)> {
    let files = fs::read_dir(CASES).expect("the folder").map(|entry| {
        let path = entry.expect("an entry").path();
        (path.display().to_string(), fs::read_to_string(&path).expect("a text"))
    });
    files.collect()
}

fn all_cases() -> Vec<Value> {
    let read = |text: &str| -> Vec<Value> { serde_saphyr::from_str(text).expect("YAML") };
    files().iter().flat_map(|(_, text)| read(text)).collect()
}

/// Whether the loader takes a file with one case, or why not.
fn loads(folder: &Path, case: &Value) -> Result<(), String> {
    let below = folder.join("outbound");
    fs::create_dir_all(&below).expect("a folder");
    fs::write(below.join("one.yaml"), json!([case]).to_string()).expect("written");
    receiver_cases_in(folder).map(drop).map_err(|error| error.to_string())
}

/// What the schema's own text says that it cannot see.
fn beyond_the_schema(reason: &str) -> bool {
    ["none of the answers that it takes", "`events` is not the number", "expected a body of at most"]
        .iter()
        .any(|known| reason.contains(known))
}

#[test]
fn every_file_names_the_schema_and_is_as_it_says() {
    let validator = validator();
    assert!(files().len() >= 7);
    for (path, text) in files() {
        let first = text.lines().next();
        assert_eq!(first, Some("# yaml-language-server: $schema=../receiver.schema.json"), "{path}");
        let cases: Value = serde_saphyr::from_str(&text).expect("YAML");
        let faults: Vec<String> = validator
            .iter_errors(&cases)
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
            .collect();
        assert_eq!(faults, [""; 0], "{path}");
    }
}

/// A copy with one thing changed, for everything that can be changed in so many ways.
fn changed(case: &Value) -> Vec<(String, Value)> {
    let others = [
        json!(null),
        json!(true),
        json!(false),
        json!(0),
        json!(7),
        json!(204),
        json!(-1),
        json!(1.5),
        json!(""),
        json!("zzz"),
        json!("/a b"),
        json!("PUT"),
        json!("two\nlines"),
        json!("x".repeat(2000)),
        json!([]),
        json!({}),
        json!(["zzz"]),
        json!({"zzz": 1}),
        json!({"min": 0, "max": 2}),
        json!("D20"),
        json!("RFC 7516"),
        json!("applied"),
        json!("rejected"),
        json!("handshake"),
        json!([{"status": 204}]),
        json!([{"status": 400}, {"refused": "connection"}]),
        json!([{"text": "a"}, {"hex": "ff"}, {"event": 1}, {"repeat": {"text": "a", "times": 2}}]),
        json!([{"hex": "f"}]),
    ];
    // What an event holds is free.
    copies(case, &others, &["/event"])
}

/// A case with every member that one can have.
fn whole() -> Value {
    json!({
        "id": "outbound/notifyTokenUpdate/204/none/whole",
        "why": "It has every member that a case can have.",
        "source": ["C35"],
        "needs_credentials": true,
        "steps": [
            {"event": {"eventId": {"$event": 1}}, "raw": null, "form": null, "padding": 1, "method": "POST",
             "path": "/{gateway}", "headers": {"a": "b", "c": null}, "certificate": "d1", "while": "busy", "at_once": 2,
             "hang_up": false, "wrong": "a", "taken_as": "applied",
             "answers": [{"status": 204, "code": null, "refused": null}], "either": null},
            {"form": "a=b", "answers": [{"status": 400, "code": "A_CODE"}, {"refused": "handshake"}], "either": "x"},
            {"raw": [{"text": "a"}, {"hex": "00ff"}, {"event": 1}, {"repeat": {"text": "a", "times": 3}}], "hang_up": true},
        ],
        "end": {"unknown": false, "token": {"state": "ACTIVE"}, "events": {"min": 1, "max": 1}},
    })
}

#[test]
fn schema_and_loader_agree_on_every_case_with_one_thing_changed() {
    let (validator, folder) = (validator(), tempfile::tempdir().expect("a folder"));
    assert_eq!(loads(folder.path(), &whole()), Ok(()));
    let wanted =
        ["204/none/two-at-once", "403/FORBIDDEN/no-certificate", "503/SERVICE_UNAVAILABLE/store-fails"];
    let picked = all_cases().into_iter().filter(|case| {
        let id = case["id"].as_str().unwrap_or_default();
        wanted.iter().any(|name| id == format!("outbound/notifyTokenUpdate/{name}"))
    });
    let cases: Vec<Value> = picked.chain([whole()]).collect();
    assert_eq!(cases.len(), wanted.len() + 1);
    let (mut good, mut bad, mut apart) = (0, 0, Vec::new());
    for (what, case) in cases.iter().flat_map(changed) {
        let by_schema = validator.is_valid(&json!([case]));
        match loads(folder.path(), &case) {
            Ok(()) => {
                good += 1;
                if !by_schema {
                    apart.push(format!("the loader alone takes {}: {what}", case["id"]));
                }
            }
            Err(reason) => {
                bad += 1;
                if by_schema && !beyond_the_schema(&reason) {
                    apart.push(format!("the schema alone takes {}: {what}: {reason}", case["id"]));
                }
            }
        }
    }
    assert!(apart.is_empty(), "{}", apart.join("\n"));
    assert!(good > 50 && bad > 1000, "{good} good, {bad} bad");
}
