//! The values at the edges of what a schema allows, and those that break one keyword of it each.

use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Number, Value};

use crate::schema::{LUHN_FORMAT, is_luhn};

/// Repetitions beyond the least where a pattern has no bound, and the most that are written out where it has a high one.
const SOME_MORE: u32 = 8;
const MOST: u32 = 10_000;
/// The largest whole number that every reader of JSON can hold (RFC 8259, 6).
const LARGEST_SAFE: i64 = (1 << 53) - 1;
/// What texts without a form are made of.
const FILLING: &str = "X";

/// How far a value is from what the schema says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Breach {
    /// Nothing can be made of it: nothing at all, or something of another kind.
    Kind,
    /// It is of the right kind, but has another form.
    Form,
    /// It is a number, and no sensible one.
    Number,
}

/// The values at the edges, with the names of their rules. `good` is left out: it is shown elsewhere.
pub(super) fn edges(schema: &Map<String, Value>, good: &Value) -> Vec<(String, Value)> {
    let named = |word: &str, value: Value| (word.to_owned(), value);
    let mut found: Vec<(String, Value)> = Vec::new();
    match kind(schema) {
        "string" if schema.contains_key("enum") => {
            let known = schema["enum"].as_array().into_iter().flatten();
            found.extend(
                known.filter_map(|one| Some((format!("known-value-{}", one.as_str()?), one.clone()))),
            );
        }
        "string" => {
            let [lowest, highest] = edges_of_text(schema);
            found.extend(lowest.map(|text| named("lowest", text.into())));
            found.extend(highest.map(|text| named("highest", text.into())));
        }
        "number" | "integer" => {
            found.push(named("lowest", lowest_number(schema)));
            found.push(named("highest", highest_number(schema)));
        }
        _ => {}
    }
    found.retain(|(_, value)| value != good);
    found
}

/// Values that break one keyword each, with the names of their rules.
pub(super) fn breaches(schema: &Map<String, Value>, good: &Value) -> Vec<(&'static str, Value, Breach)> {
    let number = |keyword: &str| schema.get(keyword).and_then(Value::as_i64);
    let length = |keyword: &str| number(keyword).and_then(|length| usize::try_from(length).ok());
    let good = good.as_str().unwrap_or_default();
    let mut found = Vec::new();
    match kind(schema) {
        "string" => {
            found.push(("wrong-type", 17.into(), Breach::Kind));
            if length("minLength").is_some_and(|least| least > 0) {
                found.push(("empty", "".into(), Breach::Kind));
            }
            // Whatever has a form of its own and is longer than that breaks the form as well.
            if let (Some(most), false) = (length("maxLength"), schema.contains_key("pattern")) {
                found.push(("too-long", FILLING.repeat(most + 1).into(), Breach::Form));
            }
            found
                .extend(other_pattern(schema, good).map(|text| ("wrong-pattern", text.into(), Breach::Form)));
            found.extend(other_format(schema, good).map(|text| ("wrong-format", text.into(), Breach::Form)));
        }
        "number" | "integer" => {
            found.push(("wrong-type", "soon".into(), Breach::Number));
            let low = number("exclusiveMinimum").or_else(|| number("minimum").map(|least| least - 1));
            let high = number("exclusiveMaximum").or_else(|| number("maximum").map(|most| most + 1));
            found.extend(low.map(|low| ("too-low", low.into(), Breach::Number)));
            found.extend(high.map(|high| ("too-high", high.into(), Breach::Number)));
        }
        _ => {}
    }
    found
}

/// The ways to write a whole number: JSON has one kind of number, and 9e2 is 900. Literal JSON.
pub(super) fn forms(schema: &Map<String, Value>, good: &Value) -> Vec<(&'static str, String)> {
    let (Some(whole), "number" | "integer") = (good.as_i64(), kind(schema)) else { return Vec::new() };
    let mut found = vec![("with-fraction", format!("{whole}.0"))];
    let zeros = whole.to_string().bytes().rev().take_while(|&digit| digit == b'0').count();
    let power = u32::try_from(zeros).ok().and_then(|zeros| 10_i64.checked_pow(zeros)).unwrap_or(1);
    found.push(("with-exponent", format!("{}e{zeros}", whole / power)));
    found
}

fn kind(schema: &Map<String, Value>) -> &str {
    schema.get("type").and_then(Value::as_str).unwrap_or_default()
}

fn edges_of_text(schema: &Map<String, Value>) -> [Option<String>; 2] {
    let word = |keyword: &str| schema.get(keyword).and_then(Value::as_str);
    if word("format") == Some("date-time") {
        return ["0000-01-01T00:00:00.000Z", "9999-12-31T23:59:59.999Z"].map(|text| Some(text.to_owned()));
    }
    if let Some(pattern) = word("pattern") {
        let Ok(pattern) = regex_syntax::parse(pattern) else { return [None, None] };
        return [false, true].map(|highest| {
            let mut text = String::new();
            extreme(&pattern, highest, &mut text);
            if word("format") == Some(LUHN_FORMAT) { with_check_digit(&text, true) } else { Some(text) }
        });
    }
    ["minLength", "maxLength"].map(|keyword| {
        let length = schema.get(keyword).and_then(Value::as_u64)?;
        Some(FILLING.repeat(usize::try_from(length).ok()?))
    })
}

/// The shortest text of a pattern, made of the first characters that it allows; or the longest, of the last ones.
fn extreme(pattern: &Hir, highest: bool, text: &mut String) {
    match pattern.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = class.ranges();
            let range = if highest { ranges.last() } else { ranges.first() };
            text.extend(range.map(|range| if highest { range.end() } else { range.start() }));
        }
        HirKind::Class(Class::Bytes(class)) => {
            let ranges = class.ranges();
            let range = if highest { ranges.last() } else { ranges.first() };
            text.extend(range.map(|range| char::from(if highest { range.end() } else { range.start() })));
        }
        HirKind::Repetition(repeated) => {
            let most = repeated.max.unwrap_or_else(|| repeated.min.saturating_add(SOME_MORE));
            let times = if highest { most } else { repeated.min };
            (0..times.min(MOST)).for_each(|_| extreme(&repeated.sub, highest, text));
        }
        HirKind::Capture(capture) => extreme(&capture.sub, highest, text),
        HirKind::Concat(parts) => parts.iter().for_each(|part| extreme(part, highest, text)),
        HirKind::Alternation(parts) => {
            let part = if highest { parts.last() } else { parts.first() };
            part.into_iter().for_each(|part| extreme(part, highest, text));
        }
    }
}

/// The digits with another last one, so that the check digit is right, or wrong.
fn with_check_digit(digits: &str, right: bool) -> Option<String> {
    let (last, _) = digits.char_indices().next_back()?;
    let candidates = (0..10).map(|digit| format!("{}{digit}", &digits[..last]));
    candidates.into_iter().find(|candidate| is_luhn(candidate) == right)
}

fn lowest_number(schema: &Map<String, Value>) -> Value {
    let bound = |keyword: &str| schema.get(keyword);
    if let Some(least) = bound("minimum") {
        return least.clone();
    }
    match (bound("exclusiveMinimum").and_then(Value::as_f64), kind(schema)) {
        (Some(beyond), "number") => Number::from_f64(beyond.next_up()).map_or(Value::Null, Value::Number),
        (Some(_), _) => {
            bound("exclusiveMinimum").and_then(Value::as_i64).map_or(1, |beyond| beyond + 1).into()
        }
        (None, "number") => f64::MIN.into(),
        (None, _) => (-LARGEST_SAFE).into(),
    }
}

fn highest_number(schema: &Map<String, Value>) -> Value {
    match (schema.get("maximum"), kind(schema)) {
        (Some(most), _) => most.clone(),
        (None, "number") => f64::MAX.into(),
        (None, _) => LARGEST_SAFE.into(),
    }
}

/// A text that grew: the likeliest way in which a form changes. Of a moment the one that RFC 3339 allows as well.
fn other_pattern(schema: &Map<String, Value>, good: &str) -> Option<String> {
    schema.get("pattern")?;
    if schema.get("format").and_then(Value::as_str) == Some("date-time") {
        return Some(format!("{}+00:00", good.get(..19)?));
    }
    if schema.contains_key("contentSchema") {
        return Some("no.jwe".to_owned());
    }
    let mut longer = good.to_owned();
    longer.push(good.chars().next_back()?);
    let most = edges_of_text(schema)[1].as_ref().map_or(0, |longest| longest.chars().count());
    while longer.chars().count() <= most {
        longer.push(good.chars().next_back()?);
    }
    // One fault is enough.
    let has_check_digit = schema.get("format").and_then(Value::as_str) == Some(LUHN_FORMAT);
    if has_check_digit { with_check_digit(&longer, true) } else { Some(longer) }
}

/// A text that looks like one of the format and is none.
fn other_format(schema: &Map<String, Value>, good: &str) -> Option<String> {
    match schema.get("format")?.as_str()? {
        "date-time" => Some(format!("{}-02-30{}", good.get(..4)?, good.get(10..)?)),
        LUHN_FORMAT => with_check_digit(good, false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schema(schema: Value) -> Map<String, Value> {
        serde_json::from_value(schema).expect("an object")
    }

    fn edges_of(given: Value) -> Vec<(String, Value)> {
        edges(&schema(given), &json!("good"))
    }

    #[test]
    fn the_edges_of_a_text_are_its_shortest_and_its_longest() {
        let both = |lowest: &str, highest: &str| {
            vec![("lowest".to_owned(), json!(lowest)), ("highest".to_owned(), json!(highest))]
        };
        assert_eq!(edges_of(json!({"type": "string", "minLength": 1, "maxLength": 3})), both("X", "XXX"));
        let pattern = json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,3}$"});
        assert_eq!(edges_of(pattern), both("-", "zzz"));
        let month = json!({"type": "string", "pattern": "^(0[1-9]|1[0-2])[0-9]{2}$"});
        assert_eq!(edges_of(month), both("0100", "1299"));
        let digits = json!({"type": "string", "pattern": "^[0-9]{4}$", "format": "luhn"});
        assert_eq!(edges_of(digits), both("0000", "9993"));
        assert_eq!(edges_of(json!({"type": "string"})), []);
        let states = edges(&schema(json!({"type": "string", "enum": ["A", "good"]})), &json!("good"));
        assert_eq!(states, [("known-value-A".to_owned(), json!("A"))]);
    }

    #[test]
    fn the_edges_of_a_number_are_its_bounds() {
        let numbers = |given: Value| edges_of(given).into_iter().map(|(_, value)| value).collect::<Vec<_>>();
        assert_eq!(numbers(json!({"type": "integer", "minimum": 2, "maximum": 9})), [json!(2), json!(9)]);
        assert_eq!(numbers(json!({"type": "integer", "exclusiveMinimum": 2}))[0], json!(3));
        let number = numbers(json!({"type": "number", "exclusiveMinimum": 0}));
        assert_eq!(number, [json!(5e-324), json!(f64::MAX)]);
    }

    #[test]
    fn a_whole_number_has_other_forms_that_are_the_same_number() {
        let number = schema(json!({"type": "number"}));
        for (good, wanted) in
            [(900, ["900.0", "9e2"]), (62, ["62.0", "62e0"]), (0, ["0.0", "0e1"]), (-30, ["-30.0", "-3e1"])]
        {
            let found = forms(&number, &json!(good));
            assert_eq!(found.iter().map(|(_, form)| form.as_str()).collect::<Vec<_>>(), wanted, "{good}");
            for (_, form) in found {
                let read: f64 = serde_json::from_str(&form).expect("JSON");
                assert_eq!(json!(read), json!(f64::from(good)), "{form}");
            }
        }
        assert!(forms(&schema(json!({"type": "string"})), &json!(900)).is_empty());
    }
}
