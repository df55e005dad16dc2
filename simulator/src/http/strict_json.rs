//! Closed JSON objects: what C15 asks of a request body, whatever the type.

mod nested;

pub(crate) use nested::Nested;

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::journal::redacted;

/// Arrays and objects inside each other, at most.
const DEEPEST: usize = 64;
/// The most of a text that is shown, in characters.
const LONGEST_SHOWN: usize = 40;

/// The members of an object in the order of the text, twins included.
#[derive(Debug)]
pub(crate) struct Members(Vec<(String, Value)>);

/// What is wrong with a body. `member` is what `error` in the answer holds (C15, C33).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DecodeError {
    pub(crate) kind: DecodeKind,
    pub(crate) member: String,
    pub(crate) expected: String,
    pub(crate) actual: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DecodeKind {
    Missing,
    Invalid,
    TooLarge,
    MediaType,
}

/// A type that is read from a closed object.
pub(crate) trait Wire: Sized {
    /// Names of the members in schema order, and whether each is required.
    const MEMBERS: &'static [(&'static str, bool)];

    /// Reads the members in schema order; the first that is not as it must be is the fault.
    fn read(members: &Members) -> Result<Self, DecodeError>;
}

/// Reads a body: missing members first, then bad ones, both in schema order, then unknown ones.
pub(crate) fn decode<T: Wire>(body: &[u8]) -> Result<T, DecodeError> {
    let members = if body.is_empty() { Members(Vec::new()) } else { Members::parse(body)? };
    let missing = T::MEMBERS.iter().find(|(name, required)| *required && !members.has(name));
    if let Some((name, _)) = missing {
        return Err(DecodeError::new(DecodeKind::Missing, name, "a member of the body", "none"));
    }
    let value = T::read(&members)?;
    let known = |name: &str| T::MEMBERS.iter().any(|(known, _)| *known == name);
    match members.0.iter().find(|(name, _)| !known(name)) {
        Some((name, _)) => {
            let expected = T::MEMBERS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let name: String = name.chars().take(128).collect();
            Err(DecodeError::new(
                DecodeKind::Invalid,
                &name,
                &format!("only {expected}"),
                "an unknown member",
            ))
        }
        None => Ok(value),
    }
}

/// A body that is one object, for who reads its members by himself. Nothing stands for an object without members.
pub(crate) fn object(body: &[u8]) -> Result<Map<String, Value>, DecodeError> {
    let members = if body.is_empty() { Members(Vec::new()) } else { Members::parse(body)? };
    let mut object = Map::new();
    for (name, value) in members.0 {
        if object.insert(name.clone(), value).is_some() {
            let name: String = name.chars().take(128).collect();
            return Err(DecodeError::invalid(&name, "once", "twice"));
        }
    }
    Ok(object)
}

/// A text as an answer may show it that was found where it must not be: cut, and without what may be a card. Not for
/// members that hold secrets.
pub(crate) fn shown(text: &str) -> String {
    let whole = redacted(text);
    let mut shown: String = whole.chars().take(LONGEST_SHOWN).filter(|letter| !letter.is_control()).collect();
    if whole.chars().count() > LONGEST_SHOWN {
        shown.push('…');
    }
    format!("`{shown}`")
}

impl DecodeError {
    pub(crate) fn new(kind: DecodeKind, member: &str, expected: &str, actual: &str) -> Self {
        Self { kind, member: member.to_owned(), expected: expected.to_owned(), actual: actual.to_owned() }
    }

    /// A member that is there and not as it must be.
    pub(crate) fn invalid(member: &str, expected: &str, actual: &str) -> Self {
        Self::new(DecodeKind::Invalid, member, expected, actual)
    }

    fn body(expected: &str, actual: &str) -> Self {
        Self::invalid("body", expected, actual)
    }
}

impl Members {
    fn parse(body: &[u8]) -> Result<Self, DecodeError> {
        let text = std::str::from_utf8(body).map_err(|_| DecodeError::body("UTF-8", "other bytes"))?;
        if text.starts_with('\u{feff}') {
            return Err(DecodeError::body("JSON without a byte order mark", "a byte order mark"));
        }
        if depth(text) > DEEPEST {
            return Err(DecodeError::body("at most 64 levels", "a deeper nesting"));
        }
        serde_json::from_str(text).map_err(|fault| {
            let at = format!("a fault in line {}, column {}", fault.line(), fault.column());
            DecodeError::body("one JSON object", &at)
        })
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(other, _)| other == name)
    }

    /// The value of a member that comes at most once.
    fn once(&self, name: &str) -> Result<Option<&Value>, DecodeError> {
        let mut values = self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value);
        let first = values.next();
        match values.next() {
            None => Ok(first),
            Some(_) => Err(DecodeError::invalid(name, "once", "twice")),
        }
    }

    /// Whatever stands there, if the member is there.
    pub(crate) fn optional(&self, name: &str) -> Result<Option<&Value>, DecodeError> {
        self.once(name)
    }

    /// The text of a member, if it is there.
    pub(crate) fn optional_text(&self, name: &str) -> Result<Option<&str>, DecodeError> {
        let wrong = |actual| DecodeError::invalid(name, "a string", actual);
        match self.once(name)? {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(Value::Null) => Err(wrong("null")),
            Some(Value::Bool(_)) => Err(wrong("a boolean")),
            Some(Value::Number(_)) => Err(wrong("a number")),
            Some(Value::Array(_)) => Err(wrong("an array")),
            Some(Value::Object(_)) => Err(wrong("an object")),
        }
    }

    /// The text of a required member.
    pub(crate) fn text(&self, name: &str) -> Result<&str, DecodeError> {
        self.optional_text(name)?
            .ok_or_else(|| DecodeError::new(DecodeKind::Missing, name, "a string", "none"))
    }

    /// The text of a required member with a length in characters.
    pub(crate) fn text_of_length(&self, name: &str, least: usize, most: usize) -> Result<&str, DecodeError> {
        let text = self.text(name)?;
        let length = text.chars().count();
        let good = (least..=most).contains(&length);
        good.then_some(text).ok_or_else(|| {
            DecodeError::invalid(
                name,
                &format!("{least} to {most} characters"),
                &format!("{length} characters"),
            )
        })
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// The deepest nesting of arrays and objects, brackets inside strings left out.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug)]
    struct Pair;

    impl Wire for Pair {
        const MEMBERS: &'static [(&'static str, bool)] = &[("a", true), ("b", true), ("c", false)];

        fn read(members: &Members) -> Result<Self, DecodeError> {
            members.text_of_length("a", 1, 3)?;
            members.text("b")?;
            members.optional_text("c")?;
            Ok(Self)
        }
    }

    fn check(body: &str, wanted: Option<(DecodeKind, &str)>) {
        let fault = decode::<Pair>(body.as_bytes()).err().map(|fault| (fault.kind, fault.member));
        assert_eq!(fault, wanted.map(|(kind, member)| (kind, member.to_owned())), "{body}");
    }

    #[test]
    fn the_first_fault_is_named_missing_before_invalid_in_schema_order() {
        use DecodeKind::{Invalid, Missing};
        check(r#"{"a":"x","b":"y"}"#, None);
        check(r#" {"b":"y","c":"z","a":"x"} "#, None);
        check("", Some((Missing, "a")));
        check("{}", Some((Missing, "a")));
        check(r#"{"a":1}"#, Some((Missing, "b")));
        check(r#"{"b":1,"a":2}"#, Some((Invalid, "a")));
        check(r#"{"a":"x","b":null}"#, Some((Invalid, "b")));
        check(r#"{"a":"x","b":"y","c":[]}"#, Some((Invalid, "c")));
        check(r#"{"a":"x","b":"y","d":1}"#, Some((Invalid, "d")));
        check(r#"{"d":1,"a":"","b":"y"}"#, Some((Invalid, "a")));
        check(r#"{"a":"xxxx","b":"y"}"#, Some((Invalid, "a")));
        check(r#"{"a":"äöü","b":"y"}"#, None);
        check(r#"{"a":"x","a":"x","b":"y"}"#, Some((Invalid, "a")));
    }

    #[test]
    fn what_is_no_object_is_a_fault_of_the_body() {
        for body in
            ["[]", "1", "null", "\"a\"", "{", "{} x", "{}{}", "\u{feff}{}", "nonsense", r#"{"a":"\ud800"}"#]
        {
            check(body, Some((DecodeKind::Invalid, "body")));
        }
        let fault = decode::<Pair>(b"{\"a\":\"\xff\"}").expect_err("not UTF-8");
        assert_eq!(fault.member, "body");
    }

    #[test]
    fn nesting_is_bounded_and_brackets_in_strings_do_not_count() {
        let nested = |n: usize| format!(r#"{{"a":"x","b":"y","c":{}{}}}"#, "[".repeat(n), "]".repeat(n));
        check(&nested(200), Some((DecodeKind::Invalid, "body")));
        check(&nested(63), Some((DecodeKind::Invalid, "c")));
        assert_eq!(depth(r#"{"a":"[[[\"[["}"#), 1);
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered_without_a_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode::<Pair>(&body);
        }
    }
}
