//! A client in any language: a program that makes the calls with the real client and tells what came of them, line by
//! line (see `shims/PROTOCOL.md`). Whatever such a program does is a failed case at worst, and ends in time.

mod message;
mod probe;
mod process;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Serialize;

use crate::cases::Case;
use crate::runner::{Ran, RunError, run_cases};
use crate::stage::Stage;
use crate::subject::{BoxFuture, Subject, Task, Told};
use message::Hello;
pub use probe::{Probe, ProbeError};
use process::{Loss, Process};

/// Features that a shim may name: several calls at once, and HTTP/2.
const PARALLEL: &str = "parallel";
const HTTP2: &str = "http2";
/// Calls that a shim with the feature `parallel` is asked for at once.
const AT_ONCE: usize = 8;
/// After so many losses in a row that each cost a whole deadline, a shim is not asked again.
const GIVE_UP: u32 = 3;

/// How a shim is started: a program and its arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShimCommand {
    program: String,
    arguments: Vec<String>,
}

/// A command line that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// There is no program in it.
    #[error("expected a program and its arguments, found nothing")]
    Empty,
    /// A quote is not closed, or a backslash ends it.
    #[error("a quote is not closed, or a backslash stands at the end")]
    Open,
}

/// Splits words and quotes as a POSIX shell does; nothing is expanded.
/// As a shell, and [`FromStr`], take it.
impl fmt::Display for ShimCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, word) in std::iter::once(&self.program).chain(&self.arguments).enumerate() {
            let before = if number == 0 { "" } else { " " };
            // No argument of a process holds a NUL, so that none is left out.
            write!(f, "{before}{}", shlex::try_quote(word).unwrap_or_default())?;
        }
        Ok(())
    }
}

impl FromStr for ShimCommand {
    type Err = CommandError;

    fn from_str(text: &str) -> Result<Self, CommandError> {
        let mut words = shlex::split(text).ok_or(CommandError::Open)?.into_iter();
        let program = words.next().filter(|program| !program.is_empty()).ok_or(CommandError::Empty)?;
        Ok(Self { program, arguments: words.collect() })
    }
}

/// The files of the pretend gateway, as a shim is told of them.
#[derive(Debug, Clone, Serialize)]
pub struct ShimFiles {
    /// The authority of D1's server certificate, PEM.
    pub ca: PathBuf,
    /// The gateway's client certificate, PEM.
    pub client_certificate: PathBuf,
    /// Its key, PEM.
    pub client_key: PathBuf,
    /// The key that signs assertions, PEM.
    pub assertion_key: PathBuf,
    /// The `kid` of that key.
    pub assertion_kid: String,
    /// D1's public key, a JWK.
    pub d1_jwk: PathBuf,
    /// The gateway's own private key, a JWK.
    pub own_jwk: PathBuf,
}

/// How long a shim may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For its hello.
    pub handshake: Duration,
    /// For an answer. The two together are shorter than the patience of the runner.
    pub call: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { handshake: Duration::from_secs(10), call: Duration::from_secs(18) }
    }
}

/// A shim cannot be started at all, which is no finding about a client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the shim {program} is of no use: {reason}")]
pub struct ShimError {
    program: String,
    reason: String,
}

/// What became known of a case after the shim had answered its call.
struct LateFault {
    case: String,
    fault: String,
}

/// The client behind a shim. A shim that crashes, hangs or lies is started anew for the next case.
pub struct Shim {
    command: ShimCommand,
    files: ShimFiles,
    limits: Limits,
    hello: Hello,
    slot: tokio::sync::Mutex<Slot>,
    late: Late,
}

/// The faults that became known afterwards, of all processes.
type Late = Arc<Mutex<Vec<LateFault>>>;

struct Slot {
    process: Option<Arc<Process>>,
    /// Losses in a row that each cost a whole deadline.
    losses: u32,
}

impl Shim {
    /// Starts a shim and shakes hands with it.
    ///
    /// # Errors
    /// It cannot be started, or the handshake fails.
    pub async fn start(command: ShimCommand, files: ShimFiles, limits: Limits) -> Result<Self, ShimError> {
        let late = Late::default();
        let started = Process::start(&command, limits, Arc::clone(&late)).await;
        let process = started.map_err(|reason| ShimError { program: command.program.clone(), reason })?;
        let hello = Hello { client: process.hello.client.clone(), features: process.hello.features.clone() };
        let slot = tokio::sync::Mutex::new(Slot { process: Some(Arc::new(process)), losses: 0 });
        Ok(Self { command, files, limits, hello, slot, late })
    }

    /// The feature that a case needs and the client has not named.
    #[must_use]
    pub fn lacks(&self, case: &Case) -> Option<&'static str> {
        (case.needs_http2() && !self.names(HTTP2)).then_some(HTTP2)
    }

    fn names(&self, feature: &str) -> bool {
        self.hello.features.iter().any(|named| named == feature)
    }

    /// Runs cases, several at once if the shim says that it can, and says goodbye. `on_done` is told of each as it ends;
    /// faults that become known at the goodbye are in the result alone.
    ///
    /// # Errors
    /// [`RunError`] if the suite itself fails; nothing that the shim does is one.
    pub async fn run(
        self,
        stage: &Stage,
        cases: &[Case],
        on_done: &(dyn Fn(&Ran) + Sync),
    ) -> Result<Vec<Ran>, RunError> {
        let parallel = self.names(PARALLEL);
        let shim = Arc::new(self);
        let subject: Arc<dyn Subject> = Arc::clone(&shim) as Arc<dyn Subject>;
        let at_once = if parallel { AT_ONCE } else { 1 };
        let mut ran = run_cases(stage, cases, &subject, at_once, on_done).await?;
        for LateFault { case, fault } in shim.finish().await {
            if let Some(one) = ran.iter_mut().find(|one| one.case.id == case && one.verdict.reported.is_ok())
            {
                one.verdict.reported = Err(fault);
            }
        }
        Ok(ran)
    }

    /// Says goodbye. Gives the faults that became known after the calls were answered.
    async fn finish(&self) -> Vec<LateFault> {
        if let Some(process) = self.slot.lock().await.process.take() {
            process.part().await;
        }
        std::mem::take(&mut self.late.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The process that runs, or a new one in the place of one that is of no use any more.
    async fn process(&self) -> Result<Arc<Process>, String> {
        let mut slot = self.slot.lock().await;
        if let Some(process) = slot.process.as_ref().filter(|process| !process.has_ended()) {
            return Ok(Arc::clone(process));
        }
        if slot.losses >= GIVE_UP {
            return Err(format!("not asked: the shim did not answer {} times in a row", slot.losses));
        }
        match Process::start(&self.command, self.limits, Arc::clone(&self.late)).await {
            Ok(process) => Ok(Arc::clone(slot.process.insert(Arc::new(process)))),
            Err(reason) => {
                slot.losses += 1;
                Err(format!("the shim cannot be started again: {reason}"))
            }
        }
    }

    /// Takes note of how a call of `process` ended. One that hangs gets no new calls; it is killed when those that it has
    /// are answered or given up.
    async fn note(&self, process: &Arc<Process>, hung: bool) {
        let mut slot = self.slot.lock().await;
        if !hung {
            slot.losses = 0;
            return;
        }
        slot.losses += 1;
        slot.process.take_if(|current| Arc::ptr_eq(current, process));
    }
}

impl Subject for Shim {
    fn name(&self) -> &str {
        &self.hello.client
    }

    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>> {
        Box::pin(async move {
            let process = self.process().await?;
            let deadline = self.limits.call;
            let deadline_ms = u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX);
            let line = |id| message::call(id, task, &self.files, deadline_ms);
            let answer = process.call(task.case, deadline, line).await;
            self.note(&process, matches!(answer, Err(Loss::Hung))).await;
            answer.map_err(|loss| match loss {
                Loss::Hung => format!("the shim gave no answer within {deadline_ms} ms"),
                Loss::Fault(fault) => fault,
            })
        })
    }
}
