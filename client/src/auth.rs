//! Access tokens: one cache, one refresh in flight, never a bearer that is about to end.

mod assertion;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tracing::Instrument as _;

use crate::clock::Clock;
use crate::error::{Context, Error};
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
    /// The request that brought it, and the status of its answer: for the error, should it be of no use.
    pub(crate) context: Context,
    pub(crate) status: u16,
}

/// How the last failed refresh failed, and which one that was.
type LastFailure = Option<(u64, Error)>;

/// The shortest pause between two refreshes ahead of the end, after one that failed.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// The cache of one client.
#[derive(Debug)]
pub(crate) struct TokenCache {
    clock: Clock,
    refresh_ahead: Duration,
    margin: Duration,
    held: std::sync::Mutex<Option<Held>>,
    /// Held while refreshing.
    gate: Arc<tokio::sync::Mutex<LastFailure>>,
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
            gate: Arc::default(),
            finished: AtomicU64::new(0),
        }
    }

    /// A bearer that may be sent now. Without one, `refresh` is awaited; whoever comes meanwhile waits for that refresh
    /// and shares its outcome, an error too. One that is about to end is lent at once, and one task refreshes.
    pub(crate) async fn bearer<F>(self: &Arc<Self>, refresh: impl FnOnce() -> F) -> Result<Bearer, Error>
    where
        F: Future<Output = Result<Fresh, Error>> + Send + 'static,
    {
        let finished_before = self.finished.load(Ordering::Acquire);
        if let Some(held) = self.usable() {
            // Asked again once the gate is ours: the refresh that held it may have changed the answer.
            if self.is_due()
                && let Ok(gate) = Arc::clone(&self.gate).try_lock_owned()
                && self.is_due()
            {
                let (own, fresh) = (Arc::clone(self), refresh());
                let ahead = async move { own.renew(gate, fresh).await.map(drop) };
                tokio::spawn(ahead.in_current_span());
            }
            return Ok(held.bearer);
        }
        let gate = Arc::clone(&self.gate).lock_owned().await;
        if let Some(held) = self.usable() {
            return Ok(held.bearer);
        }
        match &*gate {
            Some((serial, failure)) if *serial > finished_before => Err(failure.clone()),
            _ => self.renew(gate, refresh()).await,
        }
    }

    async fn renew(
        &self,
        mut gate: OwnedMutexGuard<LastFailure>,
        refresh: impl Future<Output = Result<Fresh, Error>>,
    ) -> Result<Bearer, Error> {
        let outcome = refresh.await;
        let serial = self.finished.load(Ordering::Acquire).saturating_add(1);
        let result = outcome.and_then(|fresh| self.keep(fresh, serial));
        if let Err(error) = &result {
            *gate = Some((serial, error.clone()));
            self.postpone();
        }
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

    /// Keeps what may be sent now, and nothing else: an older bearer may be better than an ended one.
    fn keep(&self, fresh: Fresh, serial: u64) -> Result<Bearer, Error> {
        let margin = self.margin.min(fresh.life / 4);
        let ahead = self.refresh_ahead.min(fresh.life / 2).max(margin);
        let end = fresh.asked_at.saturating_add(fresh.life);
        let useless_at = end.saturating_sub(margin);
        if self.clock.elapsed() >= useless_at {
            let life_ms = fresh.life.as_millis();
            return Err(Error::Unreadable {
                context: fresh.context,
                status: fresh.status,
                reason: format!("`expires_in` leaves no time to use the access token: it lives {life_ms} ms"),
                source: None,
            });
        }
        let bearer = Bearer { text: Arc::new(fresh.bearer), serial };
        let refresh_at = end.saturating_sub(ahead);
        *self.lock() = Some(Held { bearer: bearer.clone(), refresh_at, useless_at });
        Ok(bearer)
    }

    /// After a failed refresh ahead of the end: the endpoint gets a quarter of what time is left to recover.
    fn postpone(&self) {
        let now = self.clock.elapsed();
        if let Some(held) = &mut *self.lock() {
            let pause = (held.useless_at.saturating_sub(now) / 4).max(SHORTEST_PAUSE);
            held.refresh_at = now.saturating_add(pause);
        }
    }

    fn usable(&self) -> Option<Held> {
        let now = self.clock.elapsed();
        self.lock().clone().filter(|held| now < held.useless_at)
    }

    /// Whether a refresh ahead of the end should begin.
    fn is_due(&self) -> bool {
        let now = self.clock.elapsed();
        self.lock().as_ref().is_some_and(|held| held.refresh_at <= now)
    }

    // A panic while the lock is held leaves a whole value behind, since it is only ever replaced.
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
