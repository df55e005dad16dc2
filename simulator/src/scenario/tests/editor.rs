//! What the published schema tells an editor, and so its user.

use serde_json::Value;

use super::schema::schema;

#[test]
fn every_member_is_described() {
    let mut bare = Vec::new();
    described(&schema(), "", &mut bare);
    assert_eq!(bare, [""; 0]);
}

#[test]
fn an_editor_is_told_what_every_word_means_and_which_cards_and_codes_there_are() {
    let (mut wordless, mut enums) = (Vec::new(), 0);
    words(&schema(), "", &mut wordless, &mut enums);
    assert_eq!(wordless, [""; 0]);
    assert!(enums > 20, "{enums}");
    let text = |at: &str| -> Vec<String> {
        let schema = schema();
        let all = schema.pointer(at).and_then(Value::as_array).unwrap_or_else(|| panic!("{at}"));
        all.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let cards = d1_fixtures::test_cards().expect("the table");
    let cards: Vec<String> = cards.iter().map(|card| card.name.clone()).collect();
    assert_eq!(text("/$defs/stage/properties/cards/additionalProperties/anyOf/0/examples"), cards);
    assert_eq!(text("/$defs/errorCode/anyOf/0/examples"), crate::scenario::words::ERROR_CODES);
    let schema = schema();
    let headers =
        schema.pointer("/$defs/expectCalls/properties/headers/properties").and_then(Value::as_object);
    let headers: Vec<&str> = headers.expect("headers").keys().map(String::as_str).collect();
    let mut shown = crate::journal::Headers::shown().to_vec();
    shown.extend(["authorization", "x-correlation-id"]);
    shown.sort_unstable();
    assert_eq!(headers, shown);
}

/// Collects the lists of words that are not described one by one.
fn words(schema: &Value, at: &str, wordless: &mut Vec<String>, enums: &mut usize) {
    let length = |member: &str| schema.get(member).and_then(Value::as_array).map(Vec::len);
    if let Some(count) = length("enum") {
        *enums += 1;
        if length("enumDescriptions") != Some(count) {
            wordless.push(at.to_owned());
        }
    }
    match schema {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| words(value, &format!("{at}/{name}"), wordless, enums));
        }
        Value::Array(items) => items.iter().for_each(|item| words(item, at, wordless, enums)),
        _ => {}
    }
}

/// Collects the members without a description of their own or of what they refer to.
fn described(schema: &Value, at: &str, bare: &mut Vec<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        let told = |member: &Value| member.get("description").is_some() || member.get("$ref").is_some();
        bare.extend(
            properties.iter().filter(|(_, member)| !told(member)).map(|(name, _)| format!("{at}/{name}")),
        );
    }
    match schema {
        Value::Object(members) => {
            members.iter().for_each(|(name, value)| described(value, &format!("{at}/{name}"), bare));
        }
        Value::Array(items) => items.iter().for_each(|item| described(item, at, bare)),
        _ => {}
    }
}
