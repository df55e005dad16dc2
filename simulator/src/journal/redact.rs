//! What may be shown of a text.

use std::borrow::Cow;

/// A word longer than this is nothing that a person reads.
const LONGEST_WORD: usize = 80;
/// A shown text is cut after so many characters.
const LONGEST_TEXT: usize = 256;
/// Card numbers have so many digits or more.
const FEWEST_DIGITS: usize = 12;
/// The length of a UUID's text.
const UUID: usize = 36;

/// What stands in place of what is not shown.
pub(super) const REDACTED: &str = "[redacted]";

/// The text with long numbers cut to their last four digits, long words taken out, and an end.
pub(crate) fn text(text: &str) -> Cow<'_, str> {
    shown(text, &[' '])
}

/// The same for a text that is told whole, line by line; what is strange in it is replaced.
pub(crate) fn told(text: &str) -> String {
    let plain = |letter: char| if letter != '\n' && is_strange(letter) { '\u{FFFD}' } else { letter };
    without_long_words(masked_numbers(text), &[' ', '\n']).chars().map(plain).collect()
}

/// What no reader shows as it is, or what would end a line, turn it round, or speak to a terminal.
pub(crate) fn is_strange(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        || matches!(letter, '\u{200E}' | '\u{200F}' | '\u{FEFF}' | '\u{FFFE}' | '\u{FFFF}')
}

/// The same for a path, each segment of which is a word.
pub(super) fn path(path: &str) -> Cow<'_, str> {
    shown(path, &[' ', '/'])
}

fn shown<'a>(text: &'a str, between_words: &[char]) -> Cow<'a, str> {
    // The whole text is judged before it is cut: the start of a secret is a secret.
    let mut out = without_long_words(masked_numbers(text), between_words);
    if let Some((cut, _)) = out.char_indices().nth(LONGEST_TEXT) {
        out = Cow::Owned(format!("{}…", &out[..cut]));
    }
    out
}

fn without_long_words<'a>(text: Cow<'a, str>, between_words: &[char]) -> Cow<'a, str> {
    if text.len() <= LONGEST_WORD {
        return text;
    }
    let words = text.split_inclusive(between_words).map(|word| {
        let end = word.chars().next_back().filter(|end| between_words.contains(end));
        let long = word.chars().count() - usize::from(end.is_some()) > LONGEST_WORD;
        if long { Cow::Owned(REDACTED.chars().chain(end).collect()) } else { Cow::Borrowed(word) }
    });
    Cow::Owned(words.collect())
}

fn masked_numbers(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    // Most texts have too few digits to be looked at twice.
    if bytes.iter().filter(|byte| byte.is_ascii_digit()).count() < FEWEST_DIGITS {
        return Cow::Borrowed(text);
    }
    let (mut out, mut copied, mut at) = (String::new(), 0, 0);
    while at < bytes.len() {
        if is_uuid(bytes, at) {
            at += UUID;
        } else if bytes[at].is_ascii_digit() {
            let end = end_of_number(bytes, at);
            let digits: String = text[at..end].chars().filter(char::is_ascii_digit).collect();
            if is_long(&digits) {
                out.push_str(&text[copied..at]);
                out.push('…');
                out.push_str(&digits[digits.len() - 4..]);
                copied = end;
            }
            at = end;
        } else {
            at += 1;
        }
    }
    if copied == 0 { Cow::Borrowed(text) } else { Cow::Owned(out + &text[copied..]) }
}

/// A card number can be mistyped, so that its check digit tells nothing. Among numbers of twelve
/// digits, which a text has more often for other reasons, it decides.
fn is_long(digits: &str) -> bool {
    digits.len() > FEWEST_DIGITS || (digits.len() == FEWEST_DIGITS && d1_fixtures::luhn_valid(digits))
}

/// Where the number that begins at `start` ends: only a letter, a bracket or a UUID ends it, since
/// people write card numbers with spaces, dashes and more between the digits.
fn end_of_number(bytes: &[u8], start: usize) -> usize {
    let mut end = start;
    for (at, byte) in bytes.iter().enumerate().skip(start) {
        let other = byte.is_ascii_alphabetic() || b"()[]{}".contains(byte);
        if other || (at > end && is_uuid(bytes, at)) {
            break;
        }
        if byte.is_ascii_digit() {
            end = at + 1;
        }
    }
    end
}

/// Whether a UUID stands at this place, as a word of its own.
fn is_uuid(bytes: &[u8], at: usize) -> bool {
    let apart = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let form = |(place, byte): (usize, &u8)| match place {
        8 | 13 | 18 | 23 => *byte == b'-',
        _ => byte.is_ascii_hexdigit(),
    };
    let before = at.checked_sub(1).and_then(|before| bytes.get(before));
    // The first dash is the quickest way to know that it is none.
    bytes.get(at + 8) == Some(&b'-')
        && apart(before)
        && apart(bytes.get(at + UUID))
        && bytes.get(at..at + UUID).is_some_and(|uuid| uuid.iter().enumerate().all(form))
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
        check("4000-0000-0000-0002", "…0002");
        check("4000.0000.0000.0002", "…0002");
        check("4000  0000\u{a0}0000 - 0002!", "…0002!");
        check("4000%200000%200000%200002", "…0002");
        check("Table 7 4000000000000002", "Table …0002");
        check("x4000000000000002x", "x…0002x");
        check("00000000000000000000000000", "…0000");
    }

    #[test]
    fn a_mistyped_card_number_is_cut_as_well() {
        check("4000000000000003", "…0003");
        check("4000 0000 0000 3", "…0003");
        check("400000000002", "…0002");
        check("400000000003", "400000000003");
    }

    #[test]
    fn the_start_of_a_secret_at_the_end_of_a_long_text_is_not_shown() {
        let shown = text(&format!("{}4000000000000002", "word ".repeat(49))).into_owned();
        assert!(!shown.contains("40000"), "{shown}");
        let shown = text(&format!("{}{}", "word ".repeat(49), "e".repeat(100))).into_owned();
        assert!(!shown.contains("ee"), "{shown}");
    }

    #[test]
    fn identifiers_and_times_stay() {
        for kept in [
            "10610027312",
            "01fb32ff-5ed0-497f-8835-400000000002",
            "10610027312 01fb32ff-5ed0-497f-8835-400000000002 7",
            "MGW_000001",
            "2026-04-22T10:00:00.007Z",
            "not valid after 1795512486 (86401 seconds ago)",
            "plain words",
        ] {
            check(kept, kept);
        }
        let known = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/01fb32ff-5ed0-497f-8835-400000000002/x";
        assert_eq!(path(known), known);
    }

    #[test]
    fn what_is_told_whole_has_no_secret_and_nothing_strange() {
        let whole = "word ".repeat(100);
        assert_eq!(told(&whole), whole);
        let jwe = "e".repeat(81);
        assert_eq!(
            told(&format!("4000000000000002\n{jwe}\n\u{1b}[2J\u{fffe}")),
            "…0002\n[redacted]\n\u{fffd}[2J\u{fffd}"
        );
    }

    #[test]
    fn long_words_and_long_texts_are_cut() {
        let long = "e".repeat(100);
        check(&format!("a {long}"), "a [redacted]");
        check(&format!("/a/{long} b"), "[redacted] b");
        assert_eq!(path(&format!("/a/{long}/b")), "/a/[redacted]/b");
        let long = "word ".repeat(100);
        assert!(text(&long).chars().count() <= LONGEST_TEXT + 1);
    }
}
