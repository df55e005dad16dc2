//! From JSON to a form. What is wrong is named with its path and told without its value.

use std::borrow::Cow;

use serde_json::{Map, Value};
use serde_path_to_error::Segment;

use super::{FaultError, wrong};
use crate::faults::form::FaultForm;
use crate::journal::redacted;

/// The most of a member's name that is told.
const LONGEST_NAME: usize = 64;

/// The form that a body of `POST /faults` is.
pub(crate) fn form(body: &Map<String, Value>) -> Result<FaultForm, FaultError> {
    if let Some(path) = null_in("", body) {
        return Err(wrong(path, "a value, or leave it out, found null"));
    }
    let body = Value::Object(body.clone());
    serde_path_to_error::deserialize(&body).map_err(|fault| {
        let found = at(&body, fault.path());
        told(fault.path(), found, &fault.inner().to_string())
    })
}

/// The path of a member that is null. The members of an answer may be anything.
fn null_in(above: &str, members: &Map<String, Value>) -> Option<String> {
    members.iter().find_map(|(name, value)| {
        let path = if above.is_empty() { cut(name) } else { format!("{above}.{}", cut(name)) };
        match value {
            Value::Null => Some(path),
            Value::Object(inner) if path != "answer.members" => null_in(&path, inner),
            _ => None,
        }
    })
}

fn cut(name: &str) -> String {
    redacted(name).chars().take(LONGEST_NAME).collect()
}

fn at<'a>(body: &'a Value, path: &serde_path_to_error::Path) -> Option<&'a Value> {
    path.iter().try_fold(body, |value, segment| match segment {
        Segment::Map { key } => value.get(key),
        Segment::Seq { index } => value.get(index),
        // A variant is no level of its own where it is a word.
        Segment::Enum { variant } => value.get(variant).or(Some(value)),
        Segment::Unknown => Some(value),
    })
}

/// What serde says ends in what it expected; what stands before quotes what it found.
fn told(path: &serde_path_to_error::Path, found: Option<&Value>, said: &str) -> FaultError {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Map { key } => Some(cut(key)),
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Enum { .. } | Segment::Unknown => None,
    });
    let mut path = names.collect::<Vec<_>>().join(".");
    if let Some(missing) = said.strip_prefix("missing field `") {
        let dot = if path.is_empty() { "" } else { "." };
        let name = missing.trim_end_matches('`');
        return wrong(format!("{path}{dot}{name}"), "a value, found none");
    }
    if path.is_empty() {
        "body".clone_into(&mut path);
    }
    let expected = said.rsplit_once("expected ").map_or("another value", |(_, expected)| expected);
    if said.starts_with("unknown field") {
        return wrong(
            path,
            format!("only {}, found an unknown member", expected.trim_start_matches("one of ")),
        );
    }
    wrong(path, format!("{}, found {}", plain(expected), found.map_or("none", kind)))
}

/// The words of serde for what it expects, as people say them.
fn plain(expected: &str) -> Cow<'_, str> {
    match expected {
        "u16" | "u32" | "u64" => "a whole number from 0".into(),
        "f64" => "a number".into(),
        "a sequence" => "an array".into(),
        "a map" => "an object".into(),
        "string or map" => "a word, or an object with one member".into(),
        expected if expected.starts_with("struct ") => "an object".into(),
        expected => expected.into(),
    }
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "another number",
        Value::String(_) => "another text",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}
