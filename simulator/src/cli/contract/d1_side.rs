//! D1's side of notifications with the certificates and keys of a sandbox folder.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use d1_contracts::{Certificates, D1Props, ReceiverCredentials, ReceiverProps, outbound};
use d1_fixtures::{Authority, LeafSpec, Minted};
use rustls::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::Duration;

use super::super::folder::SandboxFolder;
use super::{file, jwe_key};
use crate::tls::{roots, server_config};

type Fault = Box<dyn Error + Send + Sync>;

/// The client id and the secret of receivers that are the suite's own.
pub(super) const CREDENTIALS: (&str, &str) = ("d1-suite", "a secret of the suite's pretend world");

/// What D1 has for the first gateway of a folder, with the client credentials that its configuration names. `seed` makes
/// the tokens and events of a run its own.
///
/// # Errors
/// A file of the folder that is not there or not what its name says.
pub fn receiver_d1_props(folder: &Path, seed: u64) -> Result<D1Props, Fault> {
    let sandbox = SandboxFolder::open(folder).map_err(|failure| failure.error)?;
    let gateway_id = sandbox.gateway(None).map_err(|failure| failure.error)?;
    let configured = sandbox.config.first_receiver();
    let credentials = configured.and_then(|receiver| receiver.oauth.as_ref()).map(|oauth| {
        let token_url = oauth.token_url.as_str();
        let parsed = token_url
            .parse()
            .map_err(|fault| format!("gateways[0].receiver.oauth.tokenUrl: {token_url}: {fault}"))?;
        Ok::<_, Fault>(ReceiverCredentials {
            id: oauth.client_id.clone(),
            secret: oauth.client_secret.to_string(),
            token_url: Some(parsed),
            scope: oauth.scope.clone(),
        })
    });
    let authority = match configured {
        Some(receiver) => receiver.authority.clone(),
        None => file(folder, "ca/receiver-ca.pem")?,
    };
    Ok(D1Props {
        contract: outbound()?,
        gateway_id,
        certificates: certificates(folder, &authority)?,
        key: jwe_key(folder, "gateway/jwe.jwk")?,
        credentials: credentials.transpose()?,
        seed,
    })
}

/// The same for receivers of the suite's own, which ask for a bearer.
///
/// # Errors
/// As [`receiver_d1_props`].
pub fn own_d1_props(folder: &Path) -> Result<D1Props, Fault> {
    let (id, secret) = (CREDENTIALS.0.to_owned(), CREDENTIALS.1.to_owned());
    let credentials = Some(ReceiverCredentials { id, secret, token_url: None, scope: None });
    Ok(D1Props { credentials, ..receiver_d1_props(folder, 0)? })
}

/// What the suite's broken receivers need, from a sandbox folder.
///
/// # Errors
/// As [`receiver_d1_props`].
pub fn broken_receiver_props(folder: &Path) -> Result<ReceiverProps, Fault> {
    let text = |name: &str| file(folder, name);
    let callers = text("ca/thales-client-ca.pem")?;
    let tls = server_config(&text("receiver/server.pem")?, &text("receiver/server.key")?, &callers, None)?;
    let mut tls = (*tls).clone();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let D1Props { gateway_id, key, credentials, .. } = own_d1_props(folder)?;
    let credentials = credentials.ok_or("no client credentials")?;
    Ok(ReceiverProps { gateway_id, tls: Arc::new(tls), key, credentials })
}

fn certificates(folder: &Path, receiver_authority: &str) -> Result<Certificates, Fault> {
    let text = |name: &str| file(folder, name);
    let config = |shown: Option<&Minted>| tls(receiver_authority, shown);
    let now = super::super::init::now().map_err(|failure| failure.error)?;
    let good = LeafSpec::client("D1 Sandbox", now)?;
    let expired =
        LeafSpec { not_before: now - Duration::days(31), not_after: now - Duration::days(1), ..good.clone() };
    let authority = Authority::load(&text("ca/thales-client-ca.pem")?, &text("ca/thales-client-ca.key")?)?;
    let own = Minted { cert_pem: text("d1/client.pem")?, key_pem: text("d1/client.key")? };
    let stranger = Authority::generate("D1 Sandbox Unknown CA", &[], now)?.issue(&good)?;
    Ok(Certificates {
        d1: config(Some(&own))?,
        wrong_authority: config(Some(&stranger))?,
        expired: config(Some(&authority.issue(&expired)?))?,
        none: config(None)?,
    })
}

/// D1's side of TLS: whom it trusts, and what it shows.
fn tls(receiver_authority: &str, shown: Option<&Minted>) -> Result<Arc<ClientConfig>, Fault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots(receiver_authority, "the authority of the receiver")?);
    let mut config = match shown {
        None => builder.with_no_client_auth(),
        Some(Minted { cert_pem, key_pem }) => {
            let certificate = CertificateDer::from_pem_slice(cert_pem.as_bytes())?;
            builder.with_client_auth_cert(
                vec![certificate],
                PrivateKeyDer::from_pem_slice(key_pem.as_bytes())?,
            )?
        }
    };
    // A resumed session would carry a certificate over that is not shown again.
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}
