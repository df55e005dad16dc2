//! Where a receiver is.

use std::fmt;
use std::str::FromStr;

use super::wire::Address;

/// Where a receiver listens: `https://HOST[:PORT][/PREFIX]`.
#[derive(Debug, Clone)]
pub struct ReceiverUrl {
    pub(super) address: Address,
    pub(super) authority: String,
    pub(super) prefix: String,
}

/// A URL that no receiver can be called at.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected https://HOST[:PORT][/PREFIX], {0}")]
pub struct UrlError(&'static str);

/// As it is called, without a slash at its end.
impl fmt::Display for ReceiverUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}{}", self.authority, self.prefix)
    }
}

impl FromStr for ReceiverUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let rest = text
            .strip_prefix("https://")
            .ok_or(UrlError("and nothing but https: D1 delivers over mutual TLS alone (contract C26)"))?;
        if rest.contains(['?', '#', '@']) || rest.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(UrlError("without a query, a fragment, a user or blanks"));
        }
        let (authority, prefix) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Ok(Self {
            address: address(authority, 443).map_err(UrlError)?,
            authority: authority.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }
}

/// `HOST[:PORT]` taken apart; otherwise what it must have.
pub(crate) fn address(authority: &str, usual: u16) -> Result<Address, &'static str> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            let port = port.parse().ok().filter(|port| *port != 0);
            (host, port.ok_or("with a port from 1 to 65535")?)
        }
        _ => (authority, usual),
    };
    let whole = host.starts_with('[') == host.ends_with(']');
    if host.is_empty() || !whole || (host.contains(':') && !host.starts_with('[')) {
        return Err("with a host, an IPv6 address in brackets");
    }
    Ok(Address { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_or_refused_with_a_reason() {
        let url = |text: &str| text.parse::<ReceiverUrl>();
        let whole = url("https://gw.example:8445/d1/").expect("a URL");
        assert_eq!((whole.address.host.as_str(), whole.address.port), ("gw.example", 8445));
        assert_eq!((whole.authority.as_str(), whole.prefix.as_str()), ("gw.example:8445", "/d1"));
        assert_eq!(whole.to_string(), "https://gw.example:8445/d1");
        assert_eq!(url("https://gw.example").expect("a URL").address.port, 443);
        assert_eq!(url("https://[::1]:8445").expect("a URL").address.host, "[::1]");
        assert_eq!(url("https://[::1]").expect("a URL").address.port, 443);
        for bad in [
            "http://gw.example",
            "gw.example:8445",
            "https://",
            "https://:1",
            "https://gw.example:0",
            "https://gw.example:port",
            "https://::1",
            "https://me@gw.example",
            "https://gw.example/?x",
            "https://gw example/",
            "https://[::1",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
