//! Which of two events of a token is the newer one (contract C35). Pure.

use std::cmp::Ordering;

/// What tells events of one token apart in time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Position<'a> {
    pub(super) sequence: Option<u64>,
    pub(super) timestamp: Option<&'a str>,
}

/// Whether `new` is older than `known`. By `sequence` where both have one, else by timestamp where both have one that
/// can be read; without either, what arrives is taken for news.
pub(super) fn is_older(new: &Position<'_>, known: &Position<'_>) -> bool {
    if let (Some(new), Some(known)) = (new.sequence, known.sequence) {
        return new < known;
    }
    match (new.timestamp.and_then(instant), known.timestamp.and_then(instant)) {
        (Some(new), Some(known)) => new.cmp(&known) == Ordering::Less,
        _ => false,
    }
}

/// An RFC 3339 timestamp as (seconds since the epoch, fraction as nine digits).
fn instant(text: &str) -> Option<(i64, u32)> {
    let bytes = text.as_bytes();
    let number = |from: usize, to: usize| -> Option<i64> {
        let digits = text.get(from..to)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok()).flatten()
    };
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if separators.iter().any(|(at, wanted)| bytes.get(*at) != Some(wanted))
        || !matches!(bytes.get(10), Some(b'T' | b't' | b' '))
    {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let rest = text.get(19..)?;
    let (fraction, zone) = match rest.strip_prefix('.') {
        Some(tail) => {
            let end = tail.bytes().position(|b| !b.is_ascii_digit()).unwrap_or(tail.len());
            tail.split_at_checked(end)?
        }
        None => ("", rest),
    };
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    let seconds = days_from_epoch(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    Some((seconds - offset_seconds(zone)?, nanos))
}

fn offset_seconds(zone: &str) -> Option<i64> {
    if zone.eq_ignore_ascii_case("z") {
        return Some(0);
    }
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    if hours.len() != 2 || minutes.len() != 2 {
        return None;
    }
    let hours: u8 = hours.parse().ok()?;
    let minutes: u8 = minutes.parse().ok()?;
    Some(sign * (i64::from(hours) * 3_600 + i64::from(minutes) * 60))
}

/// Days since 1970-01-01 in the Gregorian calendar.
fn days_from_epoch(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // The year is counted from March, so that the leap day is its last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_month = (153 * month + 2) / 5;
    Some(year * 365 + leap_days + days_before_month + day - 1 - 719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(sequence: Option<u64>, timestamp: Option<&str>) -> Position<'_> {
        Position { sequence, timestamp }
    }

    #[test]
    fn timestamps_are_instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2000-02-29T00:00:00.5Z", Some((951_782_400, 500_000_000))),
            ("2026-11-23T23:00:00.123456789123Z", Some((1_795_474_800, 123_456_789))),
            ("2026-11-24T01:00:00+02:00", Some((1_795_474_800, 0))),
            ("2026-11-23t22:30:00-00:30", Some((1_795_474_800, 0))),
            ("2026-11-23T23:00:00", None),
            ("2026-13-23T23:00:00Z", None),
            ("2026-11-23", None),
            ("", None),
            ("é", None),
        ] {
            assert_eq!(instant(text), expected, "{text}");
        }
    }

    #[test]
    fn the_sequence_decides_and_the_timestamp_stands_in() {
        let (early, late) = (Some("2026-01-01T00:00:00Z"), Some("2026-01-01T00:00:01Z"));
        assert!(is_older(&at(Some(1), late), &at(Some(2), early)));
        assert!(!is_older(&at(Some(2), early), &at(Some(2), late)));
        assert!(!is_older(&at(Some(3), early), &at(Some(2), late)));
        assert!(is_older(&at(None, early), &at(Some(2), late)));
        assert!(!is_older(&at(None, late), &at(Some(2), early)));
        assert!(!is_older(&at(None, None), &at(Some(2), late)));
        assert!(!is_older(&at(Some(1), Some("junk")), &at(None, late)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let _instant = instant(&text);
        }
    }
}
