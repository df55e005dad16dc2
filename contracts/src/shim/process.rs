//! One running shim: its process, and the calls that it has not answered yet.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::message::{self, Hello, Message};
use super::{Late, LateFault, Limits, ShimCommand};
use crate::subject::Told;

/// The longest line of a shim, and the most that it may write to stderr between two answers.
const MOST_BYTES: usize = 1024 * 1024;
/// How much of what a shim that does not start says on stderr is kept.
const TAIL: usize = 1024;
/// A shim that has closed its stdout, or was told goodbye, has so long to end by itself.
const FAREWELL: Duration = Duration::from_secs(2);

/// Why a call has no answer.
pub(super) enum Loss {
    /// None came in time.
    Hung,
    /// The shim is gone, or its answer is none.
    Fault(String),
}

/// A shim that runs. Dropping it kills it.
pub(super) struct Process {
    pub(super) hello: Hello,
    stdin: tokio::sync::Mutex<Option<ChildStdin>>,
    state: Arc<State>,
    watch: tokio::sync::Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct State {
    calls: Mutex<Calls>,
    said_on_stderr: AtomicUsize,
}

#[derive(Default)]
struct Calls {
    hello: Option<oneshot::Sender<Result<Hello, String>>>,
    asked: u64,
    open: BTreeMap<u64, Open>,
    /// Answered calls with their cases, for faults that come afterwards.
    answered: BTreeMap<u64, String>,
    /// Calls that were given up: an answer may still come.
    given_up: BTreeSet<u64>,
    /// The case that was answered last.
    last: Option<String>,
    /// Goodbye was said: that it ends is no fault.
    parted: bool,
    /// Why the shim cannot be used any more.
    ended: Option<String>,
    late: Late,
}

struct Open {
    case: String,
    answer: oneshot::Sender<Result<Told, String>>,
}

/// The process, and all that it started.
pub(super) struct Group(pub(super) Child);

impl Drop for Group {
    fn drop(&mut self) {
        // No id: it has ended and was waited for, so that the number may be another's by now.
        let pid = self.0.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // It may have ended just now.
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

impl Process {
    /// Starts a shim and waits for its hello. The fault says why there is none.
    pub(super) async fn start(command: &ShimCommand, limits: Limits, late: Late) -> Result<Self, String> {
        let spawned = Command::new(&command.program)
            .args(&command.arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn();
        let mut child = spawned.map_err(|fault| format!("it cannot be started: {fault}"))?;
        let mut stdin = child.stdin.take();
        let (greet, greeting) = oneshot::channel();
        let state = Arc::new(State::default());
        *state.lock() = Calls { hello: Some(greet), late, ..Calls::default() };
        let mut watching = JoinSet::new();
        watching.spawn(watch(Group(child), Arc::clone(&state)));
        let handshake = async {
            // One that does not read has ended, or will not answer: both are found out by waiting for its hello.
            let _ = write(&mut stdin, &message::hello()).await;
            greeting.await
        };
        let hello = match timeout(limits.handshake, handshake).await {
            Ok(Ok(hello)) => hello?,
            Ok(Err(_)) => return Err(state.lock().ended.clone().unwrap_or_default()),
            Err(_) => return Err(format!("no hello within {} ms", limits.handshake.as_millis())),
        };
        let (stdin, watch) = (tokio::sync::Mutex::new(stdin), tokio::sync::Mutex::new(watching));
        Ok(Self { hello, stdin, state, watch })
    }

    /// Whether the shim cannot be used any more, and a case has failed by it. One that ends before it is asked for
    /// anything fails the first call.
    pub(super) fn has_ended(&self) -> bool {
        let calls = self.state.lock();
        calls.ended.is_some() && calls.asked > 0
    }

    /// Sends a call, made of its id, and waits for the answer.
    pub(super) async fn call(
        &self,
        case: &str,
        deadline: Duration,
        line: impl FnOnce(u64) -> String,
    ) -> Result<Told, Loss> {
        let (id, answer) = self.state.open(case).map_err(Loss::Fault)?;
        let asked = async {
            // What cannot be written cannot be answered: either the watch says why, or the deadline passes.
            let _ = write(&mut *self.stdin.lock().await, &line(id)).await;
            answer.await
        };
        match timeout(deadline, asked).await {
            Ok(Ok(told)) => told.map_err(Loss::Fault),
            Ok(Err(_)) => Err(Loss::Fault("the shim is gone".to_owned())),
            Err(_) => {
                self.state.give_up(id);
                Err(Loss::Hung)
            }
        }
    }

    /// Says goodbye and waits a little for the end, then for no longer.
    pub(super) async fn part(&self) {
        self.state.lock().parted = true;
        let goodbye = async {
            let mut stdin = self.stdin.lock().await;
            let _ = write(&mut stdin, &message::bye()).await;
            // Closes it.
            stdin.take();
            drop(stdin);
            self.watch.lock().await.join_next().await
        };
        // One that stays is killed.
        let _ = timeout(FAREWELL * 2, goodbye).await;
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self, case: &str) -> Result<(u64, oneshot::Receiver<Result<Told, String>>), String> {
        let mut calls = self.lock();
        calls.asked += 1;
        if let Some(ended) = &calls.ended {
            return Err(ended.clone());
        }
        let (id, (answer, receiver)) = (calls.asked, oneshot::channel());
        calls.open.insert(id, Open { case: case.to_owned(), answer });
        Ok((id, receiver))
    }

    fn give_up(&self, id: u64) {
        let mut calls = self.lock();
        if calls.open.remove(&id).is_some() {
            calls.given_up.insert(id);
        }
    }

    /// Takes a line. An error ends the shim.
    fn hear(&self, line: &[u8]) -> Result<(), String> {
        let mut calls = self.lock();
        let greeted = calls.hello.is_none();
        match message::read(line)? {
            Message::Hello(hello) => match calls.hello.take() {
                // Nobody waits any more: the handshake was given up.
                Some(greet) => drop(greet.send(hello)),
                None => return Err("a second hello".to_owned()),
            },
            Message::Told { .. } if !greeted => return Err("an answer before the hello".to_owned()),
            Message::Told { id, told } => {
                self.said_on_stderr.store(0, Ordering::Relaxed);
                calls.answer(id, told)?;
            }
        }
        Ok(())
    }

    /// The shim cannot be used any more: all that is open fails. What was said with nothing open is the fault of the
    /// case that was answered last.
    fn end(&self, reason: &str, is_fault: bool) {
        let mut calls = self.lock();
        calls.hello = None;
        if let (true, true, Some(case)) = (is_fault, calls.open.is_empty(), calls.last.clone()) {
            calls.is_late(case, format!("after its answer: {reason}"));
        }
        calls.ended = Some(reason.to_owned());
        for open in std::mem::take(&mut calls.open).into_values() {
            // The call may have been given up.
            let _ = open.answer.send(Err(reason.to_owned()));
        }
    }
}

impl Calls {
    fn is_late(&self, case: String, fault: String) {
        self.late.lock().unwrap_or_else(PoisonError::into_inner).push(LateFault { case, fault });
    }

    fn answer(&mut self, id: u64, told: Result<Told, String>) -> Result<(), String> {
        if let Some(Open { case, answer }) = self.open.remove(&id) {
            self.last = Some(case.clone());
            self.answered.insert(id, case);
            // The call may have been given up just now.
            let _ = answer.send(told.map_err(|fault| format!("the shim's answer is none: {fault}")));
        } else if let Some(case) = self.answered.remove(&id) {
            self.is_late(case, "the shim answered the call twice".to_owned());
        } else if !self.given_up.remove(&id) {
            return Err("the shim answered a call that is not open".to_owned());
        }
        Ok(())
    }
}

async fn write(stdin: &mut Option<ChildStdin>, line: &str) -> io::Result<()> {
    let stdin = stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
    stdin.write_all(line.as_bytes()).await?;
    stdin.flush().await
}

/// Reads all that a shim says until it ends or says what it must not; then it is killed.
async fn watch(mut group: Group, state: Arc<State>) {
    let (Some(stdout), Some(stderr)) = (group.0.stdout.take(), group.0.stderr.take()) else {
        return state.end("it has no output", true);
    };
    let mut tail = Vec::new();
    let mut stderr = Talk { stderr, tail: &mut tail };
    let fault = tokio::select! {
        fault = read_lines(stdout, &state) => fault,
        fault = stderr.listen(&state) => Some(fault),
    };
    if let Some(fault) = fault {
        return state.end(&fault, true);
    }
    // A last word and an exit code may be on their way.
    let last_words = async { tokio::join!(group.0.wait(), stderr.drain(&state)).0 };
    let mut reason = match timeout(FAREWELL, last_words).await {
        Ok(Ok(status)) => format!("the shim ended ({status})"),
        _ => "the shim closed its output".to_owned(),
    };
    // Before its first call a shim knows no secret that it could print.
    let said = String::from_utf8_lossy(&tail);
    let said = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if state.lock().hello.is_some() && !said.is_empty() {
        let shown: String = said.chars().filter(|c| !c.is_control()).take(400).collect();
        reason = format!("{reason} and said: {shown}");
    }
    let parted = state.lock().parted;
    state.end(&reason, !parted);
}

/// Reads lines until the end, or until one that must not be.
async fn read_lines(stdout: impl AsyncRead + Unpin, state: &State) -> Option<String> {
    let mut reader = BufReader::new(stdout);
    let (mut line, mut number) = (Vec::new(), 0_u64);
    loop {
        line.clear();
        number += 1;
        let most = MOST_BYTES as u64 + 1;
        match (&mut reader).take(most).read_until(b'\n', &mut line).await {
            Ok(0) => return None,
            Ok(_) if line.ends_with(b"\n") => {}
            Ok(_) if line.len() > MOST_BYTES => {
                return Some(format!("the shim wrote a line of more than {MOST_BYTES} bytes"));
            }
            Ok(_) => return Some(format!("the shim ended in the middle of line {number}")),
            Err(fault) => return Some(format!("the shim's output cannot be read: {fault}")),
        }
        if let Err(fault) = state.hear(&line) {
            return Some(format!("line {number} of the shim is no message: {fault}"));
        }
    }
}

/// What a shim says on stderr: thrown away, since it may hold secrets, but for a tail.
struct Talk<'a, R> {
    stderr: R,
    tail: &'a mut Vec<u8>,
}

impl<R: AsyncRead + Unpin> Talk<'_, R> {
    /// Listens for ever; ends if it is too much.
    async fn listen(&mut self, state: &State) -> String {
        loop {
            if !self.hear(state).await {
                // A closed stderr is no end.
                std::future::pending::<()>().await;
            }
            if state.said_on_stderr.load(Ordering::Relaxed) > MOST_BYTES {
                return format!("the shim wrote more than {MOST_BYTES} bytes to stderr between two answers");
            }
        }
    }

    /// Listens to the end.
    async fn drain(&mut self, state: &State) {
        while self.hear(state).await {}
    }

    async fn hear(&mut self, state: &State) -> bool {
        let mut buffer = [0; 8192];
        let Ok(count @ 1..) = self.stderr.read(&mut buffer).await else { return false };
        state.said_on_stderr.fetch_add(count, Ordering::Relaxed);
        self.tail.extend_from_slice(&buffer[..count]);
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
        true
    }
}
