//! The suite's script server with the certificates and keys of a sandbox folder.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use d1_contracts::{GoodAnswers, Stage, StageTls, TlsFault, inbound};
use d1_fixtures::{Authority, LeafSpec, Minted, Usage};
use rustls::ServerConfig;
use time::{Duration, OffsetDateTime};

use super::{file, forge};
use crate::jose::{OwnKey, PublicKey, Use, open, seal};
use crate::tls::server_config;

/// A stage on which D1 shows the folder's server certificate, asks for one of the Thales CA, opens cards with D1's key and
/// seals toward the first gateway.
///
/// # Errors
/// A file of the folder that is not there or not what its name says.
pub fn contract_stage(folder: &Path) -> Result<Stage, Box<dyn Error + Send + Sync>> {
    let text = |name: &str| file(folder, name);
    let tls = tls(folder)?;
    let gateway = PublicKey::read(&text("gateway/jwe.jwk")?, Use::Encryption)?;
    let own = OwnKey::read(&text("d1/jwe.private.jwk")?)?;
    let sealed =
        move |plaintext: &str| seal(plaintext.as_bytes(), &gateway).map_err(|fault| fault.to_string());
    let to = PublicKey::read(&text("gateway/jwe.jwk")?, Use::Encryption)?;
    let forged = move |plaintext: &str, disguise| {
        forge::sealed(plaintext, disguise, &to).ok_or_else(|| "no randomness or no key".to_owned())
    };
    let opened = move |jwe: &str| open(jwe, &own).ok().map(|plaintext| plaintext.to_vec());
    Ok(Stage::new(
        inbound()?,
        GoodAnswers::built_in()?,
        tls,
        Arc::new(sealed),
        Arc::new(forged),
        Arc::new(opened),
        super::now(),
    ))
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
        TlsFault::CallerRefused => return Ok(None),
    };
    authority.issue(&spec).map(Some)
}
