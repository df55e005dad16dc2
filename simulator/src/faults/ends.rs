//! How faults end that have a time, and who hangs until they do or are lifted.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::standing::Standing;
use super::{Faults, State};
use crate::clock::Aside;
use crate::domain::Moment;
use crate::journal;

/// Somebody who hangs until a fault is lifted or ends with its time.
pub(super) struct Stalled {
    fault: u64,
    place: u64,
    go_on: oneshot::Sender<()>,
    /// Given back before he goes on, so that a clock which is moved next waits for him.
    aside: Option<Aside>,
}

impl Stalled {
    pub(super) fn is_of(&self, fault: u64) -> bool {
        self.fault == fault
    }
}

/// A place among those who hang, given up when dropped.
struct Place<'a> {
    faults: &'a Faults,
    place: u64,
}

impl Faults {
    /// Returns once the fault with this number is lifted, or has ended with its time.
    pub(crate) async fn until_lifted(&self, number: u64, aside: Option<Aside>) {
        let (go_on, gone) = oneshot::channel();
        let place = {
            let mut state = self.lock();
            if !state.standing.iter().any(|one| one.number == number && !one.has_ended) {
                return;
            }
            state.stalls += 1;
            let place = state.stalls;
            state.stalled.push(Stalled { fault: number, place, go_on, aside });
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
        let n = self.note(at, None, journal::Fault::new(&fault.name, "ended", fault.effect.name()));
        state.let_go(number);
        Some((at, n))
    }
}

impl State {
    /// Lets those go on who hang by the fault with this number.
    pub(super) fn let_go(&mut self, number: u64) {
        for Stalled { aside, go_on, .. } in self.stalled.extract_if(.., |stalled| stalled.fault == number) {
            drop(aside);
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
