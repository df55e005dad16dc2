//! Everything in a document that must say how well it is known.

use serde_json::Value;

use crate::document::Document;
use crate::fault::pointer_step;

/// The kinds of element that carry a standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ElementKind {
    /// `info`: where the document as a whole comes from.
    Info,
    /// A base URL.
    Server,
    /// An operation: that it exists, with this method and path.
    Operation,
    /// What an operation asks of its caller (`security`); its standing is in `x-security-standing`.
    Security,
    /// A path, query or header parameter.
    Parameter,
    /// A request body.
    RequestBody,
    /// An answer: that this status is given.
    Answer,
    /// A header of an answer.
    Header,
    /// A schema of the components.
    Schema,
    /// A member of a schema.
    Member,
    /// An entry of `x-error-codes`; its standing is in `standing`.
    ErrorCode,
    /// A security scheme.
    SecurityScheme,
}

/// One element and its place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Element {
    /// JSON pointer to the object that carries the standing.
    pub pointer: String,
    /// What it is.
    pub kind: ElementKind,
}

impl ElementKind {
    /// The names of the two members that hold standing and source.
    pub(crate) const fn keys(self) -> (&'static str, &'static str) {
        match self {
            Self::Security => ("x-security-standing", "x-security-source"),
            Self::ErrorCode => ("standing", "source"),
            _ => ("x-standing", "x-source"),
        }
    }
}

impl Document {
    /// Every element that must carry a standing, in the order of the document. References are left out: what they name
    /// is listed at its own place.
    #[must_use]
    pub fn elements(&self) -> Vec<Element> {
        let mut walk = Walk { found: vec![Element { pointer: "/info".to_owned(), kind: ElementKind::Info }] };
        let root = self.root();
        walk.servers(root, "");
        for (path_at, path_item) in members(root, "", "paths") {
            walk.path_item(path_item, &path_at);
        }
        walk.components(root);
        walk.found
    }
}

/// The HTTP methods that OpenAPI knows.
pub(crate) const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// The keywords that hold one schema.
const ONE_SCHEMA: [&str; 9] = [
    "items",
    "additionalProperties",
    "unevaluatedProperties",
    "not",
    "if",
    "then",
    "else",
    "contentSchema",
    "propertyNames",
];

/// The keywords that hold a list of schemas.
const MANY_SCHEMAS: [&str; 4] = ["allOf", "anyOf", "oneOf", "prefixItems"];

struct Walk {
    found: Vec<Element>,
}

impl Walk {
    fn add(&mut self, pointer: &str, kind: ElementKind) {
        self.found.push(Element { pointer: pointer.to_owned(), kind });
    }

    fn servers(&mut self, parent: &Value, at: &str) {
        for (server_at, _) in items(parent, at, "servers") {
            self.add(&server_at, ElementKind::Server);
        }
    }

    fn path_item(&mut self, path_item: &Value, at: &str) {
        self.servers(path_item, at);
        self.parameters(path_item, at);
        for method in METHODS {
            if let Some(operation) = path_item.get(method) {
                self.operation(operation, &pointer_step(at, method));
            }
        }
    }

    fn operation(&mut self, operation: &Value, at: &str) {
        self.add(at, ElementKind::Operation);
        self.add(at, ElementKind::Security);

        self.servers(operation, at);
        self.parameters(operation, at);
        if let Some(body) = operation.get("requestBody") {
            self.request_body(body, &pointer_step(at, "requestBody"));
        }
        for (answer_at, answer) in members(operation, at, "responses") {
            self.answer(answer, &answer_at);
        }
    }

    fn parameters(&mut self, parent: &Value, at: &str) {
        for (parameter_at, parameter) in items(parent, at, "parameters") {
            self.parameter(parameter, &parameter_at);
        }
    }

    fn parameter(&mut self, parameter: &Value, at: &str) {
        if !is_reference(parameter) {
            self.add(at, ElementKind::Parameter);
            self.schema_of(parameter, at);
        }
    }

    fn request_body(&mut self, body: &Value, at: &str) {
        if !is_reference(body) {
            self.add(at, ElementKind::RequestBody);
            self.content(body, at);
        }
    }

    fn answer(&mut self, answer: &Value, at: &str) {
        if is_reference(answer) {
            return;
        }
        self.add(at, ElementKind::Answer);
        for (header_at, header) in members(answer, at, "headers") {
            self.header(header, &header_at);
        }
        for (code_at, _) in members(answer, at, "x-error-codes") {
            self.add(&code_at, ElementKind::ErrorCode);
        }
        self.content(answer, at);
    }

    fn header(&mut self, header: &Value, at: &str) {
        if !is_reference(header) {
            self.add(at, ElementKind::Header);
            self.schema_of(header, at);
        }
    }

    fn content(&mut self, parent: &Value, at: &str) {
        for (media_at, media) in members(parent, at, "content") {
            self.schema_of(media, &media_at);
        }
    }

    fn schema_of(&mut self, parent: &Value, at: &str) {
        if let Some(schema) = parent.get("schema") {
            self.schema(schema, &pointer_step(at, "schema"));
        }
    }

    fn schema(&mut self, schema: &Value, at: &str) {
        for (member_at, member) in members(schema, at, "properties") {
            self.add(&member_at, ElementKind::Member);
            self.schema(member, &member_at);
        }
        for keyword in ONE_SCHEMA {
            if let Some(inner) = schema.get(keyword) {
                self.schema(inner, &pointer_step(at, keyword));
            }
        }
        for keyword in MANY_SCHEMAS {
            for (inner_at, inner) in items(schema, at, keyword) {
                self.schema(inner, &inner_at);
            }
        }
    }

    fn components(&mut self, root: &Value) {
        let Some(components) = root.get("components") else {
            return;
        };
        let at = "/components";
        for (scheme_at, _) in members(components, at, "securitySchemes") {
            self.add(&scheme_at, ElementKind::SecurityScheme);
        }
        for (parameter_at, parameter) in members(components, at, "parameters") {
            self.parameter(parameter, &parameter_at);
        }
        for (header_at, header) in members(components, at, "headers") {
            self.header(header, &header_at);
        }
        for (body_at, body) in members(components, at, "requestBodies") {
            self.request_body(body, &body_at);
        }
        for (answer_at, answer) in members(components, at, "responses") {
            self.answer(answer, &answer_at);
        }
        for (schema_at, schema) in members(components, at, "schemas") {
            self.add(&schema_at, ElementKind::Schema);
            self.schema(schema, &schema_at);
        }
    }
}

fn is_reference(element: &Value) -> bool {
    element.get("$ref").is_some()
}

/// The members of an object member, each with its pointer.
pub(crate) fn members<'v>(parent: &'v Value, at: &str, name: &str) -> Vec<(String, &'v Value)> {
    let at = pointer_step(at, name);
    parent
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(key, value)| (pointer_step(&at, key), value))
        .collect()
}

/// The items of an array member, each with its pointer.
fn items<'v>(parent: &'v Value, at: &str, name: &str) -> Vec<(String, &'v Value)> {
    let at = pointer_step(at, name);
    parent
        .get(name)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .enumerate()
        .map(|(index, value)| (format!("{at}/{index}"), value))
        .collect()
}
