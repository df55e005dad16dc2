//! `d1sim scenario`: what QA people meet.

use std::fs;

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
