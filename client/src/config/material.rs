//! Keys and certificates out of PEM, checked when they are read rather than at the first call.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::sign::CertifiedKey;

use super::ConfigError;

/// The one provider of cryptography, always named, never the process-wide default.
pub(crate) fn provider() -> CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

/// A certificate with its private key: the client certificate of a gateway, or the server certificate of a receiver.
///
/// `Debug` shows nothing of the key.
#[derive(Clone)]
pub struct TlsIdentity {
    pub(crate) certified: Arc<CertifiedKey>,
}

impl TlsIdentity {
    /// Reads the certificate (leaf first, then intermediates, if any) and the key (PKCS#8, SEC1 or PKCS#1), and checks
    /// that they belong together. Which keys D1 admits (RSA 4096 or ECDSA P-256, \[D7\]) is left to D1.
    ///
    /// # Errors
    /// Says which of the two cannot be used and why.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, ConfigError> {
        let chain = certificates("the certificate", certificate)?;
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            ConfigError::new(
                "the certificate's key",
                "expected a PEM block with a private key that is not encrypted",
            )
        })?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let problem = match error {
                rustls::Error::InconsistentKeys(_) => {
                    "expected the key of the certificate: the two do not belong together".to_owned()
                }
                other => format!("expected an RSA or ECDSA key and a certificate for it: {other}"),
            };
            ConfigError::new("the certificate and its key", problem)
        })?;
        Ok(Self { certified: Arc::new(certified) })
    }
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity").finish_non_exhaustive()
    }
}

/// The certificates of the authorities that are trusted, and no others: the system's are not consulted.
#[derive(Debug, Clone)]
pub struct TrustedRoots {
    pub(crate) store: Arc<RootCertStore>,
}

impl TrustedRoots {
    /// Reads one or more certificates.
    ///
    /// # Errors
    /// Says so if there is none, or if one cannot be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, ConfigError> {
        const WHAT: &str = "the trusted authorities";
        let mut store = RootCertStore::empty();
        for certificate in certificates(WHAT, pem)? {
            store.add(certificate).map_err(|error| {
                ConfigError::new(WHAT, format!("expected the certificate of an authority: {error}"))
            })?;
        }
        Ok(Self { store: Arc::new(store) })
    }
}

fn certificates(what: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let found = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|_| ConfigError::new(what, "expected PEM, found a block that is not well formed"))?;
    if found.is_empty() {
        return Err(ConfigError::new(what, "expected a PEM block BEGIN CERTIFICATE, found none"));
    }
    Ok(found)
}

/// The private key with which assertions are signed, and the `kid` under which Thales knows its public half (\[D8\]).
///
/// `Debug` shows the `kid` alone.
pub struct AssertionKey {
    pub(crate) kid: String,
    pub(crate) pair: EcdsaKeyPair,
}

impl AssertionKey {
    /// Reads a P-256 key (the assertion is signed with ES256, \[D1\] \[D8\]) out of a PKCS#8 PEM block.
    ///
    /// # Errors
    /// Says what is wrong with the PEM, the key or the `kid`.
    pub fn from_pkcs8_pem(pem: &[u8], kid: impl Into<String>) -> Result<Self, ConfigError> {
        const WHAT: &str = "the assertion key";
        let kid = kid.into();
        if kid.is_empty() || kid.chars().count() > 256 {
            return Err(ConfigError::new(WHAT, "expected a `kid` of 1 to 256 characters"));
        }
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| {
            ConfigError::new(
                WHAT,
                "expected a PEM block BEGIN PRIVATE KEY (PKCS#8); `openssl pkcs8 -topk8 -nocrypt` makes one",
            )
        })?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der.secret_pkcs8_der())
            .map_err(|_| ConfigError::new(WHAT, "expected a key of P-256: assertions are ES256"))?;
        Ok(Self { kid, pair })
    }
}

impl fmt::Debug for AssertionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AssertionKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}
