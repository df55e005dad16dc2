//! Reading JSON that somebody else wrote: tolerant of what it holds, firm about what it is.
//!
//! Unknown members are ignored (contract section 9). A body that two readers could understand differently is refused:
//! a byte-order mark, bytes that are not UTF-8, a member given twice, nesting deeper than [`MAX_DEPTH`].

use std::collections::HashSet;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

/// The deepest nesting of objects and arrays that is read.
pub(crate) const MAX_DEPTH: usize = 64;

/// Why a text was not read. Never holds a value of the text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("the text begins with a byte-order mark, which JSON forbids")]
    ByteOrderMark,
    #[error("the text is not UTF-8")]
    NotUtf8,
    #[error("not acceptable JSON at line {line}, column {column}: {kind}")]
    Shape { line: usize, column: usize, kind: &'static str },
}

/// Reads one JSON value of type `T`, and nothing after it.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonFault> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(JsonFault::ByteOrderMark);
    }
    let text = std::str::from_utf8(bytes).map_err(|_| JsonFault::NotUtf8)?;
    let mut walker = serde_json::Deserializer::from_str(text);
    Walk { depth: 0 }
        .deserialize(&mut walker)
        .and_then(|()| walker.end())
        .map_err(|error| shape(&error, "it is not well formed, repeats a member, or is nested too deep"))?;
    serde_json::from_str(text).map_err(|error| {
        shape(&error, "a member that is needed is missing, or a member has an unexpected type")
    })
}

// serde's own texts may quote the offending value, which can be a secret: only the position is kept.
fn shape(error: &serde_json::Error, kind: &'static str) -> JsonFault {
    JsonFault::Shape { line: error.line(), column: error.column(), kind }
}

/// Visits a value for its shape alone and stores nothing but member names.
struct Walk {
    depth: usize,
}

impl Walk {
    fn deeper<E: serde::de::Error>(&self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom("nested too deep"));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Walk {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        loop {
            let inner = self.deeper()?;
            if items.next_element_seed(inner)?.is_none() {
                return Ok(());
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        let _within = self.deeper::<A::Error>()?;
        while let Some(name) = members.next_key::<String>()? {
            if !seen.insert(name) {
                return Err(A::Error::custom("a member is given twice"));
            }
            members.next_value_seed(self.deeper()?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        a: u8,
    }

    fn nested(levels: usize) -> String {
        format!("{{\"a\":1,\"b\":{}{}}}", "[".repeat(levels), "]".repeat(levels))
    }

    #[test]
    fn unknown_members_are_ignored() {
        assert_eq!(read::<Sample>(br#"{"a":1,"b":{"c":[null]}}"#), Ok(Sample { a: 1 }));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bytes in [
            &b"\xEF\xBB\xBF{\"a\":1}"[..],
            b"{\"a\":1,\"b\":\"\xff\"}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":1,\"b\":{\"c\":1,\"c\":1}}",
            b"{\"a\":1,\"b\":1,\"\\u0062\":1}",
            b"{\"a\":1} {}",
            b"{\"a\":1",
            b"",
        ] {
            assert!(read::<Sample>(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn nesting_has_a_limit() {
        assert!(read::<Sample>(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert!(read::<Sample>(nested(MAX_DEPTH).as_bytes()).is_err());
        assert!(read::<Sample>(nested(5_000).as_bytes()).is_err());
    }

    #[test]
    fn a_fault_never_quotes_the_text() {
        let fault = read::<Sample>(br#"{"a":"4111-secret"}"#).expect_err("a is no number");
        assert!(!format!("{fault} {fault:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
            let _result = read::<Sample>(&bytes);
        }
    }
}
