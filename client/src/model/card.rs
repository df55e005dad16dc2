//! Card data. Each type wipes its text on drop and shows the last four digits at most.

use std::fmt;

use serde::Deserialize;
use zeroize::Zeroizing;

use super::id::InvalidValue;
use crate::secret::SecretText;

/// The number of the card itself (FPAN): 12 to 19 digits, Luhn-valid (contract C29, length from \[D9\]).
///
/// `Debug` shows the last four digits.
#[derive(Clone, PartialEq, Eq)]
pub struct Pan(SecretText);

impl Pan {
    /// Checks and wraps a card number. The text given is moved in and wiped on drop.
    ///
    /// # Errors
    /// The text is not 12 to 19 digits, or its check digit is wrong. The error does not hold it.
    pub fn new(digits: impl Into<String>) -> Result<Self, InvalidValue> {
        let secret = SecretText::new(digits.into());
        let text = secret.expose();
        let digits_only = text.bytes().all(|b| b.is_ascii_digit());
        if digits_only && (12..=19).contains(&text.len()) && luhn_valid(text) {
            return Ok(Self(secret));
        }
        Err(InvalidValue::new("the card number", "12 to 19 digits with a valid check digit"))
    }

    /// The last four digits, which may be shown.
    #[must_use]
    pub fn last_four(&self) -> &str {
        self.0.last_four()
    }

    /// The whole number. Handle with care: whatever holds it is in scope of PCI DSS.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan(***{})", self.last_four())
    }
}

fn luhn_valid(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, byte)| {
            let digit = u32::from(byte.saturating_sub(b'0'));
            match (index % 2, digit) {
                (0, digit) => digit,
                (_, digit) if digit > 4 => digit * 2 - 9,
                (_, digit) => digit * 2,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The end of a card's validity as `MMYY` (\[D9\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardExpiry([u8; 4]);

impl CardExpiry {
    /// Checks and wraps four digits, `MMYY`, for example `1230` for December 2030. Whether it is past is for D1 to say.
    ///
    /// # Errors
    /// The text is not four digits, or the month is not 01 to 12.
    pub fn new(mmyy: &str) -> Result<Self, InvalidValue> {
        const FAULT: InvalidValue =
            InvalidValue::new("the expiry date", "four digits MMYY with a month of 01 to 12");
        let digits: [u8; 4] = mmyy.as_bytes().try_into().map_err(|_| FAULT)?;
        let month_known = matches!(digits, [b'0', b'1'..=b'9', _, _] | [b'1', b'0'..=b'2', _, _]);
        if month_known && digits.iter().all(u8::is_ascii_digit) {
            return Ok(Self(digits));
        }
        Err(FAULT)
    }

    /// The four digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Only ASCII digits get in, so the fallback is never taken.
        std::str::from_utf8(&self.0).unwrap_or("")
    }
}

impl fmt::Display for CardExpiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Card credentials to be tokenized (\[D9\]).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    /// The card's number.
    pub pan: Pan,
    /// The end of its validity.
    pub exp: CardExpiry,
}

impl Card {
    /// A card from its number and `MMYY`.
    ///
    /// # Errors
    /// As [`Pan::new`] and [`CardExpiry::new`].
    pub fn new(pan: impl Into<String>, exp: &str) -> Result<Self, InvalidValue> {
        Ok(Self { pan: Pan::new(pan)?, exp: CardExpiry::new(exp)? })
    }

    /// The plaintext of the JWE: `{"pan": ..., "exp": ...}` (\[D9\]).
    pub(crate) fn plaintext(&self) -> Zeroizing<String> {
        // Both are digits alone, so that nothing needs escaping, and no copy is left in a serializer's buffer.
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str("{\"pan\":\"");
        text.push_str(self.pan.expose());
        text.push_str("\",\"exp\":\"");
        text.push_str(self.exp.as_str());
        text.push_str("\"}");
        text
    }
}

/// A DPAN (digitized primary account number): the number that stands for the card in payments (contract C18, C19).
///
/// `Debug` shows the last four digits. As D1 sent it; not checked.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Dpan(SecretText);

impl Dpan {
    /// Wraps a number that was read back from one's own storage.
    #[must_use]
    pub fn new(digits: impl Into<String>) -> Self {
        Self(SecretText::new(digits.into()))
    }

    /// The last four digits, which may be shown.
    #[must_use]
    pub fn last_four(&self) -> &str {
        self.0.last_four()
    }

    /// The whole number, for the authorization request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Dpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dpan(***{})", self.last_four())
    }
}

/// A payment cryptogram, base64 as D1 sent it (contract C19). Use it at once; it must not be stored \[S18\] \[S20\].
///
/// `Debug` shows nothing of it.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Cryptogram(SecretText);

impl Cryptogram {
    /// The cryptogram, for the authorization request.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Cryptogram {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cryptogram(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_number_has_12_to_19_digits_and_a_check_digit() {
        for good in ["9999990000000014", "4111111111111111", "000000000000", "6304000000000000000"] {
            assert_eq!(Pan::new(good).is_ok(), luhn_valid(good), "{good}");
        }
        assert!(Pan::new("9999990000000014").is_ok());
        for bad in
            ["9999990000000015", "00000000000", "00000000000000000000", "99999900000000 4", "", "٠٠٠٠٠٠"]
        {
            assert!(Pan::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_expiry_date_is_a_month_and_a_year() {
        for good in ["0100", "0930", "1299"] {
            assert_eq!(CardExpiry::new(good).expect(good).as_str(), good);
        }
        for bad in ["0030", "1330", "930", "09300", "09/3", "éé"] {
            assert!(CardExpiry::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let card = Card::new("9999990000000014", "1230").expect("a card");
        let text = format!("{card:?}");
        assert!(text.contains("***0014") && !text.contains("999999"), "{text}");
        let error = Pan::new("9999990000000015").expect_err("a wrong check digit");
        assert!(!format!("{error} {error:?}").contains("99999"));
    }

    #[test]
    fn the_plaintext_is_the_documented_object() {
        let card = Card::new("9999990000000014", "1230").expect("a card");
        assert_eq!(card.plaintext().as_str(), r#"{"pan":"9999990000000014","exp":"1230"}"#);
    }
}
