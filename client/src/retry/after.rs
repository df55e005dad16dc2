//! `Retry-After` (RFC 9110 section 10.2.3): seconds or an HTTP date.

use std::time::{Duration, SystemTime};

use http::HeaderMap;
use http::header::{DATE, RETRY_AFTER};

/// Nobody is taken to mean a longer pause than a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// How long D1 asks to wait. What is neither seconds nor a date, or is given twice, is ignored; a date in the past is
/// a pause of zero; anything over a day is a day. A date is judged by the answer's own `Date` where it has one, so that
/// it does not matter what our clock says; by `now` otherwise.
pub(crate) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let mut values = headers.get_all(RETRY_AFTER).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let sent = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    parse(value.to_str().ok()?.trim(), sent.unwrap_or(now))
}

fn parse(text: &str, now: SystemTime) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // Digits that do not fit a number are a very long time.
        let seconds = text.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(LONGEST));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    Some(at.duration_since(now).unwrap_or(Duration::ZERO).min(LONGEST))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn seconds_and_dates_are_read_and_garbage_is_ignored() {
        // 784111777 is the example of RFC 9110 section 5.6.7.
        let now = at(784_111_770);
        for (text, expected) in [
            ("0", Some(0)),
            ("120", Some(120)),
            ("007", Some(7)),
            ("99999999", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(7)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", Some(7)),
            ("Sun Nov  6 08:49:37 1994", Some(7)),
            ("Sun, 06 Nov 1994 08:49:00 GMT", Some(0)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(86_400)),
            ("", None),
            ("-1", None),
            ("1.5", None),
            ("+1", None),
            ("soon", None),
            ("1, 2", None),
        ] {
            assert_eq!(parse(text, now), expected.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn a_header_given_twice_is_ignored() {
        let mut headers = HeaderMap::new();
        headers.append(RETRY_AFTER, HeaderValue::from_static("1"));
        assert_eq!(retry_after(&headers, at(0)), Some(Duration::from_secs(1)));
        headers.append(RETRY_AFTER, HeaderValue::from_static("2"));
        assert_eq!(retry_after(&headers, at(0)), None);
    }

    #[test]
    fn a_date_is_judged_by_the_clock_of_the_answer() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT"));
        let an_hour_late = at(784_111_777 + 3_600);
        assert_eq!(retry_after(&headers, an_hour_late), Some(Duration::ZERO));
        headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:49:30 GMT"));
        assert_eq!(retry_after(&headers, an_hour_late), Some(Duration::from_secs(7)));
        headers.insert(DATE, HeaderValue::from_static("yesterday"));
        assert_eq!(retry_after(&headers, an_hour_late), Some(Duration::ZERO));
        headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
        assert_eq!(retry_after(&headers, an_hour_late), Some(Duration::from_secs(7)));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_within_a_day(text in "\\PC{0,60}", now in 0_u64..=4_000_000_000) {
            if let Some(pause) = parse(&text, at(now)) {
                prop_assert!(pause <= LONGEST);
            }
        }

        #[test]
        fn any_headers_are_read_without_panic_and_within_a_day(
            values in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..3),
            date in proptest::collection::vec(any::<u8>(), 0..40),
            now in any::<u32>(),
        ) {
            let mut headers = HeaderMap::new();
            let legal = |bytes: &Vec<u8>| HeaderValue::from_bytes(bytes).ok();
            for value in values.iter().filter_map(legal) {
                headers.append(RETRY_AFTER, value);
            }
            headers.extend(legal(&date).map(|date| (DATE, date)));
            let pause = retry_after(&headers, at(now.into()));
            prop_assert!(pause.is_none_or(|pause| pause <= LONGEST));
            prop_assert!(pause.is_none() || headers.get_all(RETRY_AFTER).iter().count() == 1);
        }

        #[test]
        fn a_date_that_lies_so_far_ahead_is_a_pause_of_so_long(now in 0_u64..4_000_000_000, ahead in 0_u64..200_000) {
            let date = httpdate::fmt_http_date(at(now + ahead));
            prop_assert_eq!(parse(&date, at(now)), Some(Duration::from_secs(ahead.min(86_400))));
            prop_assert_eq!(parse(&date, at(now + ahead + 1)), Some(Duration::ZERO));
        }

        #[test]
        fn any_number_is_within_a_day(number in "[0-9]{1,40}") {
            prop_assert!(parse(&number, at(0)).is_some_and(|pause| pause <= LONGEST));
        }
    }
}
