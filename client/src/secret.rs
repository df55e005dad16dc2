//! Text that must never be printed: it is wiped on drop, compared in constant time and shown redacted.

use std::fmt;

use serde::{Deserialize, Deserializer};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Secret text. `Debug` prints a fixed mask; there is no `Display` and no `Serialize`.
#[derive(Clone)]
pub(crate) struct SecretText(Zeroizing<String>);

impl SecretText {
    pub(crate) fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// The last four characters, or nothing where four would be most of the text.
    pub(crate) fn last_four(&self) -> &str {
        let text = self.expose();
        if !text.is_ascii() || text.len() < 8 {
            return "";
        }
        text.get(text.len() - 4..).unwrap_or("")
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl PartialEq for SecretText {
    fn eq(&self, other: &Self) -> bool {
        self.expose().as_bytes().ct_eq(other.expose().as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl<'de> Deserialize<'de> for SecretText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The String is moved, not copied: what serde allocated is what is wiped.
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_the_text() {
        let secret = SecretText::new("9999990000000014".to_owned());
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(secret.last_four(), "0014");
    }

    #[test]
    fn a_short_text_has_no_last_four() {
        assert_eq!(SecretText::new("1234567".to_owned()).last_four(), "");
        assert_eq!(SecretText::new("éééééééé".to_owned()).last_four(), "");
    }
}
