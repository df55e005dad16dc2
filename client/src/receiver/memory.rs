//! What the receiver remembers in order to hand each event over once: events that are done, and tokens in work.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{self, SHA256};
use tokio::sync::OwnedMutexGuard;

use super::store::TokenKey;

/// What identifies an event: a digest, so that the memory per event is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct EventKey([u8; 32]);

impl EventKey {
    /// By `eventId`; without one by the timestamp and a hash of the body (contract C35). Always within its token.
    pub(super) fn new(
        token: &TokenKey,
        event_id: Option<&str>,
        timestamp: Option<&str>,
        body: &[u8],
    ) -> Self {
        let body = digest::digest(&SHA256, body);
        let (kind, parts): (&[u8], [&[u8]; 2]) = match event_id {
            Some(id) => (b"id", [id.as_bytes(), b""]),
            None => (b"body", [timestamp.unwrap_or("").as_bytes(), body.as_ref()]),
        };
        let mut context = digest::Context::new(&SHA256);
        for part in [
            kind,
            token.gateway_id.as_str().as_bytes(),
            token.merchant_id.as_str().as_bytes(),
            token.token_id.as_str().as_bytes(),
            parts[0],
            parts[1],
        ] {
            // Lengths keep the parts apart.
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        Self(key)
    }
}

/// Events that are done. Bounded: the oldest is forgotten first.
#[derive(Debug)]
pub(super) struct DoneEvents {
    capacity: usize,
    inner: Mutex<(HashSet<EventKey>, VecDeque<EventKey>)>,
}

impl DoneEvents {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity, inner: Mutex::default() }
    }

    pub(super) fn contains(&self, key: &EventKey) -> bool {
        lock(&self.inner).0.contains(key)
    }

    pub(super) fn insert(&self, key: EventKey) {
        let (known, order) = &mut *lock(&self.inner);
        if !known.insert(key) {
            return;
        }
        order.push_back(key);
        if order.len() > self.capacity
            && let Some(oldest) = order.pop_front()
        {
            known.remove(&oldest);
        }
    }
}

/// One delivery at a time per token. Holds an entry only for tokens that are in work.
#[derive(Debug, Default)]
pub(super) struct Turns {
    queues: Mutex<HashMap<TokenKey, Arc<tokio::sync::Mutex<()>>>>,
}

/// The right to work on a token, until dropped.
pub(super) struct Turn {
    turns: Arc<Turns>,
    key: TokenKey,
    guard: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    pub(super) async fn take(self: &Arc<Self>, key: TokenKey) -> Turn {
        let queue = Arc::clone(lock(&self.queues).entry(key.clone()).or_default());
        // Made before the wait, so that the entry is given back even if the wait is abandoned.
        let mut turn = Turn { turns: Arc::clone(self), key, guard: None };
        turn.guard = Some(queue.lock_owned().await);
        turn
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        lock(&self.queues).len()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = lock(&self.turns.queues);
        drop(self.guard.take());
        // One count is the map's; whoever waits or works holds another.
        if queues.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.key);
        }
    }
}

// Neither collection is left half changed by a panic of ours, and user code never runs under these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{GatewayId, MerchantId, TokenId};

    fn key(token: &str) -> TokenKey {
        TokenKey {
            gateway_id: GatewayId::new("MGW_000001").expect("an id"),
            merchant_id: MerchantId::new("10610027312").expect("an id"),
            token_id: TokenId::new(token).expect("an id"),
        }
    }

    #[test]
    fn an_event_is_known_by_its_id_or_else_by_its_body() {
        let event = |token, id, at, body: &str| EventKey::new(&key(token), id, at, body.as_bytes());
        assert_eq!(event("a", Some("1"), None, "x"), event("a", Some("1"), Some("t"), "y"));
        assert_ne!(event("a", Some("1"), None, "x"), event("b", Some("1"), None, "x"));
        assert_ne!(event("a", None, None, "x"), event("a", None, None, "y"));
        assert_ne!(event("a", None, Some("t"), "x"), event("a", None, None, "x"));
        assert_eq!(event("a", None, Some("t"), "x"), event("a", None, Some("t"), "x"));
    }

    #[test]
    fn the_oldest_event_is_forgotten_first() {
        let done = DoneEvents::new(2);
        let event = |id| EventKey::new(&key("a"), Some(id), None, b"");
        for id in ["1", "2", "2", "3"] {
            done.insert(event(id));
        }
        assert!(!done.contains(&event("1")));
        assert!(done.contains(&event("2")) && done.contains(&event("3")));
    }

    #[tokio::test]
    async fn a_queue_is_forgotten_when_nobody_is_in_it() {
        let turns = Arc::new(Turns::default());
        let first = turns.take(key("a")).await;
        {
            let waiting = turns.take(key("a"));
            tokio::pin!(waiting);
            assert!(futures_poll_once(waiting.as_mut()).await.is_none());
        }
        assert_eq!(turns.len(), 1);
        drop(first);
        assert_eq!(turns.len(), 0);
    }

    async fn futures_poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
