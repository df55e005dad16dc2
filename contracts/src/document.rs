//! An OpenAPI document as a tree of JSON values with every reference checked.

use serde_json::Value;
use thiserror::Error;

use crate::fault::pointer_step;
use crate::form::percent_decode;

/// How many references may lead to one another.
const MAX_REFERENCE_CHAIN: usize = 16;

/// The largest document that is read.
const MAX_BYTES: usize = 4 << 20;

/// Why a contract document could not be used.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The text is not YAML. The source of the error shows the lines around the place.
    #[error("{origin}:{line}:{column}: not valid YAML; correct the file at this place")]
    Yaml {
        /// Name of the document as the caller gave it.
        origin: String,
        /// Line, from 1; 0 where it is not known.
        line: u64,
        /// Column, from 1; 0 where it is not known.
        column: u64,
        /// What the YAML reader says.
        source: Box<serde_saphyr::Error>,
    },
    /// An element is not what OpenAPI 3.1 wants at its place.
    #[error("{origin}#{at}: expected {expected}, found {found}")]
    Shape {
        /// Name of the document as the caller gave it.
        origin: String,
        /// JSON pointer to the element.
        at: String,
        /// What is wanted.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A `$ref` leads nowhere.
    #[error(
        "{origin}#{at}: `$ref` {reference:?} leads nowhere; it must be `#/` and the path of an element of this document"
    )]
    Reference {
        /// Name of the document as the caller gave it.
        origin: String,
        /// JSON pointer to the object that holds the reference.
        at: String,
        /// The reference.
        reference: String,
    },
    /// A schema is not a JSON Schema of draft 2020-12.
    #[error("{origin}#{at}: not a usable JSON Schema (draft 2020-12)")]
    Schema {
        /// Name of the document as the caller gave it.
        origin: String,
        /// JSON pointer to the schema.
        at: String,
        /// What the schema compiler says.
        source: Box<jsonschema::ValidationError<'static>>,
    },
}

/// A loaded OpenAPI 3.1 document: plain JSON values, every `$ref` known to lead somewhere.
#[derive(Debug, Clone)]
pub struct Document {
    root: Value,
    origin: String,
}

impl Document {
    /// Reads a document from YAML (or JSON, which is YAML).
    ///
    /// `origin` names the document in errors: a file name, for example.
    ///
    /// # Errors
    ///
    /// [`LoadError`] where the text is not YAML (with line and column), larger than 4 MiB, not OpenAPI 3.1, or holds a
    /// `$ref` that leads nowhere.
    pub fn parse(yaml: &str, origin: &str) -> Result<Self, LoadError> {
        if yaml.len() > MAX_BYTES {
            return Err(LoadError::Shape {
                origin: origin.to_owned(),
                at: String::new(),
                expected: format!("a document of at most {MAX_BYTES} bytes"),
                found: format!("{} bytes", yaml.len()),
            });
        }
        // YAML 1.2: only `true` and `false` are booleans, so that a member named `y` or a code `NO` stays text.
        let options = serde_saphyr::options! { strict_booleans: true };
        let root = serde_saphyr::from_str_with_options::<Value>(yaml, options).map_err(|source| {
            let (line, column) = source.location().map_or((0, 0), |place| (place.line(), place.column()));
            LoadError::Yaml { origin: origin.to_owned(), line, column, source: Box::new(source) }
        })?;
        Self::from_value(root, origin)
    }

    /// Takes a document that is in memory already.
    ///
    /// # Errors
    ///
    /// [`LoadError`] where it is not OpenAPI 3.1 or holds a `$ref` that leads nowhere.
    pub fn from_value(root: Value, origin: &str) -> Result<Self, LoadError> {
        let document = Self { root, origin: origin.to_owned() };
        let version = document.root.get("openapi").and_then(Value::as_str);
        if !version.is_some_and(|version| version.starts_with("3.1.")) {
            return Err(document.shape(
                "/openapi",
                "a version that starts with `3.1.`, as text",
                version.unwrap_or("nothing"),
            ));
        }
        document.check_references(&document.root, "", 0)?;
        Ok(document)
    }

    /// The whole tree.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// The name that the caller gave.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The element at a JSON pointer, if there is one.
    #[must_use]
    pub fn at(&self, pointer: &str) -> Option<&Value> {
        self.root.pointer(pointer)
    }

    /// Follows `$ref` until an element that is no reference; an element without `$ref` is returned as it is.
    ///
    /// `None` where a reference leads nowhere or in a circle, which a loaded document excludes for its own elements.
    #[must_use]
    pub fn resolve<'d>(&'d self, element: &'d Value) -> Option<&'d Value> {
        let mut element = element;
        for _ in 0..MAX_REFERENCE_CHAIN {
            match reference_of(element) {
                None => return Some(element),
                Some(reference) => element = self.at(&pointer_of(reference)?)?,
            }
        }
        None
    }

    /// The JSON pointer of what `$ref` of the element at `pointer` finally names, or `pointer` itself.
    pub(crate) fn resolve_pointer(&self, pointer: &str) -> Option<String> {
        let mut pointer = pointer.to_owned();
        for _ in 0..MAX_REFERENCE_CHAIN {
            match reference_of(self.at(&pointer)?) {
                None => return Some(pointer),
                Some(reference) => pointer = pointer_of(reference)?,
            }
        }
        None
    }

    pub(crate) fn shape(
        &self,
        at: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) -> LoadError {
        LoadError::Shape {
            origin: self.origin.clone(),
            at: at.into(),
            expected: expected.into(),
            found: found.into(),
        }
    }

    fn check_references(&self, element: &Value, at: &str, depth: usize) -> Result<(), LoadError> {
        if depth > 64 {
            return Err(self.shape(at, "at most 64 levels", "deeper nesting"));
        }
        match element {
            Value::Object(members) => {
                if let Some(reference) = reference_of(element)
                    && self.resolve(element).is_none()
                {
                    return Err(LoadError::Reference {
                        origin: self.origin.clone(),
                        at: at.to_owned(),
                        reference: reference.to_owned(),
                    });
                }
                members.iter().try_for_each(|(name, member)| {
                    self.check_references(member, &pointer_step(at, name), depth + 1)
                })
            }
            Value::Array(items) => items.iter().enumerate().try_for_each(|(index, item)| {
                self.check_references(item, &format!("{at}/{index}"), depth + 1)
            }),
            _ => Ok(()),
        }
    }
}

fn reference_of(element: &Value) -> Option<&str> {
    element.get("$ref").and_then(Value::as_str)
}

fn pointer_of(reference: &str) -> Option<String> {
    let pointer = reference.strip_prefix('#')?;
    pointer.starts_with('/').then_some(())?;
    percent_decode(pointer, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_yaml_error_names_file_line_and_column() {
        let error = Document::parse("openapi: 3.1.0\ninfo: [1, 2\n", "x.yaml").expect_err("open");
        let text = error.to_string();
        assert!(text.starts_with("x.yaml:"), "{text}");
        assert!(!text.starts_with("x.yaml:0"), "{text}");
        assert!(std::error::Error::source(&error).is_some());
    }

    #[test]
    fn a_duplicate_member_is_refused() {
        let yaml = "openapi: 3.1.0\ninfo: {}\ninfo: {}\n";
        assert!(Document::parse(yaml, "x.yaml").is_err());
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_named_with_its_place() {
        let yaml = "openapi: 3.1.0\npaths: {a: {$ref: '#/components/none'}}\n";
        let text = Document::parse(yaml, "x.yaml").expect_err("nowhere").to_string();
        assert!(text.contains("x.yaml#/paths/a"), "{text}");
        assert!(text.contains("#/components/none"), "{text}");
    }

    #[test]
    fn words_that_old_yaml_takes_for_booleans_stay_text() {
        let yaml = "openapi: 3.1.0\nrequired: [x, y, no, on]\n";
        let document = Document::parse(yaml, "x.yaml").expect("it loads");
        assert_eq!(document.at("/required"), Some(&serde_json::json!(["x", "y", "no", "on"])));
    }

    #[test]
    fn a_reference_in_a_circle_is_refused() {
        let yaml = "openapi: 3.1.0\na: {$ref: '#/b'}\nb: {$ref: '#/a'}\n";
        assert!(matches!(Document::parse(yaml, "x.yaml"), Err(LoadError::Reference { .. })));
    }

    #[test]
    fn another_version_of_openapi_is_refused() {
        for yaml in ["openapi: 3.0.3", "openapi: 3.1", "info: {}", "[]", "x"] {
            assert!(Document::parse(yaml, "x.yaml").is_err(), "{yaml}");
        }
    }
}
