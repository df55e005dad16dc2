//! `d1sim exec`: any command beside a sandbox.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use crate::{HEARS_HANGUPS, empty_folder, ends, made};

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

/// `d1sim exec` with a folder of its own for what is temporary.
struct Running {
    temporary: TempDir,
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Running {
    fn of(program: &[&str], options: &[&str], script: &str) -> Self {
        let temporary = empty_folder();
        let words =
            [program, &[env!("CARGO_BIN_EXE_d1sim"), "exec"], options, &["--", "sh", "-c", script]].concat();
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).current_dir(temporary.path()).env("TMPDIR", temporary.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("d1sim starts");
        // Open until the end, so that what ends the command is the signal.
        let (stdin, stdout) = (child.stdin.take(), BufReader::new(child.stdout.take().expect("a pipe")));
        Self { temporary, child, stdin, stdout }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("text");
        line.trim_end().to_owned()
    }

    fn send(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process");
        kill_process(pid, signal).expect("signalled");
    }

    /// What is still said by whoever has the pipe, and the exit code. Nothing is left behind.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).expect("text");
        let code = self.child.wait().expect("an end").code();
        let left: Vec<_> = fs::read_dir(self.temporary.path()).expect("a folder").collect();
        assert!(left.is_empty(), "{left:?}");
        (rest, code)
    }
}

#[test]
fn what_ends_it_ends_all_that_the_command_started_and_then_takes_the_folder_away() {
    for signal in [Signal::TERM, Signal::HUP, Signal::QUIT, Signal::INT] {
        // What runs in the background of a script hears no interrupt.
        let script = "(sleep 5; echo left) & sh -c 'echo up; sleep 5; echo left; true'; echo left";
        let mut running = Running::of(&HEARS_HANGUPS, &[], script);
        assert_eq!(running.line(), "up");
        running.send(signal);
        let code = if signal == Signal::INT { 130 } else { 143 };
        assert_eq!(running.end(), (String::new(), Some(code)), "{signal:?}");
    }
}

#[test]
fn a_signal_that_comes_before_the_command_leaves_no_folder() {
    let running = Running::of(&[], &[], "cat");
    while fs::read_dir(running.temporary.path()).expect("a folder").next().is_none() {
        std::thread::yield_now();
    }
    running.send(Signal::TERM);
    assert_eq!(running.end(), (String::new(), Some(143)));
}

/// A command that says that it was told, and goes on.
const STUBBORN: &str = "echo up; while :; do read line; done";

#[test]
fn a_second_interrupt_ends_a_command_that_goes_on_after_the_first() {
    let mut running = Running::of(&[], &[], &format!("trap 'echo told' INT; {STUBBORN}"));
    assert_eq!(running.line(), "up");
    running.send(Signal::INT);
    assert_eq!(running.line(), "told");
    running.send(Signal::INT);
    assert_eq!(running.end(), (String::new(), Some(143)));
}

#[test]
fn an_interrupt_kills_a_command_that_was_told_to_end_and_does_not() {
    let mut running = Running::of(&[], &[], &format!("trap 'echo told' TERM; trap '' INT; {STUBBORN}"));
    assert_eq!(running.line(), "up");
    running.send(Signal::TERM);
    assert_eq!(running.line(), "told");
    running.send(Signal::INT);
    assert_eq!(running.end(), (String::new(), Some(137)));
}

#[test]
fn under_nohup_it_lives_on() {
    let mut running = Running::of(&["nohup"], &[], "echo up; exec cat");
    assert_eq!(running.line(), "up");
    running.send(Signal::HUP);
    let mut stdin = running.stdin.take().expect("a pipe");
    for word in ["one", "two", "three"] {
        writeln!(stdin, "{word}").expect("written");
        assert_eq!(running.line(), word);
    }
    drop(stdin);
    assert_eq!(running.end(), (String::new(), Some(0)));
}

#[tokio::test]
async fn its_sandbox_has_bad_days_if_asked() {
    for (options, names) in [(&["--hostile"][..], true), (&[], false)] {
        let mut running = Running::of(&[], options, "echo \"$D1_ADMIN\"; exec cat");
        let admin = running.line();
        let faults = reqwest::get(format!("{admin}/faults")).await.expect("an answer");
        let faults: Value = faults.json().await.expect("JSON");
        let known =
            faults["faults"].as_array().expect("a list").iter().any(|one| one["name"] == "hostile-members");
        assert_eq!(known, names, "{faults}");
        drop(running.stdin.take());
        assert_eq!(running.end().1, Some(0));
    }
}
