//! What came of playing a scenario.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::super::super::exit::Failure;
use super::super::super::say;
use super::attached::{Attached, plays_alone};
use super::flaw::Flaw;
use super::ground::{Ground, With};
use super::in_play::{InPlay, Seat};
use super::miss::{Broken, Miss};
use super::papers::Papermill;
use super::player::Player;
use super::transcript::Line;
use crate::clock::Stopwatch;
use crate::journal::redacted_whole;
use crate::scenario::{Caller, Scenario};
use crate::stop::Stop;

/// A sandbox of somebody else's is left as it was found within this real time.
const CLEARING: Duration = Duration::from_secs(10);

/// A scenario that was played.
pub(super) struct Played {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) file: String,
    /// Of all that D1 drew: the scenario's, or that of the sandbox that ran already.
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

/// Plays a scenario. Where others play beside it and time has to pass for it, it is played again, from its beginning, once it is
/// alone.
pub(super) async fn play(
    on: &On,
    scenario: &Scenario,
    seed: u64,
    mut watched: Watched,
) -> Result<Played, Failure> {
    let (watch, seat) = (Stopwatch::start(), watched.in_play.sit(scenario, seed));
    let alone = plays_alone(scenario);
    let mut over = once(on, scenario, (seed, alone), &mut watched.stop, &seat).await?;
    if over.needs_the_clock && !watched.stop.is_told() {
        over = once(on, scenario, (seed, true), &mut watched.stop, &seat).await?;
    }
    let Over { seed, lines, misses, ended, .. } = over;
    Ok(Played {
        name: scenario.name.clone(),
        title: redacted_whole(&scenario.title),
        file: scenario.file.clone(),
        seed,
        lines,
        misses,
        broken: ended.err().map(|Broken(why)| why),
        took: watch.elapsed(),
    })
}

/// What came of it once.
struct Over {
    seed: u64,
    lines: Vec<Line>,
    misses: Vec<Miss>,
    ended: Result<(), Broken>,
    /// It was given up because time had to pass.
    needs_the_clock: bool,
}

async fn once(
    on: &On,
    scenario: &Scenario,
    (seed, alone): (u64, bool),
    stop: &mut Stop,
    seat: &Seat,
) -> Result<Over, Failure> {
    let mut taking = pin!(take_ground(on, scenario, seed, alone));
    let taken = tokio::select! {
        biased;
        // What it has taken by then it can give back.
        () = stop.told() => timeout(CLEARING, taking).await.ok().transpose()?,
        taken = &mut taking => Some(taken?),
    };
    let Some((ground, flaw)) = taken else {
        let why = format!("{}:1:1: interrupted before it began", scenario.file);
        let (lines, misses) = (Vec::new(), Vec::new());
        return Ok(Over { seed, lines, misses, ended: Err(Broken(why)), needs_the_clock: false });
    };
    let mut player = Player::new(scenario, ground, flaw).map_err(|Broken(why)| Failure::internal(why))?;
    let ended = player.play(stop, seat).await;
    let late =
        |_| Err(Broken(format!("what it did to the sandbox is not undone after {} s", CLEARING.as_secs())));
    let cleared = timeout(CLEARING, player.clear()).await.unwrap_or_else(late);
    let Player { ground, lines, misses, .. } = player;
    let (seed, needs_the_clock) = (ground.seed, ground.admin.needs_the_clock());
    ground.stop().await;
    Ok(Over { seed, lines, misses, ended: ended.and(cleared), needs_the_clock })
}

async fn take_ground(
    on: &On,
    scenario: &Scenario,
    seed: u64,
    alone: bool,
) -> Result<(Ground, Option<Flaw>), Failure> {
    match on {
        On::Own(mill, with) => {
            let ground = Ground::start(mill, scenario, seed, with).await?;
            if scenario.stage.caller == Caller::Outside {
                say(&format!("{}: D1 answers at {}", scenario.name, ground.api));
            }
            Ok((ground, with.flaw))
        }
        On::Attached(to) => Ok((Ground::attach(to, scenario, alone).await?, to.with.flaw)),
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
