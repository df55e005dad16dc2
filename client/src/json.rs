//! Reading JSON that somebody else wrote: tolerant of what it holds, firm about what it is.
//!
//! Unknown members are ignored (contract section 9), whatever legal JSON they hold: a number that fits no type of ours
//! (`1e400`), or half a surrogate pair (`"\\ud800"`), which RFC 8259 allows though it is no text. A body that two
//! readers could understand differently is refused: a byte-order mark, bytes that are not UTF-8, a member given twice
//! or whose name is no text, nesting deeper than [`MAX_DEPTH`].

use std::collections::HashSet;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny};
use serde_json::value::RawValue;

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
    let _well_formed: IgnoredAny =
        serde_json::from_str(text).map_err(|error| shape(&error, "it is not well formed"))?;
    unambiguous(text)?;
    serde_json::from_str(text).map_err(|error| {
        shape(&error, "a member that is needed is missing, or a member has an unexpected type")
    })
}

// serde's own texts may quote the offending value, which can be a secret: only the position is kept.
fn shape(error: &serde_json::Error, kind: &'static str) -> JsonFault {
    JsonFault::Shape { line: error.line(), column: error.column(), kind }
}

/// Checks names and nesting of a text that is well-formed JSON. Values are passed over unread.
fn unambiguous(text: &str) -> Result<(), JsonFault> {
    let bytes = text.as_bytes();
    // What is open at this point: the names seen in an object, or nothing for an array.
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let mut name_comes_next = false;
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let mut after = at + 1;
        match byte {
            b'{' | b'[' if open.len() == MAX_DEPTH => {
                return Err(fault_at(text, at, "it is nested too deep"));
            }
            b'{' => open.push(Some(HashSet::new())),
            b'[' => open.push(None),
            b'}' | b']' => drop(open.pop()),
            b'"' => {
                after = end_of_string(bytes, at);
                if name_comes_next && let Some(Some(seen)) = open.last_mut() {
                    let name = text.get(at..after).and_then(|name| serde_json::from_str(name).ok());
                    let name = name.ok_or_else(|| fault_at(text, at, "the name of a member is no text"))?;
                    if !seen.insert(name) {
                        return Err(fault_at(text, at, "a member is given twice"));
                    }
                }
            }
            _ => {}
        }
        name_comes_next = match byte {
            b'{' => true,
            b',' => matches!(open.last(), Some(Some(_))),
            // White space changes nothing.
            b' ' | b'\t' | b'\r' | b'\n' => name_comes_next,
            _ => false,
        };
        at = after;
    }
    Ok(())
}

/// The index after the closing quotation mark of the string that begins at `start`.
fn end_of_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        match bytes.get(at) {
            Some(b'\\') => at += 2,
            Some(b'"') | None => return at + 1,
            Some(_) => at += 1,
        }
    }
}

fn fault_at(text: &str, at: usize, kind: &'static str) -> JsonFault {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    JsonFault::Shape { line: before.matches('\n').count() + 1, column: at - line_start + 1, kind }
}

/// For a member that a reader can do without: one of another type is taken for absent (contract section 9), rather
/// than make the whole answer useless. Not for secrets, since it copies.
pub(crate) fn lenient<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    Ok(serde_json::from_str(raw.get()).unwrap_or(None))
}

/// For a member whose presence alone says something, `null` included.
pub(crate) fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

#[cfg(test)]
pub(crate) mod testing {
    //! JSON that somebody else might write.
    use proptest::prelude::*;

    /// Any value, some levels deep.
    pub(crate) fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            "\\PC{0,12}".prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::btree_map("[a-z]{1,6}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
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
    fn an_ignored_member_may_hold_any_legal_json() {
        for value in
            ["1e400", "-1E+999", "123456789012345678901234567890", r#""\ud800""#, r#"["\udfff\\",{"a":1}]"#]
        {
            assert_eq!(
                read::<Sample>(format!(r#"{{"b":{value},"a":1}}"#).as_bytes()),
                Ok(Sample { a: 1 }),
                "{value}"
            );
        }
        for illegal in ["01", "1e", "+1", ".5", "NaN", "'x'", r#""\x""#, "\"\n\"", "[1,]", "tru"] {
            assert!(read::<Sample>(format!(r#"{{"b":{illegal},"a":1}}"#).as_bytes()).is_err(), "{illegal}");
        }
    }

    #[test]
    fn a_member_of_another_type_is_absent_where_it_is_not_needed() {
        #[derive(Debug, Deserialize)]
        struct Lenient {
            #[serde(default, deserialize_with = "lenient")]
            text: Option<String>,
        }
        for (value, expected) in
            [("\"x\"", Some("x")), ("null", None), ("1e400", None), ("[\"x\"]", None), (r#""\ud800""#, None)]
        {
            let found: Lenient = read(format!("{{\"text\":{value}}}").as_bytes()).expect("read");
            assert_eq!(found.text.as_deref(), expected, "{value}");
        }
        assert_eq!(read::<Lenient>(b"{}").expect("read").text, None);
    }

    #[test]
    fn a_fault_names_its_place() {
        let fault = read::<Sample>(b"{\"a\":1,\n \"a\":2}").expect_err("given twice");
        assert_eq!(fault, JsonFault::Shape { line: 2, column: 2, kind: "a member is given twice" });
    }

    #[test]
    fn what_two_readers_could_read_differently_is_refused() {
        for bytes in [
            &b"\xEF\xBB\xBF{\"a\":1}"[..],
            b"{\"a\":1,\"b\":\"\xff\"}",
            b"{\"a\":1,\"a\":2}",
            b"{\"a\":1,\"b\":{\"c\":1,\"c\":1}}",
            b"{\"a\":1,\"b\":1,\"\\u0062\":1}",
            b"{\"a\":1,\"b\":1,\"c\":[{}], \n \"b\" : 1}",
            b"{\"a\":1,\"\\ud800\":1}",
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
