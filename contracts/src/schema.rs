//! Compiled schemas, and their verdicts turned into faults without values.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{Draft, Registry, ValidationError, Validator};
use serde_json::Value;

use crate::document::{Document, LoadError};
use crate::fault::{Fault, place_at, pointer_step, shown_name};

/// The name under which the document stands in the registry of schemas; nothing is ever fetched from it.
const DOCUMENT_URI: &str = "https://contract.invalid/openapi.json";

/// The format of a digit string with a right check digit (ISO/IEC 7812 annex B).
pub(crate) const LUHN_FORMAT: &str = "luhn";

/// Compiles schemas of one document.
pub(crate) struct Compiler<'d> {
    document: &'d Document,
    registry: Registry<'d>,
    /// Many operations share an answer or a header; each schema is compiled once.
    compiled: RefCell<BTreeMap<String, Arc<Check>>>,
}

impl<'d> Compiler<'d> {
    pub(crate) fn new(document: &'d Document) -> Result<Self, LoadError> {
        let registry = Registry::new()
            .add(DOCUMENT_URI, document.root().clone())
            .and_then(jsonschema::RegistryBuilder::prepare)
            .map_err(|error| document.shape("", "a document with usable references", error.to_string()))?;
        Ok(Self { document, registry, compiled: RefCell::default() })
    }

    pub(crate) fn document(&self) -> &'d Document {
        self.document
    }

    /// Compiles the schema at a JSON pointer.
    pub(crate) fn compile(&self, pointer: &str) -> Result<Arc<Check>, LoadError> {
        if let Some(check) = self.compiled.borrow().get(pointer) {
            return Ok(Arc::clone(check));
        }
        let reference = format!("{DOCUMENT_URI}#{}", uri_fragment(pointer));
        let validator = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&self.registry)
            .with_format(LUHN_FORMAT, is_luhn)
            .should_validate_formats(true)
            .offline()
            .build(&serde_json::json!({ "$ref": reference }))
            .map_err(|source| LoadError::Schema {
                origin: self.document.origin().to_owned(),
                at: pointer.to_owned(),
                source: Box::new(source),
            })?;
        let check = Arc::new(Check { pointer: pointer.to_owned(), validator });
        let mut compiled = self.compiled.borrow_mut();
        compiled.insert(pointer.to_owned(), Arc::clone(&check));
        Ok(check)
    }
}

/// One compiled schema and its place in the document.
#[derive(Debug)]
pub(crate) struct Check {
    pointer: String,
    validator: Validator,
}

impl Check {
    /// The place of the schema in its document.
    pub(crate) fn pointer(&self) -> &str {
        &self.pointer
    }

    /// Judges a value: what the schema says, and no member that the schema does not name.
    pub(crate) fn judge(&self, document: &Document, value: &Value, place: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for error in self.validator.iter_errors(value) {
            add_faults(&error, value, place, &mut faults);
        }
        if let Some(schema) = document.at(&self.pointer) {
            add_undeclared(document, &[schema], value, place, "", &mut faults);
        }
        faults.sort();
        faults.dedup();
        faults
    }

    /// Judges a text: a header, a path segment or a query value. A schema for a number reads it as one.
    pub(crate) fn judge_text(&self, document: &Document, text: &str, place: &str) -> Vec<Fault> {
        let schema = document.at(&self.pointer).and_then(|schema| document.resolve(schema));
        let kind = schema.and_then(|schema| schema.get("type"));
        let value = match kind.and_then(Value::as_str) {
            Some("integer" | "number") => text
                .parse::<serde_json::Number>()
                .map_or_else(|_| Value::String(text.to_owned()), Value::Number),
            Some("boolean") => {
                text.parse::<bool>().map_or_else(|_| Value::String(text.to_owned()), Value::Bool)
            }
            _ => Value::String(text.to_owned()),
        };
        self.judge(document, &value, place)
    }
}

fn add_faults(error: &ValidationError<'_>, root: &Value, place: &str, faults: &mut Vec<Fault>) {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            faults.push(Fault::new(place_at(place, &pointer_step(pointer, name)), "this member", "nothing"));
        }
        ValidationErrorKind::AdditionalProperties { unexpected }
        | ValidationErrorKind::UnevaluatedProperties { unexpected } => {
            for name in unexpected {
                faults.push(undeclared(place, pointer, name));
            }
        }
        kind => {
            let found = root.pointer(pointer).map_or_else(String::new, describe);
            faults.push(Fault::new(place_at(place, pointer), expectation(kind), found));
        }
    }
}

fn undeclared(place: &str, pointer: &str, name: &str) -> Fault {
    Fault::new(
        place_at(place, pointer),
        "only members that the contract names",
        format!("the member {}", shown_name(name)),
    )
}

/// Says what a keyword wants. Only texts of the schema appear, never one of the message.
fn expectation(kind: &ValidationErrorKind) -> String {
    match kind {
        ValidationErrorKind::Type { kind } => match kind {
            TypeKind::Single(one) => format!("a value of type {one}"),
            TypeKind::Multiple(many) => {
                let mut text = "a value of type".to_owned();
                for (index, one) in many.iter().enumerate() {
                    let between = if index == 0 { "" } else { " or" };
                    // Writing to a String cannot fail.
                    let _ = write!(text, "{between} {one}");
                }
                text
            }
        },
        ValidationErrorKind::Enum { options } => format!("one of {options}"),
        ValidationErrorKind::Constant { expected_value } => format!("exactly {expected_value}"),
        ValidationErrorKind::Pattern { pattern } => format!("text that matches {pattern}"),
        ValidationErrorKind::MinLength { limit } => format!("at least {limit} characters"),
        ValidationErrorKind::MaxLength { limit } => format!("at most {limit} characters"),
        ValidationErrorKind::Format { format } => format!("text of the format {format}"),
        ValidationErrorKind::Minimum { limit } => format!("at least {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("more than {limit}"),
        ValidationErrorKind::Maximum { limit } => format!("at most {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("less than {limit}"),
        ValidationErrorKind::Not { schema } => format!("anything but {schema}"),
        other => format!("what `{}` of the schema asks", other.keyword()),
    }
}

/// Type and size of a value, never the value.
fn describe(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "a boolean".to_owned(),
        Value::Number(number) if number.is_f64() => "a number with a fraction".to_owned(),
        Value::Number(_) => "an integer".to_owned(),
        Value::String(text) => format!("a string of {} characters", text.chars().count()),
        Value::Array(items) => format!("an array of {} items", items.len()),
        Value::Object(members) => format!("an object of {} members", members.len()),
    }
}

/// Closes every object of a message: a schema of an answer is open for clients, but a peer under test must send only
/// what the contract names. An object is free if its schema names no member at all, or says `additionalProperties: true`.
fn add_undeclared(
    document: &Document,
    schemas: &[&Value],
    value: &Value,
    place: &str,
    pointer: &str,
    faults: &mut Vec<Fault>,
) {
    match value {
        Value::Object(members) => {
            let mut declared = BTreeMap::new();
            let mut is_free = false;
            for schema in schemas {
                is_free |= collect_members(document, schema, 0, &mut declared);
            }
            is_free |= declared.is_empty();
            for (name, member) in members {
                match declared.get(name.as_str()) {
                    None if is_free => {}
                    None => faults.push(undeclared(place, pointer, name)),
                    Some(inner) => {
                        let pointer = pointer_step(pointer, name);
                        add_undeclared(document, inner, member, place, &pointer, faults);
                    }
                }
            }
        }
        Value::Array(items) => {
            let inner: Vec<&Value> =
                schemas.iter().filter_map(|schema| document.resolve(schema)?.get("items")).collect();
            for (index, item) in items.iter().enumerate() {
                let pointer = format!("{pointer}/{index}");
                add_undeclared(document, &inner, item, place, &pointer, faults);
            }
        }
        _ => {}
    }
}

/// Collects the members that a schema names, through `$ref`, `allOf`, `anyOf`, `oneOf`, `if`, `then` and `else`; gives
/// whether one of these schemas says `additionalProperties: true`.
fn collect_members<'d>(
    document: &'d Document,
    schema: &'d Value,
    depth: usize,
    declared: &mut BTreeMap<&'d str, Vec<&'d Value>>,
) -> bool {
    if depth > 16 {
        return false;
    }
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, member) in properties {
            declared.entry(name).or_default().push(member);
        }
    }
    let mut inner: Vec<&Value> = Vec::new();
    if schema.get("$ref").is_some() {
        inner.extend(document.resolve(schema));
    }
    for keyword in ["allOf", "anyOf", "oneOf"] {
        inner.extend(schema.get(keyword).and_then(Value::as_array).into_iter().flatten());
    }
    inner.extend(["if", "then", "else"].iter().filter_map(|keyword| schema.get(keyword)));
    let mut is_free = schema.get("additionalProperties") == Some(&Value::Bool(true));
    for schema in inner {
        is_free |= collect_members(document, schema, depth + 1, declared);
    }
    is_free
}

/// Writes a JSON pointer as a URI fragment: everything outside the unreserved characters and `/` is percent-encoded.
fn uri_fragment(pointer: &str) -> String {
    let mut fragment = String::with_capacity(pointer.len());
    for byte in pointer.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'~' | b'-' | b'.' | b'_') {
            fragment.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(fragment, "%{byte:02X}");
        }
    }
    fragment
}

/// Whether the last digit of a digit string is its Luhn check digit.
pub(crate) fn is_luhn(text: &str) -> bool {
    let mut sum = 0;
    for (index, character) in text.chars().rev().enumerate() {
        let Some(digit) = character.to_digit(10) else {
            return false;
        };
        let doubled = digit * 2;
        sum += match (index % 2, doubled > 9) {
            (0, _) => digit,
            (_, false) => doubled,
            (_, true) => doubled - 9,
        };
    }
    text.len() > 1 && sum % 10 == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_luhn_digit_is_checked() {
        assert!(is_luhn("9999990000001012"));
        assert!(is_luhn("79927398713"));
        for bad in ["9999990000001013", "79927398710", "", "0", "7992739871x"] {
            assert!(!is_luhn(bad), "{bad}");
        }
    }

    #[test]
    fn a_pointer_becomes_a_fragment_that_is_a_uri() {
        assert_eq!(uri_fragment("/paths/~1a~1{b}"), "/paths/~1a~1%7Bb%7D");
    }
}
