//! `d1sim contract serve`: a client that is run by hand against served cases.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use d1_contracts::{Arguments, Call, Subject as _, Task};
use d1_simulator::cli::OwnClient;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::{empty_folder, ends, made};

const CASE: &str = "inbound/createMerchant/403/FORBIDDEN/not-ours";
/// The longest that a line is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// The program while it serves; it ends with the test.
struct Serving {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Serving {
    fn start(folder: &Path, filter: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
        command.current_dir(folder).args(["contract", "serve", "--filter", filter]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().expect("d1sim starts");
        let stdout = child.stdout.take().expect("a pipe");
        Self { child, lines: BufReader::new(stdout).lines() }
    }

    async fn line(&mut self) -> String {
        let line = timeout(PATIENCE, self.lines.next_line()).await.expect("a line in time");
        line.expect("text").expect("a line")
    }

    /// Reads on until a line holds a text, and gives all that was read.
    async fn until(&mut self, text: &str) -> String {
        let mut read = String::new();
        while !read.lines().last().is_some_and(|line| line.contains(text)) {
            read.push_str(&self.line().await);
            read.push('\n');
        }
        read
    }

    /// Sends a signal; gives the exit code and what was still said.
    async fn stop(mut self, signal: Signal) -> (Option<i32>, String, String) {
        let pid = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("a process"), signal).expect("signalled");
        let (mut out, mut err) = (String::new(), String::new());
        let mut stderr = self.child.stderr.take().expect("a pipe");
        let rest = async {
            self.lines.get_mut().read_to_string(&mut out).await.expect("text");
            stderr.read_to_string(&mut err).await.expect("text");
            self.child.wait().await.expect("an end").code()
        };
        let code = timeout(PATIENCE, rest).await.expect("an end in time");
        (code, out, err)
    }
}

/// A call of the client of this project, with the papers of the folder.
async fn call(folder: &Path, url: &str) {
    let client = OwnClient::new(&folder.join("d1-sandbox"));
    let attempt_timeout = Duration::from_secs(10);
    let arguments = &Arguments::default();
    let task =
        Task { case: "by hand", base_url: url, call: Call::CreateMerchant, arguments, attempt_timeout };
    client.call(task).await.expect("a report");
}

#[tokio::test]
async fn a_served_case_tells_what_was_asked_what_was_answered_and_what_is_to_be_said_of_it() {
    for signal in [Signal::INT, Signal::TERM] {
        let folder = made();
        let mut serving = Serving::start(folder.path(), CASE);
        let table = serving.line().await;
        let (url, case) = table.split_once("  ").expect("an address and a case");
        assert!(url.starts_with("https://127.0.0.1:") && case == CASE, "{table}");
        call(folder.path(), url).await;
        let read = serving.until("behaved: as expected").await;
        for said in [
            "getAccessToken (POST /authz/v1/oauth2/token) -> 200\n",
            "createMerchant (POST /ecom/v1/merchant-gateways/{merchantGatewayId}/merchants) -> 403 FORBIDDEN\n",
            "so far served: as expected; behaved: as expected\n",
        ] {
            assert!(read.contains(&format!("{CASE}: {said}")), "{said}: {read}");
        }
        // A request that is one too many is seen at once.
        call(folder.path(), url).await;
        let read = serving.until("behaved: expected 1 requests of createMerchant, saw 2").await;
        assert!(!read.contains("eyJ"), "{read}");
        let (code, out, err) = serving.stop(signal).await;
        assert_eq!(code, Some(0), "{out}{err}");
        assert!(out.contains("1 cases, 1 of them asked for, 0 served and behaved as expected"), "{out}");
        assert!(err.contains("Ready.") && !err.contains("panicked"), "{err}");
    }
}

#[test]
fn what_cannot_be_served_is_said_before_anything_listens() {
    let folder = made();
    let (out, err) = ends(folder.path(), &["contract", "serve"], 64);
    assert!(out.is_empty() && err.contains("at most 100") && err.contains("--filter TEXT"), "{out}{err}");
    let (_, err) = ends(folder.path(), &["contract", "serve", "--filter", "no-such-case"], 3);
    assert!(err.contains("no case id contains it"), "{err}");
    let elsewhere = empty_folder();
    let (_, err) = ends(elsewhere.path(), &["contract", "serve", "--filter", CASE], 64);
    assert!(err.contains("d1sim init d1-sandbox"), "{err}");
}
