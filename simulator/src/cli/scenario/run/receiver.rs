//! Our own receiver, which goes down and comes up when it is told to.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::response::IntoResponse as _;
use d1_client::receiver::{ListenerLimits, MemoryStore, Receiver, TokenKey, TokenRecord, TokenStore, serve};
use d1_client::{Clock, GatewayId, OwnKey, TlsIdentity, TrustedRoots};
use d1_contracts::Probed;
use http::StatusCode;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::super::super::contract::{HandedOn, told_of_token};
use super::super::super::exit::Failure;
use super::super::super::folder::SandboxFolder;
use super::flaw::{self, Flaw, FlawedStore};
use crate::scenario::ReceiverMode;

/// A receiver of the client package behind a door that can be shut. Dropping it ends it.
pub(super) struct OwnReceiver {
    pub(super) url: String,
    store: Arc<MemoryStore>,
    handed_on: Arc<HandedOn>,
    open: watch::Sender<bool>,
    /// The status that it answers instead of its own; 0 for none.
    instead: Arc<AtomicU16>,
    _serving: JoinSet<()>,
}

impl OwnReceiver {
    /// Starts it at this address; port 0 takes a free one.
    pub(super) async fn start(
        folder: &SandboxFolder,
        gateway: &str,
        own_key: OwnKey,
        clock: Clock,
        at: (String, u16),
        flaw: Option<Flaw>,
    ) -> Result<Self, Failure> {
        let gateway = GatewayId::new(gateway).map_err(Failure::usage)?;
        let (store, instead) = (Arc::new(MemoryStore::new()), Arc::new(AtomicU16::new(0)));
        let (answers, dated) = (Arc::clone(&instead), clock.clone());
        let handed_on = Arc::new(HandedOn::default());
        let router = Receiver::new(gateway, own_key, Arc::<HandedOn>::clone(&handed_on))
            .store(Arc::new(FlawedStore::new(Arc::clone(&store), flaw)))
            .clock(clock)
            .router()
            .layer(from_fn(move |request: Request, next: Next| {
                let status = StatusCode::from_u16(answers.load(Ordering::SeqCst)).ok();
                let clock = dated.clone();
                async move {
                    match (status, flaw) {
                        (Some(status), _) => status.into_response(),
                        (None, Some(flaw)) => flaw::pass(flaw, &clock, request, next).await,
                        (None, None) => next.run(request).await,
                    }
                }
            }));
        let text = |name: &str| folder.text(name);
        let (certificate, key) = (text("receiver/server.pem")?, text("receiver/server.key")?);
        let identity =
            TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).map_err(Failure::usage)?;
        let callers =
            TrustedRoots::from_pem(text("ca/thales-client-ca.pem")?.as_bytes()).map_err(Failure::usage)?;
        let (inner, outer) = (listen(("127.0.0.1".to_owned(), 0)).await?, listen(at).await?);
        let port = |listener: &TcpListener| listener.local_addr().map_err(Failure::resource);
        let (to, url) = (port(&inner)?, format!("https://{}", port(&outer)?));
        let (open, mut serving) = (watch::Sender::new(true), JoinSet::new());
        serving.spawn(async move {
            let limits = ListenerLimits::default();
            // One that cannot serve is found out by the first notification.
            let _ = serve(inner, identity, callers, router, limits, std::future::pending()).await;
        });
        let door = open.subscribe();
        serving.spawn(async move {
            let mut passing = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = outer.accept() => if let Ok((stream, _)) = accepted {
                        passing.spawn(pass(stream, to, door.clone()));
                    },
                    Some(_) = passing.join_next() => {}
                }
            }
        });
        Ok(Self { url, store, handed_on, open, instead, _serving: serving })
    }

    pub(super) fn set(&self, mode: ReceiverMode) {
        let (open, status) = match mode {
            ReceiverMode::Up => (true, 0),
            ReceiverMode::Down => (false, 0),
            ReceiverMode::Answers(status) => (true, u16::try_from(status).unwrap_or_default()),
        };
        self.instead.store(status, Ordering::SeqCst);
        self.open.send_replace(open);
    }

    /// What it knows of a token.
    pub(super) async fn record(&self, key: &TokenKey) -> Option<TokenRecord> {
        self.store.get(key).await.ok().flatten()
    }

    /// The same as a probe tells it.
    pub(super) async fn probed(&self, key: &TokenKey) -> Option<Probed> {
        let record = self.record(key).await?;
        let events = Some(self.handed_on.count(key.token_id.as_str()));
        Some(Probed { token: told_of_token(&record), events })
    }

    /// Keeps what the gateway got as an answer of its own.
    pub(super) async fn keep(&self, key: &TokenKey, record: &TokenRecord) {
        // A store in memory does not fail.
        let _ = self.store.apply(key, record).await;
    }
}

async fn listen((host, port): (String, u16)) -> Result<TcpListener, Failure> {
    let listening = TcpListener::bind((host.as_str(), port)).await;
    listening.map_err(|fault| Failure::resource(format!("{host}:{port}: no port for the receiver: {fault}")))
}

/// Passes a connection on for as long as the door is open.
async fn pass(mut outside: TcpStream, to: std::net::SocketAddr, mut open: watch::Receiver<bool>) {
    let passing = async {
        let mut inside = TcpStream::connect(to).await?;
        // Small messages: waiting to fill a packet only delays them.
        let (_best, _effort) = (outside.set_nodelay(true), inside.set_nodelay(true));
        copy_bidirectional(&mut outside, &mut inside).await?;
        Ok::<(), io::Error>(())
    };
    tokio::select! {
        biased;
        _ = open.wait_for(|open| !open) => {}
        // Either side has ended it.
        _ = passing => {}
    }
}
