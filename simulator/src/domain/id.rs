//! Identifiers, each a type of its own.

use std::fmt;
use std::sync::Arc;

/// A merchant gateway, `^[A-Za-z0-9_-]{10}$`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GatewayId(Arc<str>);

/// A merchant, which is its Token Requestor ID: eleven digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct MerchantId(u64);

/// A token: a UUID in its lower-case text form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct TokenId(u128);

impl GatewayId {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
        (text.len() == 10 && text.bytes().all(good)).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl MerchantId {
    pub(crate) const fn from_number(number: u64) -> Self {
        Self(number)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_digit());
        digits.then(|| text.parse().ok().map(Self)).flatten()
    }
}

impl TokenId {
    pub(crate) const fn from_number(number: u128) -> Self {
        Self(number)
    }

    /// Reads the one form that this sandbox gives out; any other text names no token.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        let number = u128::from_str_radix(&hex, 16).ok().map(Self)?;
        (number.to_string() == text).then_some(number)
    }
}

/// A number as a UUID: 32 lower-case hexadecimal digits in five groups.
pub(crate) fn uuid_text(number: u128) -> String {
    let group = |shift: u32, bits: u32| (number >> shift) & ((1_u128 << bits) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        group(96, 32),
        group(80, 16),
        group(64, 16),
        group(48, 16),
        group(0, 48)
    )
}

impl fmt::Display for GatewayId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for MerchantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:011}", self.0)
    }
}

impl fmt::Display for TokenId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&uuid_text(self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_id_reads_back_what_it_writes_and_nothing_else() {
        let text = "01fb32ff-5ed0-497f-8835-6af0916f29c0";
        assert_eq!(TokenId::parse(text).map(|id| id.to_string()).as_deref(), Some(text));
        for other in ["", "01fb32ff5ed0497f88356af0916f29c0", &text.to_uppercase(), &text[1..], "é"] {
            assert_eq!(TokenId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn a_merchant_id_has_eleven_digits() {
        assert_eq!(MerchantId::parse("10610027312").map(|id| id.to_string()).as_deref(), Some("10610027312"));
        assert_eq!(MerchantId::parse("1061002731"), None);
        assert_eq!(MerchantId::parse("1061002731a"), None);
        assert_eq!(MerchantId::parse("+1061002731"), None);
    }

    #[test]
    fn a_gateway_id_has_ten_characters_of_its_alphabet() {
        assert!(GatewayId::parse("MGW_000001").is_some());
        for other in ["MGW_00001", "MGW_0000012", "MGW 000001", "MGW/000001"] {
            assert_eq!(GatewayId::parse(other), None, "{other}");
        }
    }
}
