//! A sandbox folder as the commands see it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::exit::Failure;
use crate::config::{Config, ConfigError, text_of};

/// Where the configuration lies in a sandbox folder.
pub(super) const CONFIG: &str = "sandbox.yaml";

/// A folder that `d1sim init` made.
pub(super) struct SandboxFolder {
    dir: PathBuf,
    pub(super) config: Config,
}

impl SandboxFolder {
    pub(super) fn open(dir: &Path) -> Result<Self, Failure> {
        let config = dir.join(CONFIG);
        if !config.exists() {
            let hint =
                format!("no sandbox in {}: make one with `d1sim init {}`", dir.display(), dir.display());
            return Err(Failure::usage(hint));
        }
        Ok(Self { dir: dir.to_owned(), config: read_config(&config)? })
    }

    /// A file of the folder.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub(super) fn text(&self, name: &str) -> Result<Zeroizing<String>, Failure> {
        read_text(name, &self.file(name))
    }

    /// The gateway that is asked for, or the first.
    pub(super) fn gateway(&self, wanted: Option<&str>) -> Result<String, Failure> {
        let known: Vec<&str> = self.config.gateway_ids().collect();
        let found = match wanted {
            None => known.first(),
            Some(wanted) => known.iter().find(|id| **id == wanted),
        };
        found.map(|id| (*id).to_owned()).ok_or_else(|| {
            let wanted = wanted.unwrap_or_default();
            Failure::usage(format!("--gateway {wanted}: expected one of {}", known.join(", ")))
        })
    }

    /// The path of a gateway's own file, e.g. `assertion.key`.
    pub(super) fn gateway_file(&self, gateway: &str, name: &str) -> String {
        let own = format!("gateways/{gateway}/{name}");
        let first = self.config.gateway_ids().next() == Some(gateway);
        if first {
            format!("gateway/{name}")
        } else if self.dir.join(&own).exists() {
            own
        } else {
            format!("rogue/other-gateway.{name}")
        }
    }
}

/// Reads a configuration; a file that is missing is a resource, everything else is usage.
pub(super) fn read_config(path: &Path) -> Result<Config, Failure> {
    Config::read(path).map_err(failure)
}

/// Reads a file that an option or a command names.
pub(super) fn read_text(what: &str, path: &Path) -> Result<Zeroizing<String>, Failure> {
    text_of(what, path).map_err(failure)
}

fn failure(error: ConfigError) -> Failure {
    match error {
        ConfigError::File { .. } => Failure::resource(error),
        _ => Failure::usage(error),
    }
}
