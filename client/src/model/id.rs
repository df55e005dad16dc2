//! Identifiers. One type each, so that a merchant cannot be passed where a token is meant.

use std::fmt;
use std::str::FromStr;

/// A value that does not have the form it must have. Never holds the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {expected}")]
pub struct InvalidValue {
    what: &'static str,
    expected: &'static str,
}

impl InvalidValue {
    pub(crate) const fn new(what: &'static str, expected: &'static str) -> Self {
        Self { what, expected }
    }
}

fn in_alphabet(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// The longest identifier that is taken from D1. Its patterns are documented, but a client must not insist on them.
const LONGEST_RECEIVED: usize = 128;

/// What D1 sent and what was stored of it must fit a path, whatever its length.
fn from_d1(text: String, what: &'static str) -> Result<String, InvalidValue> {
    if in_alphabet(&text, LONGEST_RECEIVED) {
        return Ok(text);
    }
    Err(InvalidValue::new(what, "1 to 128 characters out of A-Z a-z 0-9 _ -"))
}

/// The identity that Thales gave to the merchant gateway: `^[A-Za-z0-9_-]{10}$` (\[D3\] \[D5\]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GatewayId(String);

impl GatewayId {
    /// Checks and wraps an identifier, for example `MGW_000001`.
    ///
    /// # Errors
    /// The text is not 10 characters out of `A-Z a-z 0-9 _ -`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if text.len() == 10 && in_alphabet(&text, 10) {
            return Ok(Self(text));
        }
        Err(InvalidValue::new("the merchant gateway id", "10 characters out of A-Z a-z 0-9 _ -"))
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A merchant, by its Token Requestor ID: `^[A-Za-z0-9_-]{11}$` (\[D5\]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MerchantId(String);

impl MerchantId {
    /// Checks and wraps an identifier, for example `10610027312`.
    ///
    /// # Errors
    /// The text is not 11 characters out of `A-Z a-z 0-9 _ -`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if text.len() == 11 && in_alphabet(&text, 11) {
            return Ok(Self(text));
        }
        Err(InvalidValue::new("the merchant id", "11 characters out of A-Z a-z 0-9 _ -"))
    }

    /// Wraps an identifier that D1 sent and that was read back from one's own storage. Its length is D1's affair (contract
    /// section 9), so that it may be longer or shorter than [`MerchantId::new`] admits.
    ///
    /// # Errors
    /// The text is not 1 to 128 characters out of `A-Z a-z 0-9 _ -`, so that it does not fit a path.
    pub fn from_stored(text: impl Into<String>) -> Result<Self, InvalidValue> {
        from_d1(text.into(), "the merchant id").map(Self)
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A token of one card at one merchant: `^[A-Za-z0-9_-]{1,48}$` (\[D5\]). An identifier, not a card number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenId(String);

impl TokenId {
    /// Checks and wraps an identifier, for example `01fb32ff-5ed0-497f-8835-6af0916f29c0`.
    ///
    /// # Errors
    /// The text is not 1 to 48 characters out of `A-Z a-z 0-9 _ -`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if in_alphabet(&text, 48) {
            return Ok(Self(text));
        }
        Err(InvalidValue::new("the token id", "1 to 48 characters out of A-Z a-z 0-9 _ -"))
    }

    /// Wraps an identifier that D1 sent and that was read back from one's own storage. Its length is D1's affair (contract
    /// section 9), so that it may be longer or shorter than [`TokenId::new`] admits.
    ///
    /// # Errors
    /// The text is not 1 to 128 characters out of `A-Z a-z 0-9 _ -`, so that it does not fit a path.
    pub fn from_stored(text: impl Into<String>) -> Result<Self, InvalidValue> {
        from_d1(text.into(), "the token id").map(Self)
    }

    /// The identifier as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The value of `x-correlation-id`: `^[A-Za-z0-9_-]{1,64}$` (\[D1\] \[D3\]).
///
/// One value may span the calls of one use case. D1 logs it in clear, so it must hold no personal data. It is for
/// troubleshooting alone: it is not an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CorrelationId(String);

impl CorrelationId {
    /// Checks and wraps a value.
    ///
    /// # Errors
    /// The text is not 1 to 64 characters out of `A-Z a-z 0-9 _ -`.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
        let text = text.into();
        if in_alphabet(&text, 64) {
            return Ok(Self(text));
        }
        Err(InvalidValue::new("the correlation id", "1 to 64 characters out of A-Z a-z 0-9 _ -"))
    }

    /// A fresh random value.
    #[must_use]
    pub fn random() -> Self {
        Self(crate::chance::identifier())
    }

    /// The value as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for GatewayId {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl FromStr for MerchantId {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl FromStr for TokenId {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

impl FromStr for CorrelationId {
    type Err = InvalidValue;
    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_have_their_documented_lengths_and_alphabet() {
        assert!(GatewayId::new("MGW_000001").is_ok());
        assert!(MerchantId::new("10610027312").is_ok());
        assert!(TokenId::new("01fb32ff-5ed0-497f-8835-6af0916f29c0").is_ok());
        for bad in ["", "MGW_00001", "MGW_0000001", "MGW/000001", "MGW_00000é"] {
            assert!(GatewayId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "1061002731", "106100273120", "1061002731."] {
            assert!(MerchantId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "..", "a/b", "a b", &"a".repeat(49)] {
            assert!(TokenId::new(bad).is_err(), "{bad}");
        }
        for bad in ["", "a.b", "a\r\nb", &"a".repeat(65)] {
            assert!(CorrelationId::new(bad).is_err(), "{bad}");
        }
        assert!(CorrelationId::new(CorrelationId::random().as_str()).is_ok());
    }

    #[test]
    fn a_received_identifier_may_have_another_length_but_must_fit_a_path() {
        for good in ["1", "40000000080-long", &"a".repeat(128)] {
            assert_eq!(MerchantId::from_stored(good).expect(good).as_str(), good);
            assert_eq!(TokenId::from_stored(good).expect(good).as_str(), good);
        }
        for bad in ["", "../x", "a b", &"a".repeat(129)] {
            assert!(MerchantId::from_stored(bad).is_err() && TokenId::from_stored(bad).is_err(), "{bad}");
        }
    }
}
