//! What may be shown of a text or a body.

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Number;

/// A text without a space in it and longer than this is nothing that a person reads.
const LONGEST_WORD: usize = 80;
/// A shown text is cut after so many characters.
const LONGEST_TEXT: usize = 256;

/// What stands in place of what is not shown.
const REDACTED: &str = "[redacted]";

/// Members whose values may be shown. All others are only named.
const SHOWN: &[&str] = &[
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

/// The text with card numbers cut to their last four digits, long words taken out, and an end.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let plain = text.len() <= LONGEST_WORD && !has_long_run(text);
    if plain { Cow::Borrowed(text) } else { Cow::Owned(masked(text)) }
}

fn has_long_run(text: &str) -> bool {
    let mut run = 0_u32;
    text.bytes().any(|byte| {
        run = match byte {
            b'0'..=b'9' => run + 1,
            b' ' if run > 0 => run,
            _ => 0,
        };
        run >= 12
    })
}

fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST_TEXT));
    let chars: Vec<char> = text.chars().take(LONGEST_TEXT).collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let run = digit_run(&chars[at..]);
        if run.digits.len() >= 12 && !ends_uuid(&chars, at, run.length) {
            mask_digits(&mut out, &chars[at..at + run.length], &run.digits);
            at += run.length;
        } else if run.length > 0 {
            out.extend(&chars[at..at + run.length]);
            at += run.length;
        } else {
            out.push(c);
            at += 1;
        }
    }
    if text.chars().nth(LONGEST_TEXT).is_some() {
        out.push('…');
    }
    let long = |word: &str| word.chars().count() > LONGEST_WORD && !word.contains('/');
    if out.split(' ').any(long) {
        let words = out.split(' ').map(|word| if long(word) { "[redacted]" } else { word });
        out = words.collect::<Vec<_>>().join(" ");
    }
    out
}

struct Run {
    /// Characters, the spaces between digits included.
    length: usize,
    digits: String,
}

fn digit_run(chars: &[char]) -> Run {
    let mut run = Run { length: 0, digits: String::new() };
    for (at, c) in chars.iter().enumerate() {
        match c {
            '0'..='9' => {
                run.digits.push(*c);
                run.length = at + 1;
            }
            ' ' if at > 0 && run.length == at => {}
            _ => break,
        }
    }
    run
}

/// Card numbers have a check digit; a number without one is an identifier or a time and stays.
fn mask_digits(out: &mut String, shown: &[char], digits: &str) {
    if digits.len() <= 19 && !d1_fixtures::luhn_valid(digits) {
        out.extend(shown);
    } else {
        out.push('…');
        out.push_str(&digits[digits.len() - 4..]);
    }
}

/// The last group of a UUID can be twelve digits.
fn ends_uuid(chars: &[char], at: usize, length: usize) -> bool {
    length == 12
        && at >= 24
        && chars[at - 24..at].iter().enumerate().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => *c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

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
                    map.serialize_key(&text(name))?;
                    match value {
                        _ if !SHOWN.contains(&name.as_ref()) => map.serialize_value(REDACTED)?,
                        Value::Text(value) => map.serialize_value(&text(value))?,
                        Value::Number(value) => map.serialize_value(value)?,
                        Value::Other => map.serialize_value(REDACTED)?,
                    }
                }
                map.end()
            }
            Err(_) => serializer.serialize_str("[not a JSON object]"),
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

    fn check(given: &str, wanted: &str) {
        assert_eq!(text(given), wanted);
    }

    #[test]
    fn card_numbers_are_cut_to_four_digits_wherever_they_stand() {
        check("pay with 4000000000000002 now", "pay with …0002 now");
        check("4000 0000 0000 0002", "…0002");
        check("/tokens/4000000000000002", "/tokens/…0002");
        check("00000000000000000000000000", "…0000");
    }

    #[test]
    fn identifiers_and_times_stay() {
        for kept in [
            "10610027312",
            "01fb32ff-5ed0-497f-8835-400000000002",
            "1776852000007",
            "MGW_000001",
            "plain words",
        ] {
            check(kept, kept);
        }
    }

    #[test]
    fn long_words_and_long_texts_are_cut() {
        check(&format!("a {}", "e".repeat(100)), "a [redacted]");
        let long = "word ".repeat(100);
        assert!(text(&long).chars().count() <= LONGEST_TEXT + 1);
    }

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
        for other in [&b"\xff"[..], b"[]", b"{} {}", b"{"] {
            assert_eq!(shown(other), r#""[not a JSON object]""#);
        }
    }
}
