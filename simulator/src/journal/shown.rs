//! What may be shown of a body.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

use super::redact::{self, REDACTED};

/// Members whose values may be shown. All others are only named.
pub(crate) const SHOWN: &[&str] = &[
    "grant_type",
    "expires_in",
    "token_type",
    "scope",
    "merchantId",
    "merchantName",
    "creationTimestamp",
    "tokenId",
    "state",
    "source",
    "cardLastDigits",
    "cardExpiryDate",
    "tokenLastDigits",
    "tokenExpiryDate",
    "par",
    "transactionId",
    "transactionType",
    "eci",
    "cryptogramExpiryDate",
    "eventId",
    "eventType",
    "sequence",
    "lastUpdateTimestamp",
    "errorCode",
    "error",
];

/// Below this a number has fewer digits before its point than any card number.
const SHORT: f64 = 1e11;

/// What may be shown of a body: its members with the values that tell nothing secret. Read and
/// written in one go, since every request passes here.
#[derive(Debug)]
pub(super) struct Shown<'a>(pub(super) &'a [u8]);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serde_json::from_slice::<Members<'_>>(self.0) {
            Ok(Members(members)) => {
                let mut map = serializer.serialize_map(Some(members.len()))?;
                for (name, value) in &members {
                    map.serialize_key(&redact::text(name))?;
                    match value {
                        _ if !SHOWN.contains(&name.as_ref()) => map.serialize_value(REDACTED)?,
                        Value::Text(value) => map.serialize_value(&redact::text(value))?,
                        Value::Number(value) => match redact::text(&value.to_string()) {
                            Cow::Borrowed(_) => map.serialize_value(value)?,
                            Cow::Owned(masked) => map.serialize_value(&masked)?,
                        },
                        Value::Other => map.serialize_value(REDACTED)?,
                    }
                }
                map.end()
            }
            Err(_) => serializer.serialize_str("[not a JSON object]"),
        }
    }
}

/// JSON with each text and each long number in it redacted, names of members too.
#[derive(Debug)]
pub(super) struct Deep<'a>(pub(super) &'a serde_json::Value);

impl Serialize for Deep<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            serde_json::Value::String(text) => serializer.serialize_str(&redact::text(text)),
            serde_json::Value::Array(items) => serializer.collect_seq(items.iter().map(Deep)),
            serde_json::Value::Object(members) => {
                serializer.collect_map(members.iter().map(|(name, value)| (redact::text(name), Deep(value))))
            }
            // A card number is a whole one: the digits behind a point are none.
            serde_json::Value::Number(number)
                if number.as_f64().is_some_and(|number| number.fract() != 0.0 && number.abs() < SHORT) =>
            {
                number.serialize(serializer)
            }
            serde_json::Value::Number(number) => match redact::text(&number.to_string()) {
                Cow::Borrowed(_) => number.serialize(serializer),
                Cow::Owned(masked) => serializer.serialize_str(&masked),
            },
            other => other.serialize(serializer),
        }
    }
}

/// The members of an object in the order of the text.
struct Members<'a>(Vec<(Cow<'a, str>, Value<'a>)>);

/// A value as far as it can be shown.
enum Value<'a> {
    Text(Cow<'a, str>),
    Number(Number),
    Other,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(Name(name)) = map.next_key()? {
                    members.push((name, map.next_value()?));
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
                Ok(Value::Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
                Ok(Value::Number(number.into()))
            }

            fn visit_bool<E>(self, _: bool) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_i64<E>(self, _: i64) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_unit<E>(self) -> Result<Value<'de>, E> {
                Ok(Value::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value<'de>, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value<'de>, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Value::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_shows_only_members_that_are_known_to_be_harmless() {
        let shown = |body: &[u8]| serde_json::to_string(&Shown(body)).expect("JSON");
        assert_eq!(
            shown(br#"{"merchantName":"Shop \u0034000000000000002","encryptedData":"eyJ","pan":"x","sequence":7}"#),
            r#"{"merchantName":"Shop …0002","encryptedData":"[redacted]","pan":"[redacted]","sequence":7}"#
        );
        assert_eq!(
            shown(
                br#"{"scope":{"a":[1]},"state":[{}],"error":null,"eci":true,"par":-1,"4000000000000002":1}"#
            ),
            r#"{"scope":"[redacted]","state":"[redacted]","error":"[redacted]","eci":"[redacted]","par":"[redacted]","…0002":"[redacted]"}"#
        );
        assert_eq!(
            shown(br#"{"sequence":4000000000000002,"expires_in":900}"#),
            r#"{"sequence":"…0002","expires_in":900}"#
        );
        for other in [&b"\xff"[..], b"[]", b"{} {}", b"{"] {
            assert_eq!(shown(other), r#""[not a JSON object]""#);
        }
    }

    #[test]
    fn what_was_asked_for_is_redacted_however_deep_it_stands() {
        let asked = serde_json::json!({
            "answer": {"status": 503, "members": {"a4000000000000002": [4_000_000_000_000_002_u64, true, null, 0.5]}},
            "probability": [1.0 / 3.0, 4_000_000_000_000_002.0, 400_000_000_000_002.5],
            "name": format!("x {}", "y".repeat(100)),
        });
        let wanted = serde_json::json!({
            "answer": {"status": 503, "members": {"a…0002": ["…0002", true, null, 0.5]}},
            "probability": [1.0 / 3.0, "…0020", "…0025"],
            "name": "x [redacted]",
        });
        assert_eq!(serde_json::to_value(Deep(&asked)).expect("JSON"), wanted);
    }
}
