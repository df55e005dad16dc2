//! Moments and months as plain numbers.

use std::fmt;
use std::time::Duration;

/// Milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Moment(i64);

impl Moment {
    pub(crate) const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    pub(crate) const fn as_ms(self) -> i64 {
        self.0
    }

    pub(crate) const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment `by` later, at the latest the end of time.
    pub(crate) fn after(self, by: Duration) -> Self {
        let by = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(by))
    }
}

/// A month of a year: what a card's expiry date names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Month {
    year: u16,
    month: u8,
}

/// The moment together with its calendar month.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) at: Moment,
    pub(crate) month: Month,
}

impl Month {
    pub(crate) const FIRST: Self = Self { year: 1970, month: 1 };
    /// `MMYY` names no later one.
    const LAST: Self = Self { year: 2099, month: 12 };

    pub(crate) fn new(year: u16, month: u8) -> Option<Self> {
        (1..=12).contains(&month).then_some(Self { year, month })
    }

    /// Reads `MMYY`; the century is the 21st.
    pub(crate) fn from_mmyy(text: &str) -> Option<Self> {
        let digits = text.as_bytes();
        if digits.len() != 4 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let two = |at: usize| (digits[at] - b'0') * 10 + (digits[at + 1] - b'0');
        Self::new(2000 + u16::from(two(2)), two(0))
    }

    /// So many months later, at the latest the last month that can be written.
    pub(crate) fn plus_months(self, months: u16) -> Self {
        let total = self.year.saturating_mul(12).saturating_add(u16::from(self.month) - 1);
        let total = total.saturating_add(months);
        let month = u8::try_from(total % 12 + 1).unwrap_or(1);
        Self { year: total / 12, month }.min(Self::LAST)
    }

    /// The first moment after it, in UTC: from then on what expires with it has expired.
    pub(crate) fn end(self) -> Moment {
        // The days from 1970 to the first of the next month, by the rule of the Gregorian calendar with
        // years that begin in March.
        let (year, month) = match self.month {
            12 => (i64::from(self.year) + 1, 1),
            month => (i64::from(self.year), i64::from(month) + 1),
        };
        let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
        let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - 719_468;
        Moment::from_ms(days * 24 * 60 * 60 * 1000)
    }

    /// Written `MMYY`.
    pub(crate) fn mmyy(self) -> String {
        format!("{:02}{:02}", self.month, self.year % 100)
    }
}

impl fmt::Debug for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_date_is_month_then_year() {
        assert_eq!(Month::from_mmyy("1223"), Month::new(2023, 12));
        assert_eq!(Month::from_mmyy("1223").map(Month::mmyy).as_deref(), Some("1223"));
    }

    #[test]
    fn a_date_that_is_none_is_refused() {
        for text in ["", "1323", "0023", "122", "12233", "1a23", "12 3", "１２"] {
            assert_eq!(Month::from_mmyy(text), None, "{text}");
        }
    }

    #[test]
    fn months_carry_into_the_next_year() {
        let month = Month::from_mmyy("1126").expect("a month");
        assert_eq!(month.plus_months(3).mmyy(), "0227");
        assert_eq!(month.plus_months(36).mmyy(), "1129");
    }

    #[test]
    fn a_month_ends_with_the_first_moment_of_the_next() {
        for (month, seconds) in [
            ("0426", 1_777_593_600),
            ("0228", 1_835_481_600),
            ("0227", 1_803_859_200),
            ("1299", 4_102_444_800),
        ] {
            let end = Month::from_mmyy(month).expect("a month").end();
            assert_eq!(end, Moment::from_ms(seconds * 1000), "{month}");
        }
    }

    #[test]
    fn no_month_lies_beyond_the_century_that_can_be_written() {
        for late in ["1299", "0199"] {
            let month = Month::from_mmyy(late).expect("a month");
            assert_eq!(month.plus_months(36).mmyy(), "1299");
            assert_eq!(month.plus_months(u16::MAX).mmyy(), "1299");
        }
    }
}
