//! Reading a tree into types: what is missing, unknown, or of another kind is told, and reading goes on.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::finding::{Findings, Place, nearest};
use super::node::{Key, Node, Value};

/// The longest name of a thing.
pub(super) const MAX_NAME: usize = 64;
/// The longest time that the language knows: 20 years.
pub(crate) const MAX_TIME: Duration = Duration::from_secs(7_300 * 86_400);

/// An object whose members are taken one by one; what is left at the end is unknown.
pub(super) struct Members<'n> {
    what: &'static str,
    place: &'n Place,
    left: Vec<(&'n Key, &'n Node)>,
    asked: Vec<&'static str>,
}

impl<'n> Members<'n> {
    /// `what` is for messages, e.g. `a step`.
    pub(super) fn of(node: &'n Node, what: &'static str, findings: &mut Findings) -> Option<Self> {
        let Value::Members(members) = &node.value else {
            wrong(node, &format!("{what}: an object"), findings);
            return None;
        };
        let left = members.iter().map(|(key, value)| (key, value)).collect();
        Some(Self { what, place: &node.place, left, asked: Vec::new() })
    }

    pub(super) fn take(&mut self, name: &'static str) -> Option<&'n Node> {
        self.asked.push(name);
        let at = self.left.iter().position(|(key, _)| key.name == name)?;
        Some(self.left.swap_remove(at).1)
    }

    pub(super) fn need(&mut self, name: &'static str, findings: &mut Findings) -> Option<&'n Node> {
        let taken = self.take(name);
        if taken.is_none() {
            let unknown = self.left.iter().any(|(key, _)| !nearest(&key.name, [name]).is_empty());
            let told = if unknown { "; it seems to be misspelt" } else { "; add it" };
            findings.form(self.place, format!("{}: expected a member `{name}`, found none{told}", self.what));
        }
        taken
    }

    pub(super) fn place(&self) -> &'n Place {
        self.place
    }

    /// The one member of these that there is: anything but exactly one is told.
    pub(super) fn one_of(
        &mut self,
        names: &[&'static str],
        findings: &mut Findings,
    ) -> Option<(&'static str, &'n Key, &'n Node)> {
        self.asked.extend(names);
        let mut met = Vec::new();
        for name in names {
            if let Some(at) = self.left.iter().position(|(key, _)| key.name == *name) {
                let (key, node) = self.left.swap_remove(at);
                met.push((*name, key, node));
            }
        }
        match met.len() {
            1 => met.pop(),
            0 => {
                // A misspelt one is told by `done`.
                if self.left.is_empty() {
                    let reason = format!("{}: expected one of {}, found none", self.what, names.join(", "));
                    findings.form(self.place, reason);
                } else {
                    self.missing_or_misspelt(names, findings);
                }
                None
            }
            _ => {
                let both: Vec<&str> = met.iter().map(|(name, ..)| *name).collect();
                let reason = format!(
                    "{}: expected one of these alone, found {}; make two of it",
                    self.what,
                    both.join(" and ")
                );
                findings.form(&met[1].1.place, reason);
                None
            }
        }
    }

    fn missing_or_misspelt(&self, names: &[&'static str], findings: &mut Findings) {
        let near = self.left.iter().any(|(key, _)| !nearest(&key.name, names.iter().copied()).is_empty());
        if !near {
            let reason = format!("{}: expected one of {}, found none of them", self.what, names.join(", "));
            findings.form(self.place, reason);
        }
    }

    /// Tells what nobody asked for.
    pub(super) fn done(self, findings: &mut Findings) {
        for (key, _) in &self.left {
            let hint = nearest(&key.name, self.asked.iter().copied());
            let known = self.asked.join(", ");
            let reason =
                format!("{}: unknown member `{}`; expected one of {known}{hint}", self.what, key.name);
            findings.form(&key.place, reason);
        }
    }
}

/// Something else was expected here.
pub(super) fn wrong(node: &Node, expected: &str, findings: &mut Findings) {
    if matches!(node.value, Value::Unknown) {
        return;
    }
    let reason = format!("expected {expected}, found {}", node.value.kind());
    tell(node, reason, findings);
}

/// A fault of form, unless the value came from a parameter.
pub(super) fn tell(node: &Node, reason: String, findings: &mut Findings) {
    if node.substituted { findings.sense(&node.place, reason) } else { findings.form(&node.place, reason) }
}

pub(super) fn list<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> &'n [Node] {
    match &node.value {
        Value::List(items) if !items.is_empty() => items,
        Value::List(_) => {
            tell(node, format!("expected {what}, found an empty list"), findings);
            &[]
        }
        _ => {
            wrong(node, what, findings);
            &[]
        }
    }
}

/// One value, or a list of such.
pub(super) fn one_or_more<'n>(node: &'n Node, what: &str, findings: &mut Findings) -> &'n [Node] {
    if matches!(node.value, Value::List(_)) { list(node, what, findings) } else { std::slice::from_ref(node) }
}

/// Text of 1 to `max` characters.
pub(super) fn text(node: &Node, what: &str, max: usize, findings: &mut Findings) -> Option<String> {
    match &node.value {
        Value::Text(text) if (1..=max).contains(&text.chars().count()) => return Some(text.clone()),
        Value::Text(text) => {
            let found = text.chars().count();
            tell(node, format!("expected {what}: 1 to {max} characters, found {found}"), findings);
        }
        Value::Whole(_) | Value::Decimal(_) | Value::Truth(_) => {
            wrong(node, &format!("{what} in quotes"), findings);
        }
        _ => wrong(node, what, findings),
    }
    None
}

/// Whether a text can be the name of a thing: `a-z`, `0-9`, `-`, beginning with a letter or digit.
pub(crate) fn is_name(text: &str) -> bool {
    let good = |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'-';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(good) && !text.starts_with('-')
}

/// The name of a thing of the scenario.
pub(super) fn name(node: &Node, findings: &mut Findings) -> Option<Named> {
    match &node.value {
        Value::Text(text) if is_name(text) => {
            return Some(Named { name: text.clone(), place: node.place.clone() });
        }
        Value::Text(text) => {
            let letters = text.to_lowercase();
            let letters = letters.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
            let proposal: String = letters.take(MAX_NAME).collect();
            let proposal = proposal.trim_matches('-');
            let hint = if is_name(proposal) { format!("; `{proposal}` would do") } else { String::new() };
            let reason = format!(
                "expected a name of small letters, digits and hyphens, found {}{hint}",
                node.value.kind()
            );
            tell(node, reason, findings);
        }
        Value::Whole(_) => wrong(node, "a name in quotes", findings),
        _ => wrong(node, "a name", findings),
    }
    None
}

/// A name, where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) place: Place,
}

pub(super) fn whole(node: &Node, what: &str, least: i64, most: i64, findings: &mut Findings) -> Option<u32> {
    match node.value {
        Value::Whole(number) if (least..=most).contains(&number) => u32::try_from(number).ok(),
        _ => {
            wrong(node, &format!("{what}: a whole number from {least} to {most}"), findings);
            None
        }
    }
}

pub(super) fn truth(node: &Node, what: &str, findings: &mut Findings) -> Option<bool> {
    if let Value::Truth(truth) = node.value {
        return Some(truth);
    }
    wrong(node, &format!("{what}: true or false"), findings);
    None
}

/// `true`, as the mark of something that is either there or not.
pub(super) fn mark(node: &Node, what: &str, findings: &mut Findings) -> Option<()> {
    if matches!(node.value, Value::Truth(true)) {
        return Some(());
    }
    wrong(node, &format!("{what}: true, or the member left out"), findings);
    None
}

/// One of the words of a table.
pub(super) fn word<T: Copy>(
    node: &Node,
    what: &str,
    table: &[(&'static str, T)],
    findings: &mut Findings,
) -> Option<T> {
    if let Value::Text(text) = &node.value {
        if let Some((_, value)) = table.iter().find(|(word, _)| word == text) {
            return Some(*value);
        }
        let known: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
        let hint = nearest(text, known.iter().copied());
        tell(node, format!("unknown {what} `{text}`; expected one of {}{hint}", known.join(", ")), findings);
        return None;
    }
    let known: Vec<&str> = table.iter().map(|(word, _)| *word).collect();
    wrong(node, &format!("{what}: one of {}", known.join(", ")), findings);
    None
}

/// Reads `90d`, `2h30m`, `500ms`: days (of 24 hours), hours, minutes, seconds, milliseconds, in this order, each at most once.
pub(super) fn parse_time(text: &str) -> Option<Duration> {
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
pub(super) fn time(
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
            _ => false,
        };
        let told = if negative { " that is not negative" } else { "" };
        wrong(node, &format!("{what}: a time{told}, e.g. 90d, 2h, 500ms"), findings);
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
pub(super) fn instant(node: &Node, what: &str, findings: &mut Findings) -> Option<Timestamp> {
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

/// Things by their names.
pub(super) fn named<'n>(
    node: &'n Node,
    what: &'static str,
    findings: &mut Findings,
) -> BTreeMap<&'n str, (&'n Key, &'n Node)> {
    let Value::Members(members) = &node.value else {
        wrong(node, what, findings);
        return BTreeMap::new();
    };
    let mut all = BTreeMap::new();
    for (key, value) in members {
        if is_name(&key.name) {
            all.insert(key.name.as_str(), (key, value));
        } else {
            let reason =
                format!("{what}: expected a name of small letters, digits and hyphens, found `{}`", key.name);
            findings.form(&key.place, reason);
        }
    }
    all
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

    #[test]
    fn names_are_short_and_plain() {
        for (text, good) in [
            ("a", true),
            ("a-1", true),
            ("1", true),
            ("", false),
            ("-a", false),
            ("A", false),
            ("a b", false),
        ] {
            assert_eq!(is_name(text), good, "{text}");
        }
        assert!(is_name(&"a".repeat(64)) && !is_name(&"a".repeat(65)));
    }
}
