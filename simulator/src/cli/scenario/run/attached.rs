//! A sandbox that runs already and is shared with others: whose turn it is, what is made there, and how it is left.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, RwLock, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{interval, timeout};

use super::super::super::exit::{Exit, Failure};
use super::super::super::say;
use super::admin::{Admin, Answer};
use super::ground::With;
use super::miss::Broken;
use crate::clock::Stopwatch;
use crate::scenario::{Action, Advance, Expected, Scenario};

/// So many scenarios of one run are played at once: the admin port has places for 128 who wait for something.
pub(super) const MOST_AT_ONCE: usize = 32;
/// The same, as places: who plays alone takes all of them.
const PLACES: u32 = 32;
/// A scenario waits so long, in real time, for others of its own run.
const QUEUE: Duration = Duration::from_hours(1);
/// The longest time that the admin port lets somebody wait for his turn.
const ASK: Duration = Duration::from_secs(60);
/// The clock is had for so long without a word of ours: one who dies does not keep it.
const LEASE: Duration = Duration::from_secs(60);
/// The longest name of who has the clock.
const LONGEST_HOLDER: usize = 64;
/// The sandbox is left within this real time, with what was made there or without.
const LEAVING: Duration = Duration::from_secs(10);

/// A sandbox that runs already, for all scenarios of a run.
pub(crate) struct Attached {
    pub(super) url: String,
    pub(super) token_file: Option<PathBuf>,
    /// Its folder, if not the one that it names.
    pub(super) sandbox: Option<PathBuf>,
    pub(super) with: With,
    /// So long for the clock, in real time, while somebody else has it.
    patience: Duration,
    places: Arc<Semaphore>,
    /// What was made there, as paths of the admin port to delete.
    made: Arc<Mutex<BTreeSet<String>>>,
    /// Held for reading while something is being made.
    making: Arc<RwLock<()>>,
}

/// What one scenario has of the sandbox, until it is left.
pub(super) struct Stay {
    at: Arc<Attached>,
    /// Nobody else plays, and the clock is its own.
    pub(super) alone: bool,
    /// In the order of making, as paths of the admin port to delete.
    made: Vec<String>,
    _renewing: JoinSet<()>,
    _place: OwnedSemaphorePermit,
}

/// Whether a scenario lets time pass, or does what befalls everybody. What its client's pauses need is found out when they come.
pub(super) fn plays_alone(scenario: &Scenario) -> bool {
    let needs = |action: &Action| match action {
        Action::Advance(advance) => !matches!(advance, Advance::UntilQuiet),
        Action::Wait(_) => true,
        // Nobody has said who he is by then.
        Action::Fault(fault) => matches!(fault.effect, "handshake" | "latency"),
        Action::Expect(all) => all.iter().any(|one| matches!(one.expected, Expected::Never(_))),
        _ => false,
    };
    let stage = &scenario.stage;
    stage.hostile || stage.any_outside() || scenario.steps.iter().any(|step| needs(&step.action))
}

impl Attached {
    pub(super) fn new(
        (url, token_file): (String, Option<PathBuf>),
        sandbox: Option<PathBuf>,
        with: With,
        patience: Duration,
    ) -> Self {
        let places = Arc::new(Semaphore::new(PLACES as usize));
        Self {
            url,
            token_file,
            sandbox,
            with,
            patience,
            places,
            made: Arc::default(),
            making: Arc::default(),
        }
    }

    pub(super) fn admin(&self) -> Result<Admin, Failure> {
        Admin::new("--attach", &self.url, self.token_file.as_deref())
    }

    /// What is wrong with this sandbox, for who plays on it.
    pub(super) fn refused(&self, why: &str) -> Failure {
        Failure::usage(format!("--attach {}: {why}", self.url))
    }

    /// Takes part, once it is the scenario's turn: others of the same run come first that asked first, and so do those of
    /// other programs, which are waited for with less patience.
    pub(super) async fn take_part(
        self: &Arc<Self>,
        admin: &mut Admin,
        scenario: &Scenario,
        alone: bool,
    ) -> Result<Stay, Failure> {
        let harness = |error: String| Failure { exit: Exit::Harness, error: error.into() };
        let wanted = if alone { PLACES } else { 1 };
        let place = timeout(QUEUE, Arc::clone(&self.places).acquire_many_owned(wanted)).await;
        let late = || harness(format!("{}: it was not its turn within {} s", scenario.name, QUEUE.as_secs()));
        // They are never closed.
        let place = place.map_err(|_| late())?.map_err(Failure::internal)?;
        let holder: String = format!("scenario {}", scenario.name).chars().take(LONGEST_HOLDER).collect();
        let watch = Stopwatch::start();
        let id = loop {
            let wait = self.patience.saturating_sub(watch.elapsed()).min(ASK);
            // A lease that is given to who is gone by then ends by itself.
            let body = json!({
                "holder": holder,
                "still": !alone,
                "for": millis(LEASE),
                "wait": millis(wait),
            });
            let answer = admin.post("clock/lease", &body).await.map_err(|Broken(why)| harness(why))?;
            if let Some(id) = answer.body["lease"].as_str() {
                break id.to_owned();
            }
            let in_use = answer.body["errorCode"] == "CLOCK_IN_USE";
            if !in_use || watch.elapsed() >= self.patience {
                let waited = self.patience.as_secs();
                let hint = format!("; --clock-wait says how long to wait for it, which was {waited} s");
                let hint = if in_use { hint } else { String::new() };
                let told = answer.told();
                return Err(harness(format!("{}: the clock cannot be had: {told}{hint}", scenario.name)));
            }
        };
        let path = format!("clock/lease/{id}");
        self.lock().insert(path.clone());
        admin.shows(id.clone(), !alone);
        let mut renewing = JoinSet::new();
        renewing.spawn(renew(admin.clone(), id));
        let at = Arc::clone(self);
        Ok(Stay { at, alone, made: vec![path], _renewing: renewing, _place: place })
    }

    /// Deletes what scenarios have left that were given up.
    pub(super) async fn leave(&self) {
        let leaving = async {
            // What is being made is there by then; nothing more is made.
            let _closed = self.making.write().await;
            let paths: Vec<String> = self.lock().iter().cloned().collect();
            if let Some(admin) = self.admin().ok().filter(|_| !paths.is_empty()) {
                for path in &paths {
                    self.delete(&admin, path).await;
                }
            }
        };
        let _ = timeout(LEAVING, leaving).await;
        let left: Vec<String> = self.lock().iter().map(|path| format!("/{path}")).collect();
        if !left.is_empty() {
            say(&format!("not deleted on the sandbox at {}: {}", self.url, left.join(", ")));
        }
    }

    /// Makes something, which is known by `member` of the answer and may be deleted by it. It is known of even if who asked is
    /// given up meanwhile.
    async fn make(
        &self,
        admin: &Admin,
        (path, member): (&'static str, &'static str),
        body: Value,
    ) -> Result<Answer, Broken> {
        let (making, made, admin) =
            (Arc::clone(&self.making).read_owned().await, Arc::clone(&self.made), admin.clone());
        let task = tokio::spawn(async move {
            let _making = making;
            let answer = admin.post(path, &body).await?;
            if let Some(id) = answer.body[member].as_str().filter(|_| answer.status == 201) {
                lock(&made).insert(format!("{path}/{id}"));
            }
            Ok(answer)
        });
        task.await.map_err(|fault| Broken(format!("the admin port: {fault}")))?
    }

    async fn delete(&self, admin: &Admin, path: &str) {
        // Where the sandbox is gone, so is this.
        let answer = admin.delete(path).await;
        // What has ended by itself is not there any more.
        if answer.is_ok_and(|answer| matches!(answer.status, 204 | 404 | 409)) {
            self.lock().remove(path);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeSet<String>> {
        lock(&self.made)
    }
}

impl Stay {
    /// Makes a gateway or a fault; `what` is the path, and the member of the answer that names it.
    pub(super) async fn make(
        &mut self,
        admin: &Admin,
        what: (&'static str, &'static str),
        body: Value,
    ) -> Result<Answer, Broken> {
        let answer = self.at.make(admin, what, body).await?;
        if let Some(id) = answer.body[what.1].as_str().filter(|_| answer.status == 201) {
            self.made.push(format!("{}/{id}", what.0));
        }
        Ok(answer)
    }

    /// It was deleted by the scenario itself.
    pub(super) fn is_gone(&mut self, path: &str) {
        self.made.retain(|made| made != path);
        self.at.lock().remove(path);
    }

    /// Deletes all that was made, the clock's lease last; others play from then on.
    pub(super) async fn leave(mut self, admin: &Admin) {
        let leaving = async {
            while let Some(path) = self.made.pop() {
                self.at.delete(admin, &path).await;
            }
        };
        // What is not deleted by then is tried again at the end of the run.
        let _ = timeout(LEAVING, leaving).await;
    }
}

/// Keeps a lease.
async fn renew(admin: Admin, lease: String) {
    let mut beat = interval(LEASE / 3);
    loop {
        beat.tick().await;
        // Where that fails the next step that needs the clock is told so.
        let _ = admin.post("clock/lease", &json!({"lease": lease, "for": millis(LEASE)})).await;
    }
}

fn millis(time: Duration) -> String {
    format!("{}ms", time.as_millis())
}

fn lock(made: &Mutex<BTreeSet<String>>) -> MutexGuard<'_, BTreeSet<String>> {
    made.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::super::super::source::built_in;
    use super::*;
    use crate::scenario;

    #[test]
    fn who_says_that_time_passes_plays_alone_from_the_start() {
        let library = built_in();
        let beside = library.iter().filter_map(|source| {
            let scenario = scenario::load(&source.file, &[], &source.read).scenario?;
            (!plays_alone(&scenario)).then_some(scenario.name)
        });
        assert_eq!(
            beside.collect::<Vec<_>>(),
            [
                "decline",
                "duplicates-and-reordering",
                "first-payment",
                "forged-notification",
                "issuer-deletes-the-card",
                "lost-answer",
                "rate-limit",
                "storm-with-retry-after",
            ]
        );
        for (stage, steps, wanted) in [
            ("{caller: outside}", "wait: {call: {operation: createToken}, within: 1s}", true),
            ("{gateways: {a: {receiver: {url: \"https://localhost\"}}}}", "advance: {until: quiet}", true),
            ("{}", "fault: {name: shut, handshake: close}", true),
            ("{}", "fault: {name: twice, on: [notifications], duplicate: 1}", false),
            ("{}", "advance: {until: quiet}", false),
            ("{}", "advance: {until: next}", true),
        ] {
            let text = format!(
                "scenario: 1\nname: a\ntitle: A.\nwhy: B.\nstage: {stage}\nsteps:\n  - {steps}\n  - expect: {{calls: {{count: 0}}}}\n"
            );
            let scenario = scenario::load("a.yaml", &[], &|_: &str| Ok(text.clone())).scenario.expect(steps);
            assert_eq!(plays_alone(&scenario), wanted, "{stage} {steps}");
        }
    }
}
