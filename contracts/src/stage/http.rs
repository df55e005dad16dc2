//! HTTP/1.1 as literal bytes: what a request says, and how an answer is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The longest head of a request.
const HEAD_BYTES: usize = 16 * 1024;
/// The longest body of a request.
const BODY_BYTES: usize = 256 * 1024;
/// Headers of a request.
const HEADERS: usize = 64;

/// A whole request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Bytes that are no request, or no whole one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoRequest;

/// The next request of a connection; nothing if the peer has gone between two requests.
pub(crate) async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
) -> Result<Option<Request>, NoRequest> {
    read_request_within(stream, BODY_BYTES).await
}

/// The same with another bound for the body.
pub(crate) async fn read_request_within(
    stream: &mut (impl AsyncRead + Unpin),
    body_bytes: usize,
) -> Result<Option<Request>, NoRequest> {
    let mut bytes = Vec::new();
    let (mut request, used) = loop {
        match parse_head(&bytes)? {
            Some((_, used)) if used > HEAD_BYTES => return Err(NoRequest),
            Some(parsed) => break parsed,
            None => {}
        }
        if bytes.len() > HEAD_BYTES {
            return Err(NoRequest);
        }
        match stream.read_buf(&mut bytes).await {
            Ok(0) | Err(_) if bytes.is_empty() => return Ok(None),
            Ok(0) | Err(_) => return Err(NoRequest),
            Ok(_) => {}
        }
    };
    let length = match (request.header("content-length"), request.header("transfer-encoding")) {
        (Some(length), None) => {
            length.parse().ok().filter(|length| *length <= body_bytes).ok_or(NoRequest)?
        }
        (None, None) => 0,
        // Chunked requests are legal, but no client needs them for bodies of this size.
        _ => return Err(NoRequest),
    };
    request.body = bytes.split_off(used);
    while request.body.len() < length {
        if stream.read_buf(&mut request.body).await.map_err(|_| NoRequest)? == 0 {
            return Err(NoRequest);
        }
    }
    // A second request behind the first would be lost: no client needs to pipeline, and one that does is told.
    if request.body.len() == length { Ok(Some(request)) } else { Err(NoRequest) }
}

/// The head and its length; nothing if it is not whole yet.
fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, NoRequest> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Request::new(&mut headers);
    match head.parse(bytes).map_err(|_| NoRequest)? {
        httparse::Status::Partial => Ok(None),
        httparse::Status::Complete(used) => {
            let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
            let headers = head.headers.iter().map(|one| (one.name.to_ascii_lowercase(), text(one.value)));
            let request = Request {
                method: head.method.ok_or(NoRequest)?.to_owned(),
                path: head.path.ok_or(NoRequest)?.to_owned(),
                headers: headers.collect(),
                body: Vec::new(),
            };
            Ok(Some((request, used)))
        }
    }
}

/// The bytes of an answer.
pub(crate) fn answer(status: u16, headers: &BTreeMap<String, String>, body: &[u8]) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} \r\n");
    for (name, value) in headers {
        // Writing to a String does not fail.
        let _ = write!(head, "{name}: {value}\r\n");
    }
    if status != 204 {
        let _ = write!(head, "content-length: {}\r\n", body.len());
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut bytes: &[u8]) -> Result<Option<Request>, NoRequest> {
        read_request(&mut bytes).await
    }

    #[tokio::test]
    async fn a_request_is_read_whole_or_not_at_all() {
        let request = read(b"POST /a?b HTTP/1.1\r\nHost: d1\r\nContent-Length: 2\r\n\r\n{}").await;
        let request = request.expect("good bytes").expect("a request");
        assert_eq!(read(b"").await, Ok(None), "a peer that has gone is no fault");
        assert_eq!(
            (request.method.as_str(), request.path.as_str(), &request.body[..]),
            ("POST", "/a?b", &b"{}"[..])
        );
        assert_eq!(request.header("host"), Some("d1"));
        for other in [
            &b"POST /a HTTP/1.1\r\n"[..],
            b"POST /a HTTP/1.1\r\ncontent-length: 3\r\n\r\n{}",
            b"POST /a HTTP/1.1\r\ncontent-length: 9999999\r\n\r\n",
            b"POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"nonsense\r\n\r\n",
        ] {
            assert_eq!(read(other).await, Err(NoRequest), "{other:?}");
        }
        let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "a".repeat(20 * 1024));
        assert_eq!(read(long.as_bytes()).await, Err(NoRequest));
    }

    #[test]
    fn an_answer_is_what_its_parts_say() {
        let headers = BTreeMap::from([("retry-after".to_owned(), "2".to_owned())]);
        assert_eq!(
            answer(429, &headers, b"{}"),
            b"HTTP/1.1 429 \r\nretry-after: 2\r\ncontent-length: 2\r\n\r\n{}"
        );
        assert_eq!(answer(204, &BTreeMap::new(), b""), b"HTTP/1.1 204 \r\n\r\n");
    }
}
