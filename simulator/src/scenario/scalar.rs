//! Values of members of messages, which only text, numbers, truth values and absence can be expected to be.

use super::finding::Findings;
use super::members::wrong;
use super::node::{Node, Value};

/// A value that a member of a message must have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Scalar {
    Text(String),
    Whole(i64),
    Truth(bool),
    /// The member must not be there.
    Absent,
}

impl Scalar {
    /// As it is written.
    pub(crate) fn told(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Whole(number) => number.to_string(),
            Self::Truth(truth) => truth.to_string(),
            Self::Absent => "absent".to_owned(),
        }
    }
}

/// The longest text that is expected of a member.
const MAX_TEXT: usize = 1024;

/// Members and what they must be; `null` means that the member must not be there.
pub(super) fn members(node: &Node, what: &str, findings: &mut Findings) -> Vec<(String, Scalar)> {
    let Value::Members(members) = &node.value else {
        wrong(node, &format!("{what}: an object of members and their values"), findings);
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, node) in members {
        let value = match &node.value {
            Value::Text(text) if text.chars().count() <= MAX_TEXT => Scalar::Text(text.clone()),
            Value::Whole(number) => Scalar::Whole(*number),
            Value::Truth(truth) => Scalar::Truth(*truth),
            Value::Nothing => Scalar::Absent,
            _ => {
                wrong(
                    node,
                    "short text, a whole number, true, false, or null for a member that must not be there",
                    findings,
                );
                continue;
            }
        };
        all.push((key.name.clone(), value));
    }
    all
}
