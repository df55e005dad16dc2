//! Access tokens: one cache, one refresh in flight, never a bearer that is about to end.

mod assertion;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::Error;
use crate::secret::SecretText;

pub(crate) use assertion::sign;

/// A bearer as it is lent to a call.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    text: Arc<SecretText>,
    /// Which refresh it came from.
    serial: u64,
}

impl Bearer {
    pub(crate) fn expose(&self) -> &str {
        self.text.expose()
    }
}

#[derive(Debug, Clone)]
struct Held {
    bearer: Bearer,
    /// When a refresh should begin, on the clock's own count.
    refresh_at: Duration,
    /// From when on it is not sent any more.
    useless_at: Duration,
}

/// What a refresh brings.
#[derive(Debug)]
pub(crate) struct Fresh {
    pub(crate) bearer: SecretText,
    pub(crate) life: Duration,
    /// When the request for it was begun: its life is counted from there, the careful side.
    pub(crate) asked_at: Duration,
}

/// The cache of one client.
#[derive(Debug)]
pub(crate) struct TokenCache {
    clock: Clock,
    refresh_ahead: Duration,
    margin: Duration,
    held: std::sync::Mutex<Option<Held>>,
    /// Held while refreshing. Inside: how the last refresh failed, and which one that was.
    gate: tokio::sync::Mutex<Option<(u64, Error)>>,
    /// How many refreshes are over.
    finished: AtomicU64,
}

impl TokenCache {
    pub(crate) fn new(clock: Clock, refresh_ahead: Duration, margin: Duration) -> Self {
        Self {
            clock,
            refresh_ahead,
            margin,
            held: std::sync::Mutex::new(None),
            gate: tokio::sync::Mutex::new(None),
            finished: AtomicU64::new(0),
        }
    }

    /// A bearer that may be sent now. Calls `refresh` if there is none or it is about to end; whoever comes meanwhile
    /// waits for that refresh and shares its outcome, an error too.
    pub(crate) async fn bearer<F>(&self, refresh: impl FnOnce() -> F) -> Result<Bearer, Error>
    where
        F: Future<Output = Result<Fresh, Error>>,
    {
        let finished_before = self.finished.load(Ordering::Acquire);
        let now = self.clock.elapsed();
        let usable = self.usable(now);
        let mut last_failure = match &usable {
            Some(held) if now < held.refresh_at => return Ok(held.bearer.clone()),
            // Ahead of the end one call refreshes; the others go on with what there is.
            Some(held) => match self.gate.try_lock() {
                Ok(gate) => gate,
                Err(_) => return Ok(held.bearer.clone()),
            },
            None => self.gate.lock().await,
        };
        let now = self.clock.elapsed();
        if let Some(held) = self.usable(now).filter(|held| now < held.refresh_at) {
            return Ok(held.bearer);
        }
        if let (None, Some((serial, failure))) = (&usable, &*last_failure)
            && *serial > finished_before
        {
            return Err(failure.clone());
        }
        let outcome = refresh().await;
        let serial = self.finished.load(Ordering::Acquire).saturating_add(1);
        let result = match outcome {
            Ok(fresh) => Ok(self.keep(fresh, serial)),
            Err(error) => {
                *last_failure = Some((serial, error.clone()));
                // What is still good is used: the endpoint has until its end to recover.
                self.usable(self.clock.elapsed()).map(|held| held.bearer).ok_or(error)
            }
        };
        self.finished.store(serial, Ordering::Release);
        result
    }

    /// Forgets `bearer`, which D1 has refused, unless a newer one is held already.
    pub(crate) fn discard(&self, bearer: &Bearer) {
        let mut held = self.lock();
        if held.as_ref().is_some_and(|held| held.bearer.serial == bearer.serial) {
            *held = None;
        }
    }

    fn keep(&self, fresh: Fresh, serial: u64) -> Bearer {
        let margin = self.margin.min(fresh.life / 4);
        let ahead = self.refresh_ahead.min(fresh.life / 2).max(margin);
        let end = fresh.asked_at.saturating_add(fresh.life);
        let bearer = Bearer { text: Arc::new(fresh.bearer), serial };
        *self.lock() = Some(Held {
            bearer: bearer.clone(),
            refresh_at: end.saturating_sub(ahead),
            useless_at: end.saturating_sub(margin),
        });
        bearer
    }

    fn usable(&self, now: Duration) -> Option<Held> {
        self.lock().clone().filter(|held| now < held.useless_at)
    }

    // A panic while the lock is held leaves a whole value behind, since it is only ever replaced.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
