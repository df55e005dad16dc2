//! The network: the only file that sends requests.

use std::error::Error as StdError;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode};
use rustls::AlertDescription;
use rustls::sign::SingleCertAndKey;

use crate::config::{Config, ConfigError, TlsVersions, provider};
use crate::error::{Cause, Loss};

/// How long an unused connection is kept. Short, because a connection that the other side closes at the very moment of
/// its reuse leaves a creation in doubt; load balancers commonly close after 60 s.
const IDLE_CONNECTION_TIMEOUT: Duration = Duration::from_secs(20);

/// How often an HTTP/2 connection is asked for a sign of life, and how long that may take: a connection that has died
/// without a word is found before the next request is put on it, or at the latest by the request itself.
const PING_INTERVAL: Duration = Duration::from_secs(5);
const PING_TIMEOUT: Duration = Duration::from_secs(5);

/// More errors than a chain of sources has.
const LONGEST_CHAIN: usize = 32;

/// One connection pool with mutual TLS. It sends each request once: no redirect is followed, nothing is repeated, no
/// proxy is asked, no cookie kept.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    http: reqwest::Client,
    limit_bytes: usize,
}

/// An answer whose head has arrived.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Result<Bytes, BodyFault>,
}

/// Why the body of an answer is not there.
#[derive(Debug)]
pub(crate) enum BodyFault {
    TooLarge { limit_bytes: usize },
    Lost(Cause),
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct NoReply {
    pub(crate) loss: Loss,
    pub(crate) source: Cause,
}

impl Transport {
    pub(crate) fn new(config: &Config) -> Result<Self, ConfigError> {
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(tls(config)?)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(config.connect_timeout)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(PING_INTERVAL)
            .http2_keep_alive_timeout(PING_TIMEOUT)
            .http2_keep_alive_while_idle(true)
            .pool_idle_timeout(IDLE_CONNECTION_TIMEOUT)
            .https_only(!plain_http(config));
        let builder = if config.http1_only { builder.http1_only() } else { builder };
        let http = builder
            .build()
            .map_err(|error| ConfigError::new("the connection settings", error.to_string()))?;
        Ok(Self { http, limit_bytes: config.response_limit_bytes })
    }

    /// Sends one request, once, and reads its answer up to the limit.
    pub(crate) async fn send(&self, request: Request<Bytes>, timeout: Duration) -> Result<Reply, NoReply> {
        let mut request = reqwest::Request::try_from(request).map_err(no_reply)?;
        *request.timeout_mut() = Some(timeout);
        let response = self.http.execute(request).await.map_err(no_reply)?;
        Ok(Reply {
            status: response.status(),
            headers: response.headers().clone(),
            body: self.body(response).await,
        })
    }

    async fn body(&self, mut response: reqwest::Response) -> Result<Bytes, BodyFault> {
        let limit_bytes = self.limit_bytes;
        let too_large = |length: u64| u64::try_from(limit_bytes).is_ok_and(|limit| length > limit);
        if response.content_length().is_some_and(too_large) {
            return Err(BodyFault::TooLarge { limit_bytes });
        }
        let mut body = BytesMut::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if body.len().saturating_add(chunk.len()) > limit_bytes => {
                    return Err(BodyFault::TooLarge { limit_bytes });
                }
                Ok(Some(chunk)) => body.extend_from_slice(&chunk),
                Ok(None) => return Ok(body.freeze()),
                Err(error) => return Err(BodyFault::Lost(Arc::new(error.without_url()))),
            }
        }
    }
}

#[cfg(test)]
fn plain_http(config: &Config) -> bool {
    config.plain_http
}

#[cfg(not(test))]
fn plain_http(_: &Config) -> bool {
    false
}

fn tls(config: &Config) -> Result<rustls::ClientConfig, ConfigError> {
    let versions: &[&rustls::SupportedProtocolVersion] = match config.tls_versions {
        TlsVersions::Tls12AndTls13 => &[&rustls::version::TLS13, &rustls::version::TLS12],
        TlsVersions::Tls12Only => &[&rustls::version::TLS12],
        TlsVersions::Tls13Only => &[&rustls::version::TLS13],
    };
    let identity = Arc::clone(&config.credentials.identity.certified);
    let mut tls = rustls::ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_protocol_versions(versions)
        .map_err(|error| ConfigError::new("tls_versions", error.to_string()))?
        .with_root_certificates(Arc::clone(&config.credentials.trust.store))
        .with_client_cert_resolver(Arc::new(SingleCertAndKey::from(identity)));
    tls.alpn_protocols = if config.http1_only {
        vec![b"http/1.1".to_vec()]
    } else {
        vec![b"h2".to_vec(), b"http/1.1".to_vec()]
    };
    Ok(tls)
}

fn no_reply(error: reqwest::Error) -> NoReply {
    NoReply {
        loss: classify(&error),
        // The URL holds identifiers that the error's context names already.
        source: Arc::new(error.without_url()),
    }
}

/// How far the request got.
///
/// The HTTP library says whether a *connection* failed; everything else is taken to be after the first byte, which is
/// the careful side for creations. With TLS 1.3 a server judges our certificate after our side of the handshake is
/// done: its alert then arrives as a failed request, though the server has read nothing of it. It is known by the
/// alert in the chain of sources.
fn classify(error: &reqwest::Error) -> Loss {
    if error.is_builder() {
        return Loss::BeforeFirstByte;
    }
    if was_not_begun(error) {
        return Loss::NotBegun;
    }
    if error.is_connect() { while_connecting(tls_fault(error)) } else { once_connected(error) }
}

fn once_connected(error: &(dyn StdError + 'static)) -> Loss {
    match after_connecting(tls_fault(error)) {
        Loss::AfterFirstByte if was_never_sent(error) => Loss::BeforeFirstByte,
        loss => loss,
    }
}

fn while_connecting(fault: Option<TlsFault>) -> Loss {
    match fault {
        Some(TlsFault::Alert { .. }) => Loss::RefusedInHandshake,
        Some(TlsFault::Untrusted) => Loss::ServerNotTrusted,
        Some(TlsFault::Incompatible) => Loss::NothingInCommon,
        Some(TlsFault::Other) | None => Loss::BeforeFirstByte,
    }
}

fn after_connecting(fault: Option<TlsFault>) -> Loss {
    match fault {
        Some(TlsFault::Alert { about_certificate: true }) => Loss::RefusedInHandshake,
        _ => Loss::AfterFirstByte,
    }
}

/// What TLS has to do with an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TlsFault {
    /// The other side ended the connection with an alert.
    Alert { about_certificate: bool },
    /// We ended it, because of the other side's certificate.
    Untrusted,
    /// We ended it, because the two sides have no version or algorithm in common.
    Incompatible,
    /// It ended for another reason, such as bytes that are not TLS.
    Other,
}

impl From<&rustls::Error> for TlsFault {
    fn from(error: &rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(alert) => {
                Self::Alert { about_certificate: CERTIFICATE_ALERTS.contains(alert) }
            }
            rustls::Error::InvalidCertificate(_) => Self::Untrusted,
            rustls::Error::PeerIncompatible(_) => Self::Incompatible,
            _ => Self::Other,
        }
    }
}

/// The alerts by which a server refuses a client's certificate. Others can follow a request that was read, even those
/// that belong to a handshake by their name: `AccessDenied` is a matter of policy, `DecryptError` of a broken record.
const CERTIFICATE_ALERTS: [AlertDescription; 8] = [
    AlertDescription::NoCertificate,
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::CertificateRequired,
];

/// Whether D1 said over HTTP/2 that it has not begun with the request (RFC 9113, 8.7). The library hands a GOAWAY of the
/// other side only to requests on streams beyond the last one that it names; those up to it end with the connection.
fn was_not_begun(error: &(dyn StdError + 'static)) -> bool {
    let fault = chain(error).find_map(|one| one.downcast_ref::<h2::Error>());
    fault.is_some_and(|fault| {
        fault.is_remote() && (fault.is_go_away() || fault.reason() == Some(h2::Reason::REFUSED_STREAM))
    })
}

/// Whether the connection was gone before the library began to write the request: it then takes it back whole.
fn was_never_sent(error: &(dyn StdError + 'static)) -> bool {
    chain(error).filter_map(|one| one.downcast_ref::<hyper::Error>()).any(hyper::Error::is_canceled)
}

/// An error and its sources. A chain is short; the bound guards against one that runs in a circle.
fn chain<'a>(error: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |one: &&'a (dyn StdError + 'static)| (*one).source())
        .take(LONGEST_CHAIN)
}

/// The first TLS error in the chain of sources. An `io::Error` hides what it wraps from `source()`, so it is asked.
fn tls_fault(error: &(dyn StdError + 'static)) -> Option<TlsFault> {
    let mut next = Some(error);
    for _ in 0..LONGEST_CHAIN {
        let current = next?;
        if let Some(found) = current.downcast_ref::<rustls::Error>() {
            return Some(found.into());
        }
        let wrapped = current.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(wrapped) => {
                if let Some(fault) = told_as_text(&wrapped.to_string()) {
                    return Some(fault);
                }
                Some(wrapped)
            }
            None => current.source(),
        };
    }
    None
}

/// HTTP/2 hands an error of the connection to each of its requests as text, so that the type is gone.
fn told_as_text(text: &str) -> Option<TlsFault> {
    let alert = text.strip_prefix("received fatal alert: ")?;
    Some(TlsFault::Alert {
        about_certificate: CERTIFICATE_ALERTS.iter().any(|known| alert == format!("{known:?}")),
    })
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_alert_is_known_by_type_and_by_text() {
        for (alert, about_certificate) in [
            (AlertDescription::UnknownCA, true),
            (AlertDescription::CertificateExpired, true),
            (AlertDescription::HandshakeFailure, false),
            (AlertDescription::AccessDenied, false),
            (AlertDescription::DecryptError, false),
            (AlertDescription::InternalError, false),
            (AlertDescription::CloseNotify, false),
        ] {
            let typed = rustls::Error::AlertReceived(alert);
            let text = typed.to_string();
            let expected = Some(TlsFault::Alert { about_certificate });
            assert_eq!(tls_fault(&io::Error::other(typed)), expected, "{text}");
            assert_eq!(tls_fault(&io::Error::other(text.clone())), expected, "{text}");
            let after = if about_certificate { Loss::RefusedInHandshake } else { Loss::AfterFirstByte };
            assert_eq!(after_connecting(expected), after, "{text}");
            assert_eq!(while_connecting(expected), Loss::RefusedInHandshake, "{text}");
        }
        assert_eq!(tls_fault(&io::Error::other("connection reset")), None);
        assert_eq!(tls_fault(&io::Error::from(io::ErrorKind::ConnectionReset)), None);
    }

    #[test]
    fn a_refusal_of_our_own_side_is_no_word_of_the_other() {
        for reason in [h2::Reason::REFUSED_STREAM, h2::Reason::NO_ERROR, h2::Reason::INTERNAL_ERROR] {
            assert!(!was_not_begun(&io::Error::other(h2::Error::from(reason))), "{reason}");
            assert!(!was_not_begun(&h2::Error::from(reason)), "{reason}");
        }
    }

    #[tokio::test]
    async fn a_request_for_a_connection_that_is_gone_was_never_sent() {
        let request = || Request::builder().uri("/").body(String::new()).expect("a request");
        let connected = async || {
            let (ours, theirs) = tokio::io::duplex(1024);
            let io = hyper_util::rt::TokioIo::new(ours);
            let (sender, connection) =
                hyper::client::conn::http1::handshake::<_, String>(io).await.expect("a connection");
            (sender, connection, theirs)
        };
        let (mut sender, connection, _theirs) = connected().await;
        drop(connection);
        let gone = sender.send_request(request()).await.expect_err("nobody writes it");
        assert_eq!(once_connected(&gone), Loss::BeforeFirstByte, "{gone:?}");

        let (mut sender, connection, mut theirs) = connected().await;
        let read_and_left = async move {
            use tokio::io::AsyncReadExt as _;
            let read = theirs.read(&mut [0; 16]).await.expect("the request");
            assert!(read > 0);
        };
        let (lost, _, ()) = tokio::join!(sender.send_request(request()), connection, read_and_left);
        assert_eq!(once_connected(&lost.expect_err("no answer")), Loss::AfterFirstByte);
    }

    #[test]
    fn only_a_bad_certificate_is_a_matter_of_trust() {
        for (error, loss) in [
            (
                rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer),
                Loss::ServerNotTrusted,
            ),
            (
                rustls::Error::PeerIncompatible(rustls::PeerIncompatible::NoCipherSuitesInCommon),
                Loss::NothingInCommon,
            ),
            (
                rustls::Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType),
                Loss::BeforeFirstByte,
            ),
            (rustls::Error::General("x".to_owned()), Loss::BeforeFirstByte),
        ] {
            let wrapped = io::Error::other(io::Error::other(error.clone()));
            assert_eq!(while_connecting(tls_fault(&wrapped)), loss, "{error}");
            assert_eq!(after_connecting(tls_fault(&wrapped)), Loss::AfterFirstByte, "{error}");
        }
        assert_eq!(while_connecting(None), Loss::BeforeFirstByte);
    }
}
