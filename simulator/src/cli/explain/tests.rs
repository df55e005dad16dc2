use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

fn refused(n: u64, check: &str) -> Value {
    json!({
        "n": n, "at": "2026-04-22T10:00:00.000Z", "kind": "request", "gateway": "MGW_000001", "correlationId": "c-1",
        "operation": "createToken", "method": "POST", "path": "/ecom", "peer": "TLSMA-ECDSA/MGW_000001/PPR", "status": 400,
        "refused": {"check": check, "expected": "this", "actual": "that"},
        "answer": {"bytes": 9, "sha256": "", "shown": {"errorCode": "INVALID_FIELD", "error": "encryptedData"}},
    })
}

fn fine(n: u64, correlation: &str) -> Value {
    json!({
        "n": n, "at": "2026-04-22T10:00:01.000Z", "kind": "request", "gateway": "MGW_000001", "correlationId": correlation,
        "operation": "getToken", "method": "GET", "path": "/ecom", "peer": "x", "status": 200,
    })
}

#[test]
fn the_last_refusal_a_number_and_a_correlation_id_are_found() {
    let entries = [refused(1, "JWE form"), refused(2, "bearer"), fine(3, "c-2"), fine(4, "7")];
    let told = |id| explained(&entries, id).expect("an entry");
    assert!(
        told(None).starts_with("2, 2026-04-22T10:00:00.000Z: createToken was answered 400 INVALID_FIELD")
    );
    assert!(told(Some("1")).contains("\n  check     JWE form\n  expected  this\n  found     that\n"));
    assert!(told(Some("c-1")).contains("JWE form") && told(Some("c-1")).contains("bearer"));
    assert!(told(Some("c-2")).starts_with("Nothing was refused under c-2."));
    assert!(told(Some("7")).contains("4, "), "digits may be a correlation id");
    let entries = [&entries[..], &[fine(5, "1"), refused(6, "bearer"), fine(7, "7")]].concat();
    let told = |id| explained(&entries, Some(id)).expect("an entry");
    let both = told("1");
    assert!(
        both.starts_with("1, ") && both.contains("\nUnder the correlation id 1:\n\nNothing was"),
        "{both}"
    );
    let both = told("7");
    assert!(both.starts_with("7, ") && both.contains("\n4, ") && !both.contains("\n7, "), "{both}");
    let entries = &entries[..4];
    let fault = explained(entries, Some("9")).expect_err("no entry");
    assert!(fault.contains("1 to 4"), "{fault}");
    assert_eq!(explained(&entries[2..], None), Ok("Nothing was refused (journal: 3 to 4).".to_owned()));
}

#[test]
fn what_says_so_is_told_with_its_standing_and_what_to_do_next() {
    let told = told(&refused(1, "certificate CN"));
    assert!(told.contains("D7 (documented), inferred, C2 (our choice)"), "{told}");
    assert!(told.contains("\n  do        Ask for a certificate"), "{told}");
}

#[test]
fn what_a_fault_made_is_told_as_such() {
    let forced = json!({
        "n": 5, "at": "x", "kind": "request", "operation": "getToken", "method": "GET", "path": "/", "peer": "",
        "status": 503, "faults": ["storm"], "forced": true,
    });
    let lost = json!({
        "n": 6, "at": "x", "kind": "request", "operation": "getToken", "method": "GET", "path": "/", "peer": "",
        "status": null, "faults": ["storm"],
    });
    let closed = json!({
        "n": 7, "at": "x", "kind": "handshake", "accepted": false, "peer": null, "faults": ["storm"],
        "refused": {"check": "handshake", "expected": "no fault", "actual": "closed by a fault"},
    });
    let distrusted = json!({
        "n": 8, "at": "x", "kind": "handshake", "accepted": false, "peer": null, "faults": ["storm"],
        "refused": {"check": "the caller's view of D1's certificate", "expected": "accepted", "actual": "BadCertificate"},
    });
    for (entry, words) in [
        (&forced, ["forced by storm", "DELETE /faults/storm"]),
        (&lost, ["getToken got no answer", "struck by storm"]),
        (&closed, ["forced by storm", "DELETE /faults/storm"]),
        (&distrusted, ["forced by storm", "DELETE /faults/storm"]),
    ] {
        assert!(is_refusal(entry), "{entry}");
        let told = told(entry);
        for word in words {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert!(!told.contains("Trust ca"), "{told}");
    }
}

#[test]
fn what_the_caller_shows_is_no_fault_s_doing() {
    let refused = json!({
        "n": 1, "at": "x", "kind": "handshake", "accepted": false, "peer": "TLSMA", "faults": ["storm"],
        "refused": {"check": "certificate dates", "expected": "valid now", "actual": "Expired"},
    });
    let told = told(&refused);
    assert!(told.contains("struck by storm") && told.contains("check     certificate dates"), "{told}");
}

#[test]
fn a_file_that_is_no_journal_is_told_by_its_line_alone() {
    let fault = entries("{\"n\":1,\"kind\":\"reset\"}\nsecret\n").expect_err("no entry").error.to_string();
    assert!(fault.starts_with("line 2: ") && !fault.contains("secret"), "{fault}");
}

/// The texts that stand at the place of a check: `check: "..."`, `why("...", ...)`, or in a table that a check is picked from.
fn checks_in(source: &str, checks: &mut BTreeSet<String>) {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    for mark in ["check: ", "why(", "CORRELATION: &str = "] {
        let rests = code.split(mark).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
        let texts = rests.filter_map(|rest| rest.split_once('"'));
        // What stands alone in the brackets is what was found.
        checks.extend(texts.filter(|(_, after)| !after.starts_with(')')).map(|(text, _)| text.to_owned()));
    }
    let begins = ["assertion ", "JWE ", "certificate ", "the caller's view", "handshake"];
    let whole = ["client certificate", "TLS version and suites", "TLS record"];
    let named = |text: &str| begins.iter().any(|begin| text.starts_with(begin)) || whole.contains(&text);
    checks.extend(code.split('"').skip(1).step_by(2).filter(|text| named(text)).map(ToOwned::to_owned));
}

#[test]
fn every_check_of_the_sources_has_its_advice_and_no_other_has() {
    let mut found = BTreeSet::new();
    for folder in ["auth", "http", "http/handlers", "http/wire", "jose", "tls"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder);
        for file in fs::read_dir(folder).expect("a folder") {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
                checks_in(&fs::read_to_string(path).expect("text"), &mut found);
            }
        }
    }
    let advised: BTreeSet<String> = advice::ALL.iter().map(|advice| advice.check.to_owned()).collect();
    assert_eq!(advised.len(), advice::ALL.len(), "each once");
    assert_eq!(found.difference(&advised).collect::<Vec<_>>(), [""; 0]);
    assert_eq!(advised.difference(&found).collect::<Vec<_>>(), [""; 0]);
}
