//! What is printed of a run while it goes on, and what is kept of it for the reports.

use std::io::IsTerminal as _;
use std::ops::RangeInclusive;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::super::super::exit::Failure;
use super::super::super::{print, say};
use super::in_play::InPlay;
use super::miss::Miss;
use super::played::Played;

/// Prints what was played: of one scenario its transcript, of several a line each and what was not as expected.
pub(super) struct Shown {
    bar: ProgressBar,
    several: bool,
    seeds: Option<RangeInclusive<u32>>,
    /// With many seeds one of each scenario: the last, or the first that did not pass.
    all: Vec<Played>,
    /// Why nothing more can be played.
    failure: Option<Failure>,
}

/// Tells how far a run is to whoever waits: in the bar, or without a terminal in lines.
pub(super) struct Beat {
    bar: ProgressBar,
    in_play: Arc<InPlay>,
    many_seeds: bool,
}

impl Shown {
    pub(super) fn new(scenarios: usize, seeds: Option<RangeInclusive<u32>>) -> Self {
        let target = match std::io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr(),
            false => ProgressDrawTarget::hidden(),
        };
        let rounds = seeds.as_ref().map_or(1, |seeds| seeds.clone().count());
        let bar = ProgressBar::with_draw_target(u64::try_from(scenarios * rounds).ok(), target);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos}/{len} {wide_msg}") {
            bar.set_style(style);
        }
        Self { bar, several: scenarios > 1, seeds, all: Vec::new(), failure: None }
    }

    pub(super) fn beat(&self, in_play: &Arc<InPlay>) -> Beat {
        let (bar, in_play) = (self.bar.clone(), Arc::clone(in_play));
        Beat { bar, in_play, many_seeds: self.seeds.is_some() }
    }

    /// Takes a scenario that was played, and says whether to go on.
    pub(super) fn tell(&mut self, played: Result<Played, Failure>) -> bool {
        self.bar.inc(1);
        let played = match played {
            Ok(played) => played,
            Err(failure) => {
                self.failure.get_or_insert(failure);
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
        let known = self.all.iter_mut().find(|known| self.seeds.is_some() && known.name == played.name);
        match known {
            None => self.all.push(played),
            Some(known) if known.outcome() == "passed" => *known = played,
            Some(_) => {}
        }
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

impl Beat {
    pub(super) fn tell(&self) {
        let lines = self.in_play.long(self.many_seeds);
        if !self.bar.is_hidden() {
            self.bar.set_message(lines.into_iter().next().unwrap_or_default());
            return;
        }
        if self.many_seeds {
            let (played, all) = (self.bar.position(), self.bar.length().unwrap_or_default());
            say(&format!("{played} of {all} played, all as expected so far"));
        }
        lines.iter().for_each(|line| say(line));
    }
}

fn with_misses(played: &Played) -> String {
    let all: Vec<String> =
        std::iter::once(played.verdict()).chain(played.misses.iter().map(Miss::told)).collect();
    all.join("\n")
}
