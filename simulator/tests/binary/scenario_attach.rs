//! `d1sim scenario run --attach`: scenarios on one sandbox that all share, in gateways of their own.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use reqwest::Method;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::scenario_run::{library, of_library};
use crate::{Serving, empty_folder, ends, made, pay, text};

const MANUAL: [&str; 6] = ["--clock", "2026-04-22T10:00:00Z", "--auth-clock", "sandbox", "--seed", "42"];

/// What the admin port of a sandbox answers.
struct Port {
    url: String,
    http: reqwest::Client,
}

impl Port {
    fn of(serving: &Serving) -> Self {
        Self { url: serving.address("admin"), http: reqwest::Client::new() }
    }

    async fn ask(&self, method: Method, path: &str, body: &Value) -> (u16, String) {
        let request = self.http.request(method, format!("{}{path}", self.url));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    }

    async fn get(&self, path: &str) -> Value {
        let (_, body) = self.ask(Method::GET, path, &Value::Null).await;
        serde_json::from_str(&body).expect("JSON")
    }

    async fn lease(&self, body: Value) -> String {
        let (status, answer) = self.ask(Method::POST, "/clock/lease", &body).await;
        assert_eq!(status, 201, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["lease"].as_str().expect("a lease").to_owned()
    }

    async fn give_back(&self, lease: &str) {
        assert_eq!(self.ask(Method::DELETE, &format!("/clock/lease/{lease}"), &Value::Null).await.0, 204);
    }

    async fn journal(&self) -> Vec<Value> {
        let (_, lines) = self.ask(Method::GET, "/journal?after=0", &Value::Null).await;
        lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Nothing is there but what the configuration has, and the clock is anybody's.
    async fn is_as_it_was(&self) {
        let gateways = self.get("/gateways").await;
        let origins: Vec<&Value> =
            gateways["gateways"].as_array().expect("a list").iter().map(|one| &one["origin"]).collect();
        assert_eq!(origins, ["configuration", "configuration"], "{gateways}");
        assert_eq!(self.get("/faults").await, json!({"faults": []}));
        assert_eq!(self.get("/clock").await["heldUntil"], Value::Null);
        let lease = self.lease(json!({"holder": "who looks after it"})).await;
        self.give_back(&lease).await;
        let state = self.get("/state").await;
        assert_eq!((&state["outbox"], &state["planned"]), (&json!(0), &json!(0)));
    }
}

fn d1sim(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("d1sim starts")
}

/// Its exit code, and what it printed.
fn ended(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().expect("an end");
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

fn scenario(folder: &Path, name: &str, rest: &str) {
    let head = format!("scenario: 1\nname: {name}\ntitle: Something.\nwhy: For a test.\n");
    fs::write(folder.join(format!("{name}.yaml")), head + rest).expect("written");
}

#[tokio::test]
async fn two_programs_play_the_whole_library_on_one_sandbox_at_once_and_leave_nothing_there() {
    let folder = made();
    let serving = Serving::start(folder.path(), &MANUAL);
    let (port, library) = (Port::of(&serving), library().display().to_string());
    let run = ["scenario", "run", &library, "--attach", &port.url, "--jobs", "4"];
    let both = [(); 2].map(|()| d1sim(folder.path(), &run)).map(ended);
    for (code, said) in both {
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.lines().filter(|line| line.ends_with(": as expected")).count(), 17, "{said}");
        assert!(said.contains("aside: certificate-about-to-expire: its certificates age"), "{said}");
    }
    port.is_as_it_was().await;
    // No scenario's fault can befall another's calls.
    let journal = port.journal().await;
    let set: Vec<&Value> = journal.iter().filter(|entry| entry["what"] == "set").collect();
    assert!(set.len() > 20, "{}", set.len());
    for entry in set {
        let whose = entry["asked"]["gateways"][0].as_str().expect("a gateway");
        assert_ne!(whose, "MGW_000001");
        assert!(entry["name"].as_str().is_some_and(|name| name.starts_with(whose)), "{entry}");
    }
}

#[tokio::test]
async fn on_a_fresh_sandbox_with_its_seed_a_scenario_goes_as_on_one_of_its_own() {
    for name in ["first-payment", "storm-with-retry-after"] {
        let folder = made();
        let serving = Serving::start(folder.path(), &MANUAL);
        let day = of_library(&format!("{name}.yaml"));
        let run = |more: &[&str], to: &str| {
            let arguments = [&["scenario", "run", &day, "--transcript", to][..], more].concat();
            ends(folder.path(), &arguments, 0);
            fs::read_to_string(folder.path().join(to)).expect("the transcript")
        };
        // The second one is played again from its beginning once its client pauses.
        assert_eq!(run(&["--attach", &serving.address("admin")], "there"), run(&["--seed", "42"], "here"));
    }
}

#[tokio::test]
async fn scenarios_under_a_clock_that_stands_still_play_beside_each_other_and_others_wait_for_it() {
    let folder = made();
    let serving = Serving::start(folder.path(), &MANUAL);
    let port = Port::of(&serving);
    let lease = port.lease(json!({"holder": "a long day", "still": true, "for": "10m"})).await;
    let run = |names: &[&str], more: &[&str], code| {
        let arguments = [&["scenario", "run", "--attach", &port.url][..], names, more].concat();
        let (out, said) = ends(folder.path(), &arguments, code);
        out + &said
    };
    let still = ["first-payment", "decline", "duplicates-and-reordering", "issuer-deletes-the-card"];
    let said = run(&still, &[], 0);
    assert_eq!(said.lines().filter(|line| line.ends_with(": as expected")).count(), 4, "{said}");
    assert_eq!(port.get("/clock").await["now"], "2026-04-22T10:00:00.000Z");
    // One says that time passes, of the other it is found out.
    for name in ["clock-skew", "storm-with-retry-after"] {
        let said = run(&[name], &["--clock-wait", "10ms"], 4);
        let wanted = format!(
            "{name}: the clock cannot be had: 409 CLOCK_IN_USE: a long day needs the clock to stand still"
        );
        assert!(said.contains(&wanted) && said.contains("--clock-wait"), "{said}");
    }
    let waits = d1sim(folder.path(), &["scenario", "run", "clock-skew", "--attach", &port.url]);
    port.give_back(&lease).await;
    let (code, said) = ended(waits);
    assert_eq!(code, Some(0), "{said}");
    port.is_as_it_was().await;
    let taken = port.lease(json!({"holder": "nightly run", "for": "10m"})).await;
    let said = run(&["decline", "clock-skew"], &["--clock-wait", "0s", "--junit", "report.xml"], 4);
    assert!(said.contains("CLOCK_IN_USE: nightly run has the clock for at most"), "{said}");
    let report = fs::read_to_string(folder.path().join("report.xml")).expect("the report");
    assert_eq!(report.matches("not played").count(), 2, "{report}");
    port.give_back(&taken).await;
}

#[tokio::test]
async fn what_a_run_that_is_broken_off_has_made_is_deleted() {
    let folder = made();
    let serving = Serving::start(folder.path(), &MANUAL);
    let port = Port::of(&serving);
    let stage = "stage:
  gateways: {one: {receiver: own}, two: {receiver: own}}
  merchants: {books: {gateway: one}}
  cards: {alice: approve}
  tokens: {subscription: {merchant: books, card: alice}}
";
    let steps = "steps:
  - fault: {name: closed, on: [connections], handshake: close, nth: 1000000}
  - repeat: {times: 4990, steps: [{call: {getToken: {token: subscription}}}]}
  - expect: {tokens: {subscription: ACTIVE}}
";
    scenario(folder.path(), "long", &(stage.to_owned() + steps));
    let child = d1sim(folder.path(), &["scenario", "run", "long.yaml", "--attach", &port.url]);
    while port.get("/faults").await["faults"] == json!([]) {
        tokio::task::yield_now().await;
    }
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::INT).expect("signalled");
    let (code, said) = ended(child);
    assert_eq!(code, Some(4), "{said}");
    port.is_as_it_was().await;
}

#[tokio::test]
async fn a_fault_of_a_scenario_with_several_gateways_counts_the_calls_of_all_of_them_and_of_nobody_else() {
    let folder = made();
    let serving = Serving::start(folder.path(), &MANUAL);
    let port = Port::of(&serving);
    let day = "stage:
  gateways: {one: {receiver: own}, two: {receiver: own}}
  merchants: {books: {gateway: one}, music: {gateway: two}}
  cards: {alice: approve}
  tokens: {at-books: {merchant: books, card: alice}, at-music: {merchant: music, card: alice}}
steps:
  - fault: {name: gone, on: [getToken], times: 2, answer: {status: 404}}
  - fault: {name: twice, on: [notifications], gateway: two, duplicate: 1}
  - call: {getToken: {token: at-books}, gives: {refused: {status: 404}}}
  - call: {getToken: {token: at-music}, gives: {refused: {status: 404}}}
  - call: {getToken: {token: at-books}}
  - call: {getToken: {token: at-music}}
  - issuer: {event: card.replace, card: alice, expiry: \"1244\"}
  - advance: {until: quiet}
  - lift: gone
  - expect:
      notifications: {event: CARD_UPDATED, count: 2}
      receiver: {at-books: {cardExpiryDate: \"1244\"}, at-music: {cardExpiryDate: \"1244\"}}
";
    scenario(folder.path(), "chain-store", day);
    for more in [&["--attach", &port.url][..], &[]] {
        let run = [&["scenario", "run", "chain-store.yaml"][..], more].concat();
        let (out, _) = ends(folder.path(), &run, 0);
        assert!(out.contains("the fault gone (answer): lifted"), "{out}");
    }
    let journal = port.journal().await;
    let asked: Vec<&Value> =
        journal.iter().filter(|entry| entry["what"] == "set").map(|entry| &entry["asked"]).collect();
    assert_eq!(asked[0]["gateways"].as_array().map(Vec::len), Some(2));
    assert_eq!(asked[0]["gateways"][1], asked[1]["gateway"]);
    port.is_as_it_was().await;
}

#[tokio::test]
async fn the_folder_of_a_sandbox_may_be_seen_elsewhere_and_has_to_be_seen() {
    let folder = made();
    let serving = Serving::start(folder.path(), &MANUAL);
    let port = Port::of(&serving);
    let elsewhere = empty_folder();
    std::os::unix::fs::symlink(folder.path().join("d1-sandbox"), elsewhere.path().join("shared"))
        .expect("a link");
    let run = |sandbox: &str, code| {
        let run = ["scenario", "run", "decline", "--attach", &port.url, "--sandbox", sandbox];
        ends(elsewhere.path(), &run, code)
    };
    run("shared", 0);
    let (_, said) = run("not-shared", 71);
    assert!(said.contains("not-shared/gateways/MGW_") && said.contains("--sandbox DIR"), "{said}");
    port.is_as_it_was().await;
}

#[tokio::test]
async fn who_takes_part_from_outside_plays_in_the_gateway_that_he_has_the_papers_of() {
    let folder = made();
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let receiver = format!("https://{free}");
    let serving = Serving::start(folder.path(), &["--clock", "manual", "--receiver", &receiver]);
    let port = Port::of(&serving);
    let steps = "steps:
  - wait: {call: {operation: createToken, answered: 201}, as: theirs, within: 60s}
  - issuer: {event: token.suspend, token: theirs}
  - expect: {receiver: {theirs: SUSPENDED}}
";
    scenario(folder.path(), "theirs", &format!("stage: {{caller: outside}}\n{steps}"));
    let child = d1sim(folder.path(), &["scenario", "run", "theirs.yaml", "--attach", &port.url]);
    // It has the clock from its first moment on.
    while port.ask(Method::POST, "/clock/lease", &json!({"holder": "a", "for": "1ms"})).await.0 == 201 {
        tokio::task::yield_now().await;
    }
    let (assertion, _) = ends(folder.path(), &["jose", "assert"], 0);
    let (sealed, _) = ends(folder.path(), &["jose", "seal", "--card", "approve"], 0);
    pay(folder.path(), &serving.address("api"), assertion.trim(), sealed.trim()).await;
    let (code, said) = ended(child);
    assert_eq!(code, Some(0), "{said}");
    port.is_as_it_was().await;
    let other = "stage: {gateways: {shop: {receiver: {url: \"https://127.0.0.1:1\"}}}}\nsteps:\n  - expect: {calls: {count: 0}}\n";
    scenario(folder.path(), "other", other);
    let serving = Serving::start(folder.path(), &MANUAL);
    let run = ["scenario", "run", "other.yaml", "--attach", &serving.address("admin")];
    let (_, said) = ends(folder.path(), &run, 64);
    assert!(said.contains("other.yaml:") && said.contains("start it with --receiver"), "{said}");
}

#[tokio::test]
async fn a_sandbox_on_the_real_clock_is_not_played_on() {
    let folder = made();
    let real = Serving::start(folder.path(), &[]);
    let run = ["scenario", "run", "decline", "--attach", &real.address("admin")];
    let (_, said) = ends(folder.path(), &run, 64);
    assert!(said.contains("--clock manual"), "{said}");
    let system = Serving::start(folder.path(), &["--clock", "manual"]);
    let run = ["scenario", "run", "decline", "--attach", &system.address("admin")];
    let (_, said) = ends(folder.path(), &run, 64);
    assert!(said.contains("--auth-clock sandbox"), "{said}");
}
