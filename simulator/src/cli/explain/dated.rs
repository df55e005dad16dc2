//! Moments in seconds since 1970, which nobody reads, with their dates.

use crate::clock::rfc3339;
use crate::domain::Moment;

/// The checks whose values are such moments.
const CHECKS: [&str; 3] = ["assertion claim exp", "assertion claim iat", "assertion claim nbf"];
/// From 2001 to 2100: other numbers are no moments.
const SECONDS: std::ops::Range<i64> = 1_000_000_000..4_102_444_800;

/// The same text, with the date behind each moment in it.
pub(super) fn dated(check: &str, text: &str) -> String {
    if !CHECKS.contains(&check) {
        return text.to_owned();
    }
    let one = |word: &str| {
        let number = word.trim_end_matches(',');
        match moment(number) {
            Some(at) => format!("{number} ({}){}", rfc3339(at), &word[number.len()..]),
            None => word.to_owned(),
        }
    };
    text.split(' ').map(one).collect::<Vec<_>>().join(" ")
}

fn moment(number: &str) -> Option<Moment> {
    let (seconds, fraction) = number.split_once('.').unwrap_or((number, ""));
    let seconds = seconds.parse::<i64>().ok().filter(|seconds| SECONDS.contains(seconds))?;
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    let millis = millis.parse::<i64>().ok().filter(|_| digits)?;
    Some(Moment::from_ms(seconds * 1000 + millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_its_date_and_nothing_else_has() {
        let exp = "assertion claim exp";
        assert_eq!(dated(exp, "after 1795629565.125"), "after 1795629565.125 (2026-11-25T17:59:25.125Z)");
        assert_eq!(
            dated(exp, "at most 1795629565.5, 15 minutes ahead"),
            "at most 1795629565.5 (2026-11-25T17:59:25.500Z), 15 minutes ahead"
        );
        for (check, text) in
            [(exp, "1e400"), (exp, "none, or no number"), (exp, "17"), ("bearer", "1795629565")]
        {
            assert_eq!(dated(check, text), text);
        }
    }
}
