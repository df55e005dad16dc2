//! Names of things.

use std::collections::BTreeMap;

use super::{tell, wrong};
use crate::scenario::finding::{Findings, Place};
use crate::scenario::node::{Key, Node, Value};

/// The longest name of a thing.
pub(in crate::scenario) const MAX_NAME: usize = 64;

/// Whether a text can be the name of a thing: `a-z`, `0-9`, `-`, beginning with a letter or digit.
pub(crate) fn is_name(text: &str) -> bool {
    let good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('-')
}

/// The name of a thing of the scenario.
pub(in crate::scenario) fn name(node: &Node, findings: &mut Findings) -> Option<Named> {
    match &node.value {
        Value::Text(text) if is_name(text) => {
            return Some(Named { name: text.clone(), place: node.place.clone() });
        }
        Value::Text(text) => {
            let letters = text.to_lowercase();
            let letters = letters.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
            let proposal: String = letters.take(MAX_NAME).collect();
            let proposal = proposal.trim_matches('-');
            let hint = if is_name(proposal) { format!("; `{proposal}` would do") } else { String::new() };
            let reason = format!(
                "expected a name of small letters, digits and hyphens, found {}{hint}",
                node.value.kind()
            );
            tell(node, reason, findings);
        }
        Value::Whole(_) => wrong(node, "a name in quotes", findings),
        _ => wrong(node, "a name", findings),
    }
    None
}

/// A name, where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) place: Place,
}
/// Things by their names.
pub(in crate::scenario) fn named<'n>(
    node: &'n Node,
    what: &'static str,
    findings: &mut Findings,
) -> BTreeMap<&'n str, (&'n Key, &'n Node)> {
    let Value::Members(members) = &node.value else {
        wrong(node, what, findings);
        return BTreeMap::new();
    };
    let mut all = BTreeMap::new();
    for (key, value) in members {
        if is_name(&key.name) {
            all.insert(key.name.as_str(), (key, value));
        } else {
            let reason =
                format!("{what}: expected a name of small letters, digits and hyphens, found `{}`", key.name);
            findings.form(&key.place, reason);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for (text, good) in [
            ("a", true),
            ("a-1", true),
            ("1", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a b", false),
        ] {
            assert_eq!(is_name(text), good, "{text}");
        }
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }
}
