//! Writing YAML so that no text can be more than a text, and no comment more than a comment.

use serde_json::Value;

use crate::journal::is_strange;

/// A line of a step is broken beyond this width.
const WIDTH: usize = 120;
/// The longest text of a comment.
const MOST: usize = 300;
/// Words that are no text for some reader of YAML.
const RESERVED: [&str; 10] = ["true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan"];

/// A value to be written; members keep their order.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Yaml {
    Text(String),
    /// A number, a truth value or `null`, as it is written.
    Bare(String),
    List(Vec<Yaml>),
    Members(Vec<(String, Yaml)>),
}

impl Yaml {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn number(number: impl Into<u64>) -> Self {
        Self::Bare(number.into().to_string())
    }

    pub(super) fn one(name: &str, value: Self) -> Self {
        Self::Members(vec![(name.to_owned(), value)])
    }

    pub(super) fn members<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Members(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
    }

    /// On one line.
    pub(super) fn flow(&self) -> String {
        let joined = |items: Vec<String>| items.join(", ");
        match self {
            Self::Text(text) => scalar(text),
            Self::Bare(bare) => bare.clone(),
            Self::List(items) => format!("[{}]", joined(items.iter().map(Self::flow).collect())),
            Self::Members(members) => {
                let one = |(name, value): &(String, Self)| format!("{}: {}", key(name), value.flow());
                format!("{{{}}}", joined(members.iter().map(one).collect()))
            }
        }
    }

    /// As an item of a list that is indented by two, on several lines where one would be too long.
    pub(super) fn step(&self) -> String {
        let Self::Members(members) = self else { return format!("  - {}\n", self.flow()) };
        let mut text = String::new();
        for (at, (name, value)) in members.iter().enumerate() {
            text.push_str(if at == 0 { "  - " } else { "    " });
            value.under(name, 4, &mut text);
        }
        text
    }

    /// Below a name that stands behind so many blanks.
    pub(super) fn under(&self, name: &str, indent: usize, text: &mut String) {
        let line = format!("{}: {}", key(name), self.flow());
        let blanks = " ".repeat(indent + 2);
        match self {
            Self::Members(members) if indent + line.len() > WIDTH && !members.is_empty() => {
                text.push_str(&format!("{}:\n", key(name)));
                for (name, value) in members {
                    text.push_str(&blanks);
                    value.under(name, indent + 2, text);
                }
            }
            Self::List(items) if indent + line.len() > WIDTH && !items.is_empty() => {
                text.push_str(&format!("{}:\n", key(name)));
                for item in items {
                    text.push_str(&format!("{blanks}- {}\n", item.flow()));
                }
            }
            _ => {
                text.push_str(&line);
                text.push('\n');
            }
        }
    }

    /// Whether a text anywhere in it has this.
    pub(super) fn has(&self, part: &str) -> bool {
        match self {
            Self::Text(text) => text.contains(part),
            Self::Bare(_) => false,
            Self::List(items) => items.iter().any(|item| item.has(part)),
            Self::Members(members) => {
                members.iter().any(|(name, value)| name.contains(part) || value.has(part))
            }
        }
    }
}

impl From<&Value> for Yaml {
    fn from(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::text(text),
            Value::Array(items) => Self::List(items.iter().map(Self::from).collect()),
            Value::Object(members) => {
                Self::Members(members.iter().map(|(name, value)| (name.clone(), Self::from(value))).collect())
            }
            other => Self::Bare(other.to_string()),
        }
    }
}

/// A text as YAML reads it back, in quotes unless it is plainly a word or a time.
fn scalar(text: &str) -> String {
    if is_word(text) || is_time(text) {
        return text.to_owned();
    }
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            _ if is_strange(letter) => {
                let number = u32::from(letter);
                let escape =
                    if number > 0xFFFF { format!("\\U{number:08X}") } else { format!("\\u{number:04X}") };
                quoted.push_str(&escape);
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

/// The name of a member: `on` is one of this language, and only YAML 1.1 took it for a truth value.
fn key(name: &str) -> String {
    if name == "on" { name.to_owned() } else { scalar(name) }
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || byte == b'.')
        && !RESERVED.contains(&text.to_ascii_lowercase().as_str())
}

/// `2h30m`: digits and a unit, and more of them.
fn is_time(text: &str) -> bool {
    let mut rest = text;
    while let Some(end) = rest.find(|letter: char| !letter.is_ascii_digit()).filter(|end| *end > 0) {
        let behind = &rest[end..];
        let unit = ["ms", "s", "m", "h", "d"].into_iter().find(|unit| behind.starts_with(unit));
        let Some(unit) = unit else { return false };
        rest = &behind[unit.len()..];
    }
    rest.is_empty() && !text.is_empty()
}

/// The text as one line that can stand behind a `#`.
pub(super) fn comment(text: &str) -> String {
    let shown: String = text.chars().map(|one| if is_strange(one) { '\u{FFFD}' } else { one }).collect();
    match shown.char_indices().nth(MOST) {
        Some((cut, _)) => format!("{}…", &shown[..cut]),
        None => shown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts that mean something to YAML, or to this language, or to a terminal.
    fn strange() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "\n",
            "\r",
            ": ",
            " #",
            "- ",
            "\"",
            "'",
            "\\",
            "{",
            "}",
            "[",
            "]",
            ",",
            "&a",
            "*a",
            "!!str ",
            "|",
            ">",
            "%",
            "@",
            "`",
            "\t",
            "\u{85}",
            "\u{2028}",
            "\u{202E}",
            "\u{FEFF}",
            "\0",
            "---",
            "...",
            "~",
            "null",
            "1e3",
            "0x1f",
            "true",
            "steps:",
            "é",
            "\u{1F600}",
            "?",
            "<<",
        ]);
        prop_oneof![
            prop::collection::vec(pieces, 0..8).prop_map(|all| all.concat()),
            any::<String>(),
            "[0-9]{1,5}(ms|s|m|h|d|x)?",
        ]
    }

    proptest! {
        #[test]
        fn a_text_is_read_back_as_it_was(text in strange(), name in strange()) {
            let yaml = Yaml::one("list", Yaml::List(vec![
                Yaml::one("call", Yaml::Members(vec![(format!("k{name}"), Yaml::text(&text)), ("end".to_owned(), Yaml::number(7_u64))])),
            ]));
            let Yaml::Members(members) = &yaml else { unreachable!() };
            let Yaml::List(items) = &members[0].1 else { unreachable!() };
            let written = format!("list:\n{}", items[0].step());
            let read: Value = serde_saphyr::from_str(&written).map_err(|fault| TestCaseError::fail(format!("{fault}: {written}")))?;
            let wanted = serde_json::json!({"list": [{"call": {format!("k{name}"): text, "end": 7}}]});
            prop_assert_eq!(read, wanted, "{}", written);
        }

        #[test]
        fn a_comment_is_one_line_and_nothing_else(text in strange()) {
            let written = format!("a: 1\n# {}\nb: 2\n", comment(&text));
            let read: Value = serde_saphyr::from_str(&written).map_err(|fault| TestCaseError::fail(format!("{fault}: {written:?}")))?;
            prop_assert_eq!(read, serde_json::json!({"a": 1, "b": 2}));
        }
    }

    #[test]
    fn words_and_times_stand_without_quotes_and_nothing_else() {
        for bare in ["merchant-1", "TOKEN_SUSPENDED", "2h30m", "500ms", "a.b"] {
            assert_eq!(scalar(bare), bare);
        }
        for quoted in ["", "1239", "True", "no", "5", "5x", "1e3", "a b", "-a", "a:", "2026-04-22T10:00:00Z"]
        {
            assert_eq!(scalar(quoted), format!("\"{quoted}\""));
        }
    }

    #[test]
    fn what_is_too_long_for_a_line_is_broken_member_by_member() {
        let long = Yaml::members([
            ("name", Yaml::text("a".repeat(70))),
            ("on", Yaml::List(vec![Yaml::text("b".repeat(60))])),
        ]);
        let text = Yaml::one("fault", long).step();
        assert_eq!(
            text,
            format!("  - fault:\n      name: {}\n      on: [{}]\n", "a".repeat(70), "b".repeat(60))
        );
    }
}
