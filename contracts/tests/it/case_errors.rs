//! What is wrong in a case file is named with file, line, what was expected, and what to do.

use std::fs;
use std::path::Path;

use d1_contracts::{CaseError, FileError, GoodAnswers, cases_in};

const GOOD: &str = "- id: inbound/getToken/404/RESOURCE_NOT_FOUND/unknown
  why: The token is gone for good, and asking again does not bring it back.
  source: [C12, C34]
  answers:
    - {status: 404, body: {errorCode: RESOURCE_NOT_FOUND, error: No such resource}}
  expect:
    outcome: {refused: {status: 404, code: RESOURCE_NOT_FOUND}}
    retryable: never
    ambiguous: false
    attempts: 1
";

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, content) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("folders");
        fs::write(path, content).expect("written");
    }
    folder
}

fn said(folder: &Path) -> String {
    cases_in(folder).expect_err("it is refused").to_string()
}

/// What is said of the good case with one part replaced.
fn said_of(part: &str, other: &str) -> String {
    assert!(GOOD.contains(part), "{part}");
    said(folder(&[("one.yaml", GOOD.replacen(part, other, 1).as_bytes())]).path())
}

#[test]
fn the_model_of_these_tests_is_good() {
    assert_eq!(cases_in(folder(&[("one.yaml", GOOD.as_bytes())]).path()).expect("good").len(), 1);
}

#[test]
fn each_fault_is_named_with_its_place_and_its_remedy() {
    for (part, other, wanted) in [
        (
            "  why:",
            "  whyy:",
            &[
                "one.yaml:2:3: unknown member `whyy`",
                "expected one of id, why, source",
                "did you mean `why`?",
                "2 |   whyy: The",
                "  |   ^",
            ][..],
        ),
        ("  expect:", "  judged: false\n  expect:", &["one.yaml:6:3: unknown member `judged`"]),
        (
            "    retryable: never",
            "    retriable: never",
            &["one.yaml:8:5", "`retriable`", "did you mean `retryable`?"],
        ),
        (
            "retryable: never",
            "retryable: nevr",
            &["one.yaml:8:16: unknown value `nevr`", "never, safe, after", "did you mean `never`?"],
        ),
        (
            "{refused: {status",
            "{refuse: {status",
            &["one.yaml:7:", "`refuse`", "ok, refused, unreadable", "did you mean `refused`?"],
        ),
        (
            "    attempts: 1\n",
            "    attempts: 1\n    attempts: 2\n",
            &["one.yaml:11:5: `attempts` stands twice", "take one of the two away"],
        ),
        ("    ambiguous: false\n", "", &["one.yaml:", "expected a member `ambiguous`", "add it"]),
        ("ambiguous: false", "ambiguous: no", &["one.yaml:9:16", "boolean"]),
        (
            "attempts: 1",
            "attempts: once",
            &["one.yaml:10:", "expected a number, or bounds as {min: 1, max: 3}"],
        ),
        (
            "attempts: 1",
            "attempts: {min: 1, max: 99}",
            &["one.yaml:1: case inbound/getToken", "`attempts`", "from 1 to 20"],
        ),
        ("status: 404,", "status: many,", &["one.yaml:5:8", "number"]),
        (
            "{status: 404, body",
            "{status: 100, body",
            &["one.yaml:1: case", "`status`", "from 200 to 599", "found 100"],
        ),
        (
            "/getToken/",
            "/getTokens/",
            &[
                "one.yaml:1: case inbound/getTokens/",
                "expected one of getAccessToken",
                "did you mean `getToken`?",
            ],
        ),
        ("inbound/", "inbond/", &["one.yaml:1: case inbond/", "begins with inbound/"]),
        ("/unknown", "", &["one.yaml:1: case", "five parts", "inbound/getToken/200/none/reads"]),
        ("/unknown", "/Un known", &["one.yaml:1: case", "small letters, digits and hyphens"]),
        ("/404/", "/4O4/", &["one.yaml:1: case", "expected a status from 200 to 599 as third part"]),
        (
            "/404/",
            "/403/",
            &["one.yaml:1: case", "none of its answers has status 403", "add the answer, or correct the id"],
        ),
        ("C34]", "C37]", &["one.yaml:1: case", "`source`", "C1 to C36", "\"C37\""]),
        ("C34]", "D20]", &["`source`", "D1 to D19", "\"D20\""]),
        ("C34]", "hearsay]", &["`source`", "\"hearsay\""]),
        ("[C12, C34]", "[]", &["`source`", "found none; add some"]),
        (
            "The token is gone for good, and asking again does not bring it back.",
            "because",
            &["`why`", "found 7", "say what goes wrong"],
        ),
        (
            "- {status: 404",
            "- {always: true, status: 404, body: {}}\n    - {status: 404",
            &["`always`: expected on the last answer alone"],
        ),
        (
            "error: No such resource}}",
            "error: No such resource}, headers: {Allow: GET}}",
            &["`headers`", "small letters", "\"Allow\""],
        ),
        (
            "error: No such resource}}",
            "error: No such resource}, headers: {allow: \"a\\r\\nb\"}}",
            &["`headers`", "one line", "allow"],
        ),
        ("  source:", "\tsource:", &["one.yaml:2:8", "tab"]),
    ] {
        let said = said_of(part, other);
        for word in wanted {
            assert!(said.contains(word), "{other:?}: no {word:?} in\n{said}");
        }
    }
}

#[test]
fn a_second_case_of_one_id_names_both_places() {
    let two = format!("# more\n\n{GOOD}");
    let said = said(folder(&[("a.yaml", GOOD.as_bytes()), ("deep/b.yaml", two.as_bytes())]).path());
    for word in
        ["deep/b.yaml:3: case inbound/getToken/404", "stands at a.yaml:1 already", "another last part"]
    {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    let said = crate::case_errors::said(folder(&[("a.yaml", format!("{GOOD}\n{GOOD}").as_bytes())]).path());
    assert!(said.contains("a.yaml:12: ") && said.contains("a.yaml:1 already"), "{said}");
}

#[test]
fn files_that_are_none_of_ours_are_named() {
    let empty: &[&[u8]] = &[b"", b"\n  \n", b"# a comment\n---\n"];
    for content in empty {
        let said = said(folder(&[("one.yaml", content)]).path());
        assert!(
            said.contains("one.yaml:1:1: expected content") && said.contains("delete the file"),
            "{said}"
        );
    }
    let long = [GOOD.as_bytes(), &b"# filler\n".repeat(2 * 1024 * 1024 / 9)].concat();
    let said_of = |name: &str, content: &[u8]| said(folder(&[(name, content)]).path());
    let text = said_of("one.yaml", &long);
    assert!(
        text.contains("one.yaml:1:1: expected at most 1048576 bytes") && text.contains("split the file"),
        "{text}"
    );
    let text = said_of("one.yaml", &[GOOD.as_bytes(), b"# caf\xe9\n"].concat());
    assert!(
        text.contains("one.yaml:11:6: expected UTF-8") && text.contains("save the file as UTF-8"),
        "{text}"
    );
    let text = said_of("one.yaml", b"id: x\n");
    assert!(text.contains("one.yaml:1:1: "), "{text}");
    let text = said_of("one.yaml", b"- [a\n");
    assert!(text.contains("one.yaml:"), "{text}");
    let text = said_of("good.yaml", b"getToken: {stat: 200}\n");
    assert!(text.contains("no case in"), "{text}");
    let good = folder(&[("good.yaml", b"getToken: {stat: 200}\n")]);
    let text = GoodAnswers::in_folder(good.path()).expect_err("misspelled").to_string();
    assert!(text.contains("good.yaml:1:12: unknown member `stat`") && text.contains("`status`?"), "{text}");
}

#[test]
fn a_folder_without_cases_and_one_that_is_not_there_are_told_apart() {
    let none = folder(&[("notes.txt", b"x"), ("empty.yaml", b"[]\n")]);
    assert!(matches!(cases_in(none.path()), Err(CaseError::Empty { .. })));
    let gone = none.path().join("gone");
    assert!(matches!(cases_in(&gone), Err(CaseError::File(FileError::Io { .. }))));
}
