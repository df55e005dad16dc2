//! What came of playing a scenario.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::super::exit::Failure;
use super::super::super::say;
use super::flaw::Flaw;
use super::ground::{Attached, Ground, With};
use super::in_play::InPlay;
use super::miss::{Broken, Miss};
use super::papers::Papermill;
use super::player::Player;
use super::transcript::Line;
use crate::clock::Stopwatch;
use crate::scenario::{Caller, Scenario};
use crate::stop::Stop;

/// A sandbox of somebody else's is left as it was found within this real time.
const CLEARING: Duration = Duration::from_secs(10);

/// A scenario that was played.
pub(super) struct Played {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) file: String,
    pub(super) seed: u64,
    pub(super) lines: Vec<Line>,
    pub(super) misses: Vec<Miss>,
    /// Why it was not played to its end.
    pub(super) broken: Option<String>,
    /// In real time.
    pub(super) took: Duration,
}

/// Where a scenario is played.
#[derive(Clone)]
pub(super) enum On {
    /// On a sandbox of its own.
    Own(Arc<Papermill>, With),
    /// On one that runs already.
    Attached(Arc<Attached>),
}

/// What a scenario is stopped by, and where it is watched.
#[derive(Clone)]
pub(super) struct Watched {
    pub(super) stop: Stop,
    pub(super) in_play: Arc<InPlay>,
}

/// Plays a scenario.
pub(super) async fn play(
    on: &On,
    scenario: &Scenario,
    seed: u64,
    mut watched: Watched,
) -> Result<Played, Failure> {
    let (watch, seat) = (Stopwatch::start(), watched.in_play.sit(scenario, seed));
    let over = |lines, misses, ended: Result<(), Broken>| Played {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        file: scenario.file.clone(),
        seed,
        lines,
        misses,
        broken: ended.err().map(|Broken(why)| why),
        took: watch.elapsed(),
    };
    let mut taking = pin!(take_ground(on, scenario, seed));
    let taken = tokio::select! {
        biased;
        // What it has taken by then it can give back.
        () = watched.stop.told() => timeout(CLEARING, taking).await.ok().transpose()?,
        taken = &mut taking => Some(taken?),
    };
    let Some((ground, flaw)) = taken else {
        let why = format!("{}:1:1: interrupted before it began", scenario.file);
        return Ok(over(Vec::new(), Vec::new(), Err(Broken(why))));
    };
    let mut player = Player::new(scenario, ground, flaw).map_err(|Broken(why)| Failure::internal(why))?;
    let ended = player.play(&mut watched.stop, &seat).await;
    let late =
        |_| Err(Broken(format!("what it did to the sandbox is not undone after {} s", CLEARING.as_secs())));
    let cleared = timeout(CLEARING, player.clear()).await.unwrap_or_else(late);
    let Player { ground, lines, misses, .. } = player;
    ground.stop().await;
    Ok(over(lines, misses, ended.and(cleared)))
}

async fn take_ground(on: &On, scenario: &Scenario, seed: u64) -> Result<(Ground, Option<Flaw>), Failure> {
    match on {
        On::Own(mill, with) => {
            let ground = Ground::start(mill, scenario, seed, with).await?;
            if scenario.stage.caller == Caller::Outside {
                say(&format!("{}: D1 answers at {}", scenario.name, ground.api));
            }
            Ok((ground, with.flaw))
        }
        On::Attached(to) => Ok((Ground::attach(to, scenario).await?, to.with.flaw)),
    }
}

impl Played {
    /// The transcript, as text for people.
    pub(super) fn transcript(&self) -> String {
        let mut lines = vec![
            format!("{}: {}", self.name, self.title),
            format!("{}, seed {}", self.file, self.seed),
            String::new(),
        ];
        lines.extend(self.lines.iter().map(Line::told));
        lines.push(String::new());
        lines.push(self.verdict());
        lines.join("\n")
    }

    /// In one word: `passed`, `failed` or `brokenOff`.
    pub(super) fn outcome(&self) -> &'static str {
        match (&self.broken, self.misses.is_empty()) {
            (Some(_), _) => "brokenOff",
            (None, false) => "failed",
            (None, true) => "passed",
        }
    }

    /// One line: what came of it.
    pub(super) fn verdict(&self) -> String {
        match (&self.broken, self.misses.len()) {
            (Some(why), _) => format!("{}: broke off: {why}", self.name),
            (None, 0) => format!("{}: as expected", self.name),
            (None, 1) => format!("{}: 1 thing was not as expected", self.name),
            (None, count) => format!("{}: {count} things were not as expected", self.name),
        }
    }
}
