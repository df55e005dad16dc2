//! Running cases against a client: each on a server and with a client of its own.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::cases::Case;
use crate::stage::{Exchange, PlayError, Stage};
use crate::subject::{Call, Subject, Task, Told};
use crate::verdict::{Verdict, judge_case};

/// A client that has not come back after so long hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client may wait for an attempt where the case is not about waiting.
const ATTEMPT: Duration = Duration::from_secs(10);

/// A case that was run.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The case.
    pub case: Case,
    /// What passed.
    pub exchanges: Vec<Exchange>,
    /// What the client told; nothing if it could not.
    pub told: Option<Told>,
    /// The judgement.
    pub verdict: Verdict,
}

/// Why a case could not be run at all: a fault of the suite or the machine, not of the client.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No port for a receiver of the suite.
    #[error("{case}: no port can be had for the receiver")]
    Port {
        /// The case.
        case: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The script server cannot be had, or has ended before its time.
    #[error("{case} cannot be played")]
    Play {
        /// The case.
        case: String,
        /// Why.
        source: PlayError,
    },
    /// A case of an operation that no client calls.
    #[error("{case}: no call is about this operation")]
    Call {
        /// The case.
        case: String,
    },
    /// A task of the suite did not come to its end.
    #[error("a task of the suite did not come to its end")]
    Task {
        /// How it ended.
        source: tokio::task::JoinError,
    },
}

/// Runs one case.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn run_case(stage: &Stage, case: &Case, subject: &dyn Subject) -> Result<Ran, RunError> {
    let call = Call::about(case.operation()).ok_or_else(|| RunError::Call { case: case.id.clone() })?;
    let not_played = |source| RunError::Play { case: case.id.clone(), source };
    let play = stage.play(case).await.map_err(not_played)?;
    let attempt_timeout = case.attempt_timeout_ms.map_or(ATTEMPT, Duration::from_millis);
    let arguments = play.arguments();
    let task = Task { case: &case.id, base_url: play.url(), call, arguments, attempt_timeout };
    let ended = timeout(PATIENCE, contained(subject, task)).await;
    let told = ended.unwrap_or_else(|_| Err(format!("no report within {} s", PATIENCE.as_secs())));
    let exchanges = play.exchanges().await;
    if let Some(source) = play.broken() {
        return Err(not_played(source));
    }
    let verdict = match &told {
        Ok(told) => judge_case(case, &exchanges, told),
        Err(fault) => Verdict::without_report(case, &exchanges, fault),
    };
    Ok(Ran { case: case.clone(), exchanges, told: told.ok(), verdict })
}

/// Runs cases, `at_once` of them side by side, and gives them in their order. `on_done` is told of each as it ends, so
/// that what was run is known even if the run comes to no end.
///
/// # Errors
/// [`RunError`] if the suite itself fails.
pub async fn run_cases(
    stage: &Stage,
    cases: &[Case],
    subject: &Arc<dyn Subject>,
    at_once: usize,
    on_done: &(dyn Fn(&Ran) + Sync),
) -> Result<Vec<Ran>, RunError> {
    let (mut running, mut ran) = (JoinSet::new(), BTreeMap::new());
    let mut planned = cases.iter().cloned().enumerate();
    loop {
        while running.len() < at_once.max(1) {
            let Some((place, case)) = planned.next() else { break };
            let (stage, subject) = (stage.clone(), Arc::clone(subject));
            running.spawn(async move { Ok((place, run_case(&stage, &case, subject.as_ref()).await?)) });
        }
        let Some(ended) = running.join_next().await else { break };
        let (place, one) = ended.map_err(|source| RunError::Task { source })??;
        on_done(&one);
        ran.insert(place, one);
    }
    Ok(ran.into_values().collect())
}

/// The call, and a fault in place of a panic: a client that falls over fails its case and leaves the suite standing.
async fn contained(subject: &dyn Subject, task: Task<'_>) -> Result<Told, String> {
    // The client is not called again in this case, so that what its panic left behind is never seen.
    let mut future = pin!(async { subject.call(task).await });
    poll_fn(move |context| match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
        Ok(polled) => polled,
        Err(_) => Poll::Ready(Err("the client panicked".to_owned())),
    })
    .await
}
