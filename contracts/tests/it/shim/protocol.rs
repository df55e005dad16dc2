//! The protocol's document, its schema and the suite say the same.

use std::collections::BTreeSet;

use d1_contracts::{CommandError, Kind, ShimCommand, built_in_cases};
use jsonschema::Validator;
use serde_json::Value;

use super::fake::Fake;

const DOCUMENT: &str = include_str!("../../../shims/PROTOCOL.md");
const SCHEMA: &str = include_str!("../../../shims/shim.schema.json");

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(SCHEMA).expect("JSON");
    jsonschema::meta::validate(&schema).expect("a schema");
    jsonschema::validator_for(&schema).expect("a schema")
}

/// The JSON between the fences of the document.
fn examples() -> Vec<Value> {
    let fenced = DOCUMENT.split("```json").skip(1).filter_map(|rest| rest.split("```").next());
    fenced.map(|text| serde_json::from_str(text).expect("JSON")).collect()
}

#[test]
fn the_examples_of_the_document_are_as_the_schema_says() {
    let (schema, examples) = (schema(), examples());
    assert_eq!(examples.len(), 7);
    for example in examples {
        assert!(schema.is_valid(&example), "{example}");
    }
}

#[test]
fn an_example_without_a_member_or_with_a_misspelled_one_is_not() {
    let optional = ["result", "waited_ms"];
    for example in examples() {
        let (kind, content) = example.as_object().and_then(|one| one.iter().next()).expect("one member");
        for name in
            content.as_object().expect("an object").keys().filter(|name| !optional.contains(&name.as_str()))
        {
            let mut bad = example.clone();
            bad[kind].as_object_mut().expect("an object").remove(name);
            assert!(!schema().is_valid(&bad), "{kind} without {name}");
        }
    }
    for name in optional {
        let mut bad = examples()[3].clone();
        bad["told"][format!("{name}s")] = 1.into();
        assert!(!schema().is_valid(&bad), "{bad}");
    }
}

#[tokio::test]
async fn every_line_that_the_suite_writes_is_as_the_schema_says() {
    let fake = Fake::new("\"parallel\"", "ok");
    let mut cases = built_in_cases().expect("good cases");
    cases.retain(|case| case.kind() != Kind::Natural);
    fake.run(&cases).await;
    let (schema, heard) = (schema(), fake.heard());
    assert_eq!(heard.len(), cases.len() + 2);
    let mut operations = BTreeSet::new();
    for line in heard {
        let message: Value = serde_json::from_str(&line).expect("JSON");
        if let Err(fault) = schema.validate(&message) {
            panic!("{line}: {fault}");
        }
        operations.extend(message["call"]["operation"].as_str().map(str::to_owned));
    }
    assert_eq!(operations.len(), 5, "{operations:?}");
}

#[test]
fn a_command_is_split_as_a_shell_would() {
    let same = |text: &str, words: &str| {
        assert_eq!(text.parse::<ShimCommand>(), words.parse::<ShimCommand>(), "{text}");
    };
    same("python3 'my shim.py'", r"python3 my\ shim.py");
    same(r#"a "b c"  d"#, r"a 'b c' d");
    // Nothing is expanded.
    same("a $HOME *", r"a '$HOME' '*'");
    // As it is printed it can be pasted.
    for text in ["a", "a 'b c' d", r#"a '$HOME' "it's" '' x=1"#] {
        let command: ShimCommand = text.parse().expect("a command");
        assert_eq!(command.to_string().parse().as_ref(), Ok(&command), "{text}: {command}");
    }
    for (text, fault) in [("", CommandError::Empty), ("  ", CommandError::Empty), ("''", CommandError::Empty)]
    {
        assert_eq!(text.parse::<ShimCommand>(), Err(fault), "{text:?}");
    }
    for text in ["'a", "a \"b", "a \\"] {
        assert_eq!(text.parse::<ShimCommand>(), Err(CommandError::Open), "{text:?}");
    }
}
