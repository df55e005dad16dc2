//! From a leaf certificate to a gateway: CN, environment and key policy (C2, C3).

use std::fmt;
use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::oid_registry::{
    OID_EC_P256, OID_KEY_TYPE_EC_PUBLIC_KEY, OID_PKCS1_RSAENCRYPTION, OID_PKCS1_SHA256WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256,
};
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::auth::Gateways;
use crate::domain::GatewayId;
use crate::journal::Why;

/// Who is at the other end of a connection: a gateway that may come in, or the reason why not.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    /// The common name, for the journal.
    pub(crate) name: String,
    pub(crate) verdict: Result<GatewayId, Why>,
}

/// A pattern for common names: literal text and the groups `{key}`, `{gateway}`, `{env}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CommonName {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Key,
    Gateway,
    Environment,
}

/// What a common name says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Named<'a> {
    pub(crate) key: &'a str,
    pub(crate) gateway: &'a str,
    pub(crate) environment: &'a str,
}

/// A pattern that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a pattern with each of {{key}}, {{gateway}} and {{env}} once and no other braces, e.g. TLSMA-{{key}}/{{gateway}}/{{env}}"
)]
pub(crate) struct PatternError;

impl CommonName {
    pub(crate) fn parse(text: &str) -> Result<Self, PatternError> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let close = rest[open..].find('}').ok_or(PatternError)? + open;
            if open > 0 {
                parts.push(Part::Literal(rest[..open].into()));
            }
            parts.push(match &rest[open..=close] {
                "{key}" => Part::Key,
                "{gateway}" => Part::Gateway,
                "{env}" => Part::Environment,
                _ => return Err(PatternError),
            });
            rest = &rest[close + 1..];
        }
        if !rest.is_empty() {
            parts.push(Part::Literal(rest.into()));
        }
        let once = |part: Part| parts.iter().filter(|other| **other == part).count() == 1;
        let whole = once(Part::Key)
            && once(Part::Gateway)
            && once(Part::Environment)
            && !text.replace(['{', '}'], "").is_empty();
        whole.then(|| Self { text: text.into(), parts: parts.clone() }).ok_or(PatternError)
    }

    /// Reads a common name; nothing if it is not of the pattern.
    pub(crate) fn read<'a>(&self, name: &'a str) -> Option<Named<'a>> {
        let mut named = Named { key: "", gateway: "", environment: "" };
        let mut rest = name;
        for part in &self.parts {
            let length = match part {
                Part::Literal(text) => rest.starts_with(text.as_str()).then_some(text.len()),
                Part::Key => ["RSA", "ECDSA"].into_iter().find(|key| rest.starts_with(key)).map(str::len),
                Part::Gateway => rest.get(..10).filter(|id| GatewayId::parse(id).is_some()).map(str::len),
                Part::Environment => {
                    ["PPR", "PRD"].into_iter().find(|env| rest.starts_with(env)).map(str::len)
                }
            }?;
            let (found, after) = rest.split_at(length);
            rest = after;
            match part {
                Part::Literal(_) => {}
                Part::Key => named.key = found,
                Part::Gateway => named.gateway = found,
                Part::Environment => named.environment = found,
            }
        }
        rest.is_empty().then_some(named)
    }

    /// The common name that says this.
    pub(crate) fn write(&self, named: &Named<'_>) -> String {
        let part = |part: &Part| match part {
            Part::Literal(text) => text.clone(),
            Part::Key => named.key.to_owned(),
            Part::Gateway => named.gateway.to_owned(),
            Part::Environment => named.environment.to_owned(),
        };
        self.parts.iter().map(part).collect()
    }
}

impl fmt::Display for CommonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Everything that is needed to tell who a certificate belongs to.
#[derive(Debug)]
pub(crate) struct Identify {
    pub(crate) pattern: CommonName,
    pub(crate) environment: &'static str,
    pub(crate) gateways: Arc<Gateways>,
}

impl Identify {
    /// Judges a leaf certificate whose chain, dates and usage are good.
    pub(crate) fn peer(&self, leaf: &[u8]) -> Peer {
        match X509Certificate::from_der(leaf) {
            Ok((_, leaf)) => {
                let name = common_name(&leaf);
                let verdict = self.judge(&leaf, name);
                Peer { name: name.unwrap_or_default().to_owned(), verdict }
            }
            Err(_) => Peer { name: String::new(), verdict: Err(why("certificate", "X.509", "unreadable")) },
        }
    }

    /// The gateway and the kind of key that a common name names (C2).
    pub(crate) fn named<'a>(&self, name: &'a str) -> Result<(GatewayId, &'a str), Why> {
        let named = self
            .pattern
            .read(name)
            .ok_or_else(|| why("certificate CN", format!("of the form {}", self.pattern), name.to_owned()))?;
        if named.environment != self.environment {
            return Err(why("certificate environment", self.environment, named.environment.to_owned()));
        }
        let gateway = GatewayId::parse(named.gateway).filter(|id| self.gateways.knows(id));
        let gateway = gateway.ok_or_else(|| {
            why(
                "certificate gateway",
                "one that sandbox.yaml lists under `gateways`, or that POST /gateways made",
                named.gateway.to_owned(),
            )
        })?;
        Ok((gateway, named.key))
    }

    fn judge(&self, leaf: &X509Certificate<'_>, name: Option<&str>) -> Result<GatewayId, Why> {
        let name = name.ok_or_else(|| why("certificate CN", "exactly one", "none, or more than one"))?;
        let (gateway, named_key) = self.named(name)?;
        let key =
            key_kind(leaf).map_err(|actual| why("certificate key", "RSA 4096 or ECDSA P-256", actual))?;
        if key != named_key {
            return Err(why("certificate CN", format!("{key}, as the key is"), named_key.to_owned()));
        }
        let hash = &leaf.signature_algorithm.algorithm;
        if ![OID_SIG_ECDSA_WITH_SHA256, OID_PKCS1_SHA256WITHRSA].contains(hash) {
            return Err(why("certificate hash", "SHA-256", hash.to_id_string()));
        }
        Ok(gateway)
    }
}

/// The common name, if there is just one.
pub(super) fn common_name<'a>(leaf: &'a X509Certificate<'_>) -> Option<&'a str> {
    let mut names = leaf.subject().iter_common_name();
    let name = names.next()?.as_str().ok()?;
    names.next().is_none().then_some(name)
}

fn key_kind(leaf: &X509Certificate<'_>) -> Result<&'static str, String> {
    let spki = leaf.public_key();
    let algorithm = &spki.algorithm;
    if algorithm.algorithm == OID_KEY_TYPE_EC_PUBLIC_KEY {
        let curve = algorithm.parameters.as_ref().and_then(|parameters| parameters.as_oid().ok());
        return match curve {
            Some(curve) if curve == OID_EC_P256 => Ok("ECDSA"),
            _ => Err("an EC key on another curve".into()),
        };
    }
    match spki.parsed() {
        Ok(PublicKey::RSA(key)) if algorithm.algorithm == OID_PKCS1_RSAENCRYPTION => match key.key_size() {
            4096 => Ok("RSA"),
            bits => Err(format!("RSA {bits}")),
        },
        _ => Err("a key of another kind".into()),
    }
}

fn why(
    check: &'static str,
    expected: impl Into<std::borrow::Cow<'static, str>>,
    actual: impl Into<std::borrow::Cow<'static, str>>,
) -> Why {
    Why { check, expected: expected.into(), actual: actual.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pattern_reads_the_documented_prefix() {
        let pattern = CommonName::parse("TLSMA-{key}/{gateway}/{env}").expect("a pattern");
        let named = pattern.read("TLSMA-RSA/MGW_000001/PPR").expect("of the pattern");
        assert_eq!(named, Named { key: "RSA", gateway: "MGW_000001", environment: "PPR" });
        for other in [
            "TLSMA-RSA/MGW_000001/PPR ",
            "TLSMA-RSA/MGW_00001/PPR",
            "TLSMA-DSA/MGW_000001/PPR",
            "TLSMA-RSA/MGW_000001/DEV",
            "tlsma-RSA/MGW_000001/PPR",
            "TLSMA-RSA/MGW_0000é/PPR",
            "",
        ] {
            assert_eq!(pattern.read(other), None, "{other}");
        }
    }

    #[test]
    fn another_order_and_other_separators_can_be_configured() {
        let pattern = CommonName::parse("{env}.{gateway}-{key}").expect("a pattern");
        let name = "PRD.MGW_000001-ECDSA";
        let named = pattern.read(name).expect("of the pattern");
        assert_eq!((named.gateway, pattern.write(&named)), ("MGW_000001", name.to_owned()));
    }

    #[test]
    fn a_pattern_that_misses_a_group_or_has_an_unknown_one_is_refused() {
        for text in [
            "",
            "{key}/{gateway}",
            "{key}/{gateway}/{env}/{env}",
            "{key}/{gateway}/{env}/{x}",
            "{key}/{gateway}/{env",
        ] {
            assert!(CommonName::parse(text).is_err(), "{text}");
        }
    }
}
