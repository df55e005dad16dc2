//! One exchange over mutual TLS, on a connection of its own: literal HTTP/1.1, or HTTP/2 if the server chooses it.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::breaks::Break;
use super::http2;
use crate::http2::H2;

/// The longest head of an answer.
const HEAD_BYTES: usize = 16 * 1024;
/// The longest body of an answer.
pub(super) const BODY_BYTES: usize = 256 * 1024;
/// Headers of an answer.
const HEADERS: usize = 64;

/// A whole answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// How far a request got that has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lost {
    /// No byte of it had gone out.
    Unsent,
    /// The server says that it has not begun with it.
    NotBegun,
    /// It may have been carried out.
    Perhaps,
}

/// The way to D1.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) tls: &'a Arc<ClientConfig>,
    /// `HOST:PORT`.
    pub(crate) authority: &'a str,
    pub(crate) broken: Option<Break>,
}

impl Line<'_> {
    /// Sends a request and reads the answer, all within a time.
    pub(crate) async fn exchange(self, request: &[u8], patience: Duration) -> Result<Reply, Lost> {
        let mut lost = Lost::Unsent;
        let talked = timeout(patience, self.talk(request, &mut lost)).await;
        talked.ok().flatten().ok_or(lost)
    }

    async fn talk(self, request: &[u8], lost: &mut Lost) -> Option<Reply> {
        let (host, _) = self.authority.rsplit_once(':')?;
        let name = ServerName::try_from(host.to_owned()).ok()?;
        let socket = TcpStream::connect(self.authority).await.ok()?;
        // A request that leaves a little later is no fault.
        let _ = socket.set_nodelay(true);
        let mut stream = TlsConnector::from(Arc::clone(self.tls)).connect(name, socket).await.ok()?;
        if stream.get_ref().1.alpn_protocol() == Some(H2) {
            return http2::talk(&mut stream, request, self.broken, lost).await;
        }
        *lost = Lost::Perhaps;
        stream.write_all(request).await.ok()?;
        stream.flush().await.ok()?;
        read_reply(&mut stream, self.broken).await
    }
}

async fn read_reply(stream: &mut (impl AsyncRead + Unpin), broken: Option<Break>) -> Option<Reply> {
    let mut bytes = Vec::new();
    let (mut reply, used) = loop {
        // One without a bound reads on; to look for the end of such a head each time would take it for ever.
        let endless = bytes.len() > HEAD_BYTES;
        if let Some(parsed) = if endless { None } else { parse_head(&bytes)? } {
            break parsed;
        }
        if (endless && broken != Some(Break::NoBodyLimit)) || stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    reply.body = bytes.split_off(used);
    let truncated = broken == Some(Break::AcceptTruncated);
    let most = if broken == Some(Break::NoBodyLimit) { usize::MAX } else { BODY_BYTES };
    let mut lengths = reply.headers.iter().filter(|(name, _)| name == "content-length");
    let length = match (reply.status, lengths.next(), lengths.next()) {
        (204 | 304, ..) => 0,
        (_, Some((_, length)), None) => length.parse().ok().filter(|length| *length <= most)?,
        // Without a length the body ends with the connection.
        (_, None, None) if most == usize::MAX || truncated => most,
        // Neither chunks nor bodies that end with the connection: the answer counts as lost. Nor two lengths.
        _ => return None,
    };
    while reply.body.len() < length {
        match stream.read_buf(&mut reply.body).await {
            Ok(1..) => {}
            _ if truncated => break,
            _ => return None,
        }
    }
    reply.body.truncate(length);
    Some(reply)
}

/// The head and its length; `Some(None)` if it is not whole yet, nothing if it is none.
#[expect(clippy::option_option, reason = "no head, no whole head and a head are three things")]
pub(crate) fn parse_head(bytes: &[u8]) -> Option<Option<(Reply, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut headers);
    match head.parse(bytes).ok()? {
        httparse::Status::Partial => Some(None),
        httparse::Status::Complete(used) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = head.headers.iter().map(|one| (one.name.to_ascii_lowercase(), text(one.value)));
            Some(Some((Reply { status: head.code?, headers: headers.collect(), body: Vec::new() }, used)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Option<Reply> {
        read_reply(&mut bytes, None).await
    }

    #[tokio::test]
    async fn an_answer_is_read_whole_or_not_at_all() {
        let reply = read(b"HTTP/1.1 201 \r\nContent-Length: 2\r\n\r\n{}").await.expect("an answer");
        assert_eq!(
            (reply.status, &reply.body[..], reply.header("content-length")),
            (201, &b"{}"[..], Some("2"))
        );
        assert_eq!(read(b"HTTP/1.1 204 No Content\r\n\r\n").await.expect("an answer").body, b"");
        for other in [
            &b""[..],
            b"HTTP/1.1 201 \r\n",
            b"HTTP/1.1 201 \r\ncontent-length: 3\r\n\r\n{}",
            b"HTTP/1.1 201 \r\ncontent-length: 99999999\r\n\r\n",
            b"HTTP/1.1 201 \r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"nonsense\r\n\r\n",
        ] {
            assert_eq!(read(other).await, None, "{other:?}");
        }
        let long = format!("HTTP/1.1 200 \r\nx: {}\r\n\r\n", "a".repeat(20 * 1024));
        assert_eq!(read(long.as_bytes()).await, None);
    }
}
