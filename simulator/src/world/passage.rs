//! How time passes here. On the real clock a task waits for what is planned; on the manual clock
//! somebody moves it, one stop for each moment at which something falls due. It goes on from a stop
//! only when all is quiet there.

mod firing;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::fired::{Fired, Log};
use super::{Wanted, World};
use crate::clock::{Clock, ClockIsReal, LATEST, Stopwatch, rfc3339};
use crate::domain::Moment;
use crate::journal::Fact;
use crate::stop::Stop;

/// Where nothing ends or begins for so long, in real time, something hangs: the clock stays where it is.
const PATIENCE: Duration = Duration::from_secs(30);
/// All is to be quiet and silent within this real time, at each stop and after each exchange that is let go there.
const LONGEST_REST: Duration = Duration::from_secs(120);
/// One advance takes at most so long, in real time.
const LONGEST: Duration = Duration::from_secs(10 * 60);
/// One advance makes at most so many stops.
const MOST_STOPS: usize = 100_000;

/// How far the clock is moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    By(Duration),
    To(Moment),
    /// Not at all: what is due by now is awaited.
    Quiet,
    /// To the next moment at which anything falls due.
    Next,
    /// Until this falls due.
    Event(Wanted),
}

/// Held by the one who moves the clock.
pub(crate) struct Turn {
    _held: OwnedMutexGuard<()>,
}

/// What an advance came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) now: Moment,
    pub(crate) fired: Vec<Fired>,
    /// So many more fell due than are listed.
    pub(crate) left_out: u64,
    /// The journal goes on after this number: after the last that is listed, or after all of it.
    pub(crate) journal: u64,
}

/// An advance that did not get where it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Halted {
    pub(crate) why: Halt,
    /// What it came to all the same, if it was begun.
    pub(crate) so_far: Option<Passed>,
}

/// Why the clock did not get where it should; it stays where it was when that was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Halt {
    #[error(transparent)]
    Real(#[from] ClockIsReal),
    #[error("to: expected a moment that has not passed; it is {} now", rfc3339(*.now))]
    Past { now: Moment },
    #[error("the time of the sandbox ends with the year 2099; it is {} now", rfc3339(*.now))]
    End { now: Moment },
    #[error(
        "not quiet at {}: open deliveries: {deliveries}, open exchanges: {exchanges}, notifications that are due and not \
         taken: {waiting}; answer or end them, then advance again", rfc3339(*.now)
    )]
    NotQuiet { now: Moment, deliveries: usize, exchanges: usize, waiting: usize },
    #[error("not silent at {}: peers keep calling; ask for a shorter silence or end them", rfc3339(*.now))]
    NotSilent { now: Moment },
    #[error("nothing more falls due; it is {} now", rfc3339(*.now))]
    NothingDue { now: Moment },
    #[error("100000 stops were made and it is only {} now; advance again to go on", rfc3339(*.now))]
    TooManyStops { now: Moment },
    #[error("ten minutes of real time have passed and it is only {} now; advance again to go on", rfc3339(*.now))]
    TooLong { now: Moment },
}

impl From<Halt> for Halted {
    fn from(why: Halt) -> Self {
        Self { why, so_far: None }
    }
}

impl World {
    /// Does what is planned when its moment has come, until `stop` says so.
    pub(crate) async fn keep_schedule(self: Arc<Self>, clock: Clock, mut stop: Stop) {
        let mut moved = self.moved();
        loop {
            // What is planned from here on wakes this task.
            moved.mark_unchanged();
            tokio::select! {
                () = self.fire_due(&clock) => {}
                () = stop.told() => return,
            }
            let wake = async {
                match self.next_planned() {
                    Some(due) => clock.reaches(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake => {}
                changed = moved.changed() => if changed.is_err() { return },
                () = stop.told() => return,
            }
        }
    }

    /// Whose turn it is to move the clock. One after the other: two at once would step over each other's
    /// stops.
    pub(crate) async fn turn(&self) -> Turn {
        Turn { _held: Arc::clone(&self.advancing).lock_owned().await }
    }

    /// Moves the manual clock. All that falls due on the way happens on the way, each at its moment and in
    /// order, and is over when this returns. `silence` is how long, in real time, nothing may come from a
    /// peer or go to one before a stop counts as quiet. Once `is_over` says that nobody asks any more, this ends with the stop
    /// that it is at.
    pub(crate) async fn advance(
        &self,
        _turn: &mut Turn,
        clock: &Clock,
        (way, silence): (Way, Duration),
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<Passed, Halted> {
        if !clock.is_manual() {
            return Err(Halt::from(ClockIsReal).into());
        }
        let now = clock.now().at;
        let until = match way {
            Way::By(by) => Some(now.after(by)),
            Way::To(to) if to < now => return Err(Halt::Past { now }.into()),
            Way::To(to) => Some(to),
            Way::Quiet | Way::Next | Way::Event(_) => None,
        };
        if until.is_some_and(|until| until >= LATEST) {
            return Err(Halt::End { now }.into());
        }
        let wanted = match &way {
            Way::Event(wanted) => Some(wanted.clone()),
            _ => None,
        };
        self.lock().fired = Some(Log::awaiting(wanted));
        let went = self.go(clock, (&way, until, silence), is_over).await;
        if went.is_err() {
            // What could not be awaited must not wait for somebody to move the clock again.
            while clock.let_go().is_some() {}
        }
        let log = self.lock().fired.take().unwrap_or_default();
        let journal = log.read_on().unwrap_or_else(|| self.journal.last());
        let passed = Passed { now: clock.now().at, left_out: log.left_out, fired: log.listed, journal };
        match went {
            Ok(()) => Ok(passed),
            Err(why) => Err(Halted { why, so_far: Some(passed) }),
        }
    }

    async fn go(
        &self,
        clock: &Clock,
        (way, until, silence): (&Way, Option<Moment>, Duration),
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), Halt> {
        let begun = Stopwatch::start();
        self.rest(clock, silence, begun).await?;
        let found = || self.lock().fired.as_ref().is_some_and(|log| log.found);
        if *way == Way::Quiet || found() {
            return Ok(());
        }
        for _ in 0..MOST_STOPS {
            if is_over() {
                return Ok(());
            }
            if begun.elapsed() >= LONGEST {
                return Err(Halt::TooLong { now: clock.now().at });
            }
            let next = self.next_after(clock);
            let stop = match (next, until) {
                (Some(next), Some(until)) => next.min(until),
                (None, Some(until)) => until,
                (Some(next), None) if next < LATEST => next,
                (_, None) => return Err(Halt::NothingDue { now: clock.now().at }),
            };
            self.step(clock, stop)?;
            self.rest(clock, silence, begun).await?;
            if until == Some(stop) || *way == Way::Next || found() {
                return Ok(());
            }
        }
        Err(Halt::TooManyStops { now: clock.now().at })
    }

    /// Moves the clock and does what is planned for then, in one: nobody else comes in between, but where there is too much of
    /// it. What is left falls to [`Self::rest`].
    fn step(&self, clock: &Clock, to: Moment) -> Result<(), ClockIsReal> {
        let mut state = self.lock();
        self.journal.record(to, None, None, &Fact::Clock { now: rfc3339(to) });
        clock.advance_to(to)?;
        self.fire(&mut state, clock.now());
        Ok(())
    }

    /// Returns once all is quiet and nobody waits for this moment any more.
    async fn rest(&self, clock: &Clock, silence: Duration, begun: Stopwatch) -> Result<(), Halt> {
        loop {
            let left = LONGEST.saturating_sub(begun.elapsed());
            match timeout(LONGEST_REST.min(left), self.quiet(clock, silence)).await {
                Ok(quiet) => quiet?,
                Err(_) if begun.elapsed() >= LONGEST => return Err(Halt::TooLong { now: clock.now().at }),
                Err(_) => return Err(self.not_quiet(clock)),
            }
            let Some((at, who)) = clock.let_go() else { return Ok(()) };
            let fired = Fired::answer(at, who, self.journal.last());
            if let Some(log) = &mut self.lock().fired {
                log.add(fired);
            }
        }
    }

    /// Waits until nothing is open and nothing is due, and all was silent for a while.
    async fn quiet(&self, clock: &Clock, silence: Duration) -> Result<(), Halt> {
        let (mut moved, Some(mut traffic)) = (self.moved(), clock.traffic()) else {
            return Err(ClockIsReal.into());
        };
        loop {
            moved.mark_unchanged();
            traffic.mark_unchanged();
            self.fire_due(clock).await;
            let quiet = self.is_quiet(clock);
            let left = match quiet {
                true => silence.saturating_sub(clock.silent_for()),
                false => PATIENCE,
            };
            if left.is_zero() {
                return Ok(());
            }
            let change = async {
                tokio::select! {
                    _ = moved.changed() => {}
                    _ = traffic.changed() => {}
                }
            };
            if timeout(left, change).await.is_err() && !quiet {
                return Err(self.not_quiet(clock));
            }
        }
    }

    fn is_quiet(&self, clock: &Clock) -> bool {
        let state = self.lock();
        !state.firing && state.outbox.is_taken(clock.now().at) && clock.busy(state.outbox.taken()) == 0
    }

    fn not_quiet(&self, clock: &Clock) -> Halt {
        if self.is_quiet(clock) {
            return Halt::NotSilent { now: clock.now().at };
        }
        let now = clock.now().at;
        let (deliveries, waiting) = {
            let state = self.lock();
            (state.outbox.taken(), state.outbox.due(now))
        };
        Halt::NotQuiet { now, deliveries, exchanges: clock.busy(0), waiting }
    }

    /// The earliest moment to come at which anything falls due.
    fn next_after(&self, clock: &Clock) -> Option<Moment> {
        let now = clock.now().at;
        let state = self.lock();
        let planned = self.planned(&state).filter(|at| *at > now);
        planned.into_iter().chain(state.outbox.next_after(now)).chain(clock.next_wait()).min()
    }
}

#[cfg(test)]
mod tests;
