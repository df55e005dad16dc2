//! A gateway's receiver: where it is, whom it must be, and how D1 shows itself there (C26).

use std::fmt;
use std::time::Duration;

use reqwest::{Certificate, Client, Identity, Url, redirect, retry};
use zeroize::Zeroizing;

use super::gateway_token::TokenDesk;
use crate::domain::GatewayId;
use crate::jose::PublicKey;

/// Client credentials for a receiver's token endpoint [D4].
#[derive(Clone)]
pub(crate) struct OauthSettings {
    pub(crate) token_url: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: Zeroizing<String>,
    pub(crate) scope: Option<String>,
}

impl fmt::Debug for OauthSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OauthSettings({} at {})", self.client_id, self.token_url)
    }
}

/// One gateway's receiver, with connections kept open.
pub(crate) struct Receiver {
    pub(super) gateway: GatewayId,
    pub(super) url: Url,
    pub(super) http: Client,
    pub(super) authority: Certificate,
    pub(super) encryption: PublicKey,
    pub(super) oauth: Option<OauthSettings>,
    pub(super) desk: TokenDesk,
}

/// Why a receiver cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the receiver of {gateway}: {what}")]
pub struct ReceiverError {
    gateway: String,
    what: &'static str,
    #[source]
    source: Option<reqwest::Error>,
}

impl Receiver {
    /// `identity` is D1's client certificate with its key, `authority` the CA of the receiver, PEM both.
    pub(crate) fn new(
        (gateway, url): (GatewayId, Url),
        identity: &str,
        authority: &str,
        encryption: PublicKey,
        oauth: Option<OauthSettings>,
    ) -> Result<Self, ReceiverError> {
        let fault = |what| {
            let gateway = gateway.to_string();
            move |source| ReceiverError { gateway, what, source: Some(source) }
        };
        let identity = Identity::from_pem(identity.as_bytes())
            .map_err(fault("`outbound` must be a certificate and its key (PEM)"))?;
        let authority = Certificate::from_pem(authority.as_bytes())
            .map_err(fault("`receiver.authority` must be a certificate (PEM)"))?;
        let http = http_client(authority.clone(), identity)
            .map_err(fault("no TLS client can be made of these certificates"))?;
        Ok(Self { gateway, url, http, authority, encryption, oauth, desk: TokenDesk::default() })
    }
}

/// Calls a receiver that `authority` vouches for, and shows it `identity`.
pub(super) fn http_client(authority: Certificate, identity: Identity) -> Result<Client, reqwest::Error> {
    Client::builder()
        .tls_certs_only([authority])
        .identity(identity)
        .https_only(true)
        .no_proxy()
        .redirect(redirect::Policy::none())
        .retry(retry::never())
        .pool_idle_timeout(Duration::from_secs(30))
        .build()
}
