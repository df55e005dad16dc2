//! Accepting connections: each handshake in a task of its own with a deadline, so that a silent
//! peer holds up nobody.

use std::cell::RefCell;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;
use tower::Service as _;

use super::connections::{Connections, Place};
use super::fate::{Doom, Endings, Fated, befall, doom};
use super::handshake::{HANDSHAKE_DEADLINE, handshake, linger, note_accepted, note_refused};
use super::hostile::Hostile;
use super::identity::{Identify, Peer};
use super::verifier::SHOWN;
use crate::clock::Clock;
use crate::journal::{Journal, Why};
use crate::stop::Stop;

/// A message head must be whole within this time; an idle connection closes after it.
const HEAD_DEADLINE: Duration = Duration::from_secs(60);
/// What is being answered when the sandbox stops gets this long.
const DRAIN: Duration = Duration::from_secs(5);
/// What is being answered when a connection is sent away gets this long.
const GOAWAY_DRAIN: Duration = Duration::from_secs(60);
/// A connection that is closed with nothing to answer gets this long to hear it, and to take the
/// rest of the last answer.
const FAREWELL: Duration = Duration::from_millis(250);
/// The longest message head.
const HEAD_BYTES: usize = 16 * 1024;
/// Streams at once on one HTTP/2 connection.
const STREAMS: u32 = 128;

/// What one may do to a listener.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) connections: usize,
    pub(crate) handshakes: usize,
}

/// How a connection comes in.
#[derive(Clone)]
pub(crate) enum Door {
    Plain,
    MutualTls {
        config: Arc<ServerConfig>,
        identify: Arc<Identify>,
        journal: Arc<Journal>,
        clock: Clock,
        hostile: Arc<Hostile>,
    },
}

/// A bound port and what is served on it.
pub(crate) struct Listener {
    socket: TcpListener,
    door: Door,
    router: Router,
    limits: Limits,
}

/// What every connection of a listener needs.
#[derive(Clone)]
struct Shared {
    door: Door,
    router: Router,
    handshakes: Arc<Semaphore>,
    stop: Stop,
}

impl Listener {
    pub(crate) async fn bind(
        address: SocketAddr,
        door: Door,
        router: Router,
        limits: Limits,
    ) -> io::Result<Self> {
        Ok(Self { socket: TcpListener::bind(address).await?, door, router, limits })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Serves until `stop` says so, then lets what is being answered end.
    pub(crate) async fn run(self, mut stop: Stop) {
        let connections = Connections::new(self.limits.connections);
        let handshakes = Arc::new(Semaphore::new(self.limits.handshakes));
        let shared = Shared { door: self.door, router: self.router, handshakes, stop: stop.clone() };
        // Nothing is sent: the channel closes when the last connection has ended.
        let (open, mut ended) = mpsc::channel::<()>(1);
        loop {
            let socket = tokio::select! {
                accepted = self.socket.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    // Out of files, or the peer is gone already: the next one may do better.
                    Err(_) => {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        continue;
                    }
                },
                () = stop.told() => break,
            };
            let Some(place) = connections.enter().await else {
                shared.door.note_full(connections.most);
                continue;
            };
            let (shared, open) = (shared.clone(), open.clone());
            tokio::spawn(async move {
                let _open = open;
                shared.connection(socket, place).await;
            });
        }
        drop(open);
        // Beyond the drain time the connections are dropped with the runtime.
        let _ = timeout(DRAIN, ended.recv()).await;
    }
}

impl Shared {
    async fn connection(self, socket: TcpStream, place: Place) {
        // A failure to set it costs time, not truth.
        let _ = socket.set_nodelay(true);
        match self.door.clone() {
            Door::Plain => self.serve(TokioIo::new(socket), place, None, false).await,
            Door::MutualTls { config, identify, journal, clock, hostile } => {
                let shaken =
                    handshake(socket, &place, (config, &hostile), &self.handshakes, self.stop.clone());
                match SHOWN.scope(RefCell::new(None), shaken).await {
                    Ok((stream, fault)) => {
                        let (_, session) = stream.get_ref();
                        let leaf = session.peer_certificates().and_then(|chain| chain.first());
                        let peer = identify.peer(leaf.map_or(&[][..], |leaf| leaf.as_ref()));
                        let http2 = session.alpn_protocol() == Some(b"h2");
                        let tls = session.protocol_version();
                        note_accepted(&journal, &clock, &peer, tls, http2, fault.as_slice());
                        let stream = Fated::new(stream, Arc::clone(place.connection()));
                        self.serve(TokioIo::new(stream), place, Some(Arc::new(peer)), http2).await;
                    }
                    Err(refused) => {
                        let why = (refused.why, refused.fault.as_slice());
                        note_refused(&journal, &clock, refused.shown.as_deref(), why);
                        if let Some(socket) = refused.socket {
                            linger(socket).await;
                        }
                        drop(place);
                    }
                }
            }
        }
    }

    async fn serve<S>(self, io: TokioIo<S>, place: Place, peer: Option<Arc<Peer>>, http2: bool)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let place = Arc::new(place);
        let service = service_fn({
            let (place, router) = (Arc::clone(&place), self.router);
            move |mut request: Request<Incoming>| {
                let (busy, version) = (place.busy(), request.version());
                if let Some(peer) = &peer {
                    request.extensions_mut().insert(Arc::clone(peer));
                }
                let answer = router.clone().call(request.map(Body::new));
                let place = Arc::clone(&place);
                async move {
                    let mut response = match answer.await {
                        Ok(response) => response,
                        Err(never) => match never {},
                    };
                    let endings = response.extensions_mut().remove::<Endings>();
                    let left = match endings {
                        None => Some(response),
                        Some(endings) => befall(endings, response, version, place.connection()),
                    };
                    drop(busy);
                    left.ok_or(NoAnswer)
                }
            }
        });
        let builder = builder(http2);
        let mut connection = pin!(builder.serve_connection(io, service));
        let mut stop = self.stop;
        let mut patience = None;
        tokio::select! {
            // How a connection ends is the peer's affair; what was asked is in the journal.
            _ = connection.as_mut() => return,
            () = place.connection().close.notified() => {}
            () = silence(&place) => {}
            () = stop.told() => {}
            doom = doom(place.connection()) => match doom {
                Doom::Drop => return,
                Doom::Goaway => patience = Some(GOAWAY_DRAIN),
            },
        }
        connection.as_mut().graceful_shutdown();
        let drain = if place.connection().is_idle() { FAREWELL } else { DRAIN };
        let _ = timeout(patience.unwrap_or(drain), connection).await;
    }
}

/// No answer leaves: a fault has seen to that.
#[derive(Debug, thiserror::Error)]
#[error("a fault lets no answer leave")]
struct NoAnswer;

/// Returns once it is clear that the peer asks nothing. Hyper sees to it in HTTP/1.1, but waits for
/// the preface of HTTP/2 without an end.
async fn silence(place: &Place) {
    tokio::time::sleep(HEAD_DEADLINE).await;
    if place.connection().was_asked() {
        std::future::pending().await
    }
}

/// The protocol is known from ALPN, so that hyper need not wait for a first byte to tell it.
fn builder(http2: bool) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_DEADLINE).max_buf_size(HEAD_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEAD_BYTES).unwrap_or(u32::MAX))
        .max_concurrent_streams(STREAMS)
        .keep_alive_interval(Some(HEAD_DEADLINE))
        .keep_alive_timeout(HANDSHAKE_DEADLINE);
    if http2 { builder.http2_only() } else { builder.http1_only() }
}

impl Door {
    fn note_full(&self, most: usize) {
        if let Self::MutualTls { journal, clock, .. } = self {
            let (expected, actual) = (format!("fewer than {most} open connections"), "all of them busy");
            let why = Why { check: "room for connections", expected: expected.into(), actual: actual.into() };
            note_refused(journal, clock, None, (why, &[]));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    /// A listener with mutual TLS on any port, its journal, and what keeps it running.
    async fn listening(limits: Limits) -> (SocketAddr, Arc<Journal>, tokio::sync::watch::Sender<bool>) {
        let folder = tempfile::tempdir().expect("a folder");
        let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
        d1_fixtures::write_sandbox(folder.path(), &d1_fixtures::Plan::new(now), false).expect("written");
        let config = crate::Config::read(&folder.path().join("sandbox.yaml")).expect("a configuration");
        let journal = Arc::new(Journal::new());
        let clock = Clock::new(crate::ClockMode::Real);
        let faults =
            crate::simulator::faults(&config, crate::chance::Chance::new(1), &journal).expect("cards");
        let door = crate::simulator::door(&config, &Arc::new(config.known()), &journal, &clock, faults)
            .expect("certificates");
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = Listener::bind(any, door, Router::new(), limits).await.expect("a port");
        let address = listener.address().expect("an address");
        let (stop, stopped) = Stop::pair();
        tokio::spawn(listener.run(stopped));
        (address, journal, stop)
    }

    async fn first_entry(journal: &Journal) -> String {
        journal.wait_beyond(0).await;
        String::from_utf8(journal.page(0)).expect("text")
    }

    /// Paused time passes by itself once nobody has anything else to do.
    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_speaks_is_dropped_at_the_deadline() {
        let (address, journal, _stop) = listening(Limits { connections: 4, handshakes: 4 }).await;
        let mut peer = TcpStream::connect(address).await.expect("a connection");
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.expect("closed");
        let entry = first_entry(&journal).await;
        assert!(entry.contains("a whole handshake within 10 s"), "{entry}");
    }

    #[tokio::test]
    async fn silent_peers_keep_nobody_from_a_handshake() {
        let (address, journal, _stop) = listening(Limits { connections: 4, handshakes: 1 }).await;
        let _silent = TcpStream::connect(address).await.expect("a connection");
        let mut peer = TcpStream::connect(address).await.expect("a connection");
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.expect("sent");
        let entry = timeout(HANDSHAKE_DEADLINE / 2, first_entry(&journal)).await.expect("judged at once");
        assert!(entry.contains("TLS on this port"), "{entry}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_of_http_2_that_asks_nothing_is_dropped_at_the_deadline() {
        let (_stop, stop) = Stop::pair();
        let handshakes = Arc::new(Semaphore::new(1));
        let shared = Shared { door: Door::Plain, router: Router::new(), handshakes, stop };
        let place = Connections::new(1).enter().await.expect("a place");
        let (mut peer, ours) = tokio::io::duplex(1024);
        tokio::spawn(shared.serve(TokioIo::new(ours), place, None, true));
        let mut heard = Vec::new();
        let ended = timeout(HEAD_DEADLINE * 2, peer.read_to_end(&mut heard)).await;
        assert!(ended.is_ok(), "it is still open");
    }

    #[tokio::test]
    async fn a_connection_for_which_there_is_no_room_is_in_the_journal() {
        let (address, journal, _stop) = listening(Limits { connections: 0, handshakes: 1 }).await;
        let _peer = TcpStream::connect(address).await.expect("a connection");
        let entry = first_entry(&journal).await;
        assert!(entry.contains("fewer than 0 open connections"), "{entry}");
    }
}
