//! The broken receivers: one small receiver of notifications over real mutual TLS, whole or broken in one way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::receiver_breaks::ReceiverBreak;
use super::receiver_desk::Desk;
use super::trust;
use crate::jwe::JweKey;
use crate::receiver::{Observer, Probed, ReceiverCredentials, ReceiverUrl, State, TokenRef};
use crate::stage::http::{answer, read_request_within};
use crate::subject::BoxFuture;

/// A connection that has not come to its end after so long is left.
const PATIENCE: Duration = Duration::from_secs(10);
/// Connections at once.
const CONNECTIONS: usize = 64;
/// The longest body that is read.
const READ_BYTES: usize = 4 * 1024 * 1024;

/// What a receiver needs of the pretend world.
#[derive(Clone)]
pub struct ReceiverProps {
    /// The gateway.
    pub gateway_id: String,
    /// Its side of TLS: a certificate for 127.0.0.1, and D1's authority.
    pub tls: Arc<ServerConfig>,
    /// Its key.
    pub key: JweKey,
    /// What it gives access tokens for.
    pub credentials: ReceiverCredentials,
}

/// The baseline receiver, whole or broken in one way, on a port of its own. Dropping it ends it.
pub struct BrokenReceiver {
    url: ReceiverUrl,
    desk: Arc<Desk>,
    _listening: JoinSet<()>,
}

impl BrokenReceiver {
    /// Starts a receiver with this fault on a free port of loopback; without one the baseline.
    ///
    /// # Errors
    /// No port can be had, or no TLS be made of the props.
    pub async fn start(props: ReceiverProps, broken: Option<ReceiverBreak>) -> io::Result<Self> {
        let tls = match broken {
            Some(ReceiverBreak::AnyCaller) => trust::any_caller(&props.tls).map_err(io::Error::other)?,
            _ => Arc::clone(&props.tls),
        };
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
        let port = listener.local_addr()?.port();
        let url = format!("https://127.0.0.1:{port}").parse().map_err(io::Error::other)?;
        let desk = Arc::new(Desk::new(props, broken));
        let mut listening = JoinSet::new();
        listening.spawn(listen(listener, TlsAcceptor::from(tls), Arc::clone(&desk)));
        Ok(Self { url, desk, _listening: listening })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &ReceiverUrl {
        &self.url
    }
}

impl Observer for BrokenReceiver {
    fn look<'a>(&'a self, token: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>> {
        Box::pin(async move { Ok(self.desk.probed(token)) })
    }

    fn enter(&self, state: Option<State>) -> BoxFuture<'_, bool> {
        self.desk.enter(state);
        Box::pin(async { true })
    }
}

async fn listen(listener: TcpListener, tls: TlsAcceptor, desk: Arc<Desk>) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        // One that panicked has closed its connection, which is what its caller sees.
        while connections.try_join_next().is_some() {}
        let Ok((socket, _)) = listener.accept().await else { return };
        let (tls, desk) = (tls.clone(), Arc::clone(&desk));
        connections.spawn(async move {
            // What a peer loses that does not end in time is its own affair.
            let _ = timeout(PATIENCE, talk(socket, tls, &desk)).await;
        });
    }
}

async fn talk(socket: TcpStream, tls: TlsAcceptor, desk: &Desk) -> io::Result<()> {
    let mut stream = tls.accept(socket).await?;
    let Ok(Some(request)) = read_request_within(&mut stream, READ_BYTES).await else { return Ok(()) };
    let (status, body) = desk.answer(&request).await;
    let headers = [("connection", "close"), ("content-type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    stream.write_all(&answer(status, &headers, &body)).await?;
    stream.shutdown().await
}
