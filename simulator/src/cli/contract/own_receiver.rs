//! Our own receiver under the suite, in process, over real mutual TLS on loopback.

use std::collections::HashMap;
use std::error::Error;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use d1_client::receiver::{
    BoxFuture as ClientFuture, ClientCredentials, Freshness, HandlerError, ListenerLimits, MemoryStore,
    Notification, NotificationHandler, Receiver, StoreError, TokenKey, TokenRecord, TokenStore, serve,
};
use d1_client::{Clock, GatewayId, MerchantId, OwnKey, TlsIdentity, TokenId, TokenState, TrustedRoots};
use d1_contracts::{BoxFuture, Observer, Probed, ReceiverUrl, State, TokenRef};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::d1_side::CREDENTIALS;
use super::file;

/// A bearer of the client crate's receiver is not good for longer.
const BEARERS_LIFE: Duration = Duration::from_secs(900);

/// The receiver of the client crate with the papers of a sandbox folder. Dropping it ends it.
pub struct OwnReceiver {
    url: ReceiverUrl,
    store: Arc<Fickle>,
    handed_on: Arc<HandedOn>,
    /// By which its bearers end.
    clock: Clock,
    _serving: JoinSet<()>,
}

/// A store that fails when it is told to.
#[derive(Default)]
struct Fickle {
    inner: MemoryStore,
    fails: AtomicBool,
}

/// How many events of each token were handed on.
#[derive(Default)]
pub(in crate::cli) struct HandedOn(Mutex<HashMap<String, u32>>);

impl OwnReceiver {
    /// Starts it on a free port of loopback, for the first gateway of `folder`; it asks for a bearer.
    ///
    /// # Errors
    /// A file of the folder that is not there or not what its name says; no port.
    pub async fn start(folder: &Path) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let text = |name: &str| file(folder, name);
        let (store, handed_on) = (Arc::new(Fickle::default()), Arc::new(HandedOn::default()));
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let gateway = GatewayId::new("MGW_000001")?;
        let key = OwnKey::from_jwk(text("gateway/jwe.jwk")?.as_bytes())?;
        let router = Receiver::new(gateway, key, Arc::clone(&handed_on) as Arc<dyn NotificationHandler>)
            .store(Arc::clone(&store) as Arc<dyn TokenStore>)
            .clock(clock.clone())
            .client_credentials(ClientCredentials::new(CREDENTIALS.0, CREDENTIALS.1)?)
            .router();
        let (certificate, key) = (text("receiver/server.pem")?, text("receiver/server.key")?);
        let identity = TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes())?;
        let callers = TrustedRoots::from_pem(text("ca/thales-client-ca.pem")?.as_bytes())?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("https://127.0.0.1:{}", listener.local_addr()?.port()).parse()?;
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let limits = ListenerLimits::default();
            // One that cannot serve is found out by the first case.
            let _ = serve(listener, identity, callers, router, limits, std::future::pending()).await;
        });
        Ok(Self { url, store, handed_on, clock, _serving: serving })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &ReceiverUrl {
        &self.url
    }
}

impl Observer for OwnReceiver {
    fn look<'a>(&'a self, token: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>> {
        Box::pin(async move {
            let key = key(token).ok_or("the token's ids are none")?;
            let record = self.store.inner.get(&key).await.map_err(|_| "the store failed")?;
            Ok(record.map(|record| Probed {
                token: members(&record),
                events: Some(self.handed_on.count(&token.token_id)),
            }))
        })
    }

    fn enter(&self, state: Option<State>) -> BoxFuture<'_, bool> {
        self.store.fails.store(state == Some(State::StoreFails), Ordering::SeqCst);
        if state == Some(State::BearersEnded) {
            self.clock.advance(BEARERS_LIFE);
        }
        Box::pin(async move { matches!(state, None | Some(State::StoreFails | State::BearersEnded)) })
    }
}

fn key(token: &TokenRef) -> Option<TokenKey> {
    Some(TokenKey {
        gateway_id: GatewayId::new(token.gateway_id.as_str()).ok()?,
        merchant_id: MerchantId::new(token.merchant_id.as_str()).ok()?,
        token_id: TokenId::new(token.token_id.as_str()).ok()?,
    })
}

/// What a receiver knows of a token, by the names of a probe (`contracts/shims/RECEIVER.md`).
pub(in crate::cli) fn members(record: &TokenRecord) -> std::collections::BTreeMap<String, Option<String>> {
    let dpan = record.network_token.as_ref().map(|token| token.dpan.expose());
    let last = dpan.and_then(|dpan| dpan.get(dpan.len().checked_sub(4)?..));
    [
        ("state", record.state.as_ref().map(TokenState::as_str)),
        ("cardLastDigits", record.card_last_digits.as_deref()),
        ("cardExpiryDate", record.card_expiry_date.as_deref()),
        ("tokenLastDigits", record.token_last_digits.as_deref()),
        ("tokenExpiryDate", record.token_expiry_date.as_deref()),
        ("dpanLastDigits", last),
    ]
    .map(|(name, value)| (name.to_owned(), value.map(str::to_owned)))
    .into()
}

impl TokenStore for Fickle {
    fn get<'a>(&'a self, key: &'a TokenKey) -> ClientFuture<'a, Result<Option<TokenRecord>, StoreError>> {
        self.inner.get(key)
    }

    fn apply<'a>(
        &'a self,
        key: &'a TokenKey,
        record: &'a TokenRecord,
    ) -> ClientFuture<'a, Result<(), StoreError>> {
        if self.fails.load(Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::from("the store fails, as it was told to")) });
        }
        self.inner.apply(key, record)
    }
}

impl HandedOn {
    pub(in crate::cli) fn count(&self, token: &str) -> u32 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(token).copied().unwrap_or_default()
    }
}

impl NotificationHandler for HandedOn {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        _: Freshness,
    ) -> ClientFuture<'a, Result<(), HandlerError>> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(notification.token_id.as_str().to_owned()).or_default() += 1;
        drop(counts);
        Box::pin(async { Ok(()) })
    }
}
