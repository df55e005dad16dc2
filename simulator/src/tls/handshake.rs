//! The handshake of one connection, and what the journal hears of it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::server::Acceptor;
use rustls::{ProtocolVersion, ServerConfig};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use super::connections::Place;
use super::hostile::Hostile;
use super::identity::Peer;
use super::verifier::{SHOWN, explain};
use crate::clock::Clock;
use crate::journal::{Fact, Handshake, Journal, Why};
use crate::stop::Stop;

/// A handshake must be done within this time.
pub(super) const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// A refused peer gets this long to read why.
const LINGER: Duration = Duration::from_secs(1);

/// A handshake that did not come to its end.
pub(super) struct Refused {
    /// The common name that the peer showed.
    pub(super) shown: Option<String>,
    pub(super) why: Why,
    /// The fault that struck it.
    pub(super) fault: Option<Arc<str>>,
    /// The connection, where the peer may still read the alert.
    pub(super) socket: Option<TcpStream>,
}

/// Shakes hands, unless the peer, its place or the sandbox is gone first. A fault that did not keep it from that is told, too.
pub(super) async fn handshake(
    socket: TcpStream,
    place: &Place,
    (config, hostile): (Arc<ServerConfig>, &Hostile),
    permits: &Semaphore,
    mut stop: Stop,
) -> Result<(TlsStream<TcpStream>, Option<Arc<str>>), Refused> {
    let mut fault = None;
    let deadline = async {
        let mut hello = LazyConfigAcceptor::new(Acceptor::default(), socket);
        let start = match (&mut hello).await {
            Ok(start) => start,
            Err(error) => return Err((explain(&error), hello.take_io())),
        };
        let config = hostile.befall(&mut fault).await.map_err(|why| (why, None))?.unwrap_or(config);
        // Only a peer who has spoken takes a permit, so that silent ones leave all of them to
        // others. The semaphore is never closed.
        let _permit = permits.acquire().await;
        let shaken = start.into_stream(config).into_fallible().await;
        shaken.map_err(|(error, socket)| (explain(&error), Some(socket)))
    };
    let why = tokio::select! {
        shaken = timeout(HANDSHAKE_DEADLINE, deadline) => match shaken {
            Ok(Ok(stream)) => return Ok((stream, fault)),
            Ok(Err((why, socket))) => {
                let shown = SHOWN.with(|shown| shown.take());
                return Err(Refused { shown, why, fault, socket });
            }
            Err(_) => over("a whole handshake within 10 s", "silence, or a slow peer"),
        },
        () = place.connection().close.notified() => over("a whole handshake", "the oldest of too many connections"),
        () = stop.told() => over("a whole handshake", "the sandbox stops"),
    };
    Err(Refused { shown: SHOWN.with(|shown| shown.take()), why, fault, socket: None })
}

/// Lets the peer read the alert: closing at once, with something of it unread, would reset the
/// connection and take the alert back.
pub(super) async fn linger(mut socket: TcpStream) {
    let mut dropped = [0; 1024];
    let drained = async {
        socket.shutdown().await?;
        while socket.read(&mut dropped).await? > 0 {}
        io::Result::Ok(())
    };
    // Whoever keeps on sending is cut off all the same.
    let _ = timeout(LINGER, drained).await;
}

pub(super) fn note_accepted(
    journal: &Journal,
    clock: &Clock,
    peer: &Peer,
    tls: Option<ProtocolVersion>,
    http2: bool,
    faults: &[Arc<str>],
) {
    let tls = match tls {
        Some(ProtocolVersion::TLSv1_3) => Some("1.3"),
        Some(ProtocolVersion::TLSv1_2) => Some("1.2"),
        _ => None,
    };
    let protocol = Some(if http2 { "h2" } else { "http/1.1" });
    let refused = peer.verdict.as_ref().err().cloned();
    let fact = Handshake { accepted: true, peer: Some(&peer.name), tls, protocol, faults, refused };
    let gateway = peer.verdict.as_ref().ok().map(crate::domain::GatewayId::as_str);
    journal.record(clock.now().at, gateway, None, &Fact::Handshake(fact));
}

pub(super) fn note_refused(
    journal: &Journal,
    clock: &Clock,
    peer: Option<&str>,
    (why, faults): (Why, &[Arc<str>]),
) {
    let fact = Handshake { accepted: false, peer, tls: None, protocol: None, faults, refused: Some(why) };
    journal.record(clock.now().at, None, None, &Fact::Handshake(fact));
}

fn over(expected: &'static str, actual: &'static str) -> Why {
    Why { check: "handshake", expected: expected.into(), actual: actual.into() }
}
