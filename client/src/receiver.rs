//! What a merchant gateway does on receipt of a notification (contract 7.2, C22 to C24, C35).
//!
//! A [`Receiver`] makes an axum router to mount behind mutual TLS; [`serve`] is a listener for it. The router checks
//! who calls, opens the JWE, reads tolerantly, drops what it has seen, orders what comes late, updates a
//! [`TokenStore`], calls a [`NotificationHandler`], and answers 204 only after both have succeeded. Anything else makes
//! D1 deliver again: a handler must therefore bear to see an event twice (after a crash between its success and the
//! answer), while two deliveries at once of one event reach it once.
//!
//! Contract section 8 names two ways to pay with current credentials:
//! - *store and update*: keep the DPAN in a [`TokenStore`], which the receiver updates, and read it for each payment;
//! - *fetch each time*: call [`Client::get_token`](crate::Client::get_token) before each payment and store nothing.

mod answer;
mod deliver;
#[cfg(feature = "durable")]
mod durable;
mod form;
mod listener;
mod memory;
mod notification;
mod oauth;
mod order;
mod peer;
mod router;
mod store;

use std::sync::Arc;
use std::time::Duration;

#[cfg(feature = "durable")]
pub use durable::{DurableStore, DurableStoreError, StoreKey};
pub use listener::{ListenerLimits, ServeError, serve};
pub use notification::{EventType, Freshness, Notification};
pub use oauth::ClientCredentials;
pub use order::Position;
pub use peer::PeerCertificate;
pub use store::{MemberPositions, MemoryStore, StoreError, TokenKey, TokenRecord, TokenStore};

use crate::clock::Clock;
use crate::jwk::OwnKey;
use crate::model::GatewayId;

/// A boxed future, so that the traits of this module can be used as objects.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a handler did not succeed. It is logged (by its `Display`) and makes D1 deliver again: keep secrets out of it.
pub type HandlerError = Box<dyn std::error::Error + Send + Sync>;

/// What happens on a notification.
///
/// The store, if there is one, is up to date before the handler is called. Deliveries of one token come one after the
/// other; those of different tokens may come at once.
pub trait NotificationHandler: Send + Sync + 'static {
    /// Takes note of a notification. `Ok` means that it need not be delivered again. What takes longer than
    /// [`Receiver::handler_timeout`] is cancelled at its next wait.
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>>;
}

/// Settings of the router. Made with [`Receiver::new`], ended with [`Receiver::router`].
pub struct Receiver {
    gateway: GatewayId,
    own_key: OwnKey,
    handler: Arc<dyn NotificationHandler>,
    store: Arc<dyn TokenStore>,
    client_credentials: Option<ClientCredentials>,
    trusted_proxy: bool,
    handler_timeout: Duration,
    remembered_events: usize,
    concurrent_deliveries: usize,
    clock: Clock,
}

impl std::fmt::Debug for Receiver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Receiver")
            .field("gateway", &self.gateway)
            .field("own_key", &self.own_key)
            .field("client_credentials", &self.client_credentials)
            .field("trusted_proxy", &self.trusted_proxy)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// A receiver for one gateway. `own_key` opens what D1 seals to the gateway.
    #[must_use]
    pub fn new(gateway: GatewayId, own_key: OwnKey, handler: Arc<dyn NotificationHandler>) -> Self {
        Self {
            gateway,
            own_key,
            handler,
            store: Arc::new(MemoryStore::bounded(10_000)),
            client_credentials: None,
            trusted_proxy: false,
            handler_timeout: Duration::from_secs(8),
            remembered_events: 10_000,
            concurrent_deliveries: 256,
            clock: Clock::system(),
        }
    }

    /// A store that is updated before the handler is called, and by which late events are known. Default: one in
    /// memory, private to the receiver, that knows the newest 10,000 tokens.
    #[must_use]
    pub fn store(mut self, store: Arc<dyn TokenStore>) -> Self {
        self.store = store;
        self
    }

    /// Demands a bearer, and issues it at `POST /oauth2/token` for these credentials (contract 3.2).
    #[must_use]
    pub fn client_credentials(mut self, credentials: ClientCredentials) -> Self {
        self.client_credentials = Some(credentials);
        self
    }

    /// Accepts requests without a [`PeerCertificate`], because something in front of this router has checked the
    /// client certificate. Without it such requests get 403.
    #[must_use]
    pub fn behind_trusted_proxy(mut self) -> Self {
        self.trusted_proxy = true;
        self
    }

    /// The time for a delivery as a whole: body, store and handler, waiting for earlier deliveries of the same token
    /// included. After it the handler is cancelled (its future is dropped where it waits), the answer is 503, and D1
    /// delivers again. Default 8 s, since D1 waits 10 s (contract C24).
    #[must_use]
    pub fn handler_timeout(mut self, timeout: Duration) -> Self {
        self.handler_timeout = timeout;
        self
    }

    /// How many events are remembered in order to drop repetitions; at least 1. Default 10,000.
    #[must_use]
    pub fn remembered_events(mut self, count: usize) -> Self {
        self.remembered_events = count.max(1);
        self
    }

    /// How many deliveries may be in work at once; at least 1. Those above get 503. Default 256.
    #[must_use]
    pub fn concurrent_deliveries(mut self, count: usize) -> Self {
        self.concurrent_deliveries = count.max(1);
        self
    }

    /// The clock by which bearers end. Default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The router, to be mounted at the root of the URL that was given to Thales.
    ///
    /// Its paths are those of any gateway, so that two of them cannot be merged: several gateways need an URL each (a
    /// host, a port, or a prefix with [`axum::Router::nest`]).
    pub fn router(self) -> axum::Router {
        router::build(self)
    }
}

#[cfg(test)]
mod tests;
