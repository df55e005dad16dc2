//! Handshakes that go wrong on purpose, and the certificates for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use d1_fixtures::{Authority, LeafSpec, Minted, PkiError, Usage};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

use super::server_config::server_config;
use crate::clock::{Clock, system_seconds};
use crate::faults::{BadCertificate, Faults, HandshakeFault};
use crate::journal::Why;

/// What D1's certificate says of itself.
const NAME: &str = "D1 Sandbox API";

/// Faults of connections, for the listener.
pub(crate) struct Hostile {
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Clock,
    pub(crate) certificates: BadCertificates,
}

/// D1's certificate, each time wrong in one way; made when asked for.
pub(crate) struct BadCertificates {
    /// The certificate and key of the authority that signed D1's own, PEM, if they are there.
    pub(crate) authority: Option<(String, Zeroizing<String>)>,
    /// D1's own certificate, PEM: the others have its names.
    pub(crate) own: String,
    pub(crate) client_authority: String,
    pub(crate) made: Mutex<HashMap<BadCertificate, Arc<ServerConfig>>>,
}

impl Hostile {
    /// What is to be shown instead of D1's certificate, if a fault says so; otherwise why the handshake ends here. The
    /// name of the fault is there as soon as it strikes.
    pub(super) async fn befall(&self, name: &mut Option<Arc<str>>) -> Result<Option<Arc<ServerConfig>>, Why> {
        let Some(struck) = self.faults.strike_connection(self.clock.now().at) else { return Ok(None) };
        *name = Some(Arc::clone(&struck.name));
        let over =
            |actual: String| Why { check: "handshake", expected: "no fault".into(), actual: actual.into() };
        match struck.act {
            HandshakeFault::Close => Err(over(format!("closed by the fault {}", struck.name))),
            HandshakeFault::Stall => {
                // The deadline of the handshake ends it sooner.
                self.faults.until_lifted(struck.number, None).await;
                Ok(None)
            }
            HandshakeFault::Certificate(bad) => match self.certificates.of(bad) {
                Ok(config) => Ok(Some(config)),
                Err(reason) => Err(over(format!("the fault {} has no certificate: {reason}", struck.name))),
            },
        }
    }
}

impl BadCertificates {
    fn of(&self, bad: BadCertificate) -> Result<Arc<ServerConfig>, String> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = made.get(&bad) {
            return Ok(Arc::clone(config));
        }
        let minted = self.mint(bad).map_err(|fault| fault.to_string())?;
        let config = server_config(&minted.cert_pem, &minted.key_pem, &self.client_authority, None);
        let config = config.map_err(|fault| fault.to_string())?;
        made.insert(bad, Arc::clone(&config));
        Ok(config)
    }

    fn mint(&self, bad: BadCertificate) -> Result<Minted, PkiError> {
        // TLS runs on real time.
        let now = OffsetDateTime::from_unix_timestamp(system_seconds()).map_err(|_| PkiError::Validity)?;
        let good = LeafSpec::server(NAME, names_of(&self.own), now)?;
        let spec = match bad {
            BadCertificate::UnknownAuthority => {
                return Authority::generate("D1 Sandbox Unknown CA", &[], now)?.issue(&good);
            }
            BadCertificate::SelfSigned => return good.self_signed(),
            BadCertificate::Expired => {
                LeafSpec { not_before: now - Duration::days(31), not_after: now - Duration::days(1), ..good }
            }
            BadCertificate::NotYetValid => LeafSpec {
                not_before: now + Duration::days(365),
                not_after: now + Duration::days(730),
                ..good
            },
            // A name that the authority may vouch for, so that nothing but the name is wrong.
            BadCertificate::WrongName => LeafSpec { sans: vec!["::1".to_owned()], ..good },
            BadCertificate::ClientUsage => LeafSpec { usage: Usage::Client, ..good },
        };
        // Without the authority's key no such fault could be set.
        let (certificate, key) =
            self.authority.as_ref().ok_or(PkiError::AuthorityKey { reason: "it is not there" })?;
        Authority::load(certificate, key)?.issue(&spec)
    }
}

/// The names that a certificate is for.
fn names_of(pem: &str) -> Vec<String> {
    let Ok(der) = CertificateDer::from_pem_slice(pem.as_bytes()) else { return Vec::new() };
    let Ok((_, certificate)) = X509Certificate::from_der(&der) else { return Vec::new() };
    let Ok(Some(names)) = certificate.subject_alternative_name() else { return Vec::new() };
    let text = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => match **bytes {
            [a, b, c, d] => Some(IpAddr::from([a, b, c, d]).to_string()),
            _ => Some(IpAddr::from(<[u8; 16]>::try_from(*bytes).ok()?).to_string()),
        },
        _ => None,
    };
    names.value.general_names.iter().filter_map(text).collect()
}
