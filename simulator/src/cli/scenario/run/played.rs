//! What came of playing a scenario.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::exit::Failure;
use super::super::super::say;
use super::attached::{Attached, plays_alone};
use super::ground::{Ground, With};
use super::miss::{Broken, Miss};
use super::papers::Papermill;
use super::player::Player;
use super::transcript::Line;
use crate::clock::Stopwatch;
use crate::scenario::{Caller, Scenario};

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

/// Plays a scenario. Where others play beside it and time has to pass for it, it is played again, from its beginning, once it is
/// alone.
pub(super) async fn play(on: &On, scenario: &Scenario, seed: u64) -> Result<Played, Failure> {
    let watch = Stopwatch::start();
    let alone = plays_alone(scenario);
    let (played, needs_the_clock) = once(on, scenario, seed, alone).await?;
    let played = if needs_the_clock { once(on, scenario, seed, true).await?.0 } else { played };
    Ok(Played { took: watch.elapsed(), ..played })
}

/// What came of it, and whether it was given up because time had to pass.
async fn once(on: &On, scenario: &Scenario, seed: u64, alone: bool) -> Result<(Played, bool), Failure> {
    let watch = Stopwatch::start();
    let (ground, flaw) = match on {
        On::Own(mill, with) => {
            let ground = Ground::start(mill, scenario, seed, with).await?;
            if scenario.stage.caller == Caller::Outside {
                say(&format!("{}: D1 answers at {}", scenario.name, ground.api));
            }
            (ground, with.flaw)
        }
        On::Attached(to) => (Ground::attach(to, scenario, alone).await?, to.with.flaw),
    };
    let mut player = Player::new(scenario, ground, flaw).map_err(|Broken(why)| Failure::internal(why))?;
    let ended = player.play().await;
    let cleared = player.clear().await;
    let ended = ended.and(cleared);
    let Player { ground, lines, misses, .. } = player;
    let (seed, needs_the_clock) = (ground.seed, ground.admin.needs_the_clock());
    ground.stop().await;
    let played = Played {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        file: scenario.file.clone(),
        seed,
        lines,
        misses,
        broken: ended.err().map(|Broken(why)| why),
        took: watch.elapsed(),
    };
    Ok((played, needs_the_clock))
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
