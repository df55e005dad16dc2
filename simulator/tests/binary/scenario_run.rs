//! `d1sim scenario run`: the library, and what a run says and writes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use rustix::process::{Pid, Signal, kill_process};

use crate::{HEARS_HANGUPS, empty_folder, ends, made, pay, text};

pub(crate) fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/scenarios")
}

pub(crate) fn of_library(name: &str) -> String {
    library().join(name).display().to_string()
}

/// A file of these steps, on the stage of the library.
pub(crate) fn scenario(folder: &Path, name: &str, steps: &str) {
    fs::copy(library().join("_shop.yaml"), folder.join("_shop.yaml")).expect("the stage");
    let head =
        format!("scenario: 1\nname: {name}\ntitle: Something.\nwhy: For a test.\ninclude: [_shop.yaml]\n");
    let stage = "stage:\n  tokens: {subscription: {merchant: books, card: alice}}\n";
    fs::write(folder.join(format!("{name}.yaml")), format!("{head}{stage}steps:\n{steps}")).expect("written");
}

/// The texts of a folder's files, by their names.
fn texts(folder: &Path) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            (name, fs::read_to_string(path).expect("text"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_scenario_of_the_library_is_as_expected_with_other_seeds_too() {
    let folder = empty_folder();
    let library = library().display().to_string();
    for all in [&["scenario", "run", &library][..], &["scenario", "run"]] {
        let (out, _) = ends(folder.path(), all, 0);
        assert_eq!(out.lines().filter(|line| line.ends_with(": as expected")).count(), 18, "{out}");
    }
    let (out, _) = ends(folder.path(), &["scenario", "run", "lost-answer", "decline"], 0);
    assert_eq!(out, "lost-answer: as expected\ndecline: as expected\n");
    let (out, _) = ends(folder.path(), &["scenario", "run", &library, "--seeds", "1..5"], 0);
    assert_eq!(out, "as expected with every seed from 1 to 5\n");
}

/// Each scenario of the library, what makes it red (a client or a receiver that is broken in the way that it is about), the
/// line of the first thing that is not as expected, and what is expected and found there.
const TWINS: [(&str, &str, u32, &str, &str); 21] = [
    ("card-replaced-between-authorizations", "new-token-each-time", 22, "1 of createToken", "3"),
    (
        "card-replaced-between-authorizations",
        "ignores-encrypted-data",
        19,
        "the receiver to have dpanLastDigits",
        "none",
    ),
    (
        "certificate-about-to-expire",
        "keeps-certificate",
        19,
        "the call to come out well",
        "no answer: D1 refused the TLS connection",
    ),
    ("clock-skew", "uses-ended-bearer", 22, "0 of getToken answered 401", "1"),
    ("decline", "repeats-refused", 19, "1 of createToken answered 403", "2"),
    (
        "duplicates-and-reordering",
        "last-come-wins",
        24,
        "the receiver to have state \"SUSPENDED\"",
        "\"ACTIVE\"",
    ),
    ("expired-bearer-mid-flight", "new-bearer-each-time", 18, "2 of getAccessToken", "3"),
    ("expired-bearer-mid-flight", "uses-ended-bearer", 22, "1 attempt", "2"),
    ("first-payment", "new-bearer-each-time", 15, "1 of getAccessToken", "3"),
    ("forged-notification", "takes-unreadable", 17, "the receiver to refuse it", "204"),
    ("forged-notification", "refuses-news", 22, "the receiver to take it", "400"),
    ("hostile-day", "last-come-wins", 90, "the receiver to have tokenExpiryDate", "\"1241\""),
    (
        "issuer-deletes-the-card",
        "one-event-a-moment",
        22,
        "the receiver to know `at-music`",
        "it has never heard of it",
    ),
    ("lost-answer", "repeats-lost", 11, "no answer", "it came out well"),
    ("merchant-deletes-the-token", "deletes-at-home", 13, "D1 to have state \"DELETED\"", "\"ACTIVE\""),
    ("rate-limit", "never-repeats", 16, "the call to come out well", "refused with 429"),
    ("receiver-down-for-an-hour", "refuses-late", 24, "1 of notification TOKEN_SUSPENDED", "0"),
    (
        "recurring-over-a-renewal",
        "keeps-nothing",
        20,
        "the receiver to know `subscription`",
        "it has never heard of it",
    ),
    ("slow-issuer", "impatient", 11, "1 attempt", "2"),
    ("storm-with-retry-after", "ignores-retry-after", 19, "a pause of at least 20s before number 2", "0s"),
    (
        "suspended-mid-subscription",
        "keeps-nothing",
        18,
        "the receiver to know `subscription`",
        "it has never heard of it",
    ),
];

#[test]
fn every_scenario_of_the_library_tells_its_broken_twin_for_the_reason_that_it_is_about() {
    let folder = empty_folder();
    for (name, flaw, line, expected, found) in TWINS {
        let file = of_library(&format!("{name}.yaml"));
        let (out, _) = ends(folder.path(), &["scenario", "run", &file, "--flaw", flaw], 1);
        assert!(!out.contains("broke off"), "{out}");
        let first = out.split("     NO  ").nth(1).expect("something is not as expected");
        let mut lines = first.lines();
        let told = lines.next().expect("a line");
        let place = format!("{name}.yaml:{line}:");
        assert!(
            told.contains(&place) && told.contains(&format!(": expected {expected}")),
            "{name} {flaw}: {out}"
        );
        let second = lines.next().expect("a line").trim();
        assert!(second.starts_with(&format!("found: {found}")), "{name} {flaw}: {out}");
    }
    let told: std::collections::BTreeSet<&str> = TWINS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(told.len(), 18);
}

#[test]
fn no_seed_of_a_hostile_day_troubles_ours_and_one_that_tells_a_broken_receiver_tells_it_again() {
    let folder = empty_folder();
    let day = of_library("hostile-day.yaml");
    let run =
        |more: &[&str], code| ends(folder.path(), &[&["scenario", "run", &day][..], more].concat(), code);
    assert_eq!(run(&["--seeds", "1..20"], 0).0, "as expected with every seed from 1 to 20\n");
    let (out, said) = run(&["--seeds", "1..200", "--flaw", "last-come-wins", "--jobs", "2"], 1);
    let seed = out.strip_prefix("seed ").and_then(|rest| rest.split_once(':')).expect("a seed").0;
    assert!(out.contains("expected the receiver to have state"), "{out}");
    let again = said.lines().find_map(|line| line.strip_prefix("to see it again: d1sim ")).expect("a line");
    assert!(again.ends_with(&format!("--seed {seed} --flaw last-come-wins")), "{again}");
    let again: Vec<&str> = again.split(' ').collect();
    let [one, other] = [(), ()].map(|()| ends(folder.path(), &again, 1).0);
    assert!(one.contains("\n     NO  "), "{one}");
    assert_eq!(one, other);
    // The lowest that fails, however many were under way at once.
    if let Some(before) =
        seed.parse::<u32>().ok().filter(|seed| *seed > 1).map(|seed| format!("1..{}", seed - 1))
    {
        run(&["--seeds", &before, "--flaw", "last-come-wins"], 0);
    }
}

#[test]
fn a_pause_that_a_late_answer_asks_for_begins_with_the_answer() {
    let folder = empty_folder();
    // Often, since it is about who is faster.
    let steps = "  - repeat:
      times: 30
      steps:
        - fault: {name: slow, on: [getToken], times: 1, latency: 500ms}
        - fault: {name: busy, on: [getToken], times: 1, answer: {status: 429, retryAfter: 1s}}
        - call: {getToken: {token: subscription}, attempts: 2}
        - lift: slow
        - lift: busy
        - expect: {calls: {operation: getToken, count: 2, spacing: [1s], since: lastExpect}}
";
    scenario(folder.path(), "late-answers", steps);
    let (out, _) = ends(folder.path(), &["scenario", "run", "late-answers.yaml"], 0);
    assert!(out.ends_with("late-answers: as expected\n"), "{out}");
}

#[test]
fn two_runs_with_one_seed_write_the_same_transcripts_without_what_only_one_run_has() {
    let folder = empty_folder();
    let library = library().display().to_string();
    for into in ["one", "other"] {
        ends(folder.path(), &["scenario", "run", &library, "--seed", "7", "--transcript", into], 0);
    }
    let (one, other) = (texts(&folder.path().join("one")), texts(&folder.path().join("other")));
    assert_eq!(one.len(), 18);
    for ((name, one), (_, other)) in one.iter().zip(&other) {
        assert_eq!(one, other, "{name}");
        for secret in ["127.0.0.1:", "eyJ", "BEGIN"] {
            assert!(!one.contains(secret), "{name} has {secret}: {one}");
        }
    }
    assert_eq!(one, other);
}

#[test]
fn what_is_not_as_expected_is_told_with_its_place_in_every_report() {
    let folder = empty_folder();
    let steps = "  - issuer: {event: token.suspend, token: subscription}\n  - expect:\n      receiver: {subscription: ACTIVE}\n      calls: {operation: createToken, count: 2}\n  - call: {getToken: {token: subscription}, answer: {cardLastDigits: \"0000\"}}\n";
    scenario(folder.path(), "bad-day", steps);
    let files = ["--junit", "j.xml", "--json", "j.ndjson", "--html", "p.html", "--transcript", "t.txt"];
    let arguments = [&["scenario", "run", "bad-day.yaml"][..], &files].concat();
    let (out, said) = ends(folder.path(), &arguments, 1);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a report");
    assert_eq!(out, read("t.txt"));
    insta::assert_snapshot!("a_bad_day", out);
    assert!(said.contains("d1sim scenario run bad-day.yaml --seed 42"), "{said}");
    let place = "bad-day.yaml:11:18";
    for report in ["j.xml", "p.html"] {
        assert!(read(report).contains(place), "{report}: {}", read(report));
    }
    let lines: Vec<serde_json::Value> =
        read("j.ndjson").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let schema: serde_json::Value = serde_json::from_str(d1_fixtures::TRANSCRIPT_SCHEMA).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    assert!(!schema.is_valid(&serde_json::json!({"kind": "other"})));
    for line in &lines {
        assert!(schema.is_valid(line), "{line}");
    }
    let result = lines.last().expect("a result");
    assert_eq!((&result["outcome"], result["misses"].as_array().map(Vec::len)), (&"failed".into(), Some(3)));
    assert_eq!(result["misses"][0]["line"], 11);
}

#[test]
fn a_seed_that_fails_ends_the_run_and_is_named() {
    let folder = empty_folder();
    scenario(folder.path(), "good-day", "  - call: {getToken: {token: subscription}}\n");
    let (out, _) = ends(folder.path(), &["scenario", "run", "good-day.yaml", "--seeds", "1..5"], 0);
    assert_eq!(out, "as expected with every seed from 1 to 5\n");
    // The last digit of the token is drawn.
    let steps = "  - expect: {tokens: {subscription: {tokenLastDigits: \"0000\"}}}\n";
    scenario(folder.path(), "bad-day", steps);
    let (out, said) = ends(folder.path(), &["scenario", "run", "bad-day.yaml", "--seeds", "3..9"], 1);
    assert!(out.starts_with("seed 3: bad-day: 1 thing"), "{out}");
    assert!(said.contains("bad-day.yaml --seed 3"), "{said}");
}

#[test]
fn what_cannot_be_played_has_an_exit_code_of_its_own() {
    let folder = empty_folder();
    let good = of_library("first-payment.yaml");
    scenario(folder.path(), "bad-day", "  - call: {getTokn: {token: subscription}}\n");
    let run =
        |arguments: &[&str], code| ends(folder.path(), &[&["scenario", "run"], arguments].concat(), code).1;
    assert!(run(&["bad-day.yaml"], 64).contains("bad-day.yaml:9:12: "), "the place is told");
    assert!(run(&[&good, &good], 64).contains("has the name `first-payment` already"));
    assert!(run(&[&good, "--filter", "nothing"], 3).contains("--filter nothing"));
    assert!(run(&[&good, "--seeds", "9..3"], 64).contains("A..B"));
    assert!(run(&["nowhere.yaml"], 71).contains("nowhere.yaml"));
    assert!(run(&[&good, "--junit", "no/such/folder.xml"], 71).contains("no/such/folder.xml"));
    let nobody =
        "the admin port at http://127.0.0.1:1 does not answer: connection refused; is d1sim serve running?";
    assert!(run(&[&good, "--attach", "http://127.0.0.1:1"], 71).contains(nobody));
}

/// A scenario whose first step hangs once somebody connects to its receiver, which never answers.
fn stuck(folder: &Path) -> TcpListener {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let head = "scenario: 1\nname: b-stuck\ntitle: Something.\nwhy: For a test.\n";
    let stage = format!(
        "stage:\n  retry: {{timeout: 60s}}\n  gateways: {{shop: {{receiver: {{url: \"https://{at}\"}}}}}}\n  \
         merchants: {{books: {{name: Books}}}}\n  cards: {{alice: approve}}\n  tokens: {{subscription: {{merchant: books, card: alice}}}}\n"
    );
    let steps = "steps:\n  - issuer: {event: token.suspend, token: subscription}\n  - expect: {tokens: {subscription: SUSPENDED}}\n";
    fs::write(folder.join("b-stuck.yaml"), format!("{head}{stage}{steps}")).expect("written");
    silent
}

#[test]
fn a_signal_stops_what_is_in_play_and_the_reports_hold_it_as_far_as_it_got() {
    let folder = made();
    let silent = stuck(folder.path());
    scenario(folder.path(), "a-good", "  - call: {getToken: {token: subscription}}\n");
    scenario(folder.path(), "c-later", "  - call: {getToken: {token: subscription}}\n");
    for name in [Signal::INT, Signal::TERM, Signal::HUP] {
        let [env, default] = HEARS_HANGUPS;
        let mut command = Command::new(env);
        command.args([default, env!("CARGO_BIN_EXE_d1sim")]);
        let files = ["--junit", "j.xml", "--json", "j.ndjson", "--html", "all", "--transcript", "all"];
        command
            .current_dir(folder.path())
            .args(["scenario", "run", ".", "--jobs", "1"])
            .args(files)
            .stdin(Stdio::null());
        let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("d1sim starts");
        let (_connection, _) = silent.accept().expect("the notification");
        kill_process(Pid::from_child(&running), name).expect("signalled");
        let output = running.wait_with_output().expect("an end");
        let (out, said) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(4), "{out}{said}");
        let broke_off = "b-stuck: broke off: ./b-stuck.yaml:12:5: step 1: interrupted";
        assert!(out.contains("a-good: as expected\n") && out.contains(broke_off), "{out}{said}");
        assert!(said.contains("once more ends at once") && said.contains("broken off by a signal"), "{said}");
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("a report");
        let transcript = read("all/b-stuck.txt");
        for line in ["createToken `subscription`: 201", "token.suspend `subscription`", broke_off] {
            assert!(transcript.contains(line), "{line}: {transcript}");
        }
        assert!(read("all/b-stuck.html").contains("token.suspend"), "the timeline");
        let junit = read("j.xml");
        assert!(junit.contains("errors=\"1\"") && junit.contains("skipped=\"1\""), "{junit}");
        let last = |name: &str| {
            let (lines, named) = (read("j.ndjson"), format!("\"{name}\""));
            let line = lines.lines().rfind(|line| line.contains(&named)).expect("a line").to_owned();
            serde_json::from_str::<serde_json::Value>(&line).expect("JSON")
        };
        assert_eq!(last("b-stuck")["outcome"], "brokenOff");
        assert_eq!(last("c-later")["outcome"], "notPlayed");
        fs::remove_dir_all(folder.path().join("all")).expect("removed");
    }
}

/// A probe that answers this, one after the other; gives what it was asked.
fn answers(listening: TcpListener, bodies: &'static [&'static str]) -> JoinHandle<Vec<String>> {
    thread::spawn(move || {
        let one = |body: &&str| {
            let (mut stream, _) = listening.accept().expect("a connection");
            let mut came = Vec::new();
            while !came.ends_with(b"}") {
                let mut piece = [0; 1024];
                let read = stream.read(&mut piece).expect("bytes");
                assert_ne!(read, 0, "it ended early");
                came.extend_from_slice(&piece[..read]);
            }
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all((head + body).as_bytes()).expect("written");
            text(&came)
        };
        bodies.iter().map(one).collect()
    })
}

#[test]
fn what_a_receiver_elsewhere_knows_is_asked_at_a_url_and_who_cannot_be_asked_is_told_before() {
    let folder = made();
    let url =
        |listening: &TcpListener| format!("http://{}/known", listening.local_addr().expect("an address"));
    let day = |name: &str, probe: &str| {
        let stage = format!(
            "stage:\n  gateways: {{shop: {{receiver: {{url: \"https://127.0.0.1:1\"{probe}}}}}}}\n  \
             merchants: {{books: {{name: Books}}}}\n  cards: {{alice: approve}}\n"
        );
        let head = format!("scenario: 1\nname: {name}\ntitle: Something.\nwhy: For a test.\n{stage}steps:\n");
        let steps = "  - call: {createToken: {merchant: books, card: alice, as: mine}}\n  - expect:\n      receiver: {mine: SUSPENDED}\n";
        fs::write(folder.path().join(format!("{name}.yaml")), head + steps).expect("written");
    };
    let run =
        |arguments: &[&str], code| ends(folder.path(), &[&["scenario", "run"], arguments].concat(), code);
    let listen = || TcpListener::bind("127.0.0.1:0").expect("a port");
    // Of the command line, and of the stage.
    day("by-option", "");
    let listening = listen();
    let asked_at = url(&listening);
    // Before anything is told, and where it is expected.
    let asked = answers(listening, &["null", r#"{"state":"SUSPENDED"}"#]);
    run(&["by-option.yaml", "--probe", &asked_at], 0);
    let asked = asked.join().expect("asked").concat();
    assert!(asked.starts_with("POST /known HTTP/1.1") && asked.contains("\"tokenId\""), "{asked}");
    let listening = listen();
    day("by-stage", &format!(", probe: \"{}\"", url(&listening)));
    let asked = answers(listening, &["null", "null"]);
    let (out, _) = run(&["by-stage.yaml"], 1);
    assert!(out.contains("expected the receiver to know `mine`"), "{out}");
    assert_eq!(asked.join().expect("asked").len(), 2);
    let (told, _) = ends(folder.path(), &["scenario", "explain", "by-stage.yaml"], 0);
    assert!(told.contains(", asked at http://127.0.0.1:"), "{told}");
    // Nobody is there, after all.
    let (out, _) = run(&["by-stage.yaml"], 4);
    assert!(
        out.contains("by-stage.yaml:11:5: step 2: the probe: nobody listens at http://127.0.0.1:"),
        "{out}"
    );
    // What can be known before.
    let (out, said) = run(&["by-option.yaml", "by-stage.yaml"], 64);
    assert!(out.is_empty() && said.contains("nothing was played"), "{out}{said}");
    assert!(said.contains("by-option.yaml:12:17: what the receiver of `shop` knows of `mine`"), "{said}");
    let (_, said) = run(&["by-option.yaml", "--probe", "https://127.0.0.1:1"], 64);
    assert!(said.contains("--probe") && said.contains("curl"), "{said}");
    day("by-stage", ", probe: \"https://127.0.0.1:1\"");
    let (found, _) = ends(folder.path(), &["scenario", "check", "by-stage.yaml"], 64);
    assert!(found.contains("by-stage.yaml:6:") && found.contains("for https a command with curl"), "{found}");
}

#[test]
fn a_receiver_that_hangs_is_told_from_one_that_is_not_there() {
    let folder = made();
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = silent.local_addr().expect("an address");
    let day = || {
        let head = "scenario: 1\nname: day\ntitle: Something.\nwhy: For a test.\n";
        let stage = format!(
            "stage:\n  silence: 1ms\n  retry: {{timeout: 50ms, attempts: 1}}\n  gateways: {{shop: {{receiver: {{url: \"https://{at}\"}}}}}}\n  \
             merchants: {{books: {{name: Books}}}}\n  cards: {{alice: approve}}\n  tokens: {{subscription: {{merchant: books, card: alice}}}}\n"
        );
        let steps = "steps:\n  - issuer: {event: token.suspend, token: subscription}\n  - expect: {notifications: {token: subscription, outcome: delivered, count: 1}}\n";
        fs::write(folder.path().join("day.yaml"), format!("{head}{stage}{steps}")).expect("written");
        ends(folder.path(), &["scenario", "run", "day.yaml"], 1).0
    };
    let out = day();
    assert!(out.contains("attempt 1: no answer within 50 ms (time-out), givenUp"), "{out}");
    assert!(out.contains("the last one: no answer within 50 ms (time-out)"), "{out}");
    drop(silent);
    let out = day();
    assert!(out.contains("attempt 1: connection refused: nobody listens there, givenUp"), "{out}");
}

#[tokio::test]
async fn somebody_elses_client_is_waited_for_and_what_it_makes_has_a_name() {
    let folder = made();
    let config = folder.path().join("d1-sandbox/sandbox.yaml");
    let listens = fs::read_to_string(&config).expect("the configuration");
    fs::write(&config, listens.replace("api: \"127.0.0.1:8443\"", "api: \"127.0.0.1:0\"")).expect("written");
    let head =
        "scenario: 1\nname: theirs\ntitle: Theirs.\nwhy: For a test.\nstage: {caller: outside}\nsteps:\n";
    let waits = "  - wait: {call: {operation: createToken, answered: 201}, as: theirs, within: 60s}\n  - wait: {call: {operation: createTransaction, token: theirs}, within: 60s}\n";
    let expect = "  - expect:\n      tokens: {theirs: ACTIVE}\n      calls: {operation: createTransaction, token: theirs, count: 1}\n      inOrder: [createMerchant, createToken]\n";
    fs::write(folder.path().join("theirs.yaml"), format!("{head}{waits}{expect}")).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder.path()).args(["scenario", "run", "theirs.yaml"]).stdin(Stdio::null());
    let mut running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("d1sim starts");
    let mut said = String::new();
    let mut stderr = BufReader::new(running.stderr.take().expect("a pipe"));
    stderr.read_line(&mut said).expect("text");
    let api = said.trim().rsplit_once(' ').expect("an address").1.to_owned();
    // Dated by the system's clock, months behind the sandbox's or ahead of it.
    let (assertion, _) = ends(folder.path(), &["jose", "assert"], 0);
    let (sealed, _) = ends(folder.path(), &["jose", "seal", "--card", "approve"], 0);
    pay(folder.path(), &api, assertion.trim(), sealed.trim()).await;
    stderr.read_to_string(&mut said).expect("text");
    let output = running.wait_with_output().expect("an end");
    stderr.read_to_string(&mut said).expect("text");
    for told in [
        "theirs: step 1: waits at most 1m for a createToken answered 201",
        "theirs: step 2: waits at most 1m for a createTransaction of the token `theirs`",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}{said}");
    // What came before it was named stands there by its identifier.
    assert!(out.contains("ok  as expected") && out.contains("theirs: as expected"), "{out}");
}
