//! What may be shown of the headers of a request.

use std::borrow::Cow;

use http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::redact::{self, REDACTED};

/// Headers whose values may be shown. All others are only named.
const SHOWN: [&str; 8] = [
    "accept",
    "accept-encoding",
    "content-encoding",
    "content-length",
    "content-type",
    "expect",
    "transfer-encoding",
    "user-agent",
];
/// The kinds of credentials that are told, without the credentials.
const SCHEMES: [&str; 5] = ["Bearer", "Basic", "DPoP", "Digest", "Negotiate"];
/// So many different headers are told of; a request of the contract has five.
const MOST: usize = 32;

/// The headers of a request, as far as they may be shown: few are, all are named. The correlation id stands among the
/// members of every entry.
#[derive(Debug, Default)]
pub(crate) struct Headers(Vec<(HeaderName, Value)>);

/// No value is held that may not be shown.
#[derive(Debug)]
enum Value {
    Shown(HeaderValue),
    /// The same header more than once.
    Several(String),
    Scheme(&'static str),
    Hidden,
}

impl Headers {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let one = |name: &HeaderName| {
            let value = if SHOWN.contains(&name.as_str()) {
                shown(headers, name)
            } else if *name == AUTHORIZATION {
                scheme(headers)
            } else {
                Value::Hidden
            };
            (name.clone(), value)
        };
        Self(headers.keys().take(MOST).map(one).collect())
    }

    /// The headers whose values are shown.
    pub(crate) const fn shown() -> [&'static str; 8] {
        SHOWN
    }

    /// What is shown of `authorization`.
    pub(crate) const fn schemes() -> [&'static str; 5] {
        SCHEMES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn shown(headers: &HeaderMap, name: &HeaderName) -> Value {
    let mut all = headers.get_all(name).iter();
    match (all.next(), all.next()) {
        (Some(only), None) => Value::Shown(only.clone()),
        _ => Value::Several(
            headers
                .get_all(name)
                .iter()
                .map(|value| value.to_str().unwrap_or(REDACTED))
                .collect::<Vec<_>>()
                .join(", "),
        ),
    }
}

fn scheme(headers: &HeaderMap) -> Value {
    let mut all = headers.get_all(AUTHORIZATION).iter();
    let (Some(only), None) = (all.next(), all.next()) else { return Value::Hidden };
    let word = only.to_str().ok().and_then(|value| value.split_once(' ')).map_or("", |(word, _)| word);
    let known = SCHEMES.into_iter().find(|known| known.eq_ignore_ascii_case(word));
    known.map_or(Value::Hidden, Value::Scheme)
}

impl Serialize for Headers {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            // A name is a text that the caller has chosen, too.
            map.serialize_key(&redact::text(name.as_str()))?;
            map.serialize_value(&*match value {
                Value::Shown(value) => value.to_str().map_or(Cow::Borrowed(REDACTED), redact::text),
                Value::Several(values) => redact::text(values),
                Value::Scheme(scheme) => Cow::Borrowed(*scheme),
                Value::Hidden => Cow::Borrowed(REDACTED),
            })?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        serde_json::to_string(&Headers::of(&map)).expect("JSON")
    }

    #[test]
    fn harmless_values_are_shown_and_all_others_only_named() {
        assert_eq!(
            told(&[
                ("Content-Type", "application/json"),
                ("content-length", "17"),
                ("user-agent", "shop/x 4000000000000002"),
                ("authorization", "Bearer abcdefghijkl"),
                ("cookie", "session=open-sesame"),
                ("x-card-4000000000000002", "x"),
            ]),
            r#"{"content-type":"application/json","content-length":"17","user-agent":"shop/x …0002","authorization":"Bearer","cookie":"[redacted]","x-card-…0002":"[redacted]"}"#
        );
    }

    #[test]
    fn of_credentials_only_a_known_kind_is_told() {
        for (value, wanted) in [
            ("bearer abc", "Bearer"),
            ("BASIC abc", "Basic"),
            ("Bearer", "[redacted]"),
            ("open-sesame", "[redacted]"),
            ("sesame open", "[redacted]"),
            ("Bearer\u{e9} x", "[redacted]"),
            ("", "[redacted]"),
        ] {
            assert_eq!(
                told(&[("authorization", value)]),
                format!(r#"{{"authorization":"{wanted}"}}"#),
                "{value}"
            );
        }
        let two = told(&[("authorization", "Bearer a"), ("authorization", "Bearer b")]);
        assert_eq!(two, r#"{"authorization":"[redacted]"}"#);
        assert_eq!(told(&[("proxy-authorization", "Basic a")]), r#"{"proxy-authorization":"[redacted]"}"#);
    }

    #[test]
    fn a_header_that_comes_twice_is_told_once_and_many_are_not_told_of() {
        assert_eq!(told(&[("accept", "a/b"), ("accept", "c/d\u{e9}")]), r#"{"accept":"a/b, [redacted]"}"#);
        assert_eq!(told(&[("accept", "\u{e9}")]), r#"{"accept":"[redacted]"}"#);
        let names: Vec<String> = (0..100).map(|n| format!("x-{n}")).collect();
        let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "y")).collect();
        assert_eq!(told(&many).matches("[redacted]").count(), MOST);
    }
}
