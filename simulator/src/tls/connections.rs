//! Which connections are open and which of them are idle.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// All open connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    open: Mutex<BTreeMap<u64, Arc<Connection>>>,
    /// Counts everything that happens, so that the longest idle one can be told without a clock.
    ticks: AtomicU64,
    most: usize,
}

/// One open connection.
#[derive(Debug)]
pub(super) struct Connection {
    requests: AtomicUsize,
    idle_since: AtomicU64,
    pub(super) close: Notify,
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
        Arc::new(Self { open: Mutex::default(), ticks: AtomicU64::new(0), most })
    }

    /// A place for a new connection. At the cap the longest idle one is told to close and makes
    /// room; if none is idle there is no place.
    pub(super) fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut open = self.lock();
        if open.len() >= self.most {
            let idle = open.iter().filter(|(_, one)| one.requests.load(Ordering::Relaxed) == 0);
            let (&number, _) = idle.min_by_key(|(_, one)| one.idle_since.load(Ordering::Relaxed))?;
            if let Some(oldest) = open.remove(&number) {
                oldest.close.notify_one();
            }
        }
        let number = self.tick();
        let connection = Arc::new(Connection {
            requests: AtomicUsize::new(0),
            idle_since: AtomicU64::new(number),
            close: Notify::new(),
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

impl Place {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Marks the connection busy until the mark is dropped.
    pub(super) fn busy(&self) -> Busy {
        self.connection.requests.fetch_add(1, Ordering::Relaxed);
        Busy { all: Arc::clone(&self.all), connection: Arc::clone(&self.connection) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.all.lock().remove(&self.number);
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

    #[test]
    fn at_the_cap_the_longest_idle_connection_makes_room() {
        let all = Connections::new(2);
        let first = all.enter().expect("a place");
        let second = all.enter().expect("a place");
        drop(first.busy());
        let _third = all.enter().expect("a place");
        // The first was used after the second came: the second is the longest idle.
        let closing = |place: &Place| !all.lock().contains_key(&place.number);
        assert!(closing(&second) && !closing(&first));
    }

    #[test]
    fn a_busy_connection_keeps_its_place() {
        let all = Connections::new(1);
        let place = all.enter().expect("a place");
        let busy = place.busy();
        assert!(all.enter().is_none());
        drop(busy);
        assert!(all.enter().is_some());
    }
}
