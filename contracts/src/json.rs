//! Strict reading of JSON: UTF-8 without BOM, no duplicate member, bounded depth, nothing after the value.

use std::fmt;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::fault::{Fault, place_at, pointer_step};

/// The deepest nesting that is read (contract C15).
const MAX_DEPTH: usize = 64;

/// Reads one JSON value, or says why it is none. `place` names the message part for the fault.
pub(crate) fn read(bytes: &[u8], place: &str) -> Result<Value, Fault> {
    if bytes.is_empty() {
        return Err(Fault::new(place, "a JSON value", "nothing"));
    }
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Fault::new(place, "UTF-8 text", "bytes that are not UTF-8"))?;
    if text.starts_with('\u{feff}') {
        return Err(Fault::new(place, "JSON without a BOM", "a BOM"));
    }
    let mut notes = Notes::default();
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let seed = Node { pointer: String::new(), depth: 0, notes: &mut notes };
    let value = seed.deserialize(&mut deserializer).and_then(|value| {
        deserializer.end()?;
        Ok(value)
    });
    if notes.too_deep {
        return Err(Fault::new(place, format!("at most {MAX_DEPTH} levels"), "deeper nesting"));
    }
    let value = value.map_err(|error| {
        Fault::new(
            place,
            "one JSON value",
            format!("broken JSON at line {}, column {}", error.line(), error.column()),
        )
    })?;
    match notes.duplicate {
        Some(pointer) => {
            Err(Fault::new(place_at(place, &pointer), "each member once", "the member more than once"))
        }
        None => Ok(value),
    }
}

#[derive(Default)]
struct Notes {
    duplicate: Option<String>,
    too_deep: bool,
}

struct Node<'n> {
    pointer: String,
    depth: usize,
    notes: &'n mut Notes,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Node<'_> {
    fn check_depth<E: serde::de::Error>(&mut self) -> Result<(), E> {
        if self.depth >= MAX_DEPTH {
            self.notes.too_deep = true;
            return Err(E::custom("too deep"));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a finite number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut sequence: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut items = Vec::new();
        loop {
            let seed = Node {
                pointer: format!("{}/{}", self.pointer, items.len()),
                depth: self.depth + 1,
                notes: &mut *self.notes,
            };
            match sequence.next_element_seed(seed)? {
                Some(item) => items.push(item),
                None => return Ok(Value::Array(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut access: A) -> Result<Value, A::Error> {
        self.check_depth()?;
        let mut members = Map::new();
        while let Some(name) = access.next_key::<String>()? {
            let pointer = pointer_step(&self.pointer, &name);
            let value = access.next_value_seed(Node {
                pointer: pointer.clone(),
                depth: self.depth + 1,
                notes: &mut *self.notes,
            })?;
            if members.insert(name, value).is_some() {
                self.notes.duplicate.get_or_insert(pointer);
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &[u8]) -> String {
        read(text, "body").map_or_else(|fault| fault.found, |value| value.to_string())
    }

    #[test]
    fn good_json_is_read_as_it_is() {
        assert_eq!(found(br#" {"a":[1,-2,2.5,true,null,"x"]} "#), r#"{"a":[1,-2,2.5,true,null,"x"]}"#);
    }

    #[test]
    fn each_kind_of_bad_json_is_told_apart() {
        assert_eq!(found(b""), "nothing");
        assert_eq!(found(b"\xff"), "bytes that are not UTF-8");
        assert_eq!(found(b"\xef\xbb\xbf{}"), "a BOM");
        assert_eq!(found(b"{}x"), "broken JSON at line 1, column 3");
        assert_eq!(found(br#"{"a":{"b":1,"b":2}}"#), "the member more than once");
        assert_eq!(found("[".repeat(200).as_bytes()), "deeper nesting");
    }

    #[test]
    fn sixty_four_levels_are_read_and_one_more_is_not() {
        let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(nested(64).as_bytes(), "body").is_ok());
        assert!(read(nested(65).as_bytes(), "body").is_err());
    }

    #[test]
    fn a_duplicate_is_named_by_its_pointer_and_never_by_its_value() {
        let fault = read(br#"{"a":{"pan":"1","pan":"2"}}"#, "body").expect_err("duplicate");
        assert_eq!(fault.at, "body /a/pan");
    }
}
