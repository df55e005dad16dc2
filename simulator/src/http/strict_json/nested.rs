//! Closed objects inside a body, whose members are told with their path.

use serde_json::{Map, Value};

use super::DecodeError;

/// A closed object inside a body.
pub(crate) struct Nested<'a> {
    name: &'static str,
    members: &'a Map<String, Value>,
}

impl<'a> Nested<'a> {
    pub(crate) fn of(name: &'static str, value: &'a Value, known: &[&str]) -> Result<Self, DecodeError> {
        let members =
            value.as_object().ok_or_else(|| DecodeError::invalid(name, "an object", "something else"))?;
        match members.keys().find(|member| !known.contains(&member.as_str())) {
            None => Ok(Self { name, members }),
            Some(member) => {
                let member: String = member.chars().take(64).collect();
                let expected = format!("only {}", known.join(", "));
                Err(DecodeError::invalid(&format!("{name}.{member}"), &expected, "an unknown member"))
            }
        }
    }

    /// A text that is not empty, if it is there.
    pub(crate) fn text(&self, member: &str) -> Result<Option<String>, DecodeError> {
        match self.members.get(member) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() => Ok(Some(text.clone())),
            Some(other) => Err(self.fault(member, "a string that is not empty", other)),
        }
    }

    pub(crate) fn required(&self, member: &str) -> Result<String, DecodeError> {
        let text = self.text(member)?;
        text.ok_or_else(|| self.fault(member, "a string that is not empty", &Value::Null))
    }

    pub(crate) fn number(&self, member: &str) -> Result<Option<u32>, DecodeError> {
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok());
        let value = self.members.get(member);
        value.map(|value| number(value).ok_or_else(|| self.fault(member, "1 to 1000", value))).transpose()
    }

    pub(crate) fn member(&self, member: &str) -> Option<&'a Value> {
        self.members.get(member)
    }

    fn fault(&self, member: &str, expected: &str, found: &Value) -> DecodeError {
        let found = match found {
            Value::Null => "none",
            Value::String(text) if text.is_empty() => "an empty one",
            _ => "something else",
        };
        DecodeError::invalid(&format!("{}.{member}", self.name), expected, found)
    }
}
