//! One delivery: has it been done, is it news, store, handler, done.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::Instrument as _;

use super::answer::Refusal;
use super::memory::{DoneEvents, EventKey, Turns};
use super::notification::{Freshness, Notification};
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
    /// leaves it half done. `read` makes the notification out of the request; it has a place by then, and the time is
    /// that of both: D1 waits for the answer, not for a part of it.
    pub(super) async fn deliver<F>(self: &Arc<Self>, read: F) -> Result<(), Refusal>
    where
        F: Future<Output = Result<(Notification, EventKey), Refusal>> + Send + 'static,
    {
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!("too many deliveries at once");
            return Err(Refusal::Unavailable);
        };
        let own = Arc::clone(self);
        let task = async move {
            let _place = place;
            let whole = async {
                let (notification, event) = read.await?;
                own.work(&notification, event).await.map_err(|failure| {
                    let cause = std::error::Error::source(&failure).map(ToString::to_string);
                    tracing::warn!(%failure, cause, "the delivery has to come again");
                    Refusal::Unavailable
                })
            };
            tokio::time::timeout(own.timeout, whole).await
        };
        match tokio::spawn(task.in_current_span()).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => {
                tracing::warn!("body, store and handler took too long; the delivery has to come again");
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
        let news = TokenRecord::from(notification);
        let stale = known.is_some_and(|known| news.position.is_older_than(&known.position));
        // Before the handler, which may want to read it. Doing it again does no harm, should the handler fail. A late
        // event goes in as well: it may be the only one that carries the present DPAN.
        self.store.apply(&key, &news).await.map_err(Failure::Store)?;
        let freshness = if stale { Freshness::Stale } else { Freshness::Current };
        self.handler.handle(notification, freshness).await.map_err(Failure::Handler)?;
        self.done.insert(event);
        tracing::info!(stale, "handled");
        Ok(())
    }
}
