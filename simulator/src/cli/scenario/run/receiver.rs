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
use super::flaw::{self, Flaw, FlawedStore};
use super::papers::Files;
use crate::scenario::ReceiverMode;

/// Some free port of this machine.
pub(super) const FREE: (&str, u16) = ("127.0.0.1", 0);

/// A receiver of the client package behind a door that can be shut. Dropping it ends it.
pub(super) struct OwnReceiver {
    store: Arc<MemoryStore>,
    handed_on: Arc<HandedOn>,
    open: watch::Sender<bool>,
    /// The status that it answers instead of its own; 0 for none.
    instead: Arc<AtomicU16>,
    _serving: JoinSet<()>,
}

impl OwnReceiver {
    /// Starts it where somebody listens already.
    pub(super) async fn start(
        files: &Files,
        gateway: &str,
        own_key: OwnKey,
        clock: Clock,
        outer: TcpListener,
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
                        (None, Some(Flaw::TakesUnreadable)) => match next.run(request).await {
                            answer if answer.status() == StatusCode::BAD_REQUEST => {
                                StatusCode::NO_CONTENT.into_response()
                            }
                            answer => answer,
                        },
                        (Some(status), _) => status.into_response(),
                        (None, Some(flaw)) => flaw::pass(flaw, &clock, request, next).await,
                        (None, None) => next.run(request).await,
                    }
                }
            }));
        let (certificate, key) = (files.text("receiverCertificate")?, files.text("receiverKey")?);
        let identity =
            TlsIdentity::from_pem(certificate.as_bytes(), key.as_bytes()).map_err(Failure::usage)?;
        let callers = TrustedRoots::from_pem(files.text("thalesClientCa")?.as_bytes());
        let callers = callers.map_err(Failure::usage)?;
        let inner = listen(FREE).await?;
        let to = inner.local_addr().map_err(Failure::resource)?;
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
        Ok(Self { store, handed_on, open, instead, _serving: serving })
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

    /// Whether its door is open.
    pub(super) fn is_up(&self) -> bool {
        *self.open.borrow()
    }

    /// The same as a probe tells it.
    pub(super) async fn probed(&self, key: &TokenKey) -> Option<Probed> {
        let record = self.record(key).await?;
        let events = Some(self.handed_on.count(key.token_id.as_str()));
        Some(Probed { token: told_of_token(&record), events })
    }
}

/// Listens at this address.
pub(super) async fn listen((host, port): (&str, u16)) -> Result<TcpListener, Failure> {
    let listening = TcpListener::bind((host, port)).await;
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
