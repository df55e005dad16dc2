//! What the suite's broken clients need, from a sandbox folder.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use d1_contracts::Props;
use rustls::ClientConfig;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::super::folder::SandboxFolder;
use super::super::jose::assertion;
use super::{file, jwe_key};
use crate::clock::{Clock, ClockMode};
use crate::tls::roots;

/// How long an assertion is good for: it is used at once.
const LIFE: Duration = Duration::from_secs(300);

/// The first gateway of a folder: its certificate, its keys, and D1's public key.
///
/// # Errors
/// A file of the folder that is not there or not what its name says.
pub fn contract_props(folder: &Path) -> Result<Props, Box<dyn Error + Send + Sync>> {
    let sandbox = SandboxFolder::open(folder).map_err(|failure| failure.error)?;
    let gateway_id = sandbox.gateway(None).map_err(|failure| failure.error)?;
    let (tls, trust) = tls(folder)?;
    let (clock, gateway) = (Clock::new(ClockMode::Real), gateway_id.clone());
    let sign = move || {
        let made = assertion(&sandbox, &gateway, LIFE, clock.now().at);
        made.map_err(|failure| failure.error.to_string())
    };
    Ok(Props {
        gateway_id,
        tls,
        trust,
        sign: Arc::new(sign),
        d1_key: jwe_key(folder, "d1/jwe.jwk")?,
        key: jwe_key(folder, "gateway/jwe.jwk")?,
        now: super::now(),
    })
}

/// The gateway's side of TLS, and who judges D1's in it.
pub(super) type ClientTls = (Arc<ClientConfig>, Arc<dyn ServerCertVerifier>);

pub(super) fn tls(folder: &Path) -> Result<ClientTls, Box<dyn Error + Send + Sync>> {
    let text = |name: &str| file(folder, name);
    let certificate = CertificateDer::from_pem_slice(text("gateway/client.pem")?.as_bytes())?;
    let key = PrivateKeyDer::from_pem_slice(text("gateway/client.key")?.as_bytes())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = Arc::new(roots(&text("ca/server-ca.pem")?, "the authority of D1")?);
    let trust =
        WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(&provider)).build()?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)?;
    Ok((Arc::new(config), trust))
}
