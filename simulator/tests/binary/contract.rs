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
    write(&EMPTIED.replace("{min: 1, max: 20}}", "1, result: {state: HIBERNATING}}"));
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

/// A copy of the folder of cases that are built in, as `cases` in a folder of its own.
fn with_cases() -> tempfile::TempDir {
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts/cases");
    let folder = empty_folder();
    for side in ["inbound", "outbound"] {
        fs::create_dir_all(folder.path().join("cases").join(side)).expect("made");
    }
    for made_of in ["good.yaml", "natural.yaml", "transport.yaml"] {
        fs::copy(from.join(made_of), folder.path().join("cases").join(made_of)).expect("copied");
    }
    for side in ["inbound", "outbound"] {
        for entry in fs::read_dir(from.join(side)).expect("the folder") {
            let path = entry.expect("an entry").path();
            let to = folder.path().join("cases").join(side).join(path.file_name().expect("a name"));
            fs::copy(&path, to).expect("copied");
        }
    }
    folder
}

#[test]
fn a_copy_of_the_cases_lists_what_is_built_in_and_a_deleted_file_turns_coverage_red() {
    let folder = with_cases();
    let (built_in, _) = ends(folder.path(), &["contract", "list"], 0);
    let (copy, _) = ends(folder.path(), &["contract", "list", "--cases", "cases"], 0);
    assert_eq!(copy, built_in);
    for (file, cell) in [
        ("inbound/getAccessToken.yaml", "inbound/getAccessToken/400/MISSING_FIELD"),
        ("inbound/deleteToken.yaml", "inbound/deleteToken/400/INVALID_FIELD"),
        ("natural.yaml", "inbound/createMerchant/transport/clock-steps-back-1h"),
        ("outbound/states.yaml", "outbound/notifyTokenUpdate/503/SERVICE_UNAVAILABLE"),
        ("good.yaml", "inbound/createToken/derived/unknown-member"),
        ("transport.yaml", "inbound/createTransaction/transport/certificate-expired"),
    ] {
        let path = folder.path().join("cases").join(file);
        let text = fs::read_to_string(&path).expect("a text");
        let named = format!("gap: no case shows {cell}: ");
        let (whole, _) = ends(folder.path(), &["contract", "coverage", "--cases", "cases"], 0);
        assert!(!whole.contains("gap: "), "{whole}");
        fs::remove_file(&path).expect("removed");
        let (out, err) = ends(folder.path(), &["contract", "coverage", "--cases", "cases"], 2);
        assert!(out.contains(&named) && err.contains("not covered"), "{file}: {out}{err}");
        fs::write(&path, text).expect("written");
    }
}

#[test]
fn a_folder_without_cases_ends_with_3_and_a_bad_one_with_64() {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("cases")).expect("made");
    for command in ["coverage", "list", "run", "sabotage"] {
        let (_, err) = ends(folder.path(), &["contract", command, "--cases", "cases"], 3);
        assert!(err.contains("no case in cases"), "{err}");
    }
    let bad = EMPTIED.replace("outcome: ok", "outcom: ok");
    fs::write(folder.path().join("cases/one.yaml"), bad).expect("written");
    let (_, err) = ends(folder.path(), &["contract", "list", "--cases", "cases"], 64);
    assert!(err.contains("one.yaml:4:12: unknown member `outcom`") && err.contains("`outcome`?"), "{err}");
    ends(folder.path(), &["contract", "list", "--cases", "gone"], 71);
}

#[test]
fn the_schemas_of_a_folder_of_cases_are_printed() {
    for (of, wanted) in [
        ("case", d1_contracts::CASE_SCHEMA),
        ("good", d1_contracts::GOOD_SCHEMA),
        ("transport", d1_contracts::TRANSPORT_SCHEMA),
    ] {
        let (out, _) = ends(empty_folder().path(), &["contract", "schema", of], 0);
        assert_eq!(out.trim_end(), wanted.trim_end());
    }
    ends(empty_folder().path(), &["contract", "schema", "cases"], 64);
}

/// A case that demands a member which no answer holds, so that every client fails it.
const FAILS: &str = "- id: inbound/getToken/200/none/demanding\n  why: It demands what the answer does not hold.\n  source: [C18]\n  \
    expect: {outcome: ok, retryable: never, ambiguous: false, attempts: 1, result: {state: HIBERNATING}}\n";

#[test]
fn a_known_failure_is_put_up_with_and_a_stale_entry_ends_with_5() {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("cases")).expect("made");
    fs::write(folder.path().join("cases/one.yaml"), format!("{FAILS}{EMPTIED}")).expect("written");
    let run = |pattern: &str, until: &str, filter: &str, code: i32| {
        let list = format!("- {{pattern: '{pattern}', reason: Is being mended, until: {until}}}\n");
        fs::write(folder.path().join("known.yaml"), list).expect("written");
        let arguments = ["contract", "run", "--cases", "cases", "--filter", filter];
        let reports = ["--known-failing", "known.yaml", "--json", "run.json", "--junit", "run.xml"];
        ends(folder.path(), &[&arguments[..], &reports[..]].concat(), code).0
    };
    ends(folder.path(), &["contract", "run", "--cases", "cases", "--filter", "demanding"], 1);
    let out = run("*/demanding", "9999-12-31", "demanding", 0);
    assert!(out.contains("known to fail: inbound/getToken/200/none/demanding: Is being mended"), "{out}");
    let report = fs::read_to_string(folder.path().join("run.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["known"]["inbound/getToken/200/none/demanding"], "Is being mended (until 9999-12-31)");
    let junit = fs::read_to_string(folder.path().join("run.xml")).expect("the report");
    assert!(junit.contains("skipped=\"1\"") || junit.contains("<skipped"), "{junit}");
    let out = run("*/demanding", "2020-01-01", "demanding", 5);
    assert!(out.contains("its time ended on 2020-01-01"), "{out}");
    let out = run("*/emptied", "9999-12-31", "emptied", 5);
    assert!(out.contains("inbound/getToken/200/none/emptied passes"), "{out}");
    let out = run("*/nothing-of-the-kind", "9999-12-31", "emptied", 5);
    assert!(out.contains("no case has such an id"), "{out}");
    run("*/emptied", "9999-12-31", "demanding", 1);
}

#[test]
fn an_exempt_cell_is_no_gap_and_a_documented_one_cannot_be_exempt() {
    let folder = with_cases();
    let exempt = |pattern: &str| {
        let list = format!("- {{pattern: '{pattern}', reason: Is being written, until: 9999-12-31}}\n");
        fs::write(folder.path().join("exempt.yaml"), list).expect("written");
    };
    let coverage = ["contract", "coverage", "--cases", "cases", "--exempt", "exempt.yaml"];
    fs::remove_file(folder.path().join("cases/inbound/deleteToken.yaml")).expect("removed");
    exempt("inbound/deleteToken/500/INTERNAL_ERROR");
    let (out, _) = ends(folder.path(), &coverage, 2);
    assert!(
        out.contains("exempt: inbound/deleteToken/500/INTERNAL_ERROR: Is being written (until 9999-12-31)"),
        "{out}"
    );
    exempt("inbound/getToken/200/none");
    let (out, _) = ends(folder.path(), &coverage, 5);
    assert!(out.contains("stale: exempt.yaml:1: inbound/getToken/200/none: "), "{out}");
    exempt("inbound/getAccessToken/200/none");
    let (_, err) = ends(folder.path(), &coverage, 64);
    assert!(err.contains("is documented, and what is documented has no exemption"), "{err}");
}

/// Fails every call, and does not speak HTTP/2.
const WITHOUT_HTTP2: &str = r#"
read -r hello
echo '{"hello":{"protocol":1,"client":"old 1","features":[]}}'
while read -r call; do
    case $call in '{"bye"'*) exit 0;; esac
    id=${call#*'"id":'}
    echo '{"told":{"id":'${id%%,*}',"outcome":"no_answer","retryable":"never","ambiguous":false}}'
done
"#;

#[test]
fn what_a_client_cannot_be_shown_is_put_aside_by_name_and_counts_for_nothing() {
    let folder = empty_folder();
    fs::write(folder.path().join("shim.sh"), WITHOUT_HTTP2).expect("written");
    let run = |filter| ["contract", "run", "--exec", "sh shim.sh", "--json", "run.json", "--filter", filter];
    let (out, _) = ends(folder.path(), &run("getToken/transport/h"), 1);
    let aside =
        "aside: inbound/getToken/transport/http2-stream-refused/generated: not run: needs the feature http2";
    assert!(out.contains(aside), "{out}");
    assert!(out.contains("failed: inbound/getToken/transport/head-cut/"), "{out}");
    let report = fs::read_to_string(folder.path().join("run.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!((&report["partial"], &report["complete"]), (&false.into(), &false.into()));
    let named = report["aside"].as_object().expect("reasons");
    assert!(named.keys().all(|id| id.contains("/http2-")) && !named.is_empty(), "{named:?}");
    assert!(out.contains(" put aside, whose cells are not covered"), "{out}");
    let (_, err) = ends(folder.path(), &run("transport/http2-"), 3);
    assert!(err.contains("no case could be run"), "{err}");
}

const ANSWERED: &str = r#"{"n":1,"at":"2026-04-22T09:30:00.000Z","kind":"request","gateway":"MGW_000001","correlationId":"a","operation":"createToken","method":"POST","path":"/x","peer":"x","status":403,"mediaType":"application/json","answer":{"bytes":1,"sha256":"0","shown":{"errorCode":"TOKENIZATION_DECLINED"}}}"#;

#[test]
fn a_saved_journal_is_told_by_cell_and_an_answer_that_no_document_lists_ends_with_1() {
    let folder = empty_folder();
    let judged = |journal: &str, code| {
        fs::write(folder.path().join("journal"), journal).expect("written");
        ends(folder.path(), &["contract", "coverage", "--journal", "journal"], code)
    };
    let (out, _) = judged(&format!("{ANSWERED}\n"), 0);
    assert!(out.contains("     1  inbound/createToken/403/TOKENIZATION_DECLINED\n"), "{out}");
    assert!(out.contains("     0  inbound/createToken/201/none\n"), "{out}");
    let (out, err) = judged(&ANSWERED.replace("TOKENIZATION_DECLINED", "ANOTHER_CODE"), 1);
    assert!(out.contains("not listed: entry 1: inbound/createToken: answered 403 ANOTHER_CODE"), "{out}");
    assert!(err.contains("1 answers that no document lists"), "{err}");
    judged("", 3);
    let (_, err) = judged(&format!("{ANSWERED}\n9999990000000014\n"), 64);
    assert!(err.contains("--journal journal: line 2: ") && !err.contains("9999990000000014"), "{err}");
    ends(folder.path(), &["contract", "coverage", "--journal", "gone"], 71);
    ends(folder.path(), &["contract", "coverage", "--journal", "http://127.0.0.1:1"], 71);
}

#[tokio::test]
async fn the_journal_of_a_running_sandbox_is_asked_for_at_its_admin_port() {
    let folder = crate::made();
    let server = crate::Serving::start(folder.path(), &[]);
    let (out, _) = ends(folder.path(), &["contract", "coverage", "--journal", &server.address("admin")], 3);
    assert!(out.contains("journal: 0 answers"), "{out}");
}

#[test]
fn a_natural_case_is_listed_as_such_and_one_of_an_unknown_card_is_refused() {
    let folder = with_cases();
    let (list, _) = ends(folder.path(), &["contract", "list"], 0);
    assert!(list.contains("inbound/createToken/201/none/natural  (natural) A card"), "{list}");
    let (shown, _) = ends(folder.path(), &["contract", "show", "inbound/createToken/201/none/natural"], 0);
    assert!(shown.contains(r#""given": {"#), "{shown}");
    let path = folder.path().join("cases/natural.yaml");
    let text = fs::read_to_string(&path).expect("a text");
    fs::write(&path, text.replace("name: decline", "name: declined")).expect("written");
    let (_, err) = ends(folder.path(), &["contract", "coverage", "--cases", "cases"], 64);
    assert!(err.contains("no test card declined; expected one of approve, decline"), "{err}");
}
