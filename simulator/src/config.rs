//! The configuration: the only reader of configuration files.
//!
//! [`Config::read`] takes `sandbox.yaml` with all the files it names and checks every one of them;
//! what comes out can be started.

mod duration;
mod raw;
mod read;

pub(crate) use duration::parse_duration;
pub(crate) use raw::Notifications;
pub use read::ConfigError;
pub(crate) use read::{authority, gateway_keys, https_url, schedule, text_of};

use std::net::SocketAddr;
use std::path::PathBuf;

use std::sync::Arc;

use reqwest::Url;
use zeroize::Zeroizing;

use crate::auth::{GatewayKeys, Gateways, Policy};
use crate::clock::{AuthClock, ClockMode};
use crate::domain::GatewayId;
use crate::jose::{OwnKey, PublicKey};
use crate::notify::{OauthSettings, Schedule};
use crate::tls::{CommonName, Identify};

/// A checked configuration.
pub struct Config {
    /// Where gateways call; port 0 takes a free one.
    pub api: SocketAddr,
    /// The admin port; beyond loopback it needs [`Config::admin_token`].
    pub admin: SocketAddr,
    /// The bearer that the admin port asks for, if any.
    pub admin_token: Option<Zeroizing<String>>,
    /// Where the time comes from.
    pub clock: ClockMode,
    /// By which clock assertions are judged.
    pub auth_clock: AuthClock,
    /// The seed of identifiers, DPANs and jitter; a fresh one if there is none.
    pub seed: Option<u64>,
    /// Whether the sandbox begins with the faults of the hostile profile (`d1sim serve --hostile`).
    pub hostile: bool,
    /// Connections open at once on the API port.
    pub max_connections: usize,
    pub(crate) source: PathBuf,
    pub(crate) environment: &'static str,
    pub(crate) base_path: String,
    pub(crate) common_name: CommonName,
    pub(crate) server: ServerFiles,
    /// Client certificates begin and end by the sandbox clock, and not by the system's.
    pub(crate) sandbox_dates: bool,
    /// Certificate and key of the authority that signed D1's certificate, PEM, where they lie beside the file.
    pub(crate) server_authority: Option<(String, Zeroizing<String>)>,
    pub(crate) own_key: OwnKey,
    /// D1's client certificate and its key, PEM.
    pub(crate) outbound: Zeroizing<String>,
    pub(crate) policy: Policy,
    pub(crate) schedule: Schedule,
    pub(crate) gateways: Vec<GatewayConfig>,
}

/// PEM texts of the server's side.
pub(crate) struct ServerFiles {
    pub(crate) certificate: String,
    pub(crate) key: Zeroizing<String>,
    pub(crate) client_authority: String,
}

/// A gateway that the sandbox knows.
pub(crate) struct GatewayConfig {
    pub(crate) id: GatewayId,
    pub(crate) assertion_keys: Vec<PublicKey>,
    pub(crate) encryption_key: PublicKey,
    pub(crate) receiver: Option<ReceiverConfig>,
}

/// Where a gateway's notifications go.
pub(crate) struct ReceiverConfig {
    pub(crate) url: Url,
    pub(crate) authority: String,
    pub(crate) oauth: Option<OauthSettings>,
}

impl Config {
    /// The merchant gateways that the sandbox knows, in the order of the file.
    pub fn gateway_ids(&self) -> impl Iterator<Item = &str> {
        self.gateways.iter().map(|gateway| gateway.id.as_str())
    }

    /// Where the first gateway's notifications go.
    pub(crate) fn receiver_url(&self) -> Option<String> {
        let receiver = self.gateways.first()?.receiver.as_ref()?;
        Some(receiver.url.as_str().trim_end_matches('/').to_owned())
    }

    /// The receiver of the first gateway.
    pub(crate) fn first_receiver(&self) -> Option<&ReceiverConfig> {
        self.gateways.first()?.receiver.as_ref()
    }

    /// The gateways of the file, as those that are known first.
    pub(crate) fn known(&self) -> Gateways {
        let keys = |gateway: &GatewayConfig| {
            let (assertion, encryption) = (gateway.assertion_keys.clone(), gateway.encryption_key.clone());
            (gateway.id.clone(), GatewayKeys { assertion, encryption })
        };
        self.gateways.iter().map(keys).collect()
    }

    /// How the owner of a certificate is told.
    pub(crate) fn identify(&self, gateways: Arc<Gateways>) -> Identify {
        Identify { pattern: self.common_name.clone(), environment: self.environment, gateways }
    }

    /// Sends the notifications of the first gateway to `url` (https), signed for by `authority`
    /// (PEM), or by the one that the file names.
    ///
    /// # Errors
    /// A URL that is not https, or no authority at all.
    pub fn set_receiver(&mut self, url: &str, authority: Option<String>) -> Result<(), ConfigError> {
        let first =
            self.gateways.first_mut().ok_or_else(|| ConfigError::new("gateways", "at least one", "none"))?;
        let old = first.receiver.take();
        let (old_authority, oauth) = old.map_or((None, None), |old| (Some(old.authority), old.oauth));
        let authority = authority.or(old_authority);
        let authority = authority
            .ok_or_else(|| ConfigError::new("receiver", "an authority (--receiver-ca FILE)", "none"))?;
        let authority = read::authority("receiver", &authority)?;
        let url = read::https_url("receiver", url)?;
        first.receiver = Some(ReceiverConfig { url, authority, oauth });
        Ok(())
    }
}
