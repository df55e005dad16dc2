//! Reading a tree into types: what is missing, unknown, or of another kind is told, and reading goes on.

mod names;
mod time;

pub(crate) use names::{Named, is_name};
pub(super) use names::{name, named};
pub(crate) use time::{MAX_STEP, MAX_TIME, shown};
pub(super) use time::{instant, time};

use super::finding::{Findings, Place, nearest};
use super::node::{Key, Node, Value};

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
            let below = matches!(node.value, Value::Nothing);
            let below =
                if below { ", whose members stand on lines below that are indented further" } else { "" };
            wrong(node, &format!("{what}: an object{below}"), findings);
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
        // A misspelt one is told by `done`.
        if taken.is_none() && !self.left.iter().any(|(key, _)| !nearest(&key.name, [name]).is_empty()) {
            findings
                .form(self.place, format!("{}: expected a member `{name}`, found none; add it", self.what));
        }
        taken
    }

    /// The values that nobody has asked for yet.
    pub(super) fn left(&self) -> impl Iterator<Item = &'n Node> {
        self.left.iter().map(|(_, value)| *value)
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

pub(super) fn whole(node: &Node, what: &str, least: i64, most: i64, findings: &mut Findings) -> Option<u32> {
    match node.value {
        Value::Whole(number) if (least..=most).contains(&number) => u32::try_from(number).ok(),
        _ => {
            let quoted = matches!(&node.value, Value::Text(text) if text.parse::<i64>().is_ok());
            let quotes = if quoted { " without quotes" } else { "" };
            wrong(node, &format!("{what}: a whole number from {least} to {most}{quotes}"), findings);
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

/// Digits, which are text. They are never told: it may be a real card.
pub(super) fn digits(
    node: &Node,
    what: &str,
    least: usize,
    most: usize,
    findings: &mut Findings,
) -> Option<String> {
    let found = match &node.value {
        Value::Text(text)
            if text.bytes().all(|b| b.is_ascii_digit()) && (least..=most).contains(&text.len()) =>
        {
            return Some(text.clone());
        }
        Value::Unknown => return None,
        Value::Text(_) => "other text",
        Value::Whole(_) | Value::Decimal(_) => "a number without quotes",
        _ => "something else",
    };
    let count = if least == most { format!("{least}") } else { format!("{least} to {most}") };
    tell(node, format!("expected {what}: {count} digits in quotes, found {found}"), findings);
    None
}
