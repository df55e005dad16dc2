//! From the raw file to a checked configuration.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use zeroize::Zeroizing;

use super::{Config, GatewayConfig, ReceiverConfig, ServerFiles, parse_duration, raw};
use crate::auth::{GatewayKeys, Policy};
use crate::clock::UnknownClock;
use crate::domain::GatewayId;
use crate::jose::{OwnKey, PublicKey, Use};
use crate::notify::{OauthSettings, Schedule};
use crate::tls::{CommonName, TlsError, roots};

/// The longest file that is read.
const MOST: u64 = 1024 * 1024;
/// The longest pause between two attempts to deliver a notification, on the sandbox's clock.
const LONGEST_DELAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The longest attempt, in real time: a manual clock stands still meanwhile.
const LONGEST_ATTEMPT: Duration = Duration::from_secs(60);
/// The retry schedule of a file that says nothing of it (C24).
const SCHEDULE: Schedule = Schedule {
    first_delay: Duration::from_secs(1),
    factor: 2,
    max_delay: Duration::from_secs(300),
    attempts: 8,
    timeout: Duration::from_secs(10),
};

/// What is wrong with a configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path} ({what})")]
    File {
        /// What the file is for.
        what: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The configuration file is not as it must be; the text names line and column.
    #[error("{path}: {fault}")]
    Yaml {
        /// The configuration file.
        path: PathBuf,
        /// What is wrong, with its place.
        fault: String,
    },
    /// A value is not as it must be.
    #[error("`{key}`: expected {expected}, found {found}")]
    Value {
        /// The key in the configuration file, or the option.
        key: String,
        /// What it must be.
        expected: String,
        /// What it is; for a secret only its kind.
        found: String,
    },
}

impl ConfigError {
    pub(crate) fn new(key: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self::Value { key: key.into(), expected: expected.into(), found: found.into() }
    }
}

impl Config {
    /// Reads a `sandbox.yaml` and every file it names, relative to its own folder.
    ///
    /// # Errors
    /// [`ConfigError`] names the file, or the key, what was expected and what was found.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let folder = Folder(path.parent().unwrap_or(Path::new(".")).to_owned());
        let text = text_of("the configuration", path)?;
        let file: raw::File = serde_saphyr::from_str(&text)
            .map_err(|fault| ConfigError::Yaml { path: path.to_owned(), fault: without_values(&fault) })?;
        if file.version != 1 {
            return Err(ConfigError::new("version", "1", file.version.to_string()));
        }
        let outbound = {
            let certificate = folder.text("outbound.certificate", &file.outbound.certificate)?;
            let key = folder.text("outbound.key", &file.outbound.key)?;
            Zeroizing::new(format!("{}\n{}", certificate.as_str(), key.as_str()))
        };
        let own_key = folder.text("server.jweKey", &file.server.jwe_key)?;
        let pattern = CommonName::parse(&file.common_name);
        Ok(Self {
            source: path.to_owned(),
            api: address("listen.api", &file.listen.api)?,
            admin: address("listen.admin", &file.listen.admin)?,
            admin_token: None,
            clock: clock("clock", file.clock.as_deref().unwrap_or("real"))?,
            auth_clock: clock("authClock", file.auth_clock.as_deref().unwrap_or("system"))?,
            seed: file.seed,
            hostile: false,
            max_connections: positive("limits.maxConnections", file.limits.max_connections)?,
            environment: environment(&file.environment)?,
            base_path: base_path(&file.base_path)?,
            common_name: pattern
                .map_err(|fault| ConfigError::new("commonName", fault.to_string(), &file.common_name))?,
            server: ServerFiles {
                certificate: folder.text("server.certificate", &file.server.certificate)?.to_string(),
                key: folder.text("server.key", &file.server.key)?,
                client_authority: folder
                    .text("server.clientAuthority", &file.server.client_authority)?
                    .to_string(),
            },
            sandbox_dates: false,
            server_authority: folder.server_authority(),
            own_key: OwnKey::read(&own_key).map_err(|fault| {
                ConfigError::new("server.jweKey", "a private JWK of P-256", fault.to_string())
            })?,
            outbound,
            policy: Policy {
                skew_seconds: file.assertion.skew_seconds,
                refuse_replayed_jti: file.assertion.refuse_replayed_jti,
            },
            schedule: schedule("notifications", &file.notifications, SCHEDULE)?,
            gateways: gateways(&folder, file.gateways)?,
        })
    }
}

/// A fault with its place, but without the text that is there: it can be a secret.
fn without_values(fault: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error::{SerdeInvalidType, SerdeInvalidValue};
    let fault = fault.without_snippet();
    match (fault, fault.location()) {
        (SerdeInvalidType { expected, .. } | SerdeInvalidValue { expected, .. }, Some(at)) => {
            format!("line {} column {}: expected {expected}, found another value", at.line(), at.column())
        }
        _ => fault.to_string(),
    }
}

struct Folder(PathBuf);

impl Folder {
    fn text(&self, key: &str, path: &str) -> Result<Zeroizing<String>, ConfigError> {
        text_of(key, &self.0.join(path))
    }

    /// The authority of a sandbox folder as `init` makes it. A folder without it is as good, but for faults of
    /// certificates.
    fn server_authority(&self) -> Option<(String, Zeroizing<String>)> {
        let text = |name: &str| self.text(name, name).ok();
        Some((text("ca/server-ca.pem")?.to_string(), text("ca/server-ca.key")?))
    }

    fn public_key(&self, key: &str, path: &str, usage: Use) -> Result<PublicKey, ConfigError> {
        let text = self.text(key, path)?;
        PublicKey::read(&text, usage)
            .map_err(|fault| ConfigError::new(key, format!("a JWK of P-256 in {path}"), fault.to_string()))
    }
}

/// The text of a file that is not too long.
pub(crate) fn text_of(what: &str, path: &Path) -> Result<Zeroizing<String>, ConfigError> {
    let fault = |source| ConfigError::File { what: what.to_owned(), path: path.to_owned(), source };
    let length = fs::metadata(path).map_err(fault)?.len();
    if length > MOST {
        return Err(ConfigError::new(
            what,
            "a file of at most 1 MiB",
            format!("{length} bytes in {}", path.display()),
        ));
    }
    fs::read_to_string(path).map(Zeroizing::new).map_err(fault)
}

fn gateways(folder: &Folder, raw: Vec<raw::Gateway>) -> Result<Vec<GatewayConfig>, ConfigError> {
    let mut seen = HashSet::new();
    if raw.is_empty() {
        return Err(ConfigError::new("gateways", "at least one", "none"));
    }
    let one = |(at, raw): (usize, raw::Gateway)| {
        let key = |name: &str| format!("gateways[{at}].{name}");
        let id = GatewayId::parse(&raw.id).ok_or_else(|| {
            ConfigError::new(key("id"), "10 characters of A-Z, a-z, 0-9, _ and -", raw.id.clone())
        })?;
        if !seen.insert(id.clone()) {
            return Err(ConfigError::new(key("id"), "each gateway once", raw.id));
        }
        let name = key("assertionKeys");
        let keys = raw.assertion_keys.iter().map(|path| folder.public_key(&name, path, Use::Assertion));
        let assertion_keys: Vec<PublicKey> = keys.collect::<Result<_, _>>()?;
        if assertion_keys.is_empty() {
            return Err(ConfigError::new(name, "at least one", "none"));
        }
        let encryption_key = folder.public_key(&key("jweKey"), &raw.jwe_key, Use::Encryption)?;
        let receiver = raw.receiver.map(|raw| receiver(folder, &key("receiver"), raw)).transpose()?;
        Ok(GatewayConfig { id, assertion_keys, encryption_key, receiver })
    };
    raw.into_iter().enumerate().map(one).collect()
}

/// The public keys in a gateway's own folder.
pub(crate) fn gateway_keys(folder: &Path) -> Result<GatewayKeys, ConfigError> {
    let folder = Folder(folder.to_owned());
    Ok(GatewayKeys {
        assertion: vec![folder.public_key("assertionKeys", "assertion.jwk", Use::Assertion)?],
        encryption: folder.public_key("jweKey", "jwe.jwk", Use::Encryption)?,
    })
}

fn receiver(folder: &Folder, key: &str, raw: raw::Receiver) -> Result<ReceiverConfig, ConfigError> {
    let oauth = raw.oauth.map(|oauth| {
        let secret = folder.text(&format!("{key}.oauth.clientSecretFile"), &oauth.client_secret_file)?;
        Ok(OauthSettings {
            token_url: https_url(&format!("{key}.oauth.tokenUrl"), &oauth.token_url)?,
            client_id: oauth.client_id,
            client_secret: Zeroizing::new(secret.trim_end().to_owned()),
            scope: oauth.scope,
        })
    });
    let named = format!("{key}.authority");
    Ok(ReceiverConfig {
        url: https_url(&format!("{key}.url"), &raw.url)?,
        authority: authority(&named, &folder.text(&named, &raw.authority)?)?,
        oauth: oauth.transpose()?,
    })
}

pub(crate) fn https_url(key: &str, text: &str) -> Result<Url, ConfigError> {
    let expected = "an https URL without user name, password and query, e.g. https://127.0.0.1:8445";
    let fault = |found: &str| ConfigError::new(key, expected, found);
    let url = Url::parse(text).map_err(|_| fault("no URL"))?;
    let good = url.scheme() == "https" && url.query().is_none() && url.fragment().is_none();
    let bare = url.username().is_empty() && url.password().is_none();
    if good && bare {
        return Ok(url);
    }
    // The rest of it can hold a secret.
    let more = if bare { "" } else { " with a user name or a password" };
    Err(fault(&format!("{}://{}{more}", url.scheme(), url.host_str().unwrap_or_default())))
}

/// The authority of a receiver, which reqwest would look at no sooner than in the first handshake.
pub(crate) fn authority(key: &str, pem: &str) -> Result<String, ConfigError> {
    roots(pem, "receiver.authority").map_err(|fault| {
        let found = match fault {
            TlsError::Refused { reason, .. } => reason,
            _ => "none".to_owned(),
        };
        ConfigError::new(key, "a certificate in PEM form", found)
    })?;
    Ok(pem.to_owned())
}

fn clock<T: FromStr<Err = UnknownClock>>(key: &str, text: &str) -> Result<T, ConfigError> {
    text.parse().map_err(|UnknownClock(expected)| ConfigError::new(key, expected, text))
}

fn address(key: &str, text: &str) -> Result<SocketAddr, ConfigError> {
    text.parse().map_err(|_| ConfigError::new(key, "ADDRESS:PORT, e.g. 127.0.0.1:8443", text))
}

fn environment(text: &str) -> Result<&'static str, ConfigError> {
    ["PPR", "PRD"]
        .into_iter()
        .find(|known| *known == text)
        .ok_or_else(|| ConfigError::new("environment", "PPR (PreProd) or PRD (Production)", text))
}

fn base_path(text: &str) -> Result<String, ConfigError> {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.".contains(&byte);
    let form = text.is_empty() || (text.starts_with('/') && !text.ends_with('/') && !text.contains("//"));
    let free = !text.starts_with("/authz");
    (form && free && text.bytes().all(good)).then(|| text.to_owned()).ok_or_else(|| {
        ConfigError::new(
            "basePath",
            "empty, or a path like /ecom/v1 without a slash at its end, outside /authz",
            text,
        )
    })
}

fn positive(key: &str, number: usize) -> Result<usize, ConfigError> {
    let good = (1..=1_000_000).contains(&number);
    good.then_some(number).ok_or_else(|| ConfigError::new(key, "1 to 1000000", number.to_string()))
}

/// A retry schedule below `key`; what it leaves out is as `otherwise`.
pub(crate) fn schedule(
    key: &str,
    raw: &raw::Notifications,
    otherwise: Schedule,
) -> Result<Schedule, ConfigError> {
    let duration = |name: &str, text: Option<&String>, most: Duration, otherwise| match text {
        None => Ok(otherwise),
        Some(text) => {
            let expected = format!("a duration above zero like 500ms or 10s, at most {} s", most.as_secs());
            let found = parse_duration(text).filter(|length| *length > Duration::ZERO && *length <= most);
            found.ok_or_else(|| ConfigError::new(format!("{key}.{name}"), expected, text))
        }
    };
    let number = |name: &str, number: Option<u32>, otherwise| {
        let number = number.unwrap_or(otherwise);
        let good = (1..=1000).contains(&number);
        good.then_some(number)
            .ok_or_else(|| ConfigError::new(format!("{key}.{name}"), "1 to 1000", number.to_string()))
    };
    Ok(Schedule {
        first_delay: duration("firstDelay", raw.first_delay.as_ref(), LONGEST_DELAY, otherwise.first_delay)?,
        factor: number("factor", raw.factor, otherwise.factor)?,
        max_delay: duration("maxDelay", raw.max_delay.as_ref(), LONGEST_DELAY, otherwise.max_delay)?,
        attempts: number("attempts", raw.attempts, otherwise.attempts)?,
        timeout: duration("timeout", raw.timeout.as_ref(), LONGEST_ATTEMPT, otherwise.timeout)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{AuthClock, ClockMode};

    fn sandbox(change: impl Fn(&str) -> String) -> (tempfile::TempDir, Result<Config, ConfigError>) {
        let folder = tempfile::tempdir().expect("a folder");
        let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
        d1_fixtures::write_sandbox(folder.path(), &d1_fixtures::Plan::new(now), false).expect("written");
        let path = folder.path().join("sandbox.yaml");
        let text = change(&fs::read_to_string(&path).expect("text"));
        fs::write(&path, text).expect("written");
        let read = Config::read(&path);
        (folder, read)
    }

    #[test]
    fn a_refused_url_is_told_without_its_password_and_its_query() {
        for url in
            ["https://user:hunter2@host/", "http://host/?key=hunter2", "https://host/#hunter2", "hunter2"]
        {
            let text = https_url("receiver", url).expect_err(url).to_string();
            assert!(!text.contains("hunter2") && !text.contains("user:"), "{text}");
        }
        assert!(https_url("receiver", "https://127.0.0.1:8445/hook").is_ok());
    }

    #[test]
    fn a_fault_of_the_file_is_told_with_its_line_and_without_the_text_that_is_there() {
        for more in [
            "secretTypo: hunter2",
            "seed: hunter2",
            "assertion: hunter2",
            "limits: [hunter2]",
            "x: \"hunter2",
        ] {
            let (_folder, read) =
                sandbox(|text| format!("{}\n{more}\n", text.replace("\nseed:", "\n#seed:")));
            let text = read.err().expect(more).to_string();
            assert!(!text.contains("hunter2") && text.contains("line"), "{text}");
        }
    }

    #[test]
    fn the_clocks_are_read_and_one_that_is_none_is_told_by_its_key() {
        let with = |text: &str| {
            let file = |file: &str| file.replace("\nclock: real\n", &format!("\n{text}\n"));
            sandbox(|text| file(&text.replace("\nauthClock: system\n", "\n"))).1
        };
        let config = with("clock: 2026-04-22T10:00:00Z\nauthClock: sandbox").expect("good");
        let start = ClockMode::Manual { start_ms: 1_776_852_000_000 };
        assert_eq!((config.clock, config.auth_clock), (start, AuthClock::Sandbox));
        let config = with("").expect("good");
        assert_eq!((config.clock, config.auth_clock), (ClockMode::Real, AuthClock::System));
        for (text, named) in
            [("clock: fast", "`clock`"), ("authClock: real", "`authClock`: expected sandbox")]
        {
            let fault = with(text).err().expect(text).to_string();
            assert!(fault.contains(named), "{fault}");
        }
    }

    #[test]
    fn the_authority_of_a_receiver_is_read_before_anything_starts() {
        let (_folder, read) = sandbox(str::to_owned);
        let mut config = read.expect("a configuration");
        for bad in ["", "no PEM", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            let refused = config.set_receiver("https://127.0.0.1:8445", Some(bad.into()));
            let text = refused.expect_err("refused").to_string();
            assert!(text.contains("receiver") && !text.contains("found receiver"), "{text}");
        }
    }
}
