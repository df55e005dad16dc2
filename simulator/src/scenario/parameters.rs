//! Parameters: `${name}` in any scalar, and in the names of members.

use std::collections::{BTreeMap, BTreeSet};

use super::finding::{Findings, Place, nearest};
use super::node::{Key, Node, Value};

/// The longest text that a parameter makes of a scalar.
const MAX_TEXT: usize = 4096;

/// What `${...}` stands for, at one point of the reading.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    values: BTreeMap<String, Value>,
    used: BTreeSet<String>,
}

/// Whether a text can name a parameter: a small letter, then letters and digits.
pub(super) fn is_parameter(text: &str) -> bool {
    text.len() <= 64
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

impl Parameters {
    pub(super) fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(super) fn put(&mut self, name: &str, value: Value) {
        self.values.insert(name.to_owned(), value);
    }

    pub(super) fn take_away(&mut self, name: &str) {
        self.values.remove(name);
    }

    pub(super) fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    /// The parameters as text, for the reader.
    pub(super) fn shown(&self) -> Vec<(String, String)> {
        self.values.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
    }

    /// A value of `--set`, of the kind that the file's own value has; or what is wrong, as a sentence about the file.
    pub(super) fn set(&mut self, name: &str, text: &str) -> Result<(), String> {
        let Some(old) = self.values.get(name) else {
            let known: Vec<&str> = self.names().collect();
            if known.is_empty() {
                return Err(
                    "has no parameter at all; leave the option out, or declare one under `parameters`"
                        .to_owned(),
                );
            }
            let near = nearest(name, self.names());
            return Err(format!("has no such parameter; there are: {}{near}", known.join(", ")));
        };
        let (value, kind) = match old {
            Value::Whole(_) => (text.parse().ok().map(Value::Whole), "a whole number"),
            Value::Decimal(_) => {
                (text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Decimal), "a number")
            }
            Value::Truth(_) => (text.parse().ok().map(Value::Truth), "true or false"),
            _ => (Some(Value::Text(text.to_owned())), "text"),
        };
        let value = value.ok_or_else(|| format!("expects {kind}, as its own value is, found `{text}`"))?;
        self.put(name, value);
        Ok(())
    }

    /// A copy in which every `${name}` is what it stands for.
    pub(super) fn substitute(&mut self, node: &Node, findings: &mut Findings) -> Node {
        let value = match &node.value {
            Value::Text(text) if text.contains("${") => {
                let value = self.resolve(text, &node.place, findings);
                return Node { place: node.place.clone(), value, substituted: true };
            }
            Value::List(items) => {
                Value::List(items.iter().map(|item| self.substitute(item, findings)).collect())
            }
            Value::Members(members) => {
                let one = |(key, value): &(Key, Node)| {
                    let name = if key.name.contains("${") {
                        plain(&self.resolve(&key.name, &key.place, findings))
                    } else {
                        key.name.clone()
                    };
                    (Key { place: key.place.clone(), name }, self.substitute(value, findings))
                };
                Value::Members(members.iter().map(one).collect())
            }
            other => other.clone(),
        };
        Node { place: node.place.clone(), value, substituted: node.substituted }
    }

    fn resolve(&mut self, text: &str, place: &Place, findings: &mut Findings) -> Value {
        let (mut out, mut rest) = (String::new(), text);
        while let Some(start) = rest.find("${") {
            let Some(length) = rest[start..].find('}') else {
                findings.sense(place, "expected `}` after `${`, found none");
                return Value::Unknown;
            };
            let name = &rest[start + 2..start + length];
            let Some(value) = self.values.get(name) else {
                let known: Vec<&str> = self.names().collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let near = nearest(name, self.names());
                findings
                    .sense(place, format!("no parameter is called `{name}`; there are here: {known}{near}"));
                return Value::Unknown;
            };
            self.used.insert(name.to_owned());
            if start == 0 && length + 1 == text.len() {
                return value.clone();
            }
            out.push_str(&rest[..start]);
            out.push_str(&plain(value));
            rest = &rest[start + length + 1..];
            if out.len() > MAX_TEXT {
                findings.sense(
                    place,
                    format!("expected at most {MAX_TEXT} characters, the parameters make more of it"),
                );
                return Value::Unknown;
            }
        }
        out.push_str(rest);
        Value::Text(out)
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Whole(number) => number.to_string(),
        Value::Decimal(number) => number.to_string(),
        Value::Truth(truth) => truth.to_string(),
        Value::Nothing | Value::List(_) | Value::Members(_) | Value::Unknown => String::new(),
    }
}
