//! The published schemas of good.yaml and transport.yaml and their strict loaders accept the same and refuse the same.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use d1_contracts::{CASE_SCHEMA, GOOD_SCHEMA, GoodAnswers, TRANSPORT_SCHEMA, TransportFaults};
use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

use crate::case_schema::changed;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");
/// Where a schema without an id of its own stands, and what it names beside it.
const BESIDE: &str = "json-schema:///case.schema.json";

fn validator(schema: &str) -> Validator {
    let schema: Value = serde_json::from_str(schema).expect("JSON");
    jsonschema::meta::validate(&schema).expect("a schema");
    let beside: Value = serde_json::from_str(CASE_SCHEMA).expect("JSON");
    let registry = Registry::new().add(BESIDE, beside).and_then(jsonschema::RegistryBuilder::prepare);
    let registry = registry.expect("a registry");
    let options = jsonschema::options().with_draft(Draft::Draft202012);
    options.with_registry(&registry).offline().build(&schema).expect("a schema")
}

/// A file of the folder of cases: its text, and what it says.
fn file(name: &str) -> (String, Value) {
    let text = fs::read_to_string(Path::new(CASES).join(name)).expect("a text");
    let value = serde_saphyr::from_str(&text).expect("YAML");
    (text, value)
}

/// Whether the loader takes a file, or why not.
fn loads(folder: &Path, name: &str, value: &Value) -> Result<(), String> {
    fs::write(folder.join(name), value.to_string()).expect("written");
    match name {
        "good.yaml" => GoodAnswers::in_folder(folder).map(drop).map_err(|error| error.to_string()),
        _ => TransportFaults::in_folder(folder).map(drop).map_err(|error| error.to_string()),
    }
}

#[test]
fn both_files_name_their_schemas_and_are_as_these_say() {
    for (name, schema, published) in [
        ("good.yaml", "good.schema.json", GOOD_SCHEMA),
        ("transport.yaml", "transport.schema.json", TRANSPORT_SCHEMA),
    ] {
        let (text, value) = file(name);
        let named =
            text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        assert_eq!(named, Some(schema));
        assert!(fs::read_to_string(Path::new(CASES).join(schema)).expect("a schema") == published);
        let validator = validator(published);
        let faults: Vec<String> = validator.iter_errors(&value).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, [""; 0], "{name}");
    }
}

/// What the loader says of each, where schema and loader do not agree, and how many of both kinds there were.
fn compared(name: &str, schema: &str, all: Vec<(String, Value)>) -> (usize, usize) {
    let (validator, folder) = (validator(schema), tempfile::tempdir().expect("a folder"));
    let (mut good, mut bad) = (0, 0);
    for (what, value) in all {
        let loaded = loads(folder.path(), name, &value);
        // What no schema can say: a product.
        let beyond = loaded.as_ref().is_err_and(|reason| reason.contains("`repeat`"));
        assert!(beyond || validator.is_valid(&value) == loaded.is_ok(), "{name}: {what}: {loaded:?}");
        *(if loaded.is_ok() { &mut good } else { &mut bad }) += 1;
    }
    (good, bad)
}

#[test]
fn schema_and_loader_agree_on_good_answers_with_one_thing_changed() {
    let (_, value) = file("good.yaml");
    let mut one = json!({"getToken": value["getToken"], "deleteToken": value["deleteToken"]});
    one["getToken"]["headers"] = json!({"x-more": "text"});
    let (good, bad) = compared("good.yaml", GOOD_SCHEMA, changed(&one));
    assert!(good > 25 && bad > 150, "{good} good, {bad} bad");
    let mut refused = Vec::new();
    for (member, value) in
        [("fault", json!({"unanswered": "late"})), ("always", json!(true)), ("status", json!(404))]
    {
        let mut copy = one.clone();
        copy["getToken"][member] = value;
        refused.push((member.to_owned(), copy));
    }
    let renamed = json!({"getTokens": one["getToken"]});
    refused.push(("getTokens".to_owned(), renamed));
    assert_eq!(compared("good.yaml", GOOD_SCHEMA, refused), (0, 4));
}

#[test]
fn schema_and_loader_agree_on_faults_with_one_thing_changed() {
    let (_, value) = file("transport.yaml");
    let entries = value.as_array().expect("a list");
    // One of each set of members is enough.
    let mut sets = BTreeSet::new();
    let (mut good, mut bad) = (0, 0);
    for entry in entries {
        let members: Vec<&String> = entry.as_object().expect("an object").keys().collect();
        if sets.insert(members) {
            let all = changed(entry)
                .into_iter()
                .map(|(what, changed)| (format!("{}: {what}", entry["name"]), json!([changed])));
            let (more, worse) = compared("transport.yaml", TRANSPORT_SCHEMA, all.collect());
            (good, bad) = (good + more, bad + worse);
        }
    }
    assert!(sets.len() > 5 && good > 100 && bad > 1500, "{} {good} {bad}", sets.len());
}

#[test]
fn the_words_of_the_schema_are_those_of_the_loader() {
    let schema: Value = serde_json::from_str(TRANSPORT_SCHEMA).expect("JSON");
    let folder = tempfile::tempdir().expect("a folder");
    let model = json!({
        "name": "x", "why": "A reason that is long enough.", "source": ["C34"], "once": true,
        "classes": ["read"], "fault": {"unanswered": "late"}, "ends": "ok",
    });
    for (pointer, words) in [
        ("/ends", "/$defs/entry/properties/ends/enum"),
        ("/classes/0", "/$defs/entry/properties/classes/items/enum"),
    ] {
        let known = schema.pointer(words).and_then(Value::as_array).expect(words);
        let mut entry = model.clone();
        for word in known {
            *entry.pointer_mut(pointer).expect("there") = word.clone();
            assert_eq!(loads(folder.path(), "transport.yaml", &json!([entry])), Ok(()));
        }
        *entry.pointer_mut(pointer).expect("there") = json!("zzz");
        let said = loads(folder.path(), "transport.yaml", &json!([entry])).expect_err("no word");
        let known: BTreeSet<String> =
            known.iter().map(|word| word.as_str().expect("a word").to_owned()).collect();
        let named =
            said.lines().next().and_then(|line| line.split_once("expected one of ")).expect("words").1;
        let named: BTreeSet<String> = named.split(", ").map(str::to_owned).collect();
        assert_eq!(named, known, "{said}");
    }
}
