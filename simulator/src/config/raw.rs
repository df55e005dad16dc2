//! The file as it is written: closed, with defaults.

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct File {
    pub(super) version: u32,
    pub(super) environment: String,
    #[serde(default)]
    pub(super) listen: Listen,
    #[serde(default = "base_path")]
    pub(super) base_path: String,
    #[serde(default = "common_name")]
    pub(super) common_name: String,
    pub(super) clock: Option<String>,
    pub(super) auth_clock: Option<String>,
    pub(super) seed: Option<u64>,
    pub(super) server: Server,
    pub(super) outbound: Outbound,
    #[serde(default)]
    pub(super) assertion: Assertion,
    #[serde(default)]
    pub(super) notifications: Notifications,
    #[serde(default)]
    pub(super) limits: Limits,
    pub(super) gateways: Vec<Gateway>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Listen {
    pub(super) api: String,
    pub(super) admin: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Server {
    pub(super) certificate: String,
    pub(super) key: String,
    pub(super) client_authority: String,
    pub(super) jwe_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Outbound {
    pub(super) certificate: String,
    pub(super) key: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Assertion {
    pub(super) skew_seconds: u32,
    pub(super) refuse_replayed_jti: bool,
}

/// A retry schedule, of the file or of one gateway.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(crate) struct Notifications {
    pub(crate) first_delay: Option<String>,
    pub(crate) factor: Option<u32>,
    pub(crate) max_delay: Option<String>,
    pub(crate) attempts: Option<u32>,
    pub(crate) timeout: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Limits {
    pub(super) max_connections: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Gateway {
    pub(super) id: String,
    pub(super) assertion_keys: Vec<String>,
    pub(super) jwe_key: String,
    pub(super) receiver: Option<Receiver>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Receiver {
    pub(super) url: String,
    pub(super) authority: String,
    pub(super) oauth: Option<Oauth>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Oauth {
    pub(super) token_url: String,
    pub(super) client_id: String,
    pub(super) client_secret_file: String,
    pub(super) scope: Option<String>,
}

impl Default for Listen {
    fn default() -> Self {
        Self { api: "127.0.0.1:8443".into(), admin: "127.0.0.1:8444".into() }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_connections: 4096 }
    }
}

fn base_path() -> String {
    "/ecom/v1".into()
}

fn common_name() -> String {
    "TLSMA-{key}/{gateway}/{env}".into()
}
