//! Cards as the sandbox knows them: a PAN in passing, a fingerprint and four digits to keep.

use std::fmt;

use super::event::IssuerEvent;

/// A card's primary account number: 12 to 19 digits with a good check digit. Never printed whole.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(crate) struct Pan(Box<str>);

/// The last four digits of a PAN or DPAN.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct LastFour([u8; 4]);

/// A keyed hash of a PAN: tells whether two cards are the same one, and nothing else.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Fingerprint(pub(crate) [u8; 32]);

/// What the issuer does when a card of the test table is tokenized or used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Behaviour {
    Approve,
    Decline,
    /// So many answers 503 for the card at one merchant before it is approved.
    Unavailable {
        times: u32,
    },
    /// Approved after so many seconds on the sandbox clock.
    Slow {
        seconds: u32,
    },
    /// The issuer acts right after the first transaction.
    AfterFirstUse {
        event: IssuerEvent,
    },
    /// The issuer acts so many seconds after tokenization.
    Soon {
        seconds: u32,
        event: IssuerEvent,
    },
}

impl Pan {
    pub(crate) fn parse(digits: &str) -> Option<Self> {
        let length = (12..=19).contains(&digits.len());
        (length && luhn_valid(digits)).then(|| Self(digits.into()))
    }

    pub(crate) fn digits(&self) -> &str {
        &self.0
    }

    pub(crate) fn last_four(&self) -> LastFour {
        LastFour::of(&self.0)
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pan(…{})", self.last_four().as_str())
    }
}

impl LastFour {
    fn of(digits: &str) -> Self {
        let mut four = [b'0'; 4];
        for (slot, digit) in four.iter_mut().rev().zip(digits.bytes().rev()) {
            *slot = digit;
        }
        Self(four)
    }

    /// The last four digits of a 16-digit DPAN.
    pub(crate) fn of_dpan(dpan: u64) -> Self {
        Self::of(&format!("{dpan:016}"))
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("0000")
    }
}

impl fmt::Debug for LastFour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fingerprint(…)")
    }
}

/// The check digit rule of card numbers (ISO/IEC 7812-1).
fn luhn_valid(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && luhn_sum(text.bytes().map(|byte| u32::from(byte - b'0'))) % 10 == 0
}

/// Appends the check digit to `stem`.
pub(crate) fn with_check_digit(stem: u64) -> u64 {
    let digits: String = format!("{stem}0");
    let sum = luhn_sum(digits.bytes().map(|byte| u32::from(byte - b'0')));
    stem * 10 + u64::from((10 - sum % 10) % 10)
}

fn luhn_sum(digits: impl DoubleEndedIterator<Item = u32>) -> u32 {
    let doubled = |(place, digit): (usize, u32)| match (place % 2, digit) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    digits.rev().enumerate().map(doubled).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn known_good_numbers_pass_and_a_changed_digit_fails() {
        assert!(luhn_valid("79927398713"));
        assert!(!luhn_valid("79927398710"));
        assert!(!luhn_valid(""));
        assert!(!luhn_valid("7992739871x"));
    }

    #[test]
    fn a_pan_shows_four_digits_and_no_more() {
        let pan = Pan::parse("4000000000000002").expect("a good number");
        let text = format!("{pan:?}");
        assert_eq!(text.chars().filter(char::is_ascii_digit).count(), 4);
    }

    proptest! {
        #[test]
        fn a_check_digit_makes_any_stem_valid(stem in 1_u64..1_000_000_000_000_000) {
            prop_assert!(luhn_valid(&with_check_digit(stem).to_string()));
        }

        #[test]
        fn any_single_changed_digit_is_found(stem in 100_000_000_000_000_u64..999_999_999_999_999, at in 0_usize..16, by in 1_u8..10) {
            let mut digits = with_check_digit(stem).to_string().into_bytes();
            digits[at] = (digits[at] - b'0' + by) % 10 + b'0';
            let text = String::from_utf8(digits).expect("digits");
            prop_assert!(!luhn_valid(&text));
        }
    }
}
