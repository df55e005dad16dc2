//! Which of two events of a token is the newer one (contract C35). Pure.

/// How new something is that is known of a token: which event it goes back to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Position {
    /// The `sequence` of the newest event that went in; absent before the first.
    pub sequence: Option<u64>,
    /// The timestamp of the newest event that went in, RFC 3339, as D1 sent it.
    pub timestamp: Option<String>,
    /// True if D1 was asked after that event had gone in: newer than the event, older than the one after it.
    pub fetched: bool,
}

impl Position {
    /// Whether this is older than `known`: the one rule by which an event is stale and by which a store keeps what it
    /// has. By `sequence` where both have one, else by timestamp where both have one that can be read. What has
    /// neither, such as the answer to a creation, is older than what has; beyond that, what arrives is taken for news.
    pub(super) fn is_older_than(&self, known: &Self) -> bool {
        if let (Some(own), Some(known_sequence)) = (self.sequence, known.sequence) {
            return (own, self.fetched) < (known_sequence, known.fetched);
        }
        if self.is_undated() || known.is_undated() {
            return self.is_undated() && !known.is_undated();
        }
        match (self.instant(), known.instant()) {
            (Some(own), Some(known_instant)) => (own, self.fetched) < (known_instant, known.fetched),
            _ => false,
        }
    }

    /// Takes in that `other` is known too, which is the older one or not.
    pub(super) fn absorb(&mut self, other: &Self, other_is_older: bool) {
        self.sequence = self.sequence.max(other.sequence);
        if other.timestamp.is_some() && (self.timestamp.is_none() || !other_is_older) {
            self.timestamp.clone_from(&other.timestamp);
        }
        if !other_is_older {
            self.fetched = other.fetched;
        }
    }

    fn is_undated(&self) -> bool {
        self.sequence.is_none() && self.timestamp.is_none()
    }

    fn instant(&self) -> Option<(i64, u32)> {
        self.timestamp.as_deref().and_then(instant)
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

    fn at(sequence: Option<u64>, timestamp: Option<&str>) -> Position {
        Position { sequence, timestamp: timestamp.map(str::to_owned), fetched: false }
    }

    fn fetched(position: Position) -> Position {
        Position { fetched: true, ..position }
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
        for (new, known, older) in [
            (at(Some(1), late), at(Some(2), early), true),
            (at(Some(2), early), at(Some(2), late), false),
            (at(Some(3), early), at(Some(2), late), false),
            (at(None, early), at(Some(2), late), true),
            (at(None, late), at(Some(2), early), false),
            (at(None, None), at(Some(2), late), true),
            (at(None, None), at(None, None), false),
            (at(Some(1), None), at(None, None), false),
            (at(Some(1), Some("junk")), at(None, late), false),
        ] {
            assert_eq!(new.is_older_than(&known), older, "{new:?} {known:?}");
        }
    }

    #[test]
    fn what_was_fetched_stands_between_two_events() {
        for at in [|n: u64| at(Some(n), None), |n: u64| at(None, Some(&format!("2026-01-01T00:00:0{n}Z")))] {
            assert!(at(2).is_older_than(&fetched(at(2))));
            assert!(!fetched(at(2)).is_older_than(&at(2)));
            assert!(!at(3).is_older_than(&fetched(at(2))));
            assert!(fetched(at(2)).is_older_than(&at(3)));
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            let _instant = instant(&text);
        }
    }
}
