//! Times and instants.

use std::time::Duration;

use jiff::Timestamp;

use super::{tell, wrong};
use crate::scenario::finding::Findings;
use crate::scenario::node::{Node, Value};

/// So far the sandbox clock moves in one step: ten years.
pub(crate) const MAX_STEP: Duration = Duration::from_secs(3_660 * 86_400);
/// The longest time that the language knows: 20 years.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(7_300 * 86_400);

/// Reads `90d`, `2h30m`, `500ms`: days (of 24 hours), hours, minutes, seconds, milliseconds, in this order, each at most once.
pub(in crate::scenario) fn parse_time(text: &str) -> Option<Duration> {
    const UNITS: [(&str, u64); 5] =
        [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
    let (mut rest, mut next, mut millis) = (text, 0, 0_u64);
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let letters = rest[digits..].bytes().take_while(u8::is_ascii_lowercase).count();
        let unit = &rest[digits..digits + letters];
        let at = UNITS.iter().position(|(name, _)| *name == unit).filter(|at| *at >= next)?;
        if !(1..=9).contains(&digits) {
            return None;
        }
        let number: u64 = rest[..digits].parse().ok()?;
        millis = millis.checked_add(number.checked_mul(UNITS[at].1)?)?;
        next = at + 1;
        rest = &rest[digits + letters..];
    }
    (next > 0).then(|| Duration::from_millis(millis))
}

/// A time from `least` to `most`.
pub(in crate::scenario) fn time(
    node: &Node,
    what: &str,
    least: Duration,
    most: Duration,
    findings: &mut Findings,
) -> Option<Duration> {
    let read = match &node.value {
        Value::Text(text) => parse_time(text),
        Value::Whole(number) if *number >= 0 => {
            tell(
                node,
                format!("expected {what} with a unit, e.g. `{number}s`, found the number {number}"),
                findings,
            );
            return None;
        }
        _ => None,
    };
    let Some(time) = read else {
        let negative = match &node.value {
            Value::Text(text) => text.starts_with('-'),
            Value::Whole(_) => true,
            Value::Decimal(number) => *number < 0.0,
            _ => false,
        };
        let told = if negative { " that is not negative," } else { "" };
        let expected =
            format!("{what}: a time{told} in d, h, m, s, ms, the longest first, e.g. 90d, 2h30m, 500ms");
        wrong(node, &expected, findings);
        return None;
    };
    if time < least || time > most {
        let reason =
            format!("expected {what} from {} to {}, found {}", shown(least), shown(most), node.value.kind());
        findings.sense(&node.place, reason);
        return None;
    }
    Some(time)
}

/// A time as the language writes it.
pub(crate) fn shown(time: Duration) -> String {
    let millis = time.as_millis();
    let mut text = String::new();
    let parts = [
        (millis / 86_400_000, "d"),
        (millis / 3_600_000 % 24, "h"),
        (millis / 60_000 % 60, "m"),
        (millis / 1000 % 60, "s"),
        (millis % 1000, "ms"),
    ];
    for (number, unit) in parts.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!("{number}{unit}"));
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

/// An instant: RFC 3339 in UTC.
pub(in crate::scenario) fn instant(node: &Node, what: &str, findings: &mut Findings) -> Option<Timestamp> {
    let expected = format!("{what}: an instant in UTC, e.g. 2026-04-22T10:00:00Z");
    let Value::Text(text) = &node.value else {
        wrong(node, &expected, findings);
        return None;
    };
    let form = |at: usize, byte: u8| match at {
        4 | 7 => byte == b'-',
        10 => byte == b'T',
        13 | 16 => byte == b':',
        19 => byte == b'Z',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 20 || !text.bytes().enumerate().all(|(at, byte)| form(at, byte)) {
        wrong(node, &expected, findings);
        return None;
    }
    let read = text.parse().ok().filter(|_| ("2000".."2100").contains(&&text[..4]));
    if read.is_none() {
        findings.sense(&node.place, format!("expected {what}: a day between 2000 and 2099, found `{text}`"));
    }
    read
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units_in_order() {
        for (text, millis) in [
            ("90d", Some(7_776_000_000)),
            ("2h30m", Some(9_000_000)),
            ("1s500ms", Some(1500)),
            ("0s", Some(0)),
            ("", None),
            ("10", None),
            ("-5s", None),
            ("5 s", None),
            ("5m2h", None),
            ("1s1s", None),
            ("9999999999s", None),
            ("5é", None),
        ] {
            assert_eq!(parse_time(text), millis.map(Duration::from_millis), "{text}");
            if let Some(time) = parse_time(text) {
                assert_eq!(shown(time), text);
            }
        }
    }
}
