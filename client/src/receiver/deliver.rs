//! One delivery: has it been done, is it news, store, handler, done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;

use super::answer::Refusal;
use super::memory::{DoneEvents, EventKey, Turns};
use super::notification::{Freshness, Notification};
use super::order::{Position, is_older};
use super::store::{TokenKey, TokenRecord, TokenStore};
use super::{HandlerError, NotificationHandler};

/// Why a delivery has to come again.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("the token store failed")]
    Store(#[source] super::store::StoreError),
    #[error("the handler failed")]
    Handler(#[source] HandlerError),
}

pub(super) struct Deliveries {
    handler: Arc<dyn NotificationHandler>,
    store: Arc<dyn TokenStore>,
    done: DoneEvents,
    turns: Arc<Turns>,
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Deliveries {
    pub(super) fn new(
        handler: Arc<dyn NotificationHandler>,
        store: Arc<dyn TokenStore>,
        remembered: usize,
        concurrent: usize,
        timeout: Duration,
    ) -> Self {
        Self {
            handler,
            store,
            done: DoneEvents::new(remembered),
            turns: Arc::default(),
            places: Arc::new(Semaphore::new(concurrent.min(Semaphore::MAX_PERMITS))),
            timeout,
        }
    }

    /// Works on a delivery in a task of its own, so that neither a caller who hangs up nor a handler that panics
    /// leaves it half done.
    pub(super) async fn deliver(
        self: &Arc<Self>,
        notification: Notification,
        event: EventKey,
    ) -> Result<(), Refusal> {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("too many deliveries at once");
            return Err(Refusal::Unavailable);
        };
        let own = Arc::clone(self);
        let task = tokio::spawn(async move {
            let _place = place;
            tokio::time::timeout(own.timeout, own.work(&notification, event)).await
        });
        match task.await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(failure))) => {
                let cause = std::error::Error::source(&failure).map(ToString::to_string);
                tracing::warn!(%failure, cause, "the delivery has to come again");
                Err(Refusal::Unavailable)
            }
            Ok(Err(_)) => {
                tracing::warn!("store and handler took too long; the delivery has to come again");
                Err(Refusal::Unavailable)
            }
            Err(_) => {
                tracing::error!("store or handler panicked; the delivery has to come again");
                Err(Refusal::Unavailable)
            }
        }
    }

    async fn work(&self, notification: &Notification, event: EventKey) -> Result<(), Failure> {
        let key = TokenKey {
            gateway_id: notification.gateway_id.clone(),
            merchant_id: notification.merchant_id.clone(),
            token_id: notification.token_id.clone(),
        };
        let _turn = self.turns.take(key.clone()).await;
        if self.done.contains(&event) {
            tracing::debug!("seen before");
            return Ok(());
        }
        let known = self.store.get(&key).await.map_err(Failure::Store)?;
        let news = Position {
            sequence: notification.sequence,
            timestamp: notification.last_update_timestamp.as_deref(),
        };
        let stale = known.is_some_and(|record| is_older(&news, &record.position()));
        let freshness = if stale {
            Freshness::Stale
        } else {
            // Before the handler, which may want to read it. Doing it again does no harm, should the handler fail.
            self.store.apply(&key, &TokenRecord::from(notification)).await.map_err(Failure::Store)?;
            Freshness::Current
        };
        self.handler.handle(notification, freshness).await.map_err(Failure::Handler)?;
        self.done.insert(event);
        tracing::info!(stale, "handled");
        Ok(())
    }
}
