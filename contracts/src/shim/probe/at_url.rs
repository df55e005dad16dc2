//! A URL that is asked: `POST` of one object of JSON, answered by one value of JSON.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::{ProbeError, late};
use crate::receiver::{Address, Heard, address, connect_plainly};

/// Where a receiver is asked what it knows: `http://HOST[:PORT][/PATH][?QUERY]`.
///
/// Without TLS: it is a door for tests, and what goes through it is identifiers and last digits.
#[derive(Debug, Clone)]
pub(super) struct ProbeUrl {
    address: Address,
    authority: String,
    target: String,
}

impl FromStr for ProbeUrl {
    type Err = ProbeError;

    fn from_str(text: &str) -> Result<Self, ProbeError> {
        if text.starts_with("https://") {
            return Err(ProbeError::Url(
                "for https a command, like: curl -sf --cacert ca.pem -H content-type:application/json -d @- URL",
            ));
        }
        let rest = text.strip_prefix("http://").ok_or(ProbeError::Url("and no other scheme"))?;
        let (authority, target) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let odd = |c: char| c.is_whitespace() || c.is_control() || !c.is_ascii();
        if authority.contains('@') || target.contains('#') || rest.contains(odd) {
            return Err(ProbeError::Url("without a user, a fragment, blanks or letters beyond ASCII"));
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            address: address(authority, 80).map_err(ProbeError::Url)?,
            authority: authority.to_owned(),
            target: format!("{slash}{target}"),
        })
    }
}

impl fmt::Display for ProbeUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority, self.target)
    }
}

impl ProbeUrl {
    /// Whether somebody listens there.
    pub(super) async fn is_there(&self, patience: Duration) -> Result<(), String> {
        connect_plainly(&self.address, patience).await.map(drop).map_err(|heard| self.told(&heard, patience))
    }

    /// Asks one question on a connection of its own; gives the body of the answer.
    pub(super) async fn ask(&self, question: &str, patience: Duration) -> Result<Vec<u8>, String> {
        let (target, host, length) = (&self.target, &self.authority, question.len());
        let request = format!(
            "POST {target} HTTP/1.1\r\nhost: {host}\r\naccept: application/json\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n{question}"
        );
        let heard = match connect_plainly(&self.address, patience).await {
            Ok(connection) => connection.ask(request.as_bytes()).await,
            Err(heard) => heard,
        };
        match heard {
            Heard::Reply(reply) if reply.status == 200 => Ok(reply.body),
            Heard::Reply(reply) => Err(format!(
                "it answers {}; expected 200, with null for a token that it has never heard of",
                reply.status
            )),
            other => Err(self.told(&other, patience)),
        }
    }

    fn told(&self, heard: &Heard, patience: Duration) -> String {
        match heard {
            Heard::Nobody => format!("nobody listens at http://{}", self.authority),
            Heard::Silence => late(patience),
            Heard::Nonsense => "what it answers is no HTTP/1.1, or longer than it may be".to_owned(),
            _ => "it ended the connection without an answer".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A probe that gives this answer once, with what it was asked; without an answer it keeps the connection open.
    async fn asked(answer: Option<Vec<u8>>) -> (String, Result<Vec<u8>, String>) {
        let listening = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listening.local_addr().expect("an address");
        let url: ProbeUrl = format!("http://{at}/what?do=you").parse().expect("a URL");
        let serve = async {
            let (mut stream, _) = listening.accept().await.expect("a connection");
            let mut came = Vec::new();
            while !came.ends_with(b"}") {
                assert_ne!(stream.read_buf(&mut came).await.expect("bytes"), 0);
            }
            if let Some(answer) = answer {
                // Who has heard enough may be gone.
                let _ = stream.write_all(&answer).await;
                return (String::from_utf8(came).expect("text"), None);
            }
            (String::from_utf8(came).expect("text"), Some(stream))
        };
        let ((came, _open), answered) =
            tokio::join!(serve, url.ask(r#"{"tokenId":"t"}"#, Duration::from_millis(500)));
        (came, answered)
    }

    #[tokio::test]
    async fn a_url_is_asked_once_and_every_other_answer_than_200_is_told_as_what_it_is() {
        let ok = |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        let (came, answered) = asked(Some(ok("null").into_bytes())).await;
        assert!(came.starts_with("POST /what?do=you HTTP/1.1\r\nhost: 127.0.0.1:"), "{came}");
        assert!(came.contains("content-type: application/json\r\n") && came.ends_with(r#"{"tokenId":"t"}"#));
        assert_eq!(answered.as_deref(), Ok(&b"null"[..]));
        for (answer, told) in [
            (Some(&b"HTTP/1.1 404 \r\ncontent-length: 0\r\n\r\n"[..]), "it answers 404; expected 200"),
            (Some(b"HTTP/1.1 302 \r\nlocation: /x\r\ncontent-length: 0\r\n\r\n"), "it answers 302"),
            (Some(b"HTTP/1.1 200 \r\ncontent-length: 9999999\r\n\r\n"), "longer than it may be"),
            (Some(b"220 smtp\r\n"), "no HTTP/1.1"),
            (Some(b""), "without an answer"),
            (None, "no answer within 500 ms"),
        ] {
            let fault = asked(answer.map(<[u8]>::to_vec)).await.1.expect_err("a fault");
            assert!(fault.contains(told), "{fault}");
        }
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
        let url: ProbeUrl = format!("http://{gone}").parse().expect("a URL");
        let fault = url.is_there(Duration::from_secs(1)).await.expect_err("a fault");
        assert_eq!(fault, format!("nobody listens at http://{gone}"));
    }
}
