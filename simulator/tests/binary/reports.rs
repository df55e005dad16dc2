//! The reports of `d1sim contract run`: what is written, when, and with which exit code.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::{empty_folder, ends};

const PART: [&str; 4] = ["contract", "run", "--filter", "createMerchant/40"];
const FILES: [&str; 10] =
    ["--json", "run.json", "--junit", "run.xml", "--md", "run.md", "--html", "run.html", "--har", "run.har"];

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
}

fn json(folder: &Path, name: &str) -> Value {
    serde_json::from_str(&read(folder, name)).expect("JSON")
}

#[test]
fn every_report_is_written_and_two_runs_differ_in_the_time_of_the_archive_alone() {
    let written = || {
        let folder = empty_folder();
        let (out, err) = ends(folder.path(), &[&PART[..], &FILES].concat(), 0);
        assert!(!out.contains('\x1b') && err.contains("wrote run.har"), "{out}{err}");
        let of = |name| read(folder.path(), name);
        let mut archive = json(folder.path(), "run.har");
        let entries = archive["log"]["entries"].as_array_mut().expect("entries");
        assert!(!entries.is_empty());
        for entry in entries {
            let started = entry["startedDateTime"].take();
            assert!(started.as_str().is_some_and(|started| started.ends_with('Z')), "{started}");
        }
        [out, of("run.json"), of("run.xml"), of("run.md"), of("run.html"), archive.to_string()]
    };
    let (first, second) = (written(), written());
    assert!(first[4].starts_with("<!DOCTYPE html>") && first[3].starts_with("## D1 contract catalogue"));
    assert_eq!(first, second);
}

#[test]
fn colours_are_for_terminals_unless_they_are_asked_for() {
    let folder = empty_folder();
    let (out, _) = ends(folder.path(), &[&PART[..], &["--color", "always"]].concat(), 0);
    assert!(out.contains("\x1b[33mseen"), "{out}");
    let (out, _) = ends(folder.path(), &[&PART[..], &["--color", "never"]].concat(), 0);
    assert!(!out.contains('\x1b'), "{out}");
}

#[test]
fn a_report_that_cannot_be_written_is_found_before_the_run() {
    let folder = empty_folder();
    let (out, err) = ends(folder.path(), &[&PART[..], &["--html", "nowhere/run.html"]].concat(), 71);
    assert!(out.is_empty() && err.contains("--html nowhere/run.html: cannot be written"), "{out}{err}");
    let twice = ["--json", "one", "--har", "one"];
    let (out, err) = ends(folder.path(), &[&PART[..], &twice].concat(), 64);
    assert!(out.is_empty() && err.contains("--json and --har name the same file: one"), "{out}{err}");
}

#[test]
fn the_schema_of_the_report_is_printed() {
    let (out, _) = ends(empty_folder().path(), &["contract", "schema", "report"], 0);
    let schema: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(schema["title"], "The JSON report of d1sim contract run");
}

#[test]
fn a_shim_that_does_not_start_leaves_reports_of_nothing() {
    let folder = empty_folder();
    let run = ["--exec", "no-such-program", "--json", "run.json", "--junit", "run.xml"];
    let (_, err) = ends(folder.path(), &[&PART[..], &run].concat(), 4);
    assert!(err.contains("no-such-program"), "{err}");
    let report = json(folder.path(), "run.json");
    assert_eq!((&report["partial"], &report["ran"]), (&Value::Bool(true), &0.into()));
    let planned = report["planned"].as_u64().expect("a number");
    assert_eq!(read(folder.path(), "run.xml").matches("<skipped").count() as u64, planned);
}

/// Answers the first call; at the second it does to the suite what somebody at the keyboard may do, and hangs.
const HANGS: &str = r#"
read -r hello
echo '{"hello":{"protocol":1,"client":"hangs 1","features":[]}}'
read -r call
id=${call#*'"id":'}
echo '{"told":{"id":'${id%%,*}',"outcome":"ok","retryable":"never","ambiguous":false}}'
read -r call
kill -SIGNAL $PPID
read -r never
"#;

#[test]
fn a_run_that_is_broken_off_leaves_reports_of_what_was_run() {
    for signal in ["INT", "TERM"] {
        let folder = empty_folder();
        fs::write(folder.path().join("shim.sh"), HANGS.replace("SIGNAL", signal)).expect("written");
        let run = [&PART[..], &FILES, &["--exec", "sh shim.sh"]].concat();
        let (out, err) = ends(folder.path(), &run, 4);
        assert!(err.contains("broken off by a signal") && out.contains("PARTIAL"), "{out}{err}");
        let report = json(folder.path(), "run.json");
        assert_eq!((&report["partial"], &report["complete"]), (&Value::Bool(true), &Value::Bool(false)));
        assert_eq!((&report["ran"], &report["client"]), (&1.into(), &"hangs 1".into()));
        assert!(read(folder.path(), "run.html").contains("PARTIAL"));
    }
}
