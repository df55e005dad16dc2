//! How time passes here. On the real clock a task waits for what is planned; on the manual clock
//! somebody moves it, one stop for each moment at which something falls due. It goes on from a stop
//! only when all is quiet there.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::agenda::Due;
use super::fired::{Fired, Log};
use super::state::State;
use super::{Wanted, World};
use crate::clock::{Clock, ClockIsReal, LATEST, rfc3339};
use crate::domain::{GatewayId, Moment, Now, Token};
use crate::journal::{Expiry, Fact};
use crate::stop::Stop;

/// Where nothing ends or begins for so long, in real time, something hangs: the clock stays where it is.
const PATIENCE: Duration = Duration::from_secs(30);
/// All is to be quiet and silent at one stop within this real time.
const LONGEST_REST: Duration = Duration::from_secs(120);
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
pub(crate) struct Turn<'a> {
    _held: MutexGuard<'a, ()>,
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
        "not quiet at {}: open deliveries: {deliveries}, open exchanges: {exchanges}; answer or end them, then \
         advance again", rfc3339(*.now)
    )]
    NotQuiet { now: Moment, deliveries: usize, exchanges: usize },
    #[error("not silent at {}: peers keep calling; ask for a shorter silence or end them", rfc3339(*.now))]
    NotSilent { now: Moment },
    #[error("nothing more falls due; it is {} now", rfc3339(*.now))]
    NothingDue { now: Moment },
    #[error("100000 stops were made and it is only {} now; advance again to go on", rfc3339(*.now))]
    TooManyStops { now: Moment },
}

impl World {
    /// Does what is planned when its moment has come, until `stop` says so.
    pub(crate) async fn keep_schedule(self: Arc<Self>, clock: Clock, mut stop: Stop) {
        let mut moved = self.moved();
        loop {
            // What is planned from here on wakes this task.
            moved.mark_unchanged();
            self.fire_due(&clock);
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
    pub(crate) async fn turn(&self) -> Turn<'_> {
        Turn { _held: self.advancing.lock().await }
    }

    /// Moves the manual clock. All that falls due on the way happens on the way, each at its moment and in
    /// order, and is over when this returns. `silence` is how long, in real time, nothing may come from a
    /// peer or go to one before a stop counts as quiet.
    pub(crate) async fn advance(
        &self,
        _turn: &mut Turn<'_>,
        clock: &Clock,
        way: Way,
        silence: Duration,
    ) -> Result<Passed, Halt> {
        if !clock.is_manual() {
            return Err(ClockIsReal.into());
        }
        let now = clock.now().at;
        let until = match way {
            Way::By(by) => Some(now.after(by)),
            Way::To(to) if to < now => return Err(Halt::Past { now }),
            Way::To(to) => Some(to),
            Way::Quiet | Way::Next | Way::Event(_) => None,
        };
        if until.is_some_and(|until| until > LATEST) {
            return Err(Halt::End { now });
        }
        let wanted = match &way {
            Way::Event(wanted) => Some(wanted.clone()),
            _ => None,
        };
        self.lock().fired = Some(Log::awaiting(wanted));
        let went = self.go(clock, &way, until, silence).await;
        if went.is_err() {
            // What could not be awaited must not wait for somebody to move the clock again.
            while clock.let_go().is_some() {}
        }
        let log = self.lock().fired.take().unwrap_or_default();
        went?;
        let journal = log.read_on().unwrap_or_else(|| self.journal.last());
        Ok(Passed { now: clock.now().at, left_out: log.left_out, fired: log.listed, journal })
    }

    async fn go(
        &self,
        clock: &Clock,
        way: &Way,
        until: Option<Moment>,
        silence: Duration,
    ) -> Result<(), Halt> {
        self.rest(clock, silence).await?;
        let found = || self.lock().fired.as_ref().is_some_and(|log| log.found);
        if *way == Way::Quiet || found() {
            return Ok(());
        }
        for _ in 0..MOST_STOPS {
            let next = self.next_after(clock);
            let stop = match (next, until) {
                (Some(next), Some(until)) => next.min(until),
                (None, Some(until)) => until,
                (Some(next), None) if next <= LATEST => next,
                (_, None) => return Err(Halt::NothingDue { now: clock.now().at }),
            };
            self.step(clock, stop)?;
            self.rest(clock, silence).await?;
            if until == Some(stop) || *way == Way::Next || found() {
                return Ok(());
            }
        }
        Err(Halt::TooManyStops { now: clock.now().at })
    }

    /// Moves the clock and does what is planned for then, in one: nobody else comes in between.
    fn step(&self, clock: &Clock, to: Moment) -> Result<(), ClockIsReal> {
        let mut state = self.lock();
        self.journal.record(to, None, None, &Fact::Clock { now: rfc3339(to) });
        clock.advance_to(to)?;
        self.fire(&mut state, clock.now());
        Ok(())
    }

    /// Returns once all is quiet and nobody waits for this moment any more.
    async fn rest(&self, clock: &Clock, silence: Duration) -> Result<(), Halt> {
        loop {
            let quiet = timeout(LONGEST_REST, self.quiet(clock, silence)).await;
            quiet.unwrap_or_else(|_| Err(self.not_quiet(clock)))?;
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
            self.fire_due(clock);
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
        state.outbox.is_taken(clock.now().at) && clock.busy(state.outbox.taken()) == 0
    }

    fn not_quiet(&self, clock: &Clock) -> Halt {
        if self.is_quiet(clock) {
            return Halt::NotSilent { now: clock.now().at };
        }
        let deliveries = self.lock().outbox.taken();
        Halt::NotQuiet { now: clock.now().at, deliveries, exchanges: clock.busy(0) }
    }

    /// The earliest moment to come at which anything falls due.
    fn next_after(&self, clock: &Clock) -> Option<Moment> {
        let now = clock.now().at;
        let state = self.lock();
        let planned = self.planned(&state).filter(|at| *at > now);
        planned.into_iter().chain(state.outbox.next_after(now)).chain(clock.next_wait()).min()
    }

    /// Does what is planned for `clock`'s present moment or before, in order.
    pub(crate) fn fire_due(&self, clock: &Clock) {
        let mut state = self.lock();
        self.fire(&mut state, clock.now());
    }

    fn fire(&self, state: &mut State, now: Now) {
        // What is put off while firing waits for a later call: this loop ends.
        while let Some((at, due)) = self.take_planned(state, now.at) {
            let fired = match due {
                Due::Event(scheduled) => {
                    let whose = state.tokens.get(&scheduled.token).map(|token| token.gateway.clone());
                    let outcome = self.happen_or_put_off(state, scheduled, now);
                    let fired = Fired::new(at, "event", self.journal.last());
                    let fired = fired.what(scheduled.event.as_str(), Some(outcome));
                    whose.map(|gateway| fired.of(&gateway, Some(scheduled.token)))
                }
                Due::AccessToken(gateway, correlation) => {
                    Some(self.ended(at, "accessToken", &gateway, Some(&correlation)))
                }
                Due::ReceiverToken(gateway) => Some(self.ended(at, "receiverToken", &gateway, None)),
                Due::FaultEnd(n) => Some(Fired::new(at, "expiry", n).what("fault", None)),
                Due::Card(id) => state.tokens.get(&id).map(|token| self.expired(at, "card", token)),
                Due::Token(id) => state.tokens.get(&id).map(|token| self.expired(at, "token", token)),
            };
            if let (Some(log), Some(fired)) = (&mut state.fired, fired) {
                log.add(fired);
            }
        }
    }

    /// The first of what is planned for `now` or before; at one moment the ends of faults come first.
    fn take_planned(&self, state: &mut State, now: Moment) -> Option<(Moment, Due)> {
        let first = self.planned(state).filter(|first| *first <= now)?;
        match self.setting.faults.end_one(first) {
            Some((at, n)) => Some((at, Due::FaultEnd(n))),
            None => state.agenda.take(now),
        }
    }

    fn ended(&self, at: Moment, what: &'static str, gateway: &GatewayId, correlation: Option<&str>) -> Fired {
        let fact = Fact::Expiry(Expiry { what, ..Expiry::default() });
        let n = self.journal.record(at, Some(gateway.as_str()), correlation, &fact);
        Fired::new(at, "expiry", n).what(what, None).of(gateway, None).under(correlation)
    }

    /// A fact alone: no state of C21 is one of being expired, and nothing of what is documented follows.
    fn expired(&self, at: Moment, what: &'static str, token: &Token) -> Fired {
        let (month, digits) = match what {
            "card" => (token.card_expiry, token.card_last_four),
            _ => (token.token_expiry, token.token_last_four()),
        };
        let fact = Fact::Expiry(Expiry {
            what,
            merchant_id: Some(token.merchant.to_string()),
            token_id: Some(token.id.to_string()),
            expiry_date: Some(month.mmyy()),
            last_digits: Some(digits.as_str().to_owned()),
        });
        let n = self.journal.record(at, Some(token.gateway.as_str()), None, &fact);
        Fired::new(at, "expiry", n).what(what, None).of(&token.gateway, Some(token.id))
    }
}

#[cfg(test)]
mod tests;
