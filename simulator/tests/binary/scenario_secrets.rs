//! `d1sim scenario run` and `explain`: no secret gets out of what anybody has said, and nothing that speaks to a terminal.

use std::fs;

use crate::{empty_folder, ends, made};

const PAN: &str = "4111111111111111";
/// As long as the shortest JWE.
const JWE: &str =
    "eyJtYXJrZWQiOiJzZWNyZXQifQ..c2VjcmV0c2VjcmV0.c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0.c2VjcmV0";
/// What clears a terminal, and what no XML may hold.
const STRANGE: [char; 2] = ['\u{1b}', '\u{fffe}'];

fn harmless(text: &str) {
    for secret in [PAN, JWE] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
    assert!(!text.contains(STRANGE), "{text:?}");
}

#[test]
fn what_a_file_a_fault_an_option_or_a_probe_says_is_told_without_what_is_secret_in_it() {
    let folder = made();
    let probe = format!(
        "if [ -f asked ]; then echo '{{\"state\":\"{JWE}\",\"cardLastDigits\":\"{PAN}\"}}'; else touch asked; echo null; fi"
    );
    fs::write(folder.path().join("probe.sh"), probe).expect("written");
    let day = format!(
        r#"scenario: 1
name: loose-tongues
title: "A day with \e[2J and \uFFFE."
why: "The card {PAN} is in it."
parameters: {{pan: "1"}}
stage:
  gateways: {{shop: {{receiver: {{url: "https://127.0.0.1:1", probe: "sh probe.sh"}}}}}}
  merchants: {{books: {{name: Books}}}}
  cards: {{alice: approve}}
  tokens: {{subscription: {{merchant: books, card: alice}}}}
steps:
  - note: "${{pan}} {JWE} \e[2J \uFFFE"
  - fault: {{name: loose, on: [getToken], times: 1, answer: {{status: 404, errorCode: RESOURCE_NOT_FOUND, error: "{PAN} {JWE} \uFFFE"}}}}
  - call: {{getToken: {{token: subscription}}}}
  - expect: {{receiver: {{subscription: {{state: SUSPENDED, cardLastDigits: "0016"}}}}}}
"#
    );
    fs::write(folder.path().join("day.yaml"), day).expect("written");
    let set = format!("pan={PAN}");
    let run = ["scenario", "run", "day.yaml", "--set", &set, "--transcript", "t.txt", "--html", "t.html"];
    let (out, said) =
        ends(folder.path(), &[&run[..], &["--junit", "j.xml", "--json", "j.ndjson"]].concat(), 1);
    // All three were told.
    for told in ["…1111", "step 3: expected the call to come out well", "to have cardLastDigits"] {
        assert!(out.contains(told), "{told}: {out}");
    }
    harmless(&out);
    harmless(&said);
    for report in ["t.txt", "t.html", "j.xml", "j.ndjson"] {
        harmless(&fs::read_to_string(folder.path().join(report)).expect("a report"));
    }
    let (told, _) = ends(folder.path(), &["scenario", "explain", "day.yaml", "--set", &set], 0);
    harmless(&told);
    let (found, _) = ends(
        empty_folder().path(),
        &["scenario", "list", &folder.path().join("day.yaml").display().to_string()],
        0,
    );
    assert!(!found.contains(STRANGE), "{found:?}");
}
