//! What does not change while a sandbox runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::Serialize;

use crate::config::Config;

/// The unchanging part of `/info`.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Facts {
    version: &'static str,
    seed: u64,
    auth_clock: &'static str,
    api: String,
    environment: &'static str,
    base_path: String,
    receivers: BTreeMap<String, String>,
    config: String,
}

impl Facts {
    pub(crate) fn of(config: &Config, seed: u64) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            seed,
            auth_clock: config.auth_clock.as_str(),
            api: String::new(),
            environment: config.environment,
            base_path: config.base_path.clone(),
            receivers: config
                .gateways
                .iter()
                .filter_map(|gateway| {
                    let url = gateway.receiver.as_ref()?.url.as_str().trim_end_matches('/');
                    Some((gateway.id.to_string(), url.to_owned()))
                })
                .collect(),
            config: config.source.display().to_string(),
        }
    }

    /// The same, once it is known where the API listens.
    pub(crate) fn at(self, api: SocketAddr) -> Self {
        Self { api: format!("https://{api}"), ..self }
    }
}
