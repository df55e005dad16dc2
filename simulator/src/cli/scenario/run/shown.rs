//! A run while it goes on: what is printed of it, and what is kept for the reports.

use std::io::IsTerminal as _;
use std::ops::RangeInclusive;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::super::super::exit::Failure;
use super::super::super::print;
use super::miss::Miss;
use super::played::Played;

/// Prints what was played: of one scenario its transcript, of several a line each and what was not as expected.
pub(super) struct Shown {
    bar: ProgressBar,
    several: bool,
    seeds: Option<RangeInclusive<u32>>,
    /// With many seeds the last of each scenario alone.
    all: Vec<Played>,
    /// Why nothing more can be played.
    failure: Option<Failure>,
}

impl Shown {
    pub(super) fn new(scenarios: usize, seeds: Option<RangeInclusive<u32>>) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let rounds = seeds.as_ref().map_or(1, |seeds| seeds.clone().count());
        let bar = ProgressBar::with_draw_target(u64::try_from(scenarios * rounds).ok(), target);
        Self { bar, several: scenarios > 1, seeds, all: Vec::new(), failure: None }
    }

    /// Takes a scenario that was played, and says whether to go on.
    pub(super) fn tell(&mut self, played: Result<Played, Failure>) -> bool {
        self.bar.inc(1);
        let played = match played {
            Ok(played) => played,
            Err(failure) => {
                self.failure = Some(failure);
                return false;
            }
        };
        let passed = played.outcome() == "passed";
        let text = if self.seeds.is_some() {
            (!passed).then(|| format!("seed {}: {}", played.seed, with_misses(&played)))
        } else if self.several {
            Some(with_misses(&played))
        } else {
            Some(played.transcript())
        };
        if let Some(text) = text {
            self.bar.suspend(|| print(&text));
        }
        if self.seeds.is_some() {
            self.all.retain(|other| other.name != played.name);
        }
        self.all.push(played);
        // With many seeds the first that fails is the one that is looked for.
        passed || self.seeds.is_none()
    }

    /// Ends the bar; gives what was played, in order, and why that is not all.
    pub(super) fn close(self) -> (Vec<Played>, Option<Failure>) {
        self.bar.finish_and_clear();
        if let Some(seeds) = self.seeds
            && !self.all.is_empty()
            && self
                .all
                .iter()
                .all(|played| played.outcome() == "passed" && played.seed == u64::from(*seeds.end()))
        {
            print(&format!("as expected with every seed from {} to {}", seeds.start(), seeds.end()));
        }
        (self.all, self.failure)
    }
}

fn with_misses(played: &Played) -> String {
    let all: Vec<String> =
        std::iter::once(played.verdict()).chain(played.misses.iter().map(Miss::told)).collect();
    all.join("\n")
}
