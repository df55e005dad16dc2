//! Certificates and keys that scenarios are played with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use d1_fixtures::{Authority, KeyKind, LeafSpec, Plan, client_common_name, write_sandbox};
use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use super::super::super::exit::Failure;
use super::super::super::folder::{CONFIG, SandboxFolder, read_text};
use super::super::super::init;

/// Certificates and keys for all scenarios of a run, which only read them.
pub(crate) struct Papermill {
    pub(super) folder: SandboxFolder,
    pub(super) config: PathBuf,
    _temporary: Option<TempDir>,
}

/// What a gateway has of its own, by the name that the admin port gives it.
const OWN: [(&str, &str); 5] = [
    ("certificate", "client.pem"),
    ("key", "client.key"),
    ("assertionKey", "assertion.key"),
    ("assertionJwk", "assertion.jwk"),
    ("jweJwk", "jwe.jwk"),
];
/// What all gateways of a sandbox share.
const SHARED: [(&str, &str); 5] = [
    ("serverCa", "ca/server-ca.pem"),
    ("d1Jwk", "d1/jwe.jwk"),
    ("receiverCertificate", "receiver/server.pem"),
    ("receiverKey", "receiver/server.key"),
    ("thalesClientCa", "ca/thales-client-ca.pem"),
];

/// Where the papers of a gateway are, by the names that the admin port gives them.
pub(super) struct Files {
    paths: BTreeMap<String, PathBuf>,
    /// What to do where one cannot be read.
    hint: &'static str,
}

impl Files {
    /// Of a gateway that the folder's configuration names.
    pub(super) fn of(folder: &SandboxFolder, gateway: &str) -> Self {
        let own = OWN.map(|(name, file)| (name, folder.gateway_file(gateway, file)));
        let shared = SHARED.map(|(name, file)| (name, file.to_owned()));
        let all = own.into_iter().chain(shared);
        let paths = all.map(|(name, file)| (name.to_owned(), folder.file(&file))).collect();
        Self { paths, hint: "`d1sim init` writes it" }
    }

    /// Of a gateway that a sandbox has made: `paths` of its answer. `seen` is the folder of that sandbox as it is seen from
    /// here, if its own path leads elsewhere.
    pub(super) fn made(paths: &Value, seen: Option<&Path>) -> Self {
        let hint = "the sandbox makes papers in its own folder, which has to be read from here: run d1sim where the sandbox \
                    runs, or share that folder, of a container for instance, and name it with --sandbox DIR";
        let text = |name: &str| paths.get(name).and_then(Value::as_str);
        // `gateways/ID` is two below the sandbox's folder.
        let root = text("folder").and_then(|folder| Path::new(folder).ancestors().nth(2));
        let here = |path: &str| match (seen, root.and_then(|root| Path::new(path).strip_prefix(root).ok())) {
            (Some(seen), Some(rest)) => seen.join(rest),
            _ => PathBuf::from(path),
        };
        let names = OWN.into_iter().chain(SHARED).map(|(name, _)| name);
        let paths = names.filter_map(|name| Some((name.to_owned(), here(text(name)?)))).collect();
        Self { paths, hint }
    }

    pub(super) fn text(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        let missing = || Failure::resource(format!("{name}: the sandbox's folder has none; {}", self.hint));
        let path = self.paths.get(name).ok_or_else(missing)?;
        read_text(name, path).map_err(|failure| {
            let cause = failure.error.source().map(|cause| format!(" ({cause})")).unwrap_or_default();
            Failure { error: format!("{}{cause}; {}", failure.error, self.hint).into(), ..failure }
        })
    }
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
