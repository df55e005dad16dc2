//! Chain, dates and usage of a client certificate, judged in the handshake; what was seen is kept
//! for the journal.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::identity::common_name;
use crate::clock::Clock;
use crate::journal::Why;

tokio::task_local! {
    /// The common name that the peer of this task's handshake showed.
    pub(super) static SHOWN: RefCell<Option<String>>;
}

/// The verifier of rustls, and the rule that a certificate must name its usage: rustls by itself
/// takes one that names none.
#[derive(Debug)]
pub(super) struct Verifier {
    pub(super) inner: Arc<dyn ClientCertVerifier>,
    /// The clock by which certificates begin and end, if it is not the system's.
    pub(super) dates: Option<Clock>,
}

impl ClientCertVerifier for Verifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let Ok((_, parsed)) = X509Certificate::from_der(leaf) else {
            return Err(CertificateError::BadEncoding.into());
        };
        let name = common_name(&parsed).unwrap_or_default().to_owned();
        // Outside a handshake of ours nobody asks for the name.
        let _ = SHOWN.try_with(|shown| shown.replace(Some(name)));
        let shown = |clock: &Clock| {
            let since = u64::try_from(clock.now_ms()).unwrap_or_default();
            UnixTime::since_unix_epoch(Duration::from_millis(since))
        };
        let now = self.dates.as_ref().map_or(now, shown);
        let verified = self.inner.verify_client_cert(leaf, others, now)?;
        match parsed.extended_key_usage() {
            Ok(Some(_)) => Ok(verified),
            _ => Err(CertificateError::InvalidPurpose.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Why a handshake failed, in terms of the check.
pub(super) fn explain(error: &std::io::Error) -> Why {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let (check, expected) = match inner {
        None => ("handshake", "a whole TLS handshake"),
        Some(Error::NoCertificatesPresented) => {
            ("client certificate", "one signed by the Thales CA (ca/thales-ca.pem)")
        }
        Some(Error::InvalidCertificate(fault)) => match fault {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => ("certificate dates", "valid now"),
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                ("certificate usage", "extended key usage clientAuth")
            }
            CertificateError::UnknownIssuer => {
                ("certificate authority", "signed by the Thales CA (ca/thales-ca.pem)")
            }
            _ => ("client certificate", "a good one"),
        },
        Some(Error::AlertReceived(_)) => {
            ("the caller's view of D1's certificate", "accepted (trust ca/server-ca.pem)")
        }
        Some(Error::PeerIncompatible(_)) => ("TLS version and suites", "TLS 1.2 or 1.3"),
        Some(Error::InvalidMessage(_)) => ("TLS record", "TLS on this port"),
        Some(_) => ("handshake", "a whole TLS handshake"),
    };
    let actual = inner.map_or_else(|| error.kind().to_string(), ToString::to_string);
    Why { check, expected: expected.into(), actual: actual.into() }
}
