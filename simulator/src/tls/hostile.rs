//! Handshakes that go wrong on purpose, and the certificates for them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use d1_fixtures::{Authority, LeafSpec, Minted, PkiError, Usage};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;
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
    pub(crate) certificates: Arc<BadCertificates>,
}

/// D1's certificate, each time wrong in one way; made when asked for.
pub(crate) struct BadCertificates {
    /// The certificate and key of the authority that signed D1's own, PEM, if they are there.
    pub(crate) authority: Option<(String, Zeroizing<String>)>,
    /// D1's own certificate, PEM: the others have its names.
    pub(crate) own: String,
    pub(crate) client_authority: String,
    /// Held while one is made, which takes a while.
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
            HandshakeFault::Certificate(bad) => match self.certificates.of(bad).await {
                Ok(config) => Ok(Some(config)),
                Err(reason) => Err(over(format!("the fault {} has no certificate: {reason}", struck.name))),
            },
        }
    }
}

impl BadCertificates {
    async fn of(self: &Arc<Self>, bad: BadCertificate) -> Result<Arc<ServerConfig>, String> {
        let mut made = self.made.lock().await;
        if let Some(config) = made.get(&bad) {
            return Ok(Arc::clone(config));
        }
        let this = Arc::clone(self);
        let config = tokio::task::spawn_blocking(move || {
            let minted = this.mint(bad).map_err(|fault| fault.to_string())?;
            let config = server_config(&minted.cert_pem, &minted.key_pem, &this.client_authority, None);
            config.map_err(|fault| fault.to_string())
        });
        let config = config.await.map_err(|_| "it was broken off".to_owned())??;
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
            BadCertificate::WrongName => LeafSpec { sans: vec![other_name(&good.sans)], ..good },
            BadCertificate::ClientUsage => LeafSpec { usage: Usage::Client, ..good },
        };
        // Without the authority's key no such fault could be set.
        let (certificate, key) =
            self.authority.as_ref().ok_or(PkiError::AuthorityKey { reason: "it is not there" })?;
        Authority::load(certificate, key)?.issue(&spec)
    }
}

/// A name that nobody calls D1 by. Where the authority vouches for certain names alone, those below one of them are among
/// these, so that nothing but the name is wrong. Two labels deep no wildcard has it.
fn other_name(names: &[String]) -> String {
    let is_dns = |name: &&String| name.parse::<IpAddr>().is_err();
    let dns = names.iter().find(is_dns).map_or("invalid", |name| name.trim_start_matches("*."));
    format!("not.here.{dns}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wrong_name_is_none_of_the_right_ones_wherever_d1_is_called() {
        for (names, other) in [
            (&["localhost", "127.0.0.1", "::1"][..], "not.here.localhost"),
            (&["10.0.0.7", "*.d1.example"], "not.here.d1.example"),
            (&["::1"], "not.here.invalid"),
        ] {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            assert_eq!(other_name(&names), other);
        }
    }
}
