//! What a document says of the members of an object, gathered from all the schemas that hold for it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::document::Document;

/// How deep schemas may name one another.
const DEPTH: usize = 16;

/// One member.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) required: bool,
    /// `type`, `pattern` and the like; none of references.
    pub(crate) keywords: Map<String, Value>,
    /// The members of its plaintext, if it is a JWE.
    pub(crate) sealed: Vec<Described>,
}

/// The members that a schema names, in the order of their names.
pub(crate) fn described(document: &Document, schema: &Value) -> Vec<Described> {
    members(document, schema, 0)
}

fn members(document: &Document, schema: &Value, depth: usize) -> Vec<Described> {
    let mut together = Vec::new();
    gather(document, schema, depth, &mut together);
    let mut required = BTreeSet::new();
    let mut properties: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for one in together {
        let names = one.get("required").and_then(Value::as_array);
        required.extend(names.into_iter().flatten().filter_map(Value::as_str));
        for (name, member) in one.get("properties").and_then(Value::as_object).into_iter().flatten() {
            gather(document, member, depth + 1, properties.entry(name).or_default());
        }
    }
    let member = |(name, together): (&str, Vec<&Value>)| {
        let mut keywords = Map::new();
        for (keyword, value) in together.into_iter().filter_map(Value::as_object).flatten() {
            if !["$ref", "allOf"].contains(&keyword.as_str()) {
                keywords.entry(keyword.clone()).or_insert_with(|| value.clone());
            }
        }
        let sealed = keywords.get("contentSchema").map(|schema| members(document, schema, depth + 1));
        let required = required.contains(name);
        Described { name: name.to_owned(), required, sealed: sealed.unwrap_or_default(), keywords }
    };
    properties.into_iter().map(member).collect()
}

/// The schema itself, what it refers to, and all that holds beside it.
fn gather<'d>(document: &'d Document, schema: &'d Value, depth: usize, into: &mut Vec<&'d Value>) {
    if depth > DEPTH {
        return;
    }
    into.push(schema);
    if schema.get("$ref").is_some()
        && let Some(target) = document.resolve(schema)
    {
        gather(document, target, depth + 1, into);
    }
    for one in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        gather(document, one, depth + 1, into);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_gathered_from_references_and_what_stands_beside_them() {
        let yaml = "openapi: 3.1.0\ncomponents: {schemas: {\
            A: {required: [a], properties: {a: {$ref: '#/components/schemas/Text', minLength: 2}}},\
            Text: {type: string, minLength: 1, maxLength: 9, contentSchema: {$ref: '#/components/schemas/Inner'}},\
            Inner: {required: [x], properties: {x: {type: number}}},\
            B: {allOf: [{$ref: '#/components/schemas/A'}, {properties: {b: {type: string}}}]}}}";
        let document = Document::parse(yaml, "x.yaml").expect("a document");
        let found = described(&document, document.at("/components/schemas/B").expect("a schema"));
        let names: Vec<(&str, bool)> = found.iter().map(|one| (one.name.as_str(), one.required)).collect();
        assert_eq!(names, [("a", true), ("b", false)]);
        let a = &found[0];
        assert_eq!((&a.keywords["minLength"], &a.keywords["maxLength"]), (&2.into(), &9.into()));
        assert_eq!(a.sealed.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["x"]);
        assert!(a.sealed[0].required && found[1].sealed.is_empty());
    }
}
