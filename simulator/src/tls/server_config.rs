//! D1's side of TLS: 1.2 and 1.3, a client certificate required, HTTP/2 and HTTP/1.1.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig};

use super::verifier::Verifier;
use crate::clock::Clock;

/// Why a TLS configuration cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// A file that is not PEM, or holds nothing of the kind that is wanted.
    #[error("{what}: expected {expected} in PEM form")]
    Pem {
        /// Which of the configured files.
        what: &'static str,
        /// What is to be in it.
        expected: &'static str,
    },
    /// What rustls says of certificate and key together.
    #[error("{what}: {reason}")]
    Refused {
        /// Which of the configured files.
        what: &'static str,
        /// The reason.
        reason: String,
    },
}

/// The server's configuration from PEM texts. Client certificates begin and end by `dates`, if there is a clock.
pub(crate) fn server_config(
    certificate: &str,
    key: &str,
    client_authority: &str,
    dates: Option<&Clock>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let chain = certificates(certificate, "server.certificate")?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| TlsError::Pem { what: "server.key", expected: "a private key (PKCS#8)" })?;
    let refused = |what, reason: String| TlsError::Refused { what, reason };
    let roots = roots(client_authority, "server.clientAuthority")?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let inner = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
        .build()
        .map_err(|fault| refused("server.clientAuthority", fault.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|fault| refused("TLS", fault.to_string()))?
        .with_client_cert_verifier(Arc::new(Verifier { inner, dates: dates.cloned() }))
        .with_single_cert(chain, key)
        .map_err(|fault| refused("server.certificate and server.key", fault.to_string()))?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    if dates.is_some() {
        // Who comes back shows its certificate again: it may have ended meanwhile.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
    }
    Ok(Arc::new(config))
}

/// Authorities to trust.
pub(crate) fn roots(pem: &str, what: &'static str) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for authority in certificates(pem, what)? {
        roots.add(authority).map_err(|fault| TlsError::Refused { what, reason: fault.to_string() })?;
    }
    Ok(roots)
}

fn certificates(pem: &str, what: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let fault = TlsError::Pem { what, expected: "a certificate" };
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or(fault)
}
