//! The suite's script server with the certificates and keys of a sandbox folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use d1_contracts::{GoodAnswers, Stage, StageTls, TlsFault, inbound};
use d1_fixtures::{Authority, LeafSpec, Minted, Usage};
use rustls::ServerConfig;
use time::{Duration, OffsetDateTime};

use super::natural::NaturalD1;
use super::{file, jwe_key};
use crate::tls::server_config;

/// A stage in the pretend world of a folder, with a real D1 of its own for natural cases.
///
/// # Errors
/// A file of the folder that is not there or not what its name says, or no threads for that D1.
pub fn contract_stage(folder: &Path) -> Result<Stage, Box<dyn Error + Send + Sync>> {
    with_d1(folder, &NaturalD1::new(folder)?)
}

/// A stage on which D1 shows the folder's server certificate, asks for one of the Thales CA, opens cards with D1's key and
/// seals toward the first gateway. Natural cases are answered by `d1`.
pub(super) fn with_d1(folder: &Path, d1: &NaturalD1) -> Result<Stage, Box<dyn Error + Send + Sync>> {
    Ok(Stage::new(
        inbound()?,
        GoodAnswers::built_in()?,
        tls(folder)?,
        jwe_key(folder, "gateway/jwe.jwk")?,
        jwe_key(folder, "d1/jwe.private.jwk")?,
        super::now(),
    )
    .with_natural(d1.settle()))
}

/// D1's TLS in this folder, and the same with each fault.
fn tls(folder: &Path) -> Result<StageTls, Box<dyn Error + Send + Sync>> {
    let text = |name: &str| file(folder, name);
    let callers = text("ca/thales-ca.pem")?;
    let config = |certificate: &str, key: &str, callers: &str| {
        let mut config = (*server_config(certificate, key, callers, None)?).clone();
        // Scripts are literal HTTP/1.1.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok::<_, Box<dyn Error + Send + Sync>>(Arc::new(config))
    };
    let (certificate, key) = (text("d1/server.pem")?, text("d1/server.key")?);
    let now = super::super::init::now().map_err(|failure| failure.error)?;
    let authority = Authority::load(&text("ca/server-ca.pem")?, &text("ca/server-ca.key")?)?;
    let mut bad = BTreeMap::new();
    for fault in TlsFault::ALL {
        let made: Arc<ServerConfig> = match wrong(fault, &authority, now)? {
            Some(Minted { cert_pem, key_pem }) => config(&cert_pem, &key_pem, &callers)?,
            None => config(&certificate, &key, &text("ca/receiver-ca.pem")?)?,
        };
        bad.insert(fault, made);
    }
    Ok(StageTls { good: config(&certificate, &key, &callers)?, bad })
}

/// A certificate with a fault; nothing for the one that is not in D1's certificate.
fn wrong(
    fault: TlsFault,
    authority: &Authority,
    now: OffsetDateTime,
) -> Result<Option<Minted>, d1_fixtures::PkiError> {
    let good = LeafSpec::server("D1 Sandbox API", vec!["127.0.0.1".to_owned()], now)?;
    let spec = match fault {
        TlsFault::UnknownAuthority => {
            return Authority::generate("D1 Sandbox Unknown CA", &[], now)?.issue(&good).map(Some);
        }
        TlsFault::SelfSigned => return good.self_signed().map(Some),
        TlsFault::Expired => {
            LeafSpec { not_before: now - Duration::days(31), not_after: now - Duration::days(1), ..good }
        }
        TlsFault::NotYetValid => {
            LeafSpec { not_before: now + Duration::days(365), not_after: now + Duration::days(730), ..good }
        }
        // A name that the authority may vouch for, so that nothing but the name is wrong.
        TlsFault::WrongName => LeafSpec { sans: vec!["localhost".to_owned()], ..good },
        TlsFault::ClientUsage => LeafSpec { usage: Usage::Client, ..good },
        // With the certificate of the authority between them beside it, it would be trusted.
        TlsFault::NoIntermediate => {
            return authority.below("D1 Sandbox Intermediate CA", now)?.issue(&good).map(Some);
        }
        TlsFault::CallerRefused => return Ok(None),
    };
    authority.issue(&spec).map(Some)
}
