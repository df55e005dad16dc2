//! What a judge found wrong, told without any value of a message.

use std::fmt;

/// One difference between a message and the contract.
///
/// A fault never holds a value of the message: a card number or a cryptogram can stand in any member by mistake.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fault {
    /// Where: for example `request body /merchantName` or `answer header retry-after`.
    pub at: String,
    /// What the contract wants there.
    pub expected: String,
    /// What was there instead: a type, a length, or the name of a member.
    pub found: String,
}

impl Fault {
    pub(crate) fn new(at: impl Into<String>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { at: at.into(), expected: expected.into(), found: found.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, found {}", self.at, self.expected, self.found)
    }
}

/// Appends one step to a JSON pointer, escaped as RFC 6901 asks.
pub(crate) fn pointer_step(pointer: &str, step: &str) -> String {
    format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"))
}

/// The name of a member or header, unless it looks like data that strayed into the place of a name.
pub(crate) fn shown_name(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '$'));
    let digits = name.chars().filter(char::is_ascii_digit).count();
    if plain && !name.is_empty() && name.len() <= 64 && digits < 6 {
        format!("`{name}`")
    } else {
        format!("(a name of {} characters)", name.chars().count())
    }
}

/// Joins a place and a JSON pointer, leaving the pointer out at the root.
pub(crate) fn place_at(place: &str, pointer: &str) -> String {
    if pointer.is_empty() {
        place.to_owned()
    } else {
        let steps: Vec<String> =
            pointer.split('/').map(|step| shown_name(step).trim_matches('`').to_owned()).collect();
        format!("{place} /{}", steps[1..].join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_looks_like_a_card_is_not_shown() {
        assert_eq!(shown_name("merchantName"), "`merchantName`");
        assert_eq!(shown_name("9999990000001012"), "(a name of 16 characters)");
        assert_eq!(place_at("request body", "/9999990000001012"), "request body /(a name of 16 characters)");
    }

    #[test]
    fn a_place_without_a_pointer_stands_alone() {
        assert_eq!(place_at("request body", ""), "request body");
        assert_eq!(place_at("request body", "/a/0"), "request body /a/0");
    }
}
