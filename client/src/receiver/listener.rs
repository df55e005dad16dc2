//! A listener with mutual TLS for the router, or for any other.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustls::server::WebPkiClientVerifier;
use rustls::sign::SingleCertAndKey;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tower::ServiceExt as _;

use super::peer::PeerCertificate;
use crate::config::{TlsIdentity, TrustedRoots, provider};

/// The bounds of [`serve`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ListenerLimits {
    /// Connections open at once, handshakes included; at the cap no more are accepted. Default 1,024.
    pub max_connections: usize,
    /// The time for a TLS handshake. Default 10 s.
    pub handshake_timeout: Duration,
    /// The time for the head of a request, and for the next one on a connection that is kept. Default 30 s.
    pub header_timeout: Duration,
    /// The time that requests in work have to end after the shutdown signal. Default 10 s.
    pub drain_timeout: Duration,
}

impl Default for ListenerLimits {
    fn default() -> Self {
        Self {
            max_connections: 1_024,
            handshake_timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(10),
        }
    }
}

impl ListenerLimits {
    /// Sets [`ListenerLimits::max_connections`].
    #[must_use]
    pub fn with_max_connections(mut self, count: usize) -> Self {
        self.max_connections = count;
        self
    }

    /// Sets [`ListenerLimits::handshake_timeout`].
    #[must_use]
    pub fn with_handshake_timeout(mut self, timeout: Duration) -> Self {
        self.handshake_timeout = timeout;
        self
    }

    /// Sets [`ListenerLimits::header_timeout`].
    #[must_use]
    pub fn with_header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Sets [`ListenerLimits::drain_timeout`].
    #[must_use]
    pub fn with_drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }
}

/// Why the listener could not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServeError {
    /// The authorities for client certificates cannot be used.
    #[error("the authorities that sign client certificates cannot be used")]
    Authorities(#[source] rustls::server::VerifierBuilderError),
    /// The TLS settings cannot be used.
    #[error("the TLS settings cannot be used")]
    Tls(#[source] rustls::Error),
}

/// Serves `router` over mutual TLS until `shutdown` is ready, then drains.
///
/// TLS 1.2 and 1.3, HTTP/1.1 and HTTP/2. A client certificate of `client_authorities` (the Thales Client CA \[S23\]) is
/// required; it is put into the extensions of each request as a [`PeerCertificate`]. A handshake runs in its own task,
/// so that a silent peer holds up nobody.
///
/// # Errors
/// Only before the first connection: the settings cannot be used.
pub async fn serve(
    listener: TcpListener,
    identity: TlsIdentity,
    client_authorities: TrustedRoots,
    router: Router,
    limits: ListenerLimits,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(&identity, &client_authorities)?));
    let places = Arc::new(Semaphore::new(limits.max_connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    let (stop, stopping) = watch::channel(());
    tokio::pin!(shutdown);
    loop {
        let (stream, place) = tokio::select! {
            () = &mut shutdown => break,
            accepted = accept(&listener, &places) => accepted,
        };
        let connection = Connection {
            acceptor: acceptor.clone(),
            router: router.clone(),
            limits,
            watcher: graceful.watcher(),
            stopping: stopping.clone(),
            _place: place,
        };
        tokio::spawn(connection.run(stream));
    }
    drop(listener);
    // Handshakes that are not done have no request to lose.
    drop(stop);
    if tokio::time::timeout(limits.drain_timeout, graceful.shutdown()).await.is_err() {
        tracing::warn!("connections were still in work at the end of the drain time");
    }
    Ok(())
}

fn tls(
    identity: &TlsIdentity,
    client_authorities: &TrustedRoots,
) -> Result<rustls::ServerConfig, ServeError> {
    let provider = Arc::new(provider());
    let verifier = WebPkiClientVerifier::builder_with_provider(
        Arc::clone(&client_authorities.store),
        Arc::clone(&provider),
    )
    .build()
    .map_err(ServeError::Authorities)?;
    let certified = Arc::clone(&identity.certified);
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(ServeError::Tls)?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed; without a place there would be no bound, but no failure either.
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => pause_after(&error).await,
        }
    }
}

/// A peer that went away costs nothing; a lack of file descriptors passes only with time.
async fn pause_after(error: &io::Error) {
    let peer_left = matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    );
    if !peer_left {
        tracing::warn!(%error, "no connection can be accepted for now");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct Connection {
    acceptor: TlsAcceptor,
    router: Router,
    limits: ListenerLimits,
    watcher: Watcher,
    /// Closed when no new connection is wanted any more.
    stopping: watch::Receiver<()>,
    _place: Option<OwnedSemaphorePermit>,
}

impl Connection {
    async fn run(mut self, stream: TcpStream) {
        // Answers are small; waiting to fill a packet only delays them.
        let _best_effort = stream.set_nodelay(true);
        let handshake = tokio::time::timeout(self.limits.handshake_timeout, self.acceptor.accept(stream));
        let shaken = tokio::select! {
            shaken = handshake => shaken,
            _ = self.stopping.changed() => return,
        };
        match shaken {
            Ok(Ok(stream)) => self.talk(stream).await,
            Ok(Err(error)) => tracing::info!(%error, "a TLS handshake failed"),
            Err(_) => tracing::info!("a TLS handshake took too long"),
        }
    }

    async fn talk(self, stream: TlsStream<TcpStream>) {
        let (_, session) = stream.get_ref();
        let http2 = session.alpn_protocol() == Some(b"h2");
        let Some(peer) = session
            .peer_certificates()
            .and_then(<[_]>::first)
            .map(|certificate| PeerCertificate::new(certificate.as_ref().to_vec()))
        else {
            return;
        };
        let service = self.router.map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer.clone());
            request
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        // The protocol is the one that TLS agreed on: guessing it from the first bytes would have no time limit.
        builder = if http2 { builder.http2_only() } else { builder.http1_only() };
        builder.http1().timer(TokioTimer::new()).header_read_timeout(self.limits.header_timeout);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.header_timeout)
            .keep_alive_timeout(self.limits.header_timeout)
            .max_concurrent_streams(100)
            .max_header_list_size(16 * 1024);
        let connection = builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
        if let Err(error) = self.watcher.watch(connection).await {
            tracing::debug!(%error, "a connection ended early");
        }
    }
}
