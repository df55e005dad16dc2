//! Renaming one member of one kind of message on its way.

use std::fmt;

use serde_json::Value;

use crate::jose;
use crate::judge::{Keys, Side, sealed_in};

/// A member of a message, to be renamed for whoever receives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rename {
    /// The operation.
    pub operation: String,
    /// In its answer, rather than in its request.
    pub answer: bool,
    /// In the plaintext of its JWE, rather than in its body.
    pub plaintext: bool,
    /// The name.
    pub member: String,
}

impl Rename {
    /// What it is called afterwards.
    #[must_use]
    pub fn new_name(&self) -> String {
        format!("{}Renamed", self.member)
    }

    /// The body with the member renamed; nothing if the member is not in it.
    pub(crate) fn apply(&self, side: Side, body: &[u8], keys: &Keys) -> Option<Vec<u8>> {
        if !self.plaintext {
            return self.renamed(body);
        }
        let jwe = sealed_in(body)?;
        let key = keys.of_message(side, self.answer);
        let plaintext = self.renamed(&jose::open(&jwe, key)?)?;
        let mut outer: Value = serde_json::from_slice(body).ok()?;
        outer["encryptedData"] = jose::seal(&plaintext, key).into();
        Some(outer.to_string().into_bytes())
    }

    /// Changes the bytes of the name alone: in JSON as we write it, or in a form.
    fn renamed(&self, text: &[u8]) -> Option<Vec<u8>> {
        let text = std::str::from_utf8(text).ok()?;
        let (old, new) = (&self.member, self.new_name());
        let changed = if text.starts_with('{') {
            text.replace(&format!("\"{old}\":"), &format!("\"{new}\":"))
        } else {
            let pairs = text.split('&').map(|pair| match pair.strip_prefix(old.as_str()) {
                Some(rest) if rest.starts_with('=') => format!("{new}{rest}"),
                _ => pair.to_owned(),
            });
            pairs.collect::<Vec<_>>().join("&")
        };
        (changed != text).then(|| changed.into_bytes())
    }
}

impl fmt::Display for Rename {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = if self.answer { "answer" } else { "request" };
        let place = if self.plaintext { "plaintext of the " } else { "" };
        write!(f, "{} in the {place}{message} of {}", self.member, self.operation)
    }
}
