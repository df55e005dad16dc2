//! How faults end that have a time, and who hangs until they do or are lifted.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::standing::Standing;
use super::{Faults, State};
use crate::clock::{Aside, WayOut};
use crate::domain::Moment;

/// Somebody who hangs, or waits, until a fault is lifted or ends with its time.
pub(super) struct Stalled {
    fault: u64,
    place: u64,
    go_on: oneshot::Sender<()>,
    stays: Stays,
}

/// Where he is meanwhile. Given back before he goes on, so that a clock which is moved next waits for him.
enum Stays {
    /// Until the fault is lifted, or ends with its time.
    Hangs { _aside: Option<Aside> },
    /// For the clock, unless the fault is lifted before: what struck him while it lasted has struck him.
    Waits { _way_out: Option<WayOut> },
}

/// A place among those who hang, given up when dropped.
struct Place<'a> {
    faults: &'a Faults,
    place: u64,
}

impl Faults {
    /// Returns once the fault with this number is lifted, or has ended with its time.
    pub(crate) async fn until_lifted(&self, number: u64, aside: Option<Aside>) {
        self.stay(number, Stays::Hangs { _aside: aside }).await;
    }

    /// Returns once the fault with this number is lifted, for who waits for the clock because of it.
    pub(crate) async fn until_lifted_sooner(&self, number: u64, way_out: Option<WayOut>) {
        self.stay(number, Stays::Waits { _way_out: way_out }).await;
    }

    async fn stay(&self, number: u64, stays: Stays) {
        let (go_on, gone) = oneshot::channel();
        let place = {
            let mut state = self.lock();
            let stands = |one: &Standing| match stays {
                Stays::Hangs { .. } => one.number == number && !one.has_ended,
                Stays::Waits { .. } => one.number == number,
            };
            if !state.standing.iter().any(stands) {
                return;
            }
            state.stalls += 1;
            let place = state.stalls;
            state.stalled.push(Stalled { fault: number, place, go_on, stays });
            place
        };
        let _place = Place { faults: self, place };
        // An error means that the sandbox is gone, and with it everything that hangs here.
        let _ = gone.await;
    }

    /// When the first of the faults with a `for` ends that have not ended yet.
    pub(crate) fn next_end(&self) -> Option<Moment> {
        let state = self.lock();
        state.standing.iter().filter(|one| !one.has_ended).filter_map(|one| one.until).min()
    }

    /// Ends the first fault whose time is over by `now`: when that was, and the journal's number for it.
    pub(crate) fn end_one(&self, now: Moment) -> Option<(Moment, u64)> {
        let mut state = self.lock();
        let due = |one: &&mut Standing| !one.has_ended && one.until.is_some_and(|until| until <= now);
        let one = state.standing.iter_mut().filter(due).min_by_key(|one| (one.until, one.number))?;
        let at = one.until?;
        one.has_ended = true;
        let (number, fault) = (one.number, Arc::clone(&one.fault));
        let n = self.note_whole(at, &fault, "ended");
        state.let_go(|one| one.fault == number && matches!(one.stays, Stays::Hangs { .. }));
        Some((at, n))
    }
}

impl State {
    /// Lets those go on who hang or wait by the fault with this number.
    pub(super) fn let_go_by(&mut self, number: u64) {
        self.let_go(|one| one.fault == number);
    }

    fn let_go(&mut self, who: impl Fn(&Stalled) -> bool) {
        for Stalled { stays, go_on, .. } in self.stalled.extract_if(.., |one| who(one)) {
            drop(stays);
            // Whoever has given up meanwhile is not there to go on.
            let _ = go_on.send(());
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.faults.lock().stalled.retain(|stalled| stalled.place != self.place);
    }
}
