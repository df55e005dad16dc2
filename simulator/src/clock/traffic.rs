//! Who is at it while a manual clock stands, and who waits for it to move.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{oneshot, watch};

use super::Stopwatch;
use crate::domain::{GatewayId, Moment};

/// Who waits for the clock, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Waiter {
    pub(crate) gateway: Option<GatewayId>,
    pub(crate) correlation: Option<Arc<str>>,
}

/// An exchange that is open until this is dropped.
#[derive(Debug)]
pub(crate) struct Open(Option<Arc<Traffic>>);

/// An exchange that is open and in nobody's way until this is dropped.
#[derive(Debug)]
pub(crate) struct Aside(Option<Arc<Traffic>>);

/// Exchanges that are open, and those that wait for the clock.
#[derive(Debug)]
pub(super) struct Traffic {
    state: Mutex<State>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct State {
    open: usize,
    /// Of these, those that wait for something else than the clock.
    aside: usize,
    /// By the moment that each waits for, and the order in which they began.
    waiting: BTreeMap<(Moment, u64), (Waiter, oneshot::Sender<LetGo>)>,
    begun: u64,
    last: Stopwatch,
}

/// Why an exchange that waited for the clock goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LetGo {
    /// The clock is there.
    Reached,
    /// What made it wait is over.
    Lifted,
    /// Its gateway begins anew or is gone: there is nothing left to wait for.
    Anew,
}

/// A place among those who wait, given up when dropped.
#[derive(Debug)]
pub(super) struct Waiting {
    place: Place,
    gone: oneshot::Receiver<LetGo>,
}

#[derive(Debug)]
struct Place {
    traffic: Arc<Traffic>,
    key: (Moment, u64),
}

/// Lets somebody go on who waits for the clock, at once when this is dropped.
#[derive(Debug)]
pub(crate) struct WayOut {
    traffic: Arc<Traffic>,
    key: (Moment, u64),
}

impl Traffic {
    pub(super) fn new() -> Arc<Self> {
        let state = State { open: 0, aside: 0, waiting: BTreeMap::new(), begun: 0, last: Stopwatch::start() };
        Arc::new(Self { state: Mutex::new(state), changed: watch::Sender::new(()) })
    }

    pub(super) fn open(self: &Arc<Self>) -> Open {
        self.change(|state| state.open += 1);
        Open(Some(Arc::clone(self)))
    }

    pub(super) fn aside(self: &Arc<Self>) -> Aside {
        self.change(|state| state.aside += 1);
        Aside(Some(Arc::clone(self)))
    }

    /// Something came from or went to a peer.
    pub(super) fn touch(&self) {
        self.change(|_| ());
    }

    /// Changes with every exchange that begins, ends or waits.
    pub(super) fn changed(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Exchanges that are open and do not wait, with so many more that are open elsewhere.
    pub(super) fn busy(&self, elsewhere: usize) -> usize {
        let state = self.lock();
        (state.open + elsewhere).saturating_sub(state.waiting.len() + state.aside)
    }

    /// How long nothing came and nothing went, in real time.
    pub(super) fn silent_for(&self) -> Duration {
        self.lock().last.elapsed()
    }

    /// Waits until it is let go, which is when the clock has got to `until`; nothing if it has by now. `shows` reads the clock.
    pub(super) fn wait(
        self: &Arc<Self>,
        until: Moment,
        who: Waiter,
        shows: impl Fn() -> Moment,
    ) -> Option<Waiting> {
        let (let_go, gone) = oneshot::channel();
        let key = {
            let mut state = self.lock();
            if shows() >= until {
                return None;
            }
            state.begun += 1;
            let key = (until, state.begun);
            state.waiting.insert(key, (who, let_go));
            key
        };
        self.changed.send_replace(());
        Some(Waiting { place: Place { traffic: Arc::clone(self), key }, gone })
    }

    /// The earliest moment after `now` that somebody of these gateways waits for, or anybody if none is named.
    pub(super) fn next_after(&self, now: Moment, whose: &[GatewayId]) -> Option<Moment> {
        let later = (now.after(Duration::from_millis(1)), 0);
        let of_them =
            |who: &Waiter| whose.is_empty() || who.gateway.as_ref().is_some_and(|id| whose.contains(id));
        self.lock().waiting.range(later..).find(|(_, (who, _))| of_them(who)).map(|((at, _), _)| *at)
    }

    /// Lets all go who wait, or those of a gateway.
    pub(super) fn let_go_of(&self, gateway: Option<&GatewayId>) {
        self.change(|state| {
            let of_it = |_: &(Moment, u64), (who, _): &mut (Waiter, _)| {
                gateway.is_none_or(|gateway| who.gateway.as_ref() == Some(gateway))
            };
            for (_, (_, let_go)) in state.waiting.extract_if(.., of_it) {
                // Whoever has given up meanwhile is not there to be let go.
                let _ = let_go.send(LetGo::Anew);
            }
        });
    }

    /// Lets the first go who waited for `now` or earlier. From here on it is busy.
    pub(super) fn let_go(&self, now: Moment) -> Option<(Moment, Waiter)> {
        let mut state = self.lock();
        let key = *state.waiting.first_key_value().filter(|((at, _), _)| *at <= now)?.0;
        let (who, let_go) = state.waiting.remove(&key)?;
        state.last = Stopwatch::start();
        // Whoever has given up meanwhile is not there to be let go.
        let _ = let_go.send(LetGo::Reached);
        Some((key.0, who))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.lock();
        change(&mut state);
        state.last = Stopwatch::start();
        drop(state);
        self.changed.send_replace(());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    /// On the real clock nobody asks who is at it.
    pub(super) const UNCOUNTED: Self = Self(None);

    /// Whether anybody counts it.
    pub(crate) fn is_counted(&self) -> bool {
        self.0.is_some()
    }
}

impl Aside {
    /// On the real clock nobody asks who is at it.
    pub(super) const UNCOUNTED: Self = Self(None);
}

impl Drop for Aside {
    fn drop(&mut self) {
        if let Some(traffic) = &self.0 {
            traffic.change(|state| state.aside = state.aside.saturating_sub(1));
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(traffic) = &self.0 {
            traffic.change(|state| state.open = state.open.saturating_sub(1));
        }
    }
}

impl Waiting {
    /// Returns once it is let go.
    pub(super) async fn over(self) -> LetGo {
        let _place = self.place;
        // An error means that the clock is gone, and with it everything that could wait.
        self.gone.await.unwrap_or(LetGo::Anew)
    }

    pub(super) fn way_out(&self) -> WayOut {
        WayOut { traffic: Arc::clone(&self.place.traffic), key: self.place.key }
    }
}

impl Drop for WayOut {
    fn drop(&mut self) {
        self.traffic.change(|state| {
            if let Some((_, let_go)) = state.waiting.remove(&self.key) {
                // Whoever has given up meanwhile is not there to be let go.
                let _ = let_go.send(LetGo::Lifted);
            }
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let gave_up = self.traffic.lock().waiting.remove(&self.key).is_some();
        if gave_up {
            self.traffic.changed.send_replace(());
        }
    }
}
