//! YAML as a tree in which everything knows its place, so that all faults of a file can be told at once, and
//! parameters can stand in any scalar.

use std::fmt;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use super::finding::{Findings, Place};

/// So deep a file may be nested: repetitions as deep as they may be, and an expectation in them. A parser that goes deeper
/// needs more stack than a thread has.
const MAX_NESTED: usize = 40;
/// So many values may a file have, what aliases stand for counted.
const MAX_VALUES: usize = 250_000;
/// From here on a number has more digits than it holds.
const LARGE: f64 = 1e15;

/// A value with its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
    /// It came from a parameter: the schema cannot have seen it.
    pub(super) substituted: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Nothing,
    Truth(bool),
    Whole(i64),
    Decimal(f64),
    Text(String),
    List(Vec<Node>),
    Members(Vec<(Key, Node)>),
    /// It named a parameter that there is not, which has been told: what reads it is silent.
    Unknown,
}

#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) place: Place,
    pub(super) name: String,
}

impl Value {
    /// For messages: what was found.
    pub(super) fn kind(&self) -> String {
        match self {
            Self::Nothing => "nothing".to_owned(),
            Self::Truth(truth) => format!("the truth value {truth}"),
            Self::Whole(number) => format!("the number {number}"),
            // Written out, it would be hundreds of digits that nobody wrote.
            Self::Decimal(number) if number.abs() >= LARGE => "a number that is too large".to_owned(),
            Self::Decimal(number) => format!("the number {number:?}"),
            Self::Text(text) => format!("`{}`", text.chars().take(60).collect::<String>()),
            Self::List(_) => "a list".to_owned(),
            Self::Members(_) => "an object".to_owned(),
            Self::Unknown => "an unknown parameter".to_owned(),
        }
    }
}

/// What the parser gives, before places have a file.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Plain(Value),
    List(Vec<Raw>),
    Members(Vec<(Spanned<String>, Raw)>),
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true or false, a list or an object")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Nothing))
    }

    fn visit_bool<E>(self, truth: bool) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Truth(truth)))
    }

    fn visit_i64<E>(self, number: i64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Whole(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<RawValue, E> {
        // Beyond every bound of the language.
        Ok(RawValue::Plain(Value::Whole(i64::try_from(number).unwrap_or(i64::MAX))))
    }

    fn visit_f64<E>(self, number: f64) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Decimal(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Plain(Value::Text(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawValue, A::Error> {
        let mut members = Vec::new();
        while let Some(key) = map.next_key()? {
            members.push((key, map.next_value()?));
        }
        Ok(RawValue::Members(members))
    }
}

fn placed(raw: Raw, file: &Arc<str>) -> Node {
    let place =
        |at: serde_saphyr::Location| Place { file: Arc::clone(file), line: at.line(), column: at.column() };
    let value = match raw.0.value {
        RawValue::Plain(value) => value,
        RawValue::List(items) => Value::List(items.into_iter().map(|item| placed(item, file)).collect()),
        RawValue::Members(members) => Value::Members(
            members
                .into_iter()
                .map(|(key, value)| {
                    (Key { place: place(key.referenced), name: key.value }, placed(value, file))
                })
                .collect(),
        ),
    };
    Node { place: place(raw.0.referenced), value, substituted: false }
}

/// YAML 1.2 without the words of 1.1; a number or a truth value is no text unless quoted. `None` if that failed, and
/// what is wrong is among the findings.
pub(super) fn parse(file: &str, text: &str, findings: &mut Findings) -> Option<Node> {
    findings.remember(file, text);
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---";
    if text.lines().all(blank) {
        let reason = "expected a scenario, found none but comments; `d1sim scenario new NAME` writes one to begin with";
        findings.form(&Place::start_of(file), reason);
        return None;
    }
    let options = serde_saphyr::options! {
        strict_booleans: true,
        no_schema: true,
        with_snippet: false,
        budget: serde_saphyr::budget! { max_depth: MAX_NESTED, max_nodes: MAX_VALUES },
    };
    match serde_saphyr::from_str_with_options::<Raw>(text, options) {
        Ok(raw) => Some(placed(raw, &file.into())),
        Err(fault) => {
            let (line, column) = fault.location().map_or((1, 1), |place| (place.line(), place.column()));
            let at = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
            let reason = reason(&fault, text.lines().nth(at).unwrap_or_default());
            findings.form(&Place { file: file.into(), line, column }, reason);
            None
        }
    }
}

fn reason(fault: &serde_saphyr::Error, line: &str) -> String {
    if let serde_saphyr::Error::DuplicateMappingKey { key, .. } = fault.without_snippet() {
        let key = key.as_deref().unwrap_or("a member");
        return format!("`{key}` stands twice in one place; expected it once, take one of the two away");
    }
    if matches!(fault.without_snippet(), serde_saphyr::Error::MultipleDocuments { .. }) {
        return "a second document begins here: expected one scenario in a file; take the line `---` or what follows away, \
                or make two files of it"
            .to_owned();
    }
    let told = fault.to_string();
    let told = told.split(" at line ").next().unwrap_or_default();
    if told.starts_with("budget breached") || told.contains("recursion limit") {
        return format!(
            "expected a file that is nested at most {MAX_NESTED} deep and has at most {MAX_VALUES} values, what aliases stand for \
             counted; this is more"
        );
    }
    if told.contains("non-finite") {
        return "expected a number, found one that is none or beyond all bounds (.inf, .nan, 1e999)"
            .to_owned();
    }
    if told.contains("must be quoted") || told.contains("expected string scalar") {
        return "expected the name of a member, which is text: put it in quotes if it is a number, and use no list or \
                object as a name"
            .to_owned();
    }
    if told.contains("mapping values are not allowed") {
        return format!("this is no YAML: {told}; text that has a colon and a blank in it stands in quotes");
    }
    if line.contains("${") && line.contains('{') {
        return format!(
            "this is no YAML: {told}; a parameter within {{ }} or [ ] is written in quotes: \"${{name}}\""
        );
    }
    if told.contains("tabs") || line.trim_start_matches(' ').starts_with('\t') {
        return "this is no YAML: a tab indents this line or the one before; expected blanks, put them in its place"
            .to_owned();
    }
    if told.contains("did not find expected") {
        return format!(
            "this is no YAML: {told}; what belongs together begins in one column: is this line, or one before it, indented otherwise than its neighbours, or is a bracket not closed?"
        );
    }
    format!("this is no YAML: {told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Node, String> {
        let mut findings = Findings::default();
        parse("a.yaml", text, &mut findings)
            .ok_or_else(|| findings.all().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
    }

    #[test]
    fn everything_has_its_place_and_its_kind() {
        let node = read("a: 1\nb:\n  - \"1\"\n  - {c: no, d: true, e: 0.5, f: 2026-04-22T10:00:00Z, g: ~}\n")
            .expect("YAML");
        assert_eq!(node.place.to_string(), "a.yaml:1:1");
        let Value::Members(members) = node.value else { panic!("{node:?}") };
        assert!(matches!(members[0].1.value, Value::Whole(1)));
        assert_eq!(members[1].0.place.to_string(), "a.yaml:2:1");
        let Value::List(items) = &members[1].1.value else { panic!("{members:?}") };
        assert_eq!((items[0].place.to_string(), items[0].value.kind()), ("a.yaml:3:5".into(), "`1`".into()));
        let Value::Members(inner) = &items[1].value else { panic!("{items:?}") };
        assert_eq!(inner[1].1.place.to_string(), "a.yaml:4:16");
        let kinds: Vec<String> = inner.iter().map(|(_, node)| node.value.kind()).collect();
        let wanted = ["`no`", "the truth value true", "the number 0.5", "`2026-04-22T10:00:00Z`", "nothing"];
        assert_eq!(kinds, wanted);
    }

    #[test]
    fn what_is_no_yaml_is_told_with_its_place() {
        for (text, wanted) in [
            ("# nothing\n", "a.yaml:1:1: expected a scenario"),
            ("a: 1\na: 2\n", "a.yaml:2:1: `a` stands twice"),
            ("a: [1\n", "this is no YAML"),
            ("a: {times: ${n}}\n", "in quotes: \"${name}\""),
            ("a: &x [*x]\n", "a.yaml:1:"),
            ("a:\n\t- b: 1\n", "expected blanks, put them in its place"),
            ("a:\n  - b\n - c\n", "begins in one column"),
            ("a:\n    - b: 1\n  - c: 1\n", "begins in one column"),
        ] {
            let told = read(text).expect_err(text);
            assert!(told.contains(wanted), "{text:?}: {told}");
        }
    }
}
