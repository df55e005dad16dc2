//! The lint that refuses a document with an element that does not say how well it is known, or that says two things.

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use crate::document::Document;
use crate::elements::{Element, ElementKind};
use crate::fault::pointer_step;
use crate::standing::{Standing, is_source, sources_of};

/// One rule of the documents that an element breaks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LintFault {
    /// JSON pointer to the element.
    pub at: String,
    /// What is wrong and what is wanted.
    pub message: String,
}

impl fmt::Display for LintFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}: {}", self.at, self.message)
    }
}

/// Holds a document against the rules of the house; an empty list means that it keeps all of them.
///
/// - Every element has a known standing and at least one source, one of the kind of its standing. A source is `D`, `S`
///   or `C` with its number, `I` with the section of the fact table, or `RFC` with its number.
/// - Every operation has an `operationId` of its own and its own `security`.
/// - Every error answer lists its codes in `x-error-codes`, in agreement with the `enum` that narrows `errorCode`
///   (`none` where the answer has no code), each with meaning, retry and outcome.
/// - Its description says `Retryable` or `Not Retryable`, in agreement with every one of its codes.
/// - A code of a 4xx leaves nothing in doubt (`outcome: refused`), and `after-refresh` stands at 401 alone, with every code
///   of it: elsewhere another bearer changes nothing.
#[must_use]
pub fn lint(document: &Document) -> Vec<LintFault> {
    let mut faults = Faults(Vec::new());
    let elements = document.elements();
    for element in &elements {
        check_standing(document, element, &mut faults);
    }
    check_operations(document, &elements, &mut faults);
    for element in &elements {
        if element.kind == ElementKind::Answer {
            check_answer(document, &element.pointer, &mut faults);
        }
    }
    check_statuses(document, &elements, &mut faults);
    faults.0.sort();
    faults.0.dedup();
    faults.0
}

struct Faults(Vec<LintFault>);

impl Faults {
    fn add(&mut self, at: &str, message: impl Into<String>) {
        self.0.push(LintFault { at: at.to_owned(), message: message.into() });
    }
}

fn check_standing(document: &Document, element: &Element, faults: &mut Faults) {
    let (standing_key, source_key) = element.kind.keys();
    let at = element.pointer.as_str();
    let Some(object) = document.at(at) else {
        faults.add(at, "is missing");
        return;
    };
    let standing = match object.get(standing_key).and_then(Value::as_str) {
        None => {
            faults.add(at, format!("has no `{standing_key}`"));
            None
        }
        Some(word) => {
            let standing = Standing::from_word(word);
            if standing.is_none() {
                faults.add(
                    at,
                    format!("`{standing_key}` is {word:?}; use documented, sibling, inferred or choice"),
                );
            }
            standing
        }
    };
    let Some(sources) = sources_of(object, source_key) else {
        faults.add(at, format!("has no `{source_key}`, a list such as [D2, C15]"));
        return;
    };
    for source in sources.iter().filter(|source| !is_source(source)) {
        faults.add(at, format!("`{source_key}` has {source:?}; use D1, S3, C15, I6.3 or RFC 7516"));
    }
    if let Some(standing) = standing {
        let letter = standing.letter();
        if !sources.iter().any(|source| source.starts_with(letter)) {
            faults.add(at, format!("is `{standing}` but `{source_key}` has no source {letter}"));
        }
    }
}

fn check_operations(document: &Document, elements: &[Element], faults: &mut Faults) {
    let mut known = BTreeSet::new();
    for element in elements {
        if element.kind != ElementKind::Operation {
            continue;
        }
        let at = element.pointer.as_str();
        let operation = document.at(at).unwrap_or(&Value::Null);
        match operation.get("operationId").and_then(Value::as_str) {
            None => faults.add(at, "has no `operationId`"),
            Some(id) => {
                if !known.insert(id.to_owned()) {
                    faults.add(at, format!("`operationId` {id:?} is used by another operation"));
                }
            }
        }
        if !operation.get("security").is_some_and(Value::is_array) {
            faults.add(at, "has no `security` of its own");
        }
    }
}

/// An answer that belongs to a status of 400 and above, wherever the reference to it stands, must list its codes.
fn check_statuses(document: &Document, elements: &[Element], faults: &mut Faults) {
    for element in elements {
        if element.kind != ElementKind::Operation {
            continue;
        }
        let at = pointer_step(&element.pointer, "responses");
        let Some(answers) = document.at(&at).and_then(Value::as_object) else {
            faults.add(&element.pointer, "has no `responses`");
            continue;
        };
        for (status, answer) in answers {
            check_status(document, &pointer_step(&at, status), status, answer, faults);
        }
    }
    let outside = document.at("/x-outside-operations").and_then(Value::as_object);
    for (status, answer) in outside.into_iter().flatten() {
        check_status(document, &pointer_step("/x-outside-operations", status), status, answer, faults);
    }
}

/// What a code can say depends on the status that it comes with, which an answer of the components does not know.
fn check_status(document: &Document, at: &str, status: &str, answer: &Value, faults: &mut Faults) {
    let codes = document.resolve(answer).and_then(|answer| answer.get("x-error-codes"));
    if status.starts_with(['4', '5']) != codes.is_some() {
        faults.add(at, "an error answer needs `x-error-codes`, any other must not have it");
    }
    for (code, entry) in codes.and_then(Value::as_object).into_iter().flatten() {
        let word = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        if status.starts_with('4') && word("outcome") == "ambiguous" {
            faults.add(at, format!("`{code}` is ambiguous, but a 4xx says that nothing was done (C34)"));
        }
        if (status == "401") != (word("retry") == "after-refresh") {
            faults.add(at, format!("`{code}`: `retry` must be after-refresh with 401, and with no other"));
        }
    }
}

fn check_answer(document: &Document, at: &str, faults: &mut Faults) {
    let Some(answer) = document.at(at) else {
        return;
    };
    let Some(codes) = answer.get("x-error-codes").and_then(Value::as_object) else {
        return;
    };
    let listed: BTreeSet<&str> = codes.keys().map(String::as_str).collect();
    let narrowed = narrowed_codes(answer);
    let expected: BTreeSet<&str> = if listed.contains("none") { BTreeSet::new() } else { listed.clone() };
    if listed.is_empty() || narrowed != expected || (listed.contains("none") && listed.len() > 1) {
        faults.add(
            at,
            format!(
                "`x-error-codes` names {listed:?}, the `enum` of `errorCode` in the schema {narrowed:?}; \
                 they must agree (`none` stands alone and for no `errorCode`)"
            ),
        );
    }
    let (mut retryable, mut not) = (false, false);
    for (code, entry) in codes {
        let at = pointer_step(&pointer_step(at, "x-error-codes"), code);
        let word = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
        let known = ["standing", "source", "meaning", "retry", "outcome"];
        for name in entry.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !known.contains(&name.as_str()) {
                faults.add(
                    &at,
                    format!("has an unknown `{name}`; use standing, source, meaning, retry, outcome"),
                );
            }
        }
        if word("meaning").is_empty() {
            faults.add(&at, "has no `meaning`");
        }
        match word("retry") {
            "after-delay" => retryable = true,
            "never" | "after-refresh" => not = true,
            _ => faults.add(&at, "`retry` must be never, after-delay or after-refresh"),
        }
        if !matches!(word("outcome"), "refused" | "ambiguous") {
            faults.add(&at, "`outcome` must be refused or ambiguous");
        }
    }
    let description = answer.get("description").and_then(Value::as_str).unwrap_or_default();
    let says_not = description.contains("Not Retryable");
    let says_yes = description.replace("Not Retryable", "").contains("Retryable");
    if says_not == says_yes || (says_yes, says_not) != (retryable, not) {
        faults.add(
            at,
            "the description must say `Retryable` or `Not Retryable`, as every one of its codes does",
        );
    }
}

/// The codes that the plain JSON Schema of an error answer allows: the `enum` of `errorCode` beside `required`.
fn narrowed_codes(answer: &Value) -> BTreeSet<&str> {
    let branches = answer.pointer("/content/application~1json/schema/allOf").and_then(Value::as_array);
    branches
        .into_iter()
        .flatten()
        .filter(|branch| {
            branch
                .get("required")
                .and_then(Value::as_array)
                .is_some_and(|required| required.iter().any(|name| name == "errorCode"))
        })
        .filter_map(|branch| branch.pointer("/properties/errorCode/enum")?.as_array())
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}
