//! What came of playing a scenario.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::exit::Failure;
use super::super::super::say;
use super::ground::{Attached, Ground, With};
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

/// Plays a scenario.
pub(super) async fn play(on: &On, scenario: &Scenario, seed: u64) -> Result<Played, Failure> {
    let watch = Stopwatch::start();
    let ground = match on {
        On::Own(mill, with) => {
            let ground = Ground::start(mill, scenario, seed, with).await?;
            if scenario.stage.caller == Caller::Outside {
                say(&format!("{}: D1 answers at {}", scenario.name, ground.api));
            }
            ground
        }
        On::Attached(to) => Ground::attach(to, scenario).await?,
    };
    let flaw = match on {
        On::Own(_, with) => with.flaw,
        On::Attached(to) => to.with.flaw,
    };
    let mut player = Player::new(scenario, ground, flaw).map_err(|Broken(why)| Failure::internal(why))?;
    let ended = player.play().await;
    let cleared = player.clear().await;
    let ended = ended.and(cleared);
    let Player { ground, lines, misses, .. } = player;
    ground.stop().await;
    Ok(Played {
        name: scenario.name.clone(),
        title: scenario.title.clone(),
        file: scenario.file.clone(),
        seed,
        lines,
        misses,
        broken: ended.err().map(|Broken(why)| why),
        took: watch.elapsed(),
    })
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
