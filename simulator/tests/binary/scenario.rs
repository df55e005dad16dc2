//! `d1sim scenario`: what QA people meet.

use std::fs;
use std::process::Command;

use super::{empty_folder, ends};

#[test]
fn a_new_scenario_is_checked_and_explained_and_nothing_is_overwritten() {
    let folder = empty_folder();
    let (_, said) = ends(folder.path(), &["scenario", "new", "my-day", "--template", "lifecycle"], 0);
    assert!(said.contains("wrote my-day.yaml, and scenario.schema.json"), "{said}");
    assert!(said.ends_with("d1sim scenario run my-day.yaml\n"), "{said}");
    let (out, said) = ends(folder.path(), &["scenario", "check", "my-day.yaml"], 0);
    assert_eq!((out.as_str(), said.as_str()), ("", "1 checked, nothing wrong\n"));
    let (out, _) = ends(folder.path(), &["scenario", "explain", "./my-day.yaml"], 0);
    assert!(out.contains("\n1. The issuer: token.suspend on the token `subscription`."), "{out}");
    let before = fs::read(folder.path().join("my-day.yaml")).expect("a file");
    let (_, said) = ends(folder.path(), &["scenario", "new", "my-day"], 71);
    assert!(said.contains("my-day.yaml is there already"), "{said}");
    assert_eq!(fs::read(folder.path().join("my-day.yaml")).expect("a file"), before);
    let (_, said) = ends(folder.path(), &["scenario", "new", "second-day"], 0);
    assert!(!said.contains("scenario.schema.json"), "{said}");
    fs::write(folder.path().join("scenario.schema.json"), "{}").expect("written");
    let (_, said) = ends(folder.path(), &["scenario", "new", "third-day"], 0);
    assert!(
        said.contains("scenario.schema.json is not that of this version: `d1sim scenario schema >"),
        "{said}"
    );
    let (_, said) = ends(folder.path(), &["scenario", "new", "theirs", "--template", "outside"], 0);
    assert!(said.contains("\nnext: d1sim init "), "{said}");
    let (_, said) = ends(folder.path(), &["scenario", "new", "../My Day"], 64);
    assert!(said.contains("expected a name of small letters"), "{said}");
}

#[test]
fn a_faulty_file_is_told_with_its_place_and_exit_code_64() {
    let folder = empty_folder();
    ends(folder.path(), &["scenario", "new", "good"], 0);
    let text = fs::read_to_string(folder.path().join("good.yaml")).expect("a file");
    fs::write(folder.path().join("other.yaml"), &text).expect("written");
    fs::write(folder.path().join("bad.yaml"), text.replace("alice-at-books, tr", "alice-at-bucks, tr"))
        .expect("written");
    fs::write(folder.path().join("_part.yaml"), "not looked at").expect("written");
    let (out, said) = ends(folder.path(), &["scenario", "check", "."], 64);
    let line = out.lines().next().unwrap_or_default();
    assert_eq!(
        line,
        "./bad.yaml:13:39: no token is called `alice-at-bucks`; known here: alice-at-books; did you mean `alice-at-books`?"
    );
    assert!(out.contains("./other.yaml:1:1: ./good.yaml has the name `good` already"), "{out}");
    assert!(said.contains("2 of 3 scenarios cannot be played"), "{said}");
}

#[test]
fn the_library_is_listed_and_explained_and_the_schema_is_printed() {
    let folder = empty_folder();
    let (out, _) = ends(folder.path(), &["scenario", "list"], 0);
    assert_eq!(out.lines().count(), 18, "{out}");
    assert!(out.contains("lost-answer "), "{out}");
    let (out, _) = ends(folder.path(), &["scenario", "explain", "rate-limit", "--set", "payments=20"], 0);
    assert!(out.contains("\n22. Expected: "), "{out}");
    let (out, _) = ends(folder.path(), &["scenario", "explain", "--steps"], 0);
    assert!(out.starts_with("call\n") && out.contains("\nnote\n"), "{out}");
    let (out, _) = ends(folder.path(), &["scenario", "schema"], 0);
    assert!(serde_json::from_str::<serde_json::Value>(&out).is_ok());
    let (_, said) = ends(folder.path(), &["scenario", "explain", "rate-limt"], 64);
    assert!(
        said.contains("no scenario of the library is called `rate-limt`; did you mean `rate-limit`?"),
        "{said}"
    );
}

#[test]
fn what_cannot_be_read_is_told_and_an_empty_folder_is_nothing() {
    let folder = empty_folder();
    ends(folder.path(), &["scenario", "check", "."], 3);
    let (_, said) = ends(folder.path(), &["scenario", "check", "gone.yaml"], 71);
    assert!(said.contains("cannot read gone.yaml"), "{said}");
    fs::write(folder.path().join("bytes.yaml"), b"scenario: 1\n\xff").expect("written");
    let (out, _) = ends(folder.path(), &["scenario", "check", "bytes.yaml"], 64);
    assert!(out.contains("expected UTF-8, found a byte in line 2"), "{out}");
    let (_, said) = ends(folder.path(), &["scenario", "check", "x.yaml", "--set", "n"], 64);
    assert!(said.contains("expected NAME=VALUE"), "{said}");
}

#[test]
fn a_pipe_in_place_of_a_file_is_told_and_not_waited_for() {
    let folder = empty_folder();
    let made = Command::new("mkfifo").arg("_pipe.yaml").current_dir(folder.path()).status().expect("mkfifo");
    assert!(made.success());
    let text = "scenario: 1\nname: a\ntitle: A.\nwhy: B.\ninclude: [_pipe.yaml]\nsteps: [{note: x}]\n";
    fs::write(folder.path().join("a.yaml"), text).expect("written");
    for file in ["a.yaml", "_pipe.yaml"] {
        // Whoever opens a pipe waits for ever for somebody to write into it.
        let mut command = Command::new("timeout");
        command.args(["20", env!("CARGO_BIN_EXE_d1sim"), "scenario", "check", file]);
        let output = command.current_dir(folder.path()).output().expect("timeout");
        assert_eq!(output.status.code(), Some(64), "{file}: 124 is a program that hangs");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("cannot read _pipe.yaml: expected a file, found something else"), "{told}");
    }
}

#[test]
fn an_option_is_told_with_the_file_that_has_no_such_parameter() {
    let folder = empty_folder();
    ends(folder.path(), &["scenario", "new", "storm", "--template", "fault"], 0);
    let (out, _) = ends(folder.path(), &["scenario", "check", "storm.yaml", "--set", "refusal=3"], 64);
    assert_eq!(
        out,
        "--set refusal: storm.yaml has no such parameter; there are: refusals; did you mean `refusals`?\n"
    );
}
