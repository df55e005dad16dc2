//! D1's side of one request: literal HTTP/1.1 over mutual TLS, on a connection of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::broken::wire::{Reply, parse_head};

/// D1 waits so long for an answer, connection and handshake included (contract C24).
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest head of an answer.
const HEAD_BYTES: usize = 16 * 1024;
/// The longest body of an answer.
const BODY_BYTES: usize = 256 * 1024;
/// Interim answers before the answer.
const INTERIM: usize = 8;

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Heard {
    /// An answer.
    Reply(Reply),
    /// A fatal alert: D1's certificate was refused.
    Refused,
    /// The connection ended before there was an answer.
    Closed,
    /// Nothing came in time.
    Silence,
    /// What came is no answer of HTTP/1.1.
    Nonsense,
    /// D1 refuses to talk to whoever is there: its certificate is not good for its name.
    Distrust,
    /// Nobody is there.
    Nobody,
    /// D1 did not wait for the answer.
    HungUp,
}

/// Where a receiver is.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// A connection that is ready for a request, and when D1's patience with it ends.
pub(crate) struct Connection<S = TlsStream<TcpStream>> {
    stream: S,
    until: Instant,
}

/// Opens a connection.
pub(crate) async fn connect(tls: &Arc<ClientConfig>, to: &Address) -> Result<Connection, Heard> {
    let until = sleep(PATIENCE).deadline();
    let connecting = async {
        let host = to.host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Heard::Nobody)?;
        let socket = TcpStream::connect((host, to.port)).await.map_err(|_| Heard::Nobody)?;
        // A request that leaves a little later is no fault.
        let _ = socket.set_nodelay(true);
        let shaken = TlsConnector::from(Arc::clone(tls)).connect(name, socket).await;
        shaken.map(|stream| Connection { stream, until }).map_err(|fault| heard_of(&fault))
    };
    timeout_at(until, connecting).await.unwrap_or(Err(Heard::Silence))
}

/// Opens a connection without TLS, for what is asked beside the wire.
pub(crate) async fn connect_plainly(
    to: &Address,
    patience: Duration,
) -> Result<Connection<TcpStream>, Heard> {
    let until = sleep(patience).deadline();
    let host = to.host.trim_start_matches('[').trim_end_matches(']');
    let connecting = TcpStream::connect((host, to.port));
    match timeout_at(until, connecting).await {
        Ok(Ok(stream)) => Ok(Connection { stream, until }),
        Ok(Err(_)) => Err(Heard::Nobody),
        Err(_) => Err(Heard::Silence),
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    /// Sends a request, and hears what comes of it.
    pub(crate) async fn ask(self, request: &[u8]) -> Heard {
        let (mut incoming, mut outgoing) = split(self.stream);
        let writing = async {
            // Who refuses a long request may answer before it has read all of it.
            let _ = outgoing.write_all(request).await;
            let _ = outgoing.flush().await;
            std::future::pending::<Heard>().await
        };
        let talked = async {
            tokio::select! {
                heard = read_reply(&mut incoming) => heard,
                never = writing => never,
            }
        };
        timeout_at(self.until, talked).await.unwrap_or(Heard::Silence)
    }

    /// Sends a request and ends the connection behind it, as a peer does that has lost its patience.
    pub(crate) async fn hang_up(mut self, request: &[u8]) -> Heard {
        let leaving = async {
            let _ = self.stream.write_all(request).await;
            let _ = self.stream.shutdown().await;
            // What was sent is lost if the socket is gone before the peer has read it; the peer ends the connection.
            let mut rest = [0; 1024];
            while matches!(self.stream.read(&mut rest).await, Ok(1..)) {}
        };
        // A peer that does not end it is left.
        let _ = timeout_at(self.until, leaving).await;
        Heard::HungUp
    }
}

fn heard_of(fault: &io::Error) -> Heard {
    let inner = fault.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::AlertReceived(_)) => Heard::Refused,
        Some(rustls::Error::InvalidCertificate(_)) => Heard::Distrust,
        Some(_) => Heard::Nonsense,
        None => Heard::Closed,
    }
}

async fn read_reply(stream: &mut (impl AsyncRead + Unpin)) -> Heard {
    let mut bytes = Vec::new();
    for _ in 0..=INTERIM {
        let (mut reply, used) = match read_head(stream, &mut bytes).await {
            Ok(head) => head,
            Err(heard) => return heard,
        };
        bytes.drain(..used);
        if (100..200).contains(&reply.status) {
            continue;
        }
        return match read_body(stream, &reply, bytes).await {
            Some(body) => {
                reply.body = body;
                Heard::Reply(reply)
            }
            None => Heard::Nonsense,
        };
    }
    Heard::Nonsense
}

async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    bytes: &mut Vec<u8>,
) -> Result<(Reply, usize), Heard> {
    loop {
        match parse_head(bytes) {
            Some(Some(head)) => return Ok(head),
            Some(None) if bytes.len() <= HEAD_BYTES => {}
            _ => return Err(Heard::Nonsense),
        }
        match stream.read_buf(bytes).await {
            Ok(0) if bytes.is_empty() => return Err(Heard::Closed),
            Err(fault) if bytes.is_empty() => return Err(heard_of(&fault)),
            Ok(0) | Err(_) => return Err(Heard::Nonsense),
            Ok(_) => {}
        }
    }
}

async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    head: &Reply,
    mut bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    if matches!(head.status, 204 | 304) {
        return Some(Vec::new());
    }
    let chunked =
        head.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
    let length: Option<usize> = match head.header("content-length") {
        Some(length) => Some(length.trim().parse().ok()?),
        None => None,
    };
    loop {
        if bytes.len() > BODY_BYTES || length.is_some_and(|length| length > BODY_BYTES) {
            return None;
        }
        if chunked {
            if let Some(body) = unchunked(&bytes)? {
                return Some(body);
            }
        } else if let Some(length) = length.filter(|length| bytes.len() >= *length) {
            bytes.truncate(length);
            return Some(bytes);
        }
        match stream.read_buf(&mut bytes).await {
            // Without a length the end of the connection is the end of the body.
            Ok(0) if !chunked && length.is_none() => return Some(bytes),
            Ok(0) | Err(_) => return None,
            Ok(_) => {}
        }
    }
}

/// The body of whole chunks; `Some(None)` if some are missing, nothing if they are none.
#[expect(clippy::option_option, reason = "no chunks, not all chunks and a body are three things")]
fn unchunked(mut bytes: &[u8]) -> Option<Option<Vec<u8>>> {
    let mut body = Vec::new();
    loop {
        let Some(end) = bytes.windows(2).position(|pair| pair == b"\r\n") else { return Some(None) };
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok().filter(|size| *size <= BODY_BYTES)?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some(Some(body));
        }
        let Some((chunk, rest)) = bytes.split_at_checked(size) else { return Some(None) };
        let Some(rest) = rest.strip_prefix(b"\r\n") else {
            return if rest.len() < 2 { Some(None) } else { None };
        };
        body.extend_from_slice(chunk);
        bytes = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_handshake_took_is_taken_from_the_patience_with_the_answer() {
        let spent = || {
            let (stream, silent) = tokio::io::duplex(64);
            (Connection { stream, until: sleep(Duration::ZERO).deadline() }, silent)
        };
        let soon = || sleep(PATIENCE / 10).deadline();
        let (connection, _silent) = spent();
        assert_eq!(timeout_at(soon(), connection.ask(b"")).await, Ok(Heard::Silence));
        let (connection, _silent) = spent();
        assert_eq!(timeout_at(soon(), connection.hang_up(b"")).await, Ok(Heard::HungUp));
    }

    async fn read(mut bytes: &[u8]) -> Heard {
        read_reply(&mut bytes).await
    }

    async fn body_of(bytes: &[u8]) -> Option<Vec<u8>> {
        match read(bytes).await {
            Heard::Reply(reply) => Some(reply.body),
            _ => None,
        }
    }

    #[tokio::test]
    async fn a_body_ends_where_its_head_says() {
        for (answer, body) in [
            (&b"HTTP/1.1 204 No Content\r\n\r\n"[..], &b""[..]),
            (b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n{}more", b"{}"),
            (b"HTTP/1.1 400 \r\n\r\n{}", b"{}"),
            (b"HTTP/1.1 400 \r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n1;x=y\r\n}\r\n0\r\n\r\n", b"{}"),
            (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 \r\ncontent-length: 0\r\n\r\n", b""),
        ] {
            assert_eq!(body_of(answer).await.as_deref(), Some(body), "{answer:?}");
        }
    }

    #[tokio::test]
    async fn what_is_no_whole_answer_is_told_apart_from_none() {
        assert_eq!(read(b"").await, Heard::Closed);
        for nonsense in [
            &b"HTTP/1.1 200"[..],
            b"ftp\r\n\r\n",
            b"HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\n{}",
            b"HTTP/1.1 200 \r\ncontent-length: 99999999\r\n\r\n",
            b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
            b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n1\r\n{",
            b"HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n1\r\n{xx",
        ] {
            assert_eq!(read(nonsense).await, Heard::Nonsense, "{nonsense:?}");
        }
        let interim = b"HTTP/1.1 100 \r\n\r\n".repeat(20);
        assert_eq!(read(&interim).await, Heard::Nonsense);
    }
}
