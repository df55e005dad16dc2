//! Whom a client takes for D1.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::Props;
use super::breaks::Break;

/// The client's side of TLS, whole or with the fault.
pub(super) fn config(props: &Props, broken: Option<Break>) -> Arc<ClientConfig> {
    let forgives: fn(&CertificateError) -> bool = match broken {
        Some(Break::AnyCertificate) => |_| true,
        Some(Break::NoHostname) => |fault| {
            matches!(
                fault,
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            )
        },
        Some(Break::NoDates) => |fault| {
            use CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
            matches!(fault, Expired | ExpiredContext { .. } | NotValidYet | NotValidYetContext { .. })
        },
        _ => return Arc::clone(&props.tls),
    };
    let mut config = (*props.tls).clone();
    let careless = Careless { judge: Arc::clone(&props.trust), forgives };
    config.dangerous().set_certificate_verifier(Arc::new(careless));
    Arc::new(config)
}

/// One who looks at certificates and forgives some faults.
#[derive(Debug)]
struct Careless {
    judge: Arc<dyn ServerCertVerifier>,
    forgives: fn(&CertificateError) -> bool,
}

impl ServerCertVerifier for Careless {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.judge.verify_server_cert(leaf, others, name, ocsp, now) {
            Err(Error::InvalidCertificate(fault)) if (self.forgives)(&fault) => {
                Ok(ServerCertVerified::assertion())
            }
            judged => judged,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls12_signature(message, leaf, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.judge.verify_tls13_signature(message, leaf, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.judge.supported_verify_schemes()
    }
}
