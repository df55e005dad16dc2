//! A folder of keys and certificates, and listeners that use them.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use d1_client::receiver::{ListenerLimits, serve};
use d1_client::{
    AssertionKey, Config, Credentials, GatewayId, OwnKey, RecipientKey, TlsIdentity, TrustedRoots,
};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

pub(crate) struct Sandbox {
    folder: tempfile::TempDir,
}

/// A listener that ends when told.
pub(crate) struct Listening {
    pub(crate) address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Listening {
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.send(()).expect("it listens");
        self.task
    }
}

impl Sandbox {
    #[expect(clippy::disallowed_methods, reason = "TLS goes by the present time")]
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let plan = d1_fixtures::Plan::new(time::OffsetDateTime::now_utc());
        d1_fixtures::write_sandbox(folder.path(), &plan, true).expect("a sandbox");
        Self { folder }
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        let path: PathBuf = self.folder.path().join(name);
        std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn identity(&self, name: &str) -> TlsIdentity {
        TlsIdentity::from_pem(&self.read(&format!("{name}.pem")), &self.read(&format!("{name}.key")))
            .expect("an identity")
    }

    pub(crate) fn roots(&self, name: &str) -> TrustedRoots {
        TrustedRoots::from_pem(&self.read(&format!("ca/{name}.pem"))).expect("an authority")
    }

    pub(crate) fn own_key(&self) -> OwnKey {
        OwnKey::from_jwk(&self.read("gateway/jwe.jwk")).expect("a key")
    }

    /// Settings of the gateway, with another certificate and other trust if wanted.
    pub(crate) fn config(&self, url: String, identity: &str, trust: &str) -> Config {
        let jwk: serde_json::Value =
            serde_json::from_slice(&self.read("gateway/assertion.jwk")).expect("a JWK");
        let kid = jwk["kid"].as_str().expect("a kid").to_owned();
        let credentials = Credentials {
            identity: self.identity(identity),
            trust: self.roots(trust),
            assertion: AssertionKey::from_pkcs8_pem(&self.read("gateway/assertion.key"), kid).expect("a key"),
            d1_key: RecipientKey::from_jwk(&self.read("d1/jwe.jwk")).expect("a key"),
            own_key: self.own_key(),
        };
        Config::new(url, gateway(), credentials)
    }

    pub(crate) async fn listen(
        &self,
        identity: &str,
        clients: &str,
        router: Router,
        limits: ListenerLimits,
    ) -> Listening {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let (identity, clients) = (self.identity(identity), self.roots(clients));
        let task = tokio::spawn(async move {
            let shutdown = async {
                let _told = stopped.await;
            };
            serve(listener, identity, clients, router, limits, shutdown)
                .await
                .expect("the settings are good");
        });
        Listening { address, stop, task }
    }
}

pub(crate) fn gateway() -> GatewayId {
    GatewayId::new("MGW_000001").expect("an id")
}
