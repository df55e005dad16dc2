//! Who is at which step while a run goes on, for whoever waits for it and wonders.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::scenario::{Scenario, Step};

/// Scenarios of the library are over long before; one that has been played for so long is worth a word.
pub(super) const LONG: Duration = Duration::from_secs(10);

/// What is in play.
#[derive(Default)]
pub(super) struct InPlay(Mutex<Table>);

#[derive(Default)]
struct Table {
    begun: u64,
    seats: BTreeMap<u64, At>,
}

struct At {
    name: String,
    seed: u64,
    since: Stopwatch,
    /// Where it is.
    step: String,
    steps: usize,
}

/// The place of one scenario in play, until it is dropped.
pub(super) struct Seat {
    of: Arc<InPlay>,
    number: u64,
}

impl InPlay {
    pub(super) fn sit(self: &Arc<Self>, scenario: &Scenario, seed: u64) -> Seat {
        let mut table = self.lock();
        table.begun += 1;
        let number = table.begun;
        let at = At {
            name: scenario.name.clone(),
            seed,
            since: Stopwatch::start(),
            step: format!("the stage, {}", scenario.file),
            steps: scenario.steps.len(),
        };
        table.seats.insert(number, at);
        Seat { of: Arc::clone(self), number }
    }

    /// A line for each that has been in play for long, in the order in which they began.
    pub(super) fn long(&self, with_seeds: bool) -> Vec<String> {
        let table = self.lock();
        let long = table.seats.values().filter(|at| at.since.elapsed() >= LONG);
        let told = |at: &At| {
            let seed = if with_seeds { format!(" with seed {}", at.seed) } else { String::new() };
            format!("playing {}{seed} for {} s: {}", at.name, at.since.elapsed().as_secs(), at.step)
        };
        long.map(told).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seat {
    /// This step is played from here on.
    pub(super) fn is_at(&self, step: &Step) {
        if let Some(at) = self.of.lock().seats.get_mut(&self.number) {
            at.step = format!("step {} of {}, {}", step.number, at.steps, step.place);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.of.lock().seats.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "scenario: 1\nname: day\ntitle: A.\nwhy: B.\nsteps:\n  - note: one\n  - note: two\n  - expect: {calls: {count: 0}}\n";

    #[tokio::test(start_paused = true)]
    async fn what_takes_long_is_told_with_its_step_and_what_is_over_is_not() {
        let read = |_: &str| Ok(TEXT.to_owned());
        let scenario = crate::scenario::load("day.yaml", &[], &read).scenario.expect("a scenario");
        let in_play = Arc::new(InPlay::default());
        let (first, second) = (in_play.sit(&scenario, 7), in_play.sit(&scenario, 8));
        tokio::time::advance(LONG - Duration::from_millis(1)).await;
        assert!(in_play.long(false).is_empty());
        tokio::time::advance(Duration::from_millis(1)).await;
        second.is_at(&scenario.steps[1]);
        assert_eq!(
            in_play.long(true),
            [
                "playing day with seed 7 for 10 s: the stage, day.yaml",
                "playing day with seed 8 for 10 s: step 2 of 3, day.yaml:7:5",
            ]
        );
        drop(first);
        assert_eq!(in_play.long(false), ["playing day for 10 s: step 2 of 3, day.yaml:7:5"]);
    }
}
