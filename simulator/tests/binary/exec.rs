//! `d1sim exec`: any command beside a sandbox.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{empty_folder, ends, made};

fn shell(folder: &Path, options: &[&str], script: &str, code: i32) -> (String, String) {
    let arguments = [&["exec"], options, &["--", "sh", "-c", script]].concat();
    ends(folder, &arguments, code)
}

const SHOW: &str = r#"printf '%s\n' "$D1_API" "$D1_ADMIN" "$D1_BASE" "$D1_GATEWAY" "$D1_SANDBOX""#;

#[test]
fn a_command_finds_a_sandbox_that_answers_and_its_exit_code_is_passed_on() {
    let (folder, program) = (empty_folder(), env!("CARGO_BIN_EXE_d1sim"));
    // It asks the admin port for the time, and signs with the gateway's key.
    let asks = format!(r#"'{program}' jose assert --sandbox "$D1_SANDBOX" --admin "$D1_ADMIN" && exit 7"#);
    let (out, _) = shell(folder.path(), &["--clock", "manual"], &format!("{SHOW}; {asks}"), 7);
    let lines: Vec<&str> = out.lines().collect();
    let [api, admin, base, gateway, sandbox, assertion] = lines[..] else { panic!("six lines: {out}") };
    assert_eq!((base, gateway), (format!("{api}/ecom/v1").as_str(), "MGW_000001"));
    assert_eq!(assertion.split('.').count(), 3);
    for address in [api, admin] {
        let (_, address) = address.rsplit_once('/').expect("a URL");
        assert!(TcpStream::connect(address).is_err(), "{address} still listens");
    }
    assert!(!Path::new(sandbox).exists(), "{sandbox} is left behind");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0, "nothing is made where it runs");
}

#[test]
fn the_sandbox_of_a_configuration_is_used_and_kept() {
    let folder = made();
    let (out, _) = shell(folder.path(), &["--config", "d1-sandbox/sandbox.yaml"], SHOW, 0);
    let root = fs::canonicalize(folder.path().join("d1-sandbox")).expect("the folder");
    assert_eq!(out.lines().last(), root.to_str());
    assert!(!out.contains(":8443"), "a port of its own: {out}");
}

#[test]
fn a_command_that_a_signal_ends_has_the_code_that_a_shell_gives_it() {
    shell(empty_folder().path(), &[], "kill -9 $$", 137);
}

#[test]
fn failures_of_its_own_have_codes_of_their_own() {
    let folder = made();
    let run = |arguments: &[&str], code| ends(folder.path(), &[&["exec"], arguments].concat(), code).1;
    assert!(run(&["--", "no-such-command"], 127).contains("no-such-command: it is not on the PATH"));
    assert!(run(&["--", "./d1-sandbox/sandbox.yaml"], 126).contains("cannot be run"));
    assert!(run(&["--config", "nowhere.yaml", "--", "true"], 125).contains("nowhere.yaml"));
    assert!(run(&["--receiver", "ftp://x", "--", "true"], 125).contains("ftp://x"));
    assert!(run(&[], 125).contains("COMMAND"));
}

#[test]
fn what_ends_it_ends_the_command_first() {
    let folder = empty_folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder.path()).args(["exec", "--", "sh", "-c", "echo up; exec cat"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("d1sim starts");
    // Open until the end, so that what ends the command is the signal.
    let _stdin = child.stdin.take();
    let mut up = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut up).expect("text");
    assert_eq!(up, "up\n");
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a process");
    kill_process(pid, Signal::TERM).expect("signalled");
    assert_eq!(child.wait().expect("an end").code(), Some(143));
}

/// The names of the faults that are there beside a command of `d1sim exec` with these options.
fn faults(options: &[&str]) -> Vec<String> {
    let folder = empty_folder();
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder.path()).arg("exec").args(options);
    command.args(["--", "sh", "-c", r#"echo "$D1_ADMIN"; exec cat"#]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("d1sim starts");
    let mut admin = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut admin).expect("text");
    let asked = async {
        let answer = reqwest::get(format!("{}/faults", admin.trim())).await.expect("an answer");
        answer.text().await.expect("text")
    };
    let text = Runtime::new().expect("a runtime").block_on(asked);
    // The command ends with what it reads.
    drop(child.stdin.take());
    assert!(child.wait().expect("an end").success());
    let told: Value = serde_json::from_str(&text).expect("JSON");
    let names = told["faults"].as_array().expect("a list").iter();
    names.map(|fault| fault["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn a_hostile_sandbox_is_hostile_from_the_start_and_another_is_not() {
    assert_eq!(faults(&[]), [""; 0]);
    let names = faults(&["--hostile", "--seed", "7"]);
    for wanted in ["hostile-members", "hostile-busy"] {
        assert!(names.iter().any(|name| name.starts_with(wanted)), "no {wanted} in {names:?}");
    }
}
