//! `d1sim scenario run`: the library, and what a run says and writes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Serving, empty_folder, ends, made, pay, text};

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/scenarios")
}

fn of_library(name: &str) -> String {
    library().join(name).display().to_string()
}

/// A file of these steps, on the stage of the library.
fn scenario(folder: &Path, name: &str, steps: &str) {
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

/// Each scenario of the library, and what makes it red: a client or a receiver that is broken in the way that it is about.
const TWINS: [(&str, &str); 18] = [
    ("card-replaced-between-authorizations", "new-token-each-time"),
    ("certificate-about-to-expire", "keeps-certificate"),
    ("clock-skew", "repeats-refused"),
    ("decline", "repeats-refused"),
    ("duplicates-and-reordering", "last-come-wins"),
    ("expired-bearer-mid-flight", "new-bearer-each-time"),
    ("first-payment", "new-bearer-each-time"),
    ("forged-notification", "refuses-news"),
    ("hostile-day", "last-come-wins"),
    ("issuer-deletes-the-card", "one-event-a-moment"),
    ("lost-answer", "repeats-lost"),
    ("merchant-deletes-the-token", "deletes-at-home"),
    ("rate-limit", "never-repeats"),
    ("receiver-down-for-an-hour", "refuses-late"),
    ("recurring-over-a-renewal", "keeps-nothing"),
    ("slow-issuer", "impatient"),
    ("storm-with-retry-after", "never-repeats"),
    ("suspended-mid-subscription", "keeps-nothing"),
];

#[test]
fn every_scenario_of_the_library_tells_its_broken_twin() {
    let folder = empty_folder();
    for (name, flaw) in TWINS {
        let file = of_library(&format!("{name}.yaml"));
        let (out, _) = ends(folder.path(), &["scenario", "run", &file, "--flaw", flaw], 1);
        assert!(out.contains("things were not as expected") || out.contains("1 thing was not as expected"));
        assert!(!out.contains("broke off"), "{out}");
    }
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
    let steps = "  - issuer: {event: token.suspend, token: subscription}\n  - expect:\n      receiver: {subscription: ACTIVE}\n      calls: {operation: createToken, count: 2}\n  - call: {getToken: {token: subscription}, answer: {state: ACTIVE}}\n";
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

#[test]
fn a_sandbox_that_runs_already_is_played_on_with_its_own_receiver_address() {
    let folder = empty_folder();
    ends(folder.path(), &["init"], 0);
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let receiver = format!("https://{free}");
    let serving = Serving::start(
        folder.path(),
        &["--clock", "manual", "--auth-clock", "sandbox", "--receiver", &receiver],
    );
    let admin = serving.address("admin");
    let day = of_library("suspended-mid-subscription.yaml");
    // Twice: what was there before is not counted.
    for _ in 0..2 {
        let (out, _) = ends(folder.path(), &["scenario", "run", &day, "--attach", &admin], 0);
        assert!(out.ends_with("suspended-mid-subscription: as expected\n"), "{out}");
    }
    let real = Serving::start(folder.path(), &[]);
    let (_, said) = ends(folder.path(), &["scenario", "run", &day, "--attach", &real.address("admin")], 64);
    assert!(said.contains("--clock manual"), "{said}");
}

#[test]
fn a_sandbox_that_runs_already_is_hostile_for_as_long_as_the_stage_is() {
    let folder = made();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let receiver = format!("https://{free}");
    let own = ["--clock", "manual", "--auth-clock", "sandbox", "--seed", "7", "--receiver", &receiver];
    let serving = Serving::start(folder.path(), &own);
    let played = |name: &str| {
        let (day, admin) = (of_library(name), serving.address("admin"));
        let run = ["scenario", "run", &day, "--attach", &admin, "--transcript", "day.txt"];
        ends(folder.path(), &run, 0);
        fs::read_to_string(folder.path().join("day.txt")).expect("the transcript")
    };
    assert!(played("hostile-day.yaml").contains("[fault hostile-members-MGW_000001"));
    let calm = played("first-payment.yaml");
    assert!(!calm.contains("[fault "), "{calm}");
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
    let output = running.wait_with_output().expect("an end");
    stderr.read_to_string(&mut said).expect("text");
    for told in [
        "theirs: step 1: waits at most 1m for a createToken answered 201",
        "theirs: step 2: waits at most 1m for a createTransaction of the token `theirs`",
    ] {
        assert!(said.contains(told), "{said}");
    }
    let out = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{out}");
    // What came before it was named stands there by its identifier.
    assert!(out.contains("ok  as expected") && out.contains("theirs: as expected"), "{out}");
}
