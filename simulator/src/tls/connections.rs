//! Which connections are open and which of them are idle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use super::fate::Fate;

/// An idle connection that was told to close is waited for this long.
const CLOSING: Duration = Duration::from_secs(1);

/// All open connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    /// Counts everything that happens, so that the longest idle one can be told without a clock.
    ticks: AtomicU64,
    freed: Notify,
    pub(super) most: usize,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    requests: AtomicUsize,
    asked: AtomicBool,
    idle_since: AtomicU64,
    closing: AtomicBool,
    pub(super) close: Notify,
    pub(super) fate: Fate,
}

/// A place among the open connections; given back when dropped.
#[derive(Debug)]
pub(super) struct Place {
    all: Arc<Connections>,
    number: u64,
    connection: Arc<Connection>,
}

/// A request that is being answered.
#[derive(Debug)]
pub(super) struct Busy {
    all: Arc<Connections>,
    connection: Arc<Connection>,
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), ticks: AtomicU64::new(0), freed: Notify::new(), most })
    }

    /// A place for a new connection. At the cap the longest idle one is told to close; its place
    /// is free once its socket is. If none is idle there is no place.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<Place> {
        let place = self.take_place();
        if place.is_some() || !self.close_longest_idle() {
            return place;
        }
        let freed = async {
            loop {
                self.freed.notified().await;
                if let Some(place) = self.take_place() {
                    return place;
                }
            }
        };
        timeout(CLOSING, freed).await.ok()
    }

    /// Whether a connection is on its way out.
    fn close_longest_idle(&self) -> bool {
        let open = self.lock();
        let idle = open.values().filter(|one| one.is_idle() && !one.closing.load(Ordering::Relaxed));
        match idle.min_by_key(|one| one.idle_since.load(Ordering::Relaxed)) {
            Some(oldest) => {
                oldest.closing.store(true, Ordering::Relaxed);
                oldest.close.notify_one();
                true
            }
            None => open.values().any(|one| one.closing.load(Ordering::Relaxed)),
        }
    }

    fn take_place(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.lock();
        if open.len() >= self.most {
            return None;
        }
        let number = self.tick();
        let connection = Arc::new(Connection {
            requests: AtomicUsize::new(0),
            asked: AtomicBool::new(false),
            idle_since: AtomicU64::new(number),
            closing: AtomicBool::new(false),
            close: Notify::new(),
            fate: Fate::default(),
        });
        open.insert(number, Arc::clone(&connection));
        Some(Place { all: Arc::clone(self), number, connection })
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Connection {
    /// Whether nothing is being answered on it.
    pub(super) fn is_idle(&self) -> bool {
        self.requests.load(Ordering::Relaxed) == 0
    }

    /// Tells one use from the next.
    pub(super) fn last_use(&self) -> u64 {
        self.idle_since.load(Ordering::Relaxed)
    }

    /// Whether it has ever brought a request.
    pub(super) fn was_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

impl Place {
    pub(super) fn connection(&self) -> &Arc<Connection> {
        &self.connection
    }

    /// Marks the connection busy until the mark is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.connection.asked.store(true, Ordering::Relaxed);
        self.connection.requests.fetch_add(1, Ordering::Relaxed);
        Busy { all: Arc::clone(&self.all), connection: Arc::clone(&self.connection) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
        self.all.freed.notify_one();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.connection.idle_since.store(self.all.tick(), Ordering::Relaxed);
        self.connection.requests.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn at_the_cap_the_longest_idle_connection_makes_room() {
        let all = Connections::new(2);
        let first = all.enter().await.expect("a place");
        let second = all.enter().await.expect("a place");
        // The first was used after the second came: the second is the longest idle.
        drop(first.busy());
        let closed = async move {
            second.connection().close.notified().await;
            drop(second);
        };
        let (third, ()) = tokio::join!(all.enter(), closed);
        assert!(third.is_some() && !first.connection().closing.load(Ordering::Relaxed));
    }

    #[tokio::test(start_paused = true)]
    async fn a_place_is_given_away_only_once_its_connection_is_gone() {
        let all = Connections::new(1);
        let slow = all.enter().await.expect("a place");
        assert!(all.enter().await.is_none(), "it was told to close and is still there");
        drop(slow);
        assert!(all.enter().await.is_some());
    }

    #[tokio::test]
    async fn a_busy_connection_keeps_its_place() {
        let all = Connections::new(1);
        let place = all.enter().await.expect("a place");
        let _busy = place.busy();
        assert!(all.enter().await.is_none());
        assert!(!place.connection().closing.load(Ordering::Relaxed));
    }
}
