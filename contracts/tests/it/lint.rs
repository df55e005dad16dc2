//! The lint passes both documents, and refuses each copy with one thing wrong.

use d1_contracts::{Document, ElementKind, LintFault, lint};
use serde_json::{Value, json};

use crate::documents::{documents, each_object};

fn lint_of(root: &Value) -> Vec<LintFault> {
    lint(&Document::from_value(root.clone(), "copy").expect("the copy still loads"))
}

#[test]
fn both_documents_pass() {
    for (name, document) in documents() {
        assert_eq!(lint(&document), [], "{name}");
    }
}

#[test]
fn every_kind_of_element_is_there() {
    let mut kinds: Vec<ElementKind> = documents()
        .iter()
        .flat_map(|(_, document)| document.elements())
        .map(|element| element.kind)
        .collect();
    kinds.sort();
    kinds.dedup();
    assert_eq!(kinds.len(), 12, "{kinds:?}");
}

/// Finds the members that speak of standing by their names alone, without the list of elements that the lint uses.
fn standing_members(root: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    each_object(root, "", &mut |at, members| {
        let in_codes = at.rsplit('/').nth(1) == Some("x-error-codes");
        for name in members.keys() {
            let speaks = name.starts_with("x-standing")
                || name.starts_with("x-source")
                || name.starts_with("x-security-");
            if speaks || in_codes {
                found.push((at.to_owned(), name.clone()));
            }
        }
    });
    found
}

#[test]
fn a_copy_without_one_standing_source_or_fact_of_a_code_is_refused() {
    for (name, document) in documents() {
        let mut root = document.root().clone();
        let members = standing_members(&root);
        assert!(members.len() > 200, "{name}: {}", members.len());
        for (at, member) in members {
            let object = root.pointer_mut(&at).and_then(Value::as_object_mut).expect("it is there");
            let removed = object.remove(&member).expect("it is there");
            let faults = lint_of(&root);
            assert!(
                faults.iter().any(|fault| fault.at == at),
                "{name}#{at} without {member} passes: {faults:?}"
            );
            let object = root.pointer_mut(&at).and_then(Value::as_object_mut).expect("it is there");
            object.insert(member, removed);
        }
    }
}

#[test]
fn an_unknown_standing_or_source_is_refused_wherever_it_stands() {
    for (name, document) in documents() {
        let mut root = document.root().clone();
        for (at, member) in standing_members(&root) {
            let wrong = if member.ends_with("source") {
                json!(["hearsay"])
            } else if member == "meaning" {
                json!("")
            } else {
                json!("rumour")
            };
            let pointer = format!("{at}/{member}");
            let place = root.pointer_mut(&pointer).expect("it is there");
            let right = std::mem::replace(place, wrong);
            let faults = lint_of(&root);
            assert!(faults.iter().any(|fault| fault.at == at), "{name}#{pointer}: {faults:?}");
            *root.pointer_mut(&pointer).expect("it is there") = right;
        }
    }
}

fn inbound_with(pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<LintFault> {
    let mut root = documents().remove(0).1.root().clone();
    change(root.pointer_mut(pointer).expect("it is there"));
    lint_of(&root)
}

#[test]
fn a_new_element_without_standing_is_refused() {
    let answer = "/components/responses/TooManyRequests";
    let operation = "/paths/~1merchant-gateways~1{merchantGatewayId}~1merchants/post";
    for (parent, name, element) in [
        ("/components/schemas", "New", json!({"type": "string"})),
        ("/components/schemas/Token/properties", "new", json!({"type": "string"})),
        ("/components/schemas/TokenDetails/allOf/1/properties", "new", json!(true)),
        ("/components/securitySchemes", "new", json!({"type": "http"})),
        ("/components/parameters", "New", json!({"name": "new", "in": "query", "schema": {}})),
        ("/components/headers", "New", json!({"schema": {}})),
        (&format!("{answer}/headers"), "new", json!({"schema": {}})),
        ("/components/responses", "New", json!({"description": "OK"})),
        (&format!("{operation}/responses"), "202", json!({"description": "Accepted"})),
        (operation, "servers", json!([{"url": "/"}])),
    ] {
        let faults = inbound_with(parent, |place| place[name] = element);
        assert!(
            faults.iter().any(|fault| fault.message.contains("x-standing")),
            "{parent}/{name}: {faults:?}"
        );
    }
}

#[test]
fn codes_that_disagree_with_the_schema_are_refused() {
    let answer = "/components/responses/ResourceNotFound";
    let narrowing = format!("{answer}/content/application~1json/schema/allOf/1");
    let refused = |faults: Vec<LintFault>| {
        assert!(
            faults.iter().any(|fault| fault.at == answer && fault.message.contains("errorCode")),
            "{faults:?}"
        );
    };
    refused(inbound_with(&narrowing, |branch| {
        branch["properties"]["errorCode"]["enum"] = json!(["RESOURCE_NOT_FOUND", "GONE"]);
    }));
    refused(inbound_with(&narrowing, |branch| {
        branch["required"] = json!([]);
    }));
    refused(inbound_with(&format!("{answer}/x-error-codes"), |codes| {
        codes["GONE"] = codes["RESOURCE_NOT_FOUND"].clone();
    }));
    refused(inbound_with(&format!("{answer}/x-error-codes"), |codes| {
        *codes = json!({});
    }));
}

#[test]
fn a_description_that_hides_or_contradicts_the_retry_is_refused() {
    for (answer, text) in [
        ("ServiceUnavailable", "Service Unavailable"),
        ("ServiceUnavailable", "Service Unavailable - Not Retryable"),
        ("ResourceNotFound", "Not Found - Retryable"),
        ("ResourceNotFound", "Not Retryable, or Retryable"),
    ] {
        let at = format!("/components/responses/{answer}");
        let faults = inbound_with(&at, |place| place["description"] = json!(text));
        assert!(faults.iter().any(|fault| fault.at == at), "{text}: {faults:?}");
    }
}

#[test]
fn a_description_cannot_speak_for_codes_that_differ() {
    let at = "/components/responses/BadRequest";
    let faults = inbound_with(&format!("{at}/x-error-codes/MISSING_FIELD"), |code| {
        code["retry"] = json!("after-delay");
    });
    assert!(faults.iter().any(|fault| fault.at == at && fault.message.contains("every one")), "{faults:?}");
    let faults = inbound_with(at, |answer| {
        answer["description"] = json!("Bad Request - Retryable");
        answer["x-error-codes"]["MISSING_FIELD"]["retry"] = json!("after-delay");
    });
    assert!(faults.iter().any(|fault| fault.at == at && fault.message.contains("every one")), "{faults:?}");
}

#[test]
fn what_a_code_says_must_be_possible_with_its_status() {
    let codes = |answer: &str, code: &str| format!("/components/responses/{answer}/x-error-codes/{code}");
    for (at, member, value, place) in [
        (codes("ResourceNotFound", "RESOURCE_NOT_FOUND"), "outcome", "ambiguous", "/responses/404"),
        (codes("TooManyRequests", "TOO_MANY_REQUESTS"), "outcome", "ambiguous", "/x-outside-operations/429"),
        (codes("ResourceNotFound", "RESOURCE_NOT_FOUND"), "retry", "after-refresh", "/responses/404"),
        (codes("Unauthorized", "none"), "retry", "never", "/responses/401"),
    ] {
        let faults = inbound_with(&at, |code| code[member] = json!(value));
        assert!(faults.iter().any(|fault| fault.at.ends_with(place)), "{at} {member}: {faults:?}");
    }
    let at = codes("Unauthorized", "none");
    let faults = inbound_with(&at, |code| code["retries"] = json!("never"));
    assert!(faults.iter().any(|fault| fault.at == at && fault.message.contains("retries")), "{faults:?}");
}

#[test]
fn an_answer_outside_the_operations_needs_codes_too() {
    let faults =
        inbound_with("/x-outside-operations", |answers| answers["410"] = json!({"description": "Gone"}));
    assert!(faults.iter().any(|fault| fault.at == "/x-outside-operations/410"), "{faults:?}");
}

#[test]
fn an_error_answer_without_codes_is_refused_in_the_operation_that_gives_it() {
    let faults = inbound_with("/components/responses/ResourceNotFound", |answer| {
        answer.as_object_mut().expect("an object").remove("x-error-codes");
    });
    assert!(faults.iter().any(|fault| fault.at.ends_with("/responses/404")), "{faults:?}");
}

#[test]
fn an_operation_needs_an_id_of_its_own_and_its_security() {
    let at = "/paths/~1oauth2~1token/post";
    for (member, value, word) in [
        ("operationId", json!("getToken"), "another operation"),
        ("operationId", json!(null), "operationId"),
        ("security", json!(null), "security"),
    ] {
        let faults = inbound_with(at, |operation| operation[member] = value);
        assert!(faults.iter().any(|fault| fault.message.contains(word)), "{member}: {faults:?}");
    }
}

#[test]
fn a_standing_needs_a_source_of_its_kind() {
    let at = "/components/schemas/Token/properties/par";
    let faults = inbound_with(at, |member| member["x-standing"] = json!("documented"));
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert!(faults[0].message.contains("no source D"), "{faults:?}");
}
