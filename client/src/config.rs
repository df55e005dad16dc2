//! What a client needs to know. Required things stand in [`Config::new`]; the rest has defaults.

mod material;

use std::fmt;
use std::time::Duration;

pub(crate) use material::provider;
pub use material::{AssertionKey, TlsIdentity, TrustedRoots};

use crate::chance::Jitter;
use crate::clock::Clock;
use crate::jwk::{OwnKey, RecipientKey};
use crate::model::GatewayId;
use crate::operation::Endpoints;
use crate::retry::RetryPolicy;

/// A setting, a key or a certificate that cannot be used: what it is, what was expected, what to do.
///
/// Never holds key material.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    what: &'static str,
    problem: String,
}

impl ConfigError {
    pub(crate) fn new(what: &'static str, problem: impl Into<String>) -> Self {
        Self { what, problem: problem.into() }
    }

    /// Which setting is at fault.
    #[must_use]
    pub fn what(&self) -> &str {
        self.what
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.what, self.problem)
    }
}

impl std::error::Error for ConfigError {}

/// The keys and certificates of a merchant gateway.
#[derive(Debug)]
pub struct Credentials {
    /// The client certificate that Thales signed, and its key (\[D7\]).
    pub identity: TlsIdentity,
    /// The authorities that may sign D1's server certificate. No others are trusted.
    pub trust: TrustedRoots,
    /// The key that signs assertions (\[D8\]).
    pub assertion: AssertionKey,
    /// D1's public key, to which cards are sealed (\[D9\]).
    pub d1_key: RecipientKey,
    /// The gateway's own private key, toward which D1 seals (\[D9\]).
    pub own_key: OwnKey,
}

/// Which versions of TLS are spoken. D1 speaks both (\[D7\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsVersions {
    /// TLS 1.3, or 1.2 where the other side has nothing newer.
    #[default]
    Tls12AndTls13,
    /// TLS 1.2 alone.
    Tls12Only,
    /// TLS 1.3 alone.
    Tls13Only,
}

/// The settings of a [`Client`](crate::Client).
#[derive(Debug)]
pub struct Config {
    pub(crate) base_url: String,
    pub(crate) gateway: GatewayId,
    pub(crate) credentials: Credentials,
    pub(crate) ecom_prefix: String,
    pub(crate) oauth_prefix: String,
    pub(crate) connect_timeout: Duration,
    pub(crate) attempt_timeout: Duration,
    pub(crate) overall_timeout: Duration,
    pub(crate) retry: RetryPolicy,
    pub(crate) response_limit_bytes: usize,
    pub(crate) refresh_ahead: Duration,
    pub(crate) token_margin: Duration,
    pub(crate) tls_versions: TlsVersions,
    pub(crate) http1_only: bool,
    pub(crate) clock: Clock,
    pub(crate) jitter: Jitter,
    #[cfg(test)]
    pub(crate) plain_http: bool,
}

impl Config {
    /// The settings that have no default.
    ///
    /// `base_url` is scheme and host of D1, without a path: `https://api.d1-stg.thalescloud.io` for PreProd,
    /// `https://api.d1.thalescloud.io` for Production (\[D2\]), `https://127.0.0.1:8443` for the sandbox.
    #[must_use]
    pub fn new(base_url: impl Into<String>, gateway: GatewayId, credentials: Credentials) -> Self {
        Self {
            base_url: base_url.into(),
            gateway,
            credentials,
            ecom_prefix: "/ecom/v1".to_owned(),
            oauth_prefix: "/authz/v1".to_owned(),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(15),
            overall_timeout: Duration::from_secs(45),
            retry: RetryPolicy::default(),
            response_limit_bytes: 64 * 1024,
            refresh_ahead: Duration::from_secs(60),
            token_margin: Duration::from_secs(10),
            tls_versions: TlsVersions::default(),
            http1_only: false,
            clock: Clock::system(),
            jitter: Jitter::default(),
            #[cfg(test)]
            plain_http: false,
        }
    }

    /// The path below which the eCom operations live. Default `/ecom/v1` (contract C1: a choice, to be checked against
    /// the vendor's own specification).
    #[must_use]
    pub fn ecom_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.ecom_prefix = prefix.into();
        self
    }

    /// The path below which the token endpoint lives. Default `/authz/v1` (\[D2\]).
    #[must_use]
    pub fn oauth_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.oauth_prefix = prefix.into();
        self
    }

    /// The time for a TCP connection and its TLS handshake. Default 5 s; must be shorter than the attempt's.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// The time for one attempt, from connecting to the last byte of the answer. Default 15 s.
    #[must_use]
    pub fn attempt_timeout(mut self, timeout: Duration) -> Self {
        self.attempt_timeout = timeout;
        self
    }

    /// The time for a call with all its attempts, pauses, and access tokens that it has to fetch on the way. Default 45 s.
    /// A call that begins without an access token has this time for the token and this time for itself. A creation is
    /// not repeated unless the rest is enough for a whole attempt.
    #[must_use]
    pub fn overall_timeout(mut self, timeout: Duration) -> Self {
        self.overall_timeout = timeout;
        self
    }

    /// How often and how fast the client repeats by itself.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.retry = policy;
        self
    }

    /// The largest answer that is read, in bytes. Default 64 KiB.
    #[must_use]
    pub fn response_limit_bytes(mut self, limit: usize) -> Self {
        self.response_limit_bytes = limit;
        self
    }

    /// How long before its end an access token is refreshed. Default 60 s. While one call refreshes, others go on with
    /// the old token, as long as it is outside [`Config::token_margin`].
    #[must_use]
    pub fn refresh_ahead(mut self, ahead: Duration) -> Self {
        self.refresh_ahead = ahead;
        self
    }

    /// How close to its end an access token is never sent. Default 10 s; for a token that lives shorter than four
    /// times this, a quarter of its life.
    #[must_use]
    pub fn token_margin(mut self, margin: Duration) -> Self {
        self.token_margin = margin;
        self
    }

    /// Which versions of TLS are spoken. Default both.
    #[must_use]
    pub fn tls_versions(mut self, versions: TlsVersions) -> Self {
        self.tls_versions = versions;
        self
    }

    /// Speaks HTTP/1.1 alone, where the default prefers HTTP/2.
    #[must_use]
    pub fn http1_only(mut self, only: bool) -> Self {
        self.http1_only = only;
        self
    }

    /// The clock that the client goes by. Default the system's.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Takes the chance out of the pauses between attempts: each is `0.5 + fraction / 2` of its step, for a `fraction` of
    /// 0.0 to 1.0. For tests; clients that share a fixed fraction all come back at the same moment.
    #[must_use]
    pub fn fixed_jitter(mut self, fraction: f64) -> Self {
        self.jitter = Jitter::Fixed(fraction);
        self
    }

    pub(crate) fn endpoints(&self) -> Result<Endpoints, ConfigError> {
        let host = self.host()?;
        Ok(Endpoints {
            oauth: format!("{host}{}", prefix("oauth_prefix", &self.oauth_prefix)?),
            ecom: format!("{host}{}", prefix("ecom_prefix", &self.ecom_prefix)?),
        })
    }

    fn host(&self) -> Result<&str, ConfigError> {
        let text = self.base_url.strip_suffix('/').unwrap_or(&self.base_url);
        let uri: http::Uri = text
            .parse()
            .map_err(|_| ConfigError::new("base_url", "expected a URL such as https://HOST:PORT"))?;
        if uri.scheme_str() != Some("https") && !self.allows_plain_http() {
            return Err(ConfigError::new(
                "base_url",
                "expected https: D1 is spoken to over mutual TLS alone",
            ));
        }
        let authority = uri.authority().map(http::uri::Authority::as_str);
        if authority.is_none_or(|authority| authority.contains('@')) {
            return Err(ConfigError::new("base_url", "expected a host, without user and password"));
        }
        if uri.path() != "/" || uri.query().is_some() || text.ends_with('/') || text.contains('#') {
            return Err(ConfigError::new(
                "base_url",
                "expected no path: paths are set with ecom_prefix and oauth_prefix",
            ));
        }
        Ok(text)
    }

    #[cfg(test)]
    fn allows_plain_http(&self) -> bool {
        self.plain_http
    }

    #[cfg(not(test))]
    #[allow(clippy::unused_self)] // The twin for tests looks at a field that does not exist here.
    fn allows_plain_http(&self) -> bool {
        false
    }

    /// Checks what the types cannot say.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        let checks = [
            ("connect_timeout", self.connect_timeout.is_zero(), "expected more than zero"),
            (
                "connect_timeout",
                self.connect_timeout >= self.attempt_timeout,
                "expected less than attempt_timeout, so that a failure to connect is told from a lost answer",
            ),
            (
                "overall_timeout",
                self.overall_timeout < self.attempt_timeout,
                "expected at least attempt_timeout",
            ),
            ("retry", self.retry.max_attempts == 0, "expected max_attempts of 1 or more"),
            ("response_limit_bytes", self.response_limit_bytes == 0, "expected more than zero"),
            ("refresh_ahead", self.refresh_ahead < self.token_margin, "expected at least token_margin"),
        ];
        for (what, broken, expected) in checks {
            if broken {
                return Err(ConfigError::new(what, expected));
            }
        }
        Ok(())
    }
}

fn prefix<'a>(what: &'static str, text: &'a str) -> Result<&'a str, ConfigError> {
    let fault = || {
        ConfigError::new(
            what,
            "expected an absolute path without a trailing slash, such as /ecom/v1, out of A-Z a-z 0-9 / - _ .",
        )
    };
    let path = text.strip_suffix('/').unwrap_or(text);
    let known = |b: u8| b.is_ascii_alphanumeric() || b"/-_.".contains(&b);
    let segments_named = path.split('/').skip(1).all(|segment| !matches!(segment, "" | "." | ".."));
    if path.is_empty() || (path.starts_with('/') && path.bytes().all(known) && segments_named) {
        return Ok(path);
    }
    Err(fault())
}

#[cfg(test)]
mod tests;
