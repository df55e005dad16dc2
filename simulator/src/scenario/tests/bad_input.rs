//! What people write by mistake, and what YAML makes of it.

use super::{findings, loaded, with_steps};

const END: &str = "  - expect: {calls: {}}\n";

/// What is said of a file, all of it.
fn told(text: &str) -> String {
    findings(&[("a.yaml", text)], &[]).join("\n")
}

/// What is said of these steps.
fn said(steps: &str) -> String {
    told(&with_steps(&format!("{steps}{END}")))
}

#[test]
fn values_of_another_kind_are_told_with_what_to_write() {
    for (steps, wanted) in [
        (
            "  - advance: 12:30\n",
            "a.yaml:10:14: expected `advance`: a time in d, h, m, s, ms, the longest first",
        ),
        ("  - advance: 30m2h\n", "the longest first, e.g. 90d, 2h30m, 500ms, found `30m2h`"),
        ("  - advance: -99999999999999999999\n", "that is not negative"),
        (
            "  - advance: {to: 2026-05-01}\n",
            "an instant in UTC, e.g. 2026-04-22T10:00:00Z, found `2026-05-01`",
        ),
        ("  - expect: {calls: {count: 1.0}}\n", "a whole number from 0 to 1000000, found the number 1.0"),
        (
            "  - expect: {calls: {count: \"1\"}}\n",
            "a whole number from 0 to 1000000 without quotes, found `1`",
        ),
        ("  - expect: {calls: {count: 99999999999999999999999999}}\n", "found a number that is too large"),
        (
            "  - fault: {name: f, on: [getToken], truncate: yes}\n",
            "truncate: true, or the member left out, found `yes`",
        ),
        (
            "  - fault: {name: f, probability: .inf, goaway: true}\n",
            "expected a number, found one that is none",
        ),
        (
            "  - call:\n    getToken: {token: sub}\n",
            "whose members stand on lines below that are indented further",
        ),
        ("  - 1: x\n", "a.yaml:10:5: expected the name of a member, which is text: put it in quotes"),
        ("  - ? [a]\n    : b\n", "use no list or object as a name"),
        ("  - note: a: b\n", "text that has a colon and a blank in it stands in quotes"),
        ("  - call: *x\n", "alias references unknown anchor"),
    ] {
        let told = said(steps);
        assert!(told.contains(wanted), "{steps}\nwanted: {wanted}\n{told}");
        assert!(told.starts_with("a.yaml:1"), "{told}");
    }
    let octal = with_steps(END).replace("bad: decline", "bad: {pan: \"9999990000000014\", exp: 0139}");
    assert!(
        told(&octal).contains("`exp`: 4 digits in quotes, found a number without quotes"),
        "{}",
        told(&octal)
    );
}

#[test]
fn one_file_is_one_scenario_and_flat() {
    let good = with_steps(END);
    let two = told(&format!("{good}---\n{good}"));
    assert!(two.contains("a second document begins here: expected one scenario in a file"), "{two}");
    assert_eq!(told(&format!("---\n{good}...\n")), "");
    let nested = with_steps(&format!("  - note: {}x{}\n", "[".repeat(70), "]".repeat(70)));
    for deep in [nested.as_str(), &format!("a: {}", "[".repeat(5000))] {
        assert!(told(deep).contains("expected a file that is nested at most 40 deep"), "{}", told(deep));
    }
}

#[test]
fn anchors_windows_lines_and_byte_order_marks_are_taken_and_shown_as_they_stand() {
    let steps = "  - call: &x {getToken: {token: sub}}\n  - call: *x\n  - call:\n      getToken:\n        <<: {token: sub}\n";
    assert_eq!(said(steps), "");
    assert_eq!(told(&with_steps(END).replace('\n', "\r\n")), "");
    let marked = format!("\u{feff}{}", with_steps(END).replace("scenario: 1", "scenaro: 1"));
    let told = told(&marked);
    assert!(told.contains("1 | scenaro: 1\n  | ^") && !told.contains('\u{feff}'), "{told}");
}

#[test]
fn a_file_by_another_path_is_the_same_file() {
    let main = with_steps(END).replace("stage:\n", "include: [_link.yaml]\nstage:\n");
    let told = findings(&[("a.yaml", &main), ("_link.yaml", &main)], &[]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(
        told[0].starts_with("_link.yaml:5:11: files include each other in a ring: _link.yaml -> _link.yaml")
            || told[0].starts_with("a.yaml:5:11: files include each other in a ring: a.yaml -> _link.yaml"),
        "{told:?}"
    );
}

#[test]
fn what_two_files_include_comes_once_and_what_is_no_scenario_file_is_not_read() {
    let part = |title: &str, include: &str| format!("scenario: 1\ntitle: {title}\n{include}");
    let main = with_steps(END).replace("stage:\n", "include: [_s.yaml, _t.yaml]\nstage:\n");
    let (s, t) = (part("S.", "include: [_u.yaml]\n"), part("T.", "include: [_u.yaml]\n"));
    let u = part("U.", "steps: [{note: once}]\n");
    let files = [("a.yaml", main.as_str()), ("_s.yaml", &s), ("_t.yaml", &t), ("_u.yaml", &u)];
    let (scenario, told, _) = loaded(&files, &[]);
    assert_eq!(told, [""; 0]);
    assert_eq!(scenario.expect("a scenario").steps.len(), 2);
    let twice = main.replace("_t.yaml", "./_s.yaml");
    let told = findings(&[("a.yaml", &twice), ("_s.yaml", &s), ("_u.yaml", &u)], &[]);
    assert!(told.len() == 1 && told[0].contains("a.yaml:5:20: ./_s.yaml is included already"), "{told:?}");
    let other = main.replace("_s.yaml, _t.yaml", "../.env");
    let told = findings(&[("a.yaml", &other), ("../.env", "KEY=open-sesame\n")], &[]);
    assert!(told.len() == 1 && told[0].contains("whose name ends in .yaml or .yml"), "{told:?}");
}

#[test]
fn options_of_the_command_line_are_told_as_such() {
    let text = with_steps(&format!("  - note: \"x ${{merchants}}\"\n{END}"));
    let text = text.replace("stage:\n", "parameters: {merchants: 1}\nstage:\n");
    let check = |set: &[(&str, &str)]| findings(&[("a.yaml", &text)], set);
    assert_eq!(
        check(&[("merchant", "2")]),
        ["--set merchant: a.yaml has no such parameter; there are: merchants; did you mean `merchants`?"]
    );
    assert_eq!(
        check(&[("merchants", "many")]),
        ["--set merchants: a.yaml expects a whole number, as its own value is, found `many`"]
    );
    assert_eq!(
        check(&[("merchants", "1"), ("merchants", "2")]),
        ["--set merchants: this parameter is set twice; take one of the two options away"]
    );
    let none = findings(&[("a.yaml", &with_steps(END))], &[("merchant", "2")]);
    assert!(
        none.len() == 1 && none[0].starts_with("--set merchant: a.yaml has no parameter at all"),
        "{none:?}"
    );
}

#[test]
fn parameters_name_no_parameters() {
    let text = with_steps(&format!("  - note: \"${{x}}\"\n{END}"));
    let ring = text.replace("stage:\n", "parameters: {x: \"${y}\", y: \"${x}\"}\nstage:\n");
    let told = findings(&[("a.yaml", &ring)], &[]);
    assert!(told[0].starts_with("a.yaml:5:17: a parameter's value names no other parameter"), "{told:?}");
}

#[test]
fn repetitions_may_stand_in_each_other_as_deep_as_the_language_allows() {
    let (open, close) = ("{repeat: {times: 1, steps: [".repeat(8), "]}}".repeat(8));
    let inner = "{expect: {calls: [{headers: {accept: null}, spacing: [1s]}]}}";
    assert_eq!(said(&format!("  - {open}{inner}{close}\n")), "");
    let deeper = said(&format!("  - {{repeat: {{times: 1, steps: [{open}{inner}{close}]}}}}\n"));
    assert!(deeper.contains("expected `repeat` at most 8 deep"), "{deeper}");
}
