//! The program as a user meets it: commands, exit codes, what is printed where.

mod contract;
mod exec;
mod explain;
mod hand_run;
mod receiver;
mod reports;
mod scenario;
mod scenario_attach;
mod scenario_expect;
mod scenario_record;
mod scenario_run;
mod scenario_secrets;
mod scenario_verdicts;
mod slips;
mod theirs;

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

fn d1sim(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).output().expect("d1sim runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs it to an end with this exit code, and gives stdout and stderr.
fn ends(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let output = d1sim(folder, arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "d1sim {arguments:?}\n--- stdout\n{out}\n--- stderr\n{err}");
    (out, err)
}

fn empty_folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

fn made() -> TempDir {
    let folder = empty_folder();
    ends(folder.path(), &["init"], 0);
    folder
}

/// A sandbox in a process of its own, killed if a test ends early.
struct Serving {
    child: Child,
    said: Vec<String>,
    stderr: BufReader<std::process::ChildStderr>,
    ready: Value,
}

/// What is started by this hears SIGHUP, also where whoever runs the tests ignores it.
pub(crate) const HEARS_HANGUPS: [&str; 2] = ["env", "--default-signal=HUP"];

impl Serving {
    fn start(folder: &Path, more: &[&str]) -> Self {
        let free = ["--api", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--ready-file", "ready.json"];
        let [env, default] = HEARS_HANGUPS;
        let mut command = Command::new(env);
        command.args([default, env!("CARGO_BIN_EXE_d1sim")]);
        command.current_dir(folder).arg("serve").args(free).args(more);
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("d1sim starts");
        let mut stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut said = Vec::new();
        while said.last().is_none_or(|line: &String| !line.starts_with("Ready.")) {
            let mut line = String::new();
            let read = stderr.read_line(&mut line).expect("text");
            assert_ne!(read, 0, "it ended early: {}", said.concat());
            said.push(line);
        }
        let ready = fs::read_to_string(folder.join("ready.json")).expect("the ready file");
        let ready = serde_json::from_str(&ready).expect("JSON");
        Self { child, said, stderr, ready }
    }

    fn address(&self, port: &str) -> String {
        self.ready[port].as_str().expect("an address").to_owned()
    }

    /// Sends a signal; gives the exit code.
    fn stop(mut self, signal: Signal) -> Option<i32> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("signalled");
        let mut rest = String::new();
        while self.stderr.read_line(&mut rest).expect("text") > 0 {}
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Nothing to do where it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn init_makes_a_folder_once_and_names_the_way_to_make_it_anew() {
    let folder = made();
    let root = folder.path().join("d1-sandbox");
    let before = fs::read(root.join("gateway/client.key")).expect("a key");
    let (out, err) = ends(folder.path(), &["init"], 64);
    assert!(
        out.is_empty() && err.contains("d1-sandbox is a sandbox already; `--force` makes everything anew"),
        "{err}"
    );
    assert_eq!(fs::read(root.join("gateway/client.key")).expect("a key"), before, "nothing was touched");
    ends(folder.path(), &["init", "--force"], 0);
    assert_ne!(fs::read(root.join("gateway/client.key")).expect("a key"), before);
}

#[cfg(unix)]
#[test]
fn private_keys_are_readable_by_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = made();
    let root = folder.path().join("d1-sandbox");
    for name in [
        "gateway/client.key",
        "gateway/assertion.key",
        "gateway/jwe.jwk",
        "d1/jwe.private.jwk",
        "ca/server-ca.key",
    ] {
        let mode = fs::metadata(root.join(name)).expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}

#[test]
fn a_bad_command_line_is_a_usage_error_that_names_the_option() {
    let folder = made();
    for (arguments, named) in [
        (&["serve", "--api", "nowhere"][..], "--api"),
        (&["serve", "--api", "8443"], "expected ADDR:PORT, e.g. 127.0.0.1:8443"),
        (&["serve", "--seed", "-1"], "--seed"),
        (&["serve", "--clock", "fast"], "2026-04-22T10:00:00Z"),
        (&["serve", "--clock", "1999-04-22T10:00:00Z"], "2000 to 2099"),
        (&["serve", "--auth-clock", "real"], "sandbox or system"),
        (&["serve", "--receiver", "http://127.0.0.1:8445"], "https"),
        (&["serve", "--config", "missing.yaml"], "missing.yaml"),
        (&["serve", "--admin", "0.0.0.0:0"], "--admin-token-file"),
        (&["init", "elsewhere", "--gateway", "short"], "--gateway"),
        (&["init", "elsewhere", "--env", "TEST"], "--env"),
        (&["jose", "seal", "--card", "golden"], "approve"),
        (&["jose", "assert", "--gateway", "MGW_999999"], "MGW_999999"),
        (&["jose", "open", "not-a-jwe"], "JWE"),
        (&["dance"], "dance"),
    ] {
        let output = d1sim(folder.path(), arguments);
        let (out, err) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code();
        assert!(
            code == Some(64) || (code == Some(71) && named == "missing.yaml"),
            "{arguments:?}: {code:?} {err}"
        );
        assert!(out.is_empty() && err.contains(named), "{arguments:?}: {out}{err}");
    }
}

#[test]
fn a_configuration_with_a_typo_is_refused_with_its_line_and_without_its_values() {
    let folder = made();
    let path = folder.path().join("d1-sandbox/sandbox.yaml");
    let config = fs::read_to_string(&path).expect("the configuration");
    let lines = config.lines().count();
    fs::write(&path, format!("{config}\nsecretTypo: hunter2-hunter2\n")).expect("written");
    let (out, err) = ends(folder.path(), &["serve", "--api", "127.0.0.1:0", "--admin", "127.0.0.1:0"], 64);
    assert!(out.is_empty() && err.contains("secretTypo") && err.contains("sandbox.yaml"), "{err}");
    let near = (lines..=lines + 2).any(|line| err.contains(&line.to_string()));
    assert!(near, "the line is named: {err}");
    assert!(!err.contains("hunter2"), "{err}");
    fs::write(&path, config.replace("environment: ", "enviroment: ")).expect("written");
    let (_, err) = ends(folder.path(), &["serve", "--api", "127.0.0.1:0", "--admin", "127.0.0.1:0"], 64);
    assert!(err.contains("did you mean `environment`?"), "{err}");
}

#[test]
fn a_port_in_use_has_an_exit_code_and_a_message_of_its_own() {
    let folder = made();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (_, err) = ends(folder.path(), &["serve", "--api", &address, "--admin", "127.0.0.1:0"], 71);
    assert!(err.contains(&address), "{err}");
    let hint = "another d1sim? stop it, or change listen.api in sandbox.yaml (serve: --api 127.0.0.1:0 takes a free one)";
    assert!(err.contains(hint), "{err}");
}

#[test]
fn the_test_cards_are_printed_for_people_and_for_programs() {
    let folder = empty_folder();
    let (table, _) = ends(folder.path(), &["cards"], 0);
    let (list, _) = ends(folder.path(), &["cards", "--json"], 0);
    let list: Value = serde_json::from_str(&list).expect("JSON");
    let cards = list.as_array().or_else(|| list["cards"].as_array()).expect("a list");
    for name in [
        "approve",
        "decline",
        "unavailable-twice",
        "slow",
        "suspended-after-first-use",
        "renewed-soon",
        "replaced-soon",
        "deleted-soon",
    ] {
        assert!(table.contains(name), "{name}");
        assert!(cards.iter().any(|card| card["name"] == name), "{name}");
    }
}

#[tokio::test]
async fn the_first_run_makes_its_folder_says_where_it_is_and_ends_in_order_when_told() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP, Signal::QUIT] {
        let folder = empty_folder();
        let serving = Serving::start(folder.path(), &[]);
        let said = serving.said.concat();
        for word in ["TEST ONLY", "seed", "MGW_000001", "restart forgets", &serving.address("api")] {
            assert!(said.contains(word), "{word}: {said}");
        }
        for secret in ["BEGIN", "eyJ"] {
            assert!(!said.contains(secret), "{said}");
        }
        assert_eq!(serving.ready["pid"], json!(serving.child.id()));
        let health = reqwest::get(format!("{}/healthz", serving.address("admin"))).await.expect("an answer");
        assert_eq!(health.status(), 200);
        assert!(folder.path().join("d1-sandbox/sandbox.yaml").exists());
        assert_eq!(serving.stop(signal), Some(0));
    }
}

#[tokio::test]
async fn what_jose_prints_is_what_the_sandbox_takes_on_either_clock() {
    let folder = made();
    for (clock, auth) in
        [("real", "system"), ("manual", "system"), ("manual", "sandbox"), ("2031-04-22T10:00:00Z", "sandbox")]
    {
        let serving = Serving::start(folder.path(), &["--clock", clock, "--auth-clock", auth]);
        let admin = serving.address("admin");
        let info: Value =
            reqwest::get(format!("{admin}/info")).await.expect("an answer").json().await.expect("JSON");
        let kind = if clock == "real" { "real" } else { "manual" };
        assert_eq!((&info["clock"], &info["authClock"]), (&json!(kind), &json!(auth)));
        if clock.starts_with("20") {
            assert_eq!(info["now"], "2031-04-22T10:00:00.000Z");
        }
        if clock != "real" {
            let advance = reqwest::Client::new().post(format!("{admin}/clock/advance"));
            let advance = advance.header("content-type", "application/json").body(r#"{"by":"90d"}"#);
            assert_eq!(advance.send().await.expect("an answer").status(), 200);
        }
        let (assertion, _) = ends(folder.path(), &["jose", "assert", "--admin", &admin], 0);
        let (sealed, _) = ends(folder.path(), &["jose", "seal", "--card", "approve"], 0);
        let opened = pay(folder.path(), &serving.address("api"), assertion.trim(), sealed.trim()).await;
        let (opened, _) = ends(folder.path(), &["jose", "open", &opened], 0);
        let payment: Value = serde_json::from_str(&opened).expect("JSON");
        assert_eq!(payment["dpan"].as_str().map(str::len), Some(16));
        assert_eq!(serving.stop(Signal::TERM), Some(0));
    }
}

/// The gateway of a sandbox folder, as a client of plain requests.
fn gateway(folder: &Path) -> reqwest::Client {
    let file = |name: &str| fs::read_to_string(folder.join("d1-sandbox").join(name)).expect("a file");
    let authority =
        reqwest::Certificate::from_pem(file("ca/server-ca.pem").as_bytes()).expect("a certificate");
    let pair = file("gateway/client.key") + &file("gateway/client.pem");
    let builder = reqwest::Client::builder().tls_certs_only([authority]).no_proxy();
    let identity = reqwest::Identity::from_pem(pair.as_bytes()).expect("an identity");
    builder.identity(identity).build().expect("a client")
}

/// A payment with plain requests; gives the sealed answer.
async fn pay(folder: &Path, api: &str, assertion: &str, sealed: &str) -> String {
    let http = gateway(folder);
    let post = async |path: String, bearer: &str, body: Value| -> Value {
        let request = http.post(format!("{api}{path}")).header("x-correlation-id", "binary");
        let request = request.header("authorization", format!("Bearer {bearer}")).json(&body);
        let answer = request.send().await.expect("an answer");
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.json().await.expect("JSON")
    };
    let text = |value: &Value, member: &str| value[member].as_str().expect("text").to_owned();
    let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
    let asked = json!({"grant_type": grant, "assertion": assertion});
    let bearer = text(&post("/authz/v1/oauth2/token".into(), "none", asked).await, "access_token");
    let merchants = "/ecom/v1/merchant-gateways/MGW_000001/merchants".to_owned();
    let merchant = post(merchants.clone(), &bearer, json!({"merchantName": "Corner Bookshop"})).await;
    let tokens = format!("{merchants}/{}/tokens", text(&merchant, "merchantId"));
    let token = post(tokens.clone(), &bearer, json!({"encryptedData": sealed})).await;
    let transactions = format!("{tokens}/{}/transactions", text(&token, "tokenId"));
    text(&post(transactions, &bearer, json!({"transactionType": "SINGLE"})).await, "encryptedData")
}

#[test]
fn what_serve_prints_can_be_pasted_anywhere_and_on_either_clock() {
    let folder = made();
    let inside = folder.path().join("d1-sandbox");
    let serving = Serving::start(
        &inside,
        &["--config", "sandbox.yaml", "--clock", "manual", "--auth-clock", "sandbox"],
    );
    let said = serving.said.concat();
    let authority = inside.canonicalize().expect("a path").join("ca/server-ca.pem");
    let asks = format!("--admin {}", serving.address("admin"));
    for word in [authority.to_str().expect("text"), asks.as_str()] {
        assert!(said.contains(word), "{word}: {said}");
    }
    assert_eq!(serving.stop(Signal::TERM), Some(0));
}

#[test]
fn what_cannot_be_opened_is_told_with_the_key_that_was_tried() {
    let folder = made();
    let (toward_d1, _) = ends(folder.path(), &["jose", "seal"], 0);
    let (_, err) = ends(folder.path(), &["jose", "open", toward_d1.trim()], 64);
    assert!(
        err.contains("gateway/jwe.jwk") && err.contains("MGW_000001") && !err.contains("d1/jwe.jwk"),
        "{err}"
    );
}

#[test]
fn an_assertion_can_be_made_for_another_moment() {
    let folder = made();
    let (past, _) =
        ends(folder.path(), &["jose", "assert", "--at", "2026-04-22T10:00:00Z", "--life", "90s"], 0);
    let claims = past.split('.').nth(1).expect("claims");
    let claims = URL_SAFE_NO_PAD.decode(claims).expect("base64url");
    let claims: Value = serde_json::from_slice(&claims).expect("JSON");
    assert_eq!((claims["exp"].as_i64(), claims.get("iat")), (Some(1_776_852_090), None));
    let (_, err) = ends(folder.path(), &["jose", "assert", "--at", "noon"], 64);
    assert!(err.contains("--at"), "{err}");
}
