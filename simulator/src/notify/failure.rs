//! Why a receiver gave no answer, for whoever has to mend it. `d1sim scenario run` tells the kind, which stands in front.

use std::error::Error;
use std::io::{self, ErrorKind};
use std::time::Duration;

/// What every failure begins with whose connection ended: how it did, in brackets behind it, may be chance.
pub(crate) const ENDED: &str = "the connection ended without an answer";
/// More errors than a chain of sources has.
const LONGEST_CHAIN: usize = 32;

/// In one line: a time-out, a refusal, TLS, an end of the connection, or the innermost reason. `limit` is what the attempt
/// was given.
pub(super) fn told(error: &reqwest::Error, limit: Duration) -> String {
    if error.is_timeout() {
        return format!("no answer within {} (time-out)", in_seconds(limit));
    }
    let chain: Vec<&(dyn Error + 'static)> = chain(error).collect();
    let innermost = chain.last().map_or_else(|| "no reason is known".to_owned(), ToString::to_string);
    if let Some(fault) = chain.iter().find_map(|one| one.downcast_ref::<rustls::Error>()) {
        return format!("TLS: {fault}");
    }
    match chain.iter().rev().find_map(|one| one.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(ErrorKind::ConnectionRefused) => "connection refused: nobody listens there".to_owned(),
        Some(
            ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::NotConnected
            | ErrorKind::UnexpectedEof,
        ) => format!("{ENDED} ({innermost})"),
        _ if error.is_connect() => format!("no connection: {innermost}"),
        // What was begun and is not whole.
        _ => format!("{ENDED} ({innermost})"),
    }
}

/// The sources of an error, the outermost first.
fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |one| inner(*one)).take(LONGEST_CHAIN)
}

/// An `io::Error` hides what it wraps from `source()`, so it is asked.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}

fn in_seconds(time: Duration) -> String {
    match time.subsec_millis() {
        0 => format!("{} s", time.as_secs()),
        _ => format!("{} ms", time.as_millis()),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    async fn asked(url: &str, limit: Duration) -> String {
        let http = reqwest::Client::builder().tls_certs_only([]).no_proxy().timeout(limit).build();
        told(&http.expect("a client").get(url).send().await.expect_err("no answer"), limit)
    }

    #[tokio::test]
    async fn what_hangs_refuses_ends_or_is_not_trusted_is_told_apart() {
        let long = Duration::from_secs(10);
        let listening = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let at = listening.local_addr().expect("an address");
        let short = Duration::from_millis(50);
        assert_eq!(asked(&format!("http://{at}"), short).await, "no answer within 50 ms (time-out)");
        assert_eq!(in_seconds(long), "10 s");
        // The one that was given up waits there already.
        drop(listening.accept().await.expect("a connection"));
        let hang_up = async |least: usize| {
            let (mut stream, _) = listening.accept().await.expect("a connection");
            let mut came = Vec::new();
            while came.len() < least && stream.read_buf(&mut came).await.expect("bytes") > 0 {}
        };
        for url in [format!("http://{at}"), format!("https://{at}")] {
            let (told, ()) = tokio::join!(asked(&url, long), hang_up(10));
            assert!(told.starts_with(ENDED), "{url}: {told}");
        }
        let speaks_otherwise = async {
            let (mut stream, _) = listening.accept().await.expect("a connection");
            stream.write_all(b"220 mail.example ESMTP\r\n").await.expect("written");
            stream
        };
        let url = format!("https://{at}");
        let (told, _open) = tokio::join!(asked(&url, long), speaks_otherwise);
        assert!(told.starts_with("TLS: "), "{told}");
        drop(listening);
        assert_eq!(asked(&format!("https://{at}"), long).await, "connection refused: nobody listens there");
    }
}
