//! Connections: who is let in, and what becomes of each.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::delivery::{Delivered, Then, deliver};
use super::door::Door;
use super::http::{NoRequest, read_request};
use super::script::{Port, Script};
use super::{PlayError, SILENCE, fault, http2};
use crate::cases::{Fault, Unanswered};
use crate::http2::H2;

/// Connections that are served at once in one case.
const CONNECTIONS: usize = 64;

/// Keeps a port until the script ends.
pub(super) async fn hold(kept: TcpSocket) {
    std::future::pending::<()>().await;
    drop(kept);
}

/// Lets connections in until the script has had enough; `stray` is where nobody is to call.
pub(super) async fn serve(kept: TcpSocket, listener: TcpListener, stray: TcpListener, script: Arc<Script>) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    let mut port = script.port();
    let (mut door, mut other_door) = (Door::default(), Door::default());
    loop {
        let accepted = async {
            match &listener {
                Some(listener) => door.accepted(listener.accept().await).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            accepted = accepted, if connections.len() < CONNECTIONS => match accepted {
                Ok(Some(socket)) => drop(connections.spawn(connection(socket, Arc::clone(&script)))),
                Ok(None) => {}
                Err(fault) => {
                    script.note_broken(PlayError::Accept(fault));
                    break;
                }
            },
            accepted = async { other_door.accepted(stray.accept().await).await } => match accepted {
                Ok(Some(_)) => script.note_stray(),
                Ok(None) => {}
                Err(fault) => {
                    script.note_broken(PlayError::Accept(fault));
                    break;
                }
            },
            Some(_) = connections.join_next() => {}
            () = closing(&mut port), if listener.is_some() => {
                listener = None;
                script.port_is_closed();
            }
            else => break,
        }
    }
    drop(kept);
}

/// Waits until nobody is to be let in any more.
async fn closing(port: &mut watch::Receiver<Port>) {
    // What comes back holds a lock on the port, and must not outlive this. The sender lives as long as the script.
    let _ = port.wait_for(|port| *port == Port::Closing).await;
}

async fn connection(socket: TcpStream, script: Arc<Script>) {
    // Small answers are to leave at once; if that cannot be had they leave a little later.
    let _ = socket.set_nodelay(true);
    let greeting = script.greeting();
    if let Some((_, Fault::Connection(fault))) = greeting {
        if fault::end(socket, fault).await.is_err() {
            script.note_patience();
        }
        return;
    }
    let Some(tls) = script.tls(greeting.as_ref().map(|(_, fault)| fault)) else { return };
    let stream = accept(tls, socket).await;
    match (stream, greeting) {
        (None, Some((number, fault))) if fault.waits_for_request() => {
            script.delivered(number, Delivered::Partly);
        }
        (None, _) => {}
        (Some(stream), Some((number, fault))) => befallen(stream, number, &fault, &script).await,
        (Some(stream), None) => requests(stream, &script).await,
    }
}

/// A connection of TLS that a fault befalls.
async fn befallen(mut stream: TlsStream<TcpStream>, number: usize, fault: &Fault, script: &Script) {
    match fault {
        Fault::Unanswered(Unanswered::ResetUnread) => fault::reset(&stream),
        Fault::Unanswered(Unanswered::ResetWithin) => {
            let begun = fault::beginning(&mut stream).await;
            fault::reset(&stream);
            script.delivered(number, if begun.is_some() { Delivered::Whole } else { Delivered::Partly });
        }
        Fault::Http2(fault) if stream.get_ref().1.alpn_protocol() == Some(H2) => {
            let told = |delivered| script.delivered(number, delivered);
            let (status, body) = script.answer_of_connection().unwrap_or_default();
            http2::play(&mut stream, *fault, &http2::Good { status, body }, told).await;
        }
        Fault::Http2(_) => {
            script.note_not_offered(number);
            script.delivered(number, Delivered::Partly);
            requests(stream, script).await;
        }
        _ => requests(stream, script).await,
    }
}

/// A connection of HTTP/1.1.
async fn requests(mut stream: TlsStream<TcpStream>, script: &Script) {
    let mut spoiled = false;
    loop {
        let request = match timeout(SILENCE, read_request(&mut stream)).await {
            Ok(Ok(Some(request))) => request,
            Ok(Err(NoRequest)) => return script.note_no_request(),
            Ok(Ok(None)) | Err(_) => return,
        };
        let reply = match script.settled() {
            Some(settled) => script.forwarded(settled, &request).await,
            None => script.answer(&request),
        };
        let Some(reply) = reply else { return };
        if spoiled {
            script.note_reuse(reply.number);
        }
        if reply.closes_the_port {
            script.close_port().await;
        }
        let then = reply.then;
        let delivered = deliver(&mut stream, reply.steps, then).await;
        script.delivered(reply.number, delivered);
        match then {
            _ if delivered == Delivered::Partly => return,
            Then::Keep => {}
            Then::Spoil => spoiled = true,
            Then::Close | Then::Cut | Then::Reset => return,
        }
    }
}

/// The handshake. A peer that is refused gets the time to read why.
async fn accept(tls: Arc<ServerConfig>, socket: TcpStream) -> Option<TlsStream<TcpStream>> {
    match timeout(SILENCE, TlsAcceptor::from(tls).accept(socket).into_fallible()).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err((_, socket))) => {
            fault::linger(socket).await;
            None
        }
        Err(_) => None,
    }
}
