//! The gateway as our client package plays it: settings for a client, and a receiver with a store.

use std::sync::{Arc, Mutex, PoisonError};

use d1_client::receiver::{
    BoxFuture, ClientCredentials, Freshness, HandlerError, ListenerLimits, MemoryStore, Notification,
    NotificationHandler, Receiver, TokenKey, TokenRecord, TokenStore as _, serve,
};
use d1_client::{
    AssertionKey, Clock, Config, Credentials, GatewayId, MerchantId, OwnKey, RecipientKey, TlsIdentity,
    TokenId, TrustedRoots,
};
use serde_json::Value;
use tokio::task::JoinSet;

use crate::GATEWAY;
use crate::folder::Folder;
use crate::serve::Port;

/// The settings of a client of the folder's first gateway.
#[must_use]
pub fn client_config(folder: &Folder, url: &str) -> Config {
    let kid: Value = serde_json::from_str(&folder.text("gateway/assertion.jwk")).expect("a JWK");
    let kid = kid["kid"].as_str().expect("a kid").to_owned();
    let credentials = Credentials {
        identity: identity(folder, "gateway/client"),
        trust: TrustedRoots::from_pem(&folder.bytes("ca/server-ca.pem")).expect("an authority"),
        assertion: AssertionKey::from_pkcs8_pem(&folder.bytes("gateway/assertion.key"), kid).expect("a key"),
        d1_key: RecipientKey::from_jwk(&folder.bytes("d1/jwe.jwk")).expect("a key"),
        own_key: own_key(folder),
    };
    Config::new(url, GatewayId::new(GATEWAY).expect("an id"), credentials)
}

fn identity(folder: &Folder, name: &str) -> TlsIdentity {
    let (pem, key) = (folder.bytes(&format!("{name}.pem")), folder.bytes(&format!("{name}.key")));
    TlsIdentity::from_pem(&pem, &key).expect("a certificate and its key")
}

fn own_key(folder: &Folder) -> OwnKey {
    OwnKey::from_jwk(&folder.bytes("gateway/jwe.jwk")).expect("a key")
}

/// What the handler was given, in its order.
#[derive(Debug, Default)]
pub struct Seen(Mutex<Vec<(Notification, Freshness)>>);

impl Seen {
    /// All of it.
    #[must_use]
    pub fn all(&self) -> Vec<(Notification, Freshness)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The newest of a token.
    #[must_use]
    pub fn last_of(&self, token: &str) -> Option<(Notification, Freshness)> {
        self.all().into_iter().rev().find(|(notification, _)| notification.token_id.as_str() == token)
    }
}

impl NotificationHandler for Seen {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push((notification.clone(), freshness));
            Ok(())
        })
    }
}

/// A running receiver of the client package, over its own listener.
#[derive(Debug)]
pub struct GatewayReceiver {
    /// What its handler was given.
    pub seen: Arc<Seen>,
    /// Its store.
    pub store: Arc<MemoryStore>,
    /// Where it listens.
    pub url: String,
    _task: JoinSet<()>,
}

impl GatewayReceiver {
    /// Starts it on `port`; with credentials it asks D1 for a bearer.
    #[must_use]
    pub fn start(folder: &Folder, port: Port, credentials: Option<ClientCredentials>, clock: Clock) -> Self {
        let (seen, store, url) = (Arc::new(Seen::default()), Arc::new(MemoryStore::new()), port.url());
        let gateway = GatewayId::new(GATEWAY).expect("an id");
        let mut receiver =
            Receiver::new(gateway, own_key(folder), seen.clone()).store(store.clone()).clock(clock);
        if let Some(credentials) = credentials {
            receiver = receiver.client_credentials(credentials);
        }
        let identity = identity(folder, "receiver/server");
        let callers = TrustedRoots::from_pem(&folder.bytes("ca/thales-client-ca.pem")).expect("an authority");
        let (listener, router) = (port.open(), receiver.router());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let limits = ListenerLimits::default();
            let served = serve(listener, identity, callers, router, limits, std::future::pending()).await;
            served.expect("a receiver that runs");
        });
        Self { seen, store, url, _task: task }
    }

    /// What the store knows of a token.
    pub async fn record(&self, merchant: &MerchantId, token: &TokenId) -> Option<TokenRecord> {
        let key = TokenKey {
            gateway_id: GatewayId::new(GATEWAY).expect("an id"),
            merchant_id: merchant.clone(),
            token_id: token.clone(),
        };
        self.store.get(&key).await.expect("a store in memory")
    }
}
