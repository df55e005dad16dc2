//! A sandbox folder as the commands see it.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::exit::Failure;
use crate::config::{Config, ConfigError, text_of};
use crate::domain::GatewayId;
use crate::scenario::nearest;

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

    /// The gateway that is asked for, or the first. One that a running sandbox has made is known by its folder.
    pub(super) fn gateway(&self, wanted: Option<&str>) -> Result<String, Failure> {
        let known: Vec<&str> = self.config.gateway_ids().collect();
        let found = match wanted {
            None => known.first(),
            Some(wanted) => known.iter().find(|id| **id == wanted),
        };
        let made = |id: &&str| {
            GatewayId::parse(id).is_some() && self.file(&format!("gateways/{id}/assertion.jwk")).exists()
        };
        found.copied().or(wanted.filter(made)).map(str::to_owned).ok_or_else(|| {
            let wanted = wanted.unwrap_or_default();
            let known = known.join(", ");
            Failure::usage(format!(
                "--gateway {wanted}: expected one of {known}, or one with a folder in gateways/"
            ))
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
    Config::read(path).map_err(|error| match error {
        ConfigError::Yaml { path, fault } => {
            let fault = format!("{fault}{}", near_the_unknown(&fault));
            failure(ConfigError::Yaml { path, fault })
        }
        other => failure(other),
    })
}

/// What an unknown field of the file may have been meant to be. It is a name, and the known ones stand behind it.
fn near_the_unknown(fault: &str) -> String {
    let Some((_, rest)) = fault.split_once("unknown field `") else { return String::new() };
    let (unknown, rest) = rest.split_once('`').unwrap_or_default();
    let known = rest.split_once("expected ").map_or("", |(_, known)| known);
    let known = known.trim_start_matches("one of ").split(" at line ").next().unwrap_or_default();
    nearest(unknown, known.split(", "))
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

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_gateway_that_a_running_sandbox_made_is_known_by_its_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
        d1_fixtures::write_sandbox(dir.path(), &d1_fixtures::Plan::new(now), false).expect("written");
        let folder = SandboxFolder::open(dir.path()).map_err(|failure| failure.error).expect("a sandbox");
        let named = |id: &str| folder.gateway(Some(id)).ok();
        assert_eq!(named("MGW_000042"), None);
        fs::create_dir_all(dir.path().join("gateways/MGW_000042")).expect("a folder");
        for file in ["assertion.jwk", "jwe.jwk"] {
            fs::write(dir.path().join("gateways/MGW_000042").join(file), "{}").expect("written");
        }
        assert_eq!(named("MGW_000042").as_deref(), Some("MGW_000042"));
        assert_eq!(folder.gateway_file("MGW_000042", "jwe.jwk"), "gateways/MGW_000042/jwe.jwk");
        assert_eq!(named("../gateway"), None, "a path is no name");
        assert_eq!(named("MGW_000002").as_deref(), Some("MGW_000002"));
    }
}
