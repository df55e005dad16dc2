//! What may be shown of a text or a body.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// A text without a space in it and longer than this is nothing that a person reads.
const LONGEST_WORD: usize = 80;
/// A shown text is cut after so many characters.
const LONGEST_TEXT: usize = 256;

/// Members whose values may be shown. All others are only named.
const SHOWN: &[&str] = &[
    "grant_type",
    "expires_in",
    "token_type",
    "scope",
    "merchantId",
    "merchantName",
    "creationTimestamp",
    "tokenId",
    "state",
    "source",
    "cardLastDigits",
    "cardExpiryDate",
    "tokenLastDigits",
    "tokenExpiryDate",
    "par",
    "transactionId",
    "transactionType",
    "eci",
    "cryptogramExpiryDate",
    "eventId",
    "eventType",
    "sequence",
    "lastUpdateTimestamp",
    "errorCode",
    "error",
];

/// The text with card numbers cut to their last four digits, long words taken out, and an end.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    let plain = text.len() <= LONGEST_WORD && !has_long_run(text);
    if plain { Cow::Borrowed(text) } else { Cow::Owned(masked(text)) }
}

fn has_long_run(text: &str) -> bool {
    let mut run = 0_u32;
    text.bytes().any(|byte| {
        run = match byte {
            b'0'..=b'9' => run + 1,
            b' ' if run > 0 => run,
            _ => 0,
        };
        run >= 12
    })
}

fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len().min(LONGEST_TEXT));
    let chars: Vec<char> = text.chars().take(LONGEST_TEXT).collect();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let run = digit_run(&chars[at..]);
        if run.digits.len() >= 12 && !ends_uuid(&chars, at, run.length) {
            mask_digits(&mut out, &chars[at..at + run.length], &run.digits);
            at += run.length;
        } else if run.length > 0 {
            out.extend(&chars[at..at + run.length]);
            at += run.length;
        } else {
            out.push(c);
            at += 1;
        }
    }
    if text.chars().nth(LONGEST_TEXT).is_some() {
        out.push('…');
    }
    let long = |word: &str| word.chars().count() > LONGEST_WORD && !word.contains('/');
    if out.split(' ').any(long) {
        let words = out.split(' ').map(|word| if long(word) { "[redacted]" } else { word });
        out = words.collect::<Vec<_>>().join(" ");
    }
    out
}

struct Run {
    /// Characters, the spaces between digits included.
    length: usize,
    digits: String,
}

fn digit_run(chars: &[char]) -> Run {
    let mut run = Run { length: 0, digits: String::new() };
    for (at, c) in chars.iter().enumerate() {
        match c {
            '0'..='9' => {
                run.digits.push(*c);
                run.length = at + 1;
            }
            ' ' if at > 0 && run.length == at => {}
            _ => break,
        }
    }
    run
}

/// Card numbers have a check digit; a number without one is an identifier or a time and stays.
fn mask_digits(out: &mut String, shown: &[char], digits: &str) {
    if digits.len() <= 19 && !d1_fixtures::luhn_valid(digits) {
        out.extend(shown);
    } else {
        out.push('…');
        out.push_str(&digits[digits.len() - 4..]);
    }
}

/// The last group of a UUID can be twelve digits.
fn ends_uuid(chars: &[char], at: usize, length: usize) -> bool {
    length == 12
        && at >= 24
        && chars[at - 24..at].iter().enumerate().all(|(place, c)| match place {
            8 | 13 | 18 | 23 => *c == '-',
            _ => c.is_ascii_hexdigit(),
        })
}

/// What may be shown of a body: its members with the values that tell nothing secret.
pub(super) fn body(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(members)) => Value::Object(members.into_iter().map(member).collect::<Map<_, _>>()),
        _ => Value::String("[not a JSON object]".into()),
    }
}

fn member((name, value): (String, Value)) -> (String, Value) {
    let shown = SHOWN.contains(&name.as_str());
    let value = match value {
        Value::String(value) if shown => Value::String(text(&value).into_owned()),
        value @ (Value::Number(_) | Value::Bool(_) | Value::Null) if shown => value,
        _ => Value::String("[redacted]".into()),
    };
    (text(&name).into_owned(), value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(given: &str, wanted: &str) {
        assert_eq!(text(given), wanted);
    }

    #[test]
    fn card_numbers_are_cut_to_four_digits_wherever_they_stand() {
        check("pay with 4000000000000002 now", "pay with …0002 now");
        check("4000 0000 0000 0002", "…0002");
        check("/tokens/4000000000000002", "/tokens/…0002");
        check("00000000000000000000000000", "…0000");
    }

    #[test]
    fn identifiers_and_times_stay() {
        for kept in [
            "10610027312",
            "01fb32ff-5ed0-497f-8835-400000000002",
            "1776852000007",
            "MGW_000001",
            "plain words",
        ] {
            check(kept, kept);
        }
    }

    #[test]
    fn long_words_and_long_texts_are_cut() {
        check(&format!("a {}", "e".repeat(100)), "a [redacted]");
        let long = "word ".repeat(100);
        assert!(text(&long).chars().count() <= LONGEST_TEXT + 1);
    }

    #[test]
    fn a_body_shows_only_members_that_are_known_to_be_harmless() {
        let shown = body(br#"{"merchantName":"Shop","encryptedData":"eyJ","pan":"x","scope":{"a":1}}"#);
        assert_eq!(
            shown,
            serde_json::json!({"merchantName":"Shop","encryptedData":"[redacted]","pan":"[redacted]","scope":"[redacted]"})
        );
        assert_eq!(body(b"\xff"), serde_json::json!("[not a JSON object]"));
    }
}
