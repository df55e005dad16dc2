//! Whom a client takes for D1, and whom a receiver does.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};

use super::Props;
use super::breaks::Break;
use crate::http2::{H2, HTTP_1_1};

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
        _ => |_| false,
    };
    let mut config = (*props.tls).clone();
    config.alpn_protocols = vec![H2.to_vec(), HTTP_1_1.to_vec()];
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

/// The same side of TLS, but for callers with any certificate, and with none.
pub(super) fn any_caller(tls: &ServerConfig) -> Result<Arc<ServerConfig>, Error> {
    let provider = Arc::clone(tls.crypto_provider());
    let verifier = AnyCaller(Arc::clone(&provider));
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_cert_resolver(Arc::clone(&tls.cert_resolver));
    Ok(Arc::new(config))
}

/// One who asks for a certificate and does not look at it.
#[derive(Debug)]
struct AnyCaller(Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCaller {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        leaf: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, leaf, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
