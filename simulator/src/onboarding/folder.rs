//! The sandbox's folder as far as gateways are made in it.

use std::fs;
use std::path::{Path, PathBuf};

use d1_fixtures::{Authority, InitError, PkiError};
use serde_json::{Map, Value};
use time::OffsetDateTime;

use crate::clock::{Clock, ClockMode};
use crate::config::{Config, ConfigError, text_of};
use crate::domain::GatewayId;

/// What a gateway's own folder holds, by the name under which it is shown.
const OWN: [(&str, &str); 5] = [
    ("certificate", "client.pem"),
    ("key", "client.key"),
    ("assertionKey", "assertion.key"),
    ("assertionJwk", "assertion.jwk"),
    ("jweJwk", "jwe.jwk"),
];
/// What it needs besides, below the sandbox's folder as `d1sim init` writes it.
const SHARED: [(&str, &str); 6] = [
    ("serverCa", "ca/server-ca.pem"),
    ("d1Jwk", "d1/jwe.jwk"),
    ("receiverCertificate", "receiver/server.pem"),
    ("receiverKey", "receiver/server.key"),
    ("receiverCa", "ca/receiver-ca.pem"),
    ("thalesClientCa", "ca/thales-client-ca.pem"),
];
/// The key of the authority that signs gateways.
const AUTHORITY_KEY: &str = "ca/thales-ca.key";

/// Where `sandbox.yaml` is.
pub(super) struct SandboxFolder {
    dir: PathBuf,
    /// The authority that the API port trusts.
    authority: String,
}

/// The folder of a gateway that was made at run time; it goes with it, and with the sandbox.
pub(super) struct GatewayFolder(PathBuf);

impl SandboxFolder {
    pub(super) fn of(config: &Config) -> Self {
        let dir = config.source.parent().filter(|dir| !dir.as_os_str().is_empty());
        let authority = config.server.client_authority.clone();
        Self { dir: dir.unwrap_or(Path::new(".")).to_owned(), authority }
    }

    pub(super) fn authority(&self) -> Result<Authority, NoAuthority> {
        let key = text_of("the authority's key", &self.dir.join(AUTHORITY_KEY)).map_err(NoAuthority::Key)?;
        Authority::load(&self.authority, &key).map_err(NoAuthority::Unfit)
    }

    pub(super) fn text(&self, what: &str, name: &str) -> Result<String, ConfigError> {
        text_of(what, &self.dir.join(name)).map(|text| text.to_string())
    }

    pub(super) fn has(&self, gateway: &GatewayId) -> bool {
        fs::symlink_metadata(self.dir.join("gateways").join(gateway.as_str())).is_ok()
    }

    /// The folder by its full path, so that what is shown can be used from anywhere.
    pub(super) fn root(&self) -> Result<PathBuf, InitError> {
        let doing = "find the folder";
        fs::canonicalize(&self.dir).map_err(|source| InitError::Io { doing, path: self.dir.clone(), source })
    }

    /// Where a gateway's files are and, as far as they are there, those of the sandbox that it needs.
    pub(super) fn paths(&self, gateway: &GatewayFolder) -> Map<String, Value> {
        let shown = |path: &Path| Value::from(path.to_string_lossy());
        let own = OWN.iter().map(|(name, file)| ((*name).to_owned(), shown(&gateway.0.join(file))));
        // `gateways/ID` is two below.
        let root = gateway.0.ancestors().nth(2).unwrap_or(&self.dir);
        let shared = SHARED.iter().map(|(name, file)| (*name, root.join(file)));
        let shared = shared.filter(|(_, path)| path.exists());
        let mut paths = Map::from_iter([("folder".to_owned(), shown(&gateway.0))]);
        paths.extend(own);
        paths.extend(shared.map(|(name, path)| (name.to_owned(), shown(&path))));
        paths
    }
}

/// Why there is nobody to sign a gateway's certificate.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAuthority {
    #[error("{}", with_cause(.0))]
    Key(ConfigError),
    #[error("{AUTHORITY_KEY}: {0}")]
    Unfit(PkiError),
}

/// An error and what caused it, in one line.
pub(super) fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error} ({cause})"))
}

impl GatewayFolder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for GatewayFolder {
    fn drop(&mut self) {
        // What stays behind is skipped when a gateway is made, and told of when it is asked for by name.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The system's time: certificates are judged by it, wherever the sandbox's clock was moved to.
pub(super) fn now() -> OffsetDateTime {
    let seconds = Clock::new(ClockMode::Real).now_ms().div_euclid(1000);
    OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
