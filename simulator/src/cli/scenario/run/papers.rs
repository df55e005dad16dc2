//! Certificates and keys that scenarios are played with.

use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_fixtures::{Authority, KeyKind, LeafSpec, Plan, client_common_name, write_sandbox};
use jiff::Timestamp;
use tempfile::TempDir;
use time::OffsetDateTime;

use super::super::super::exit::Failure;
use super::super::super::folder::{CONFIG, SandboxFolder};
use super::super::super::init;

/// Certificates and keys for all scenarios of a run, which only read them.
pub(crate) struct Papermill {
    pub(super) folder: SandboxFolder,
    pub(super) config: PathBuf,
    _temporary: Option<TempDir>,
}

/// The Thales authority of the papers.
#[derive(Clone)]
pub(super) struct Signer {
    certificate: PathBuf,
    key: PathBuf,
    environment: String,
}

impl Papermill {
    /// Papers for scenarios with so many gateways.
    pub(crate) fn new(gateways: usize) -> Result<Self, Failure> {
        let temporary = tempfile::Builder::new().prefix("d1-scenarios-").tempdir();
        let temporary =
            temporary.map_err(|fault| Failure::resource(format!("cannot make a sandbox folder: {fault}")))?;
        let folder = temporary.path().join("sandbox");
        let mut plan = Plan::new(init::now()?);
        plan.gateways = (1..=gateways.max(1)).map(|number| format!("MGW_{number:06}")).collect();
        write_sandbox(&folder, &plan, false).map_err(init::failure)?;
        let config = folder.join(CONFIG);
        Ok(Self { folder: SandboxFolder::open(&folder)?, config, _temporary: Some(temporary) })
    }

    /// Those of a folder that is there, which somebody else has too.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failure> {
        let config = folder.join(CONFIG);
        Ok(Self { folder: SandboxFolder::open(folder)?, config, _temporary: None })
    }
}

impl Signer {
    pub(super) fn of(folder: &SandboxFolder, environment: &str) -> Self {
        let (certificate, key) = (folder.file("ca/thales-ca.pem"), folder.file("ca/thales-ca.key"));
        Self { certificate, key, environment: environment.to_owned() }
    }

    /// A client certificate and its key, PEM, for a gateway from `now` on.
    pub(super) fn sign(
        &self,
        gateway: &str,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<(String, String), Failure> {
        let environment = self.environment.parse().map_err(Failure::internal)?;
        let name = client_common_name(KeyKind::Ec, gateway, environment);
        let now = OffsetDateTime::from_unix_timestamp(now.as_second()).map_err(Failure::internal)?;
        let spec = LeafSpec::client(name, now).map_err(Failure::internal)?;
        let lifetime = time::Duration::try_from(lifetime).map_err(Failure::internal)?;
        let spec = LeafSpec { not_after: now + lifetime, ..spec };
        let authority = Authority::read(&self.certificate, &self.key).map_err(Failure::resource)?;
        let minted = authority.issue(&spec).map_err(Failure::internal)?;
        Ok((minted.cert_pem, minted.key_pem))
    }
}
