//! The JSON report is what its schema says, and the schema lets nothing else pass.

use d1_contracts::{REPORT_SCHEMA, Report};
use jsonschema::Validator;
use serde_json::{Value, json};

use super::made::{ANOTHER, FAILS, NEEDS, WAITS, cases, cells, good, mixed, passed, put_aside, report};

fn schema() -> Validator {
    let schema: Value = serde_json::from_str(REPORT_SCHEMA).expect("JSON");
    jsonschema::draft202012::new(&schema).expect("a schema")
}

fn json(report: &Report) -> Value {
    serde_json::from_str(&report.json()).expect("JSON")
}

fn faults(value: &Value) -> Vec<String> {
    schema().iter_errors(value).map(|fault| format!("{}: {fault}", fault.instance_path())).collect()
}

fn partial() -> Report {
    let cases = cases();
    let ran = vec![passed(&cases[0])];
    report("a client", &cells(), cases, ran).interrupted()
}

#[test]
fn reports_of_good_failed_and_partial_runs_are_as_the_schema_has_it() {
    let facts = |report: &Report| {
        let value = json(report);
        assert_eq!(faults(&value), Vec::<String>::new());
        let of = |name: &str| value[name].clone();
        json!([of("complete"), of("partial"), of("planned"), of("ran"), of("passed"), of("failed")])
    };
    assert_eq!(facts(&good()), json!([true, false, 4, 4, 4, 0]));
    assert_eq!(facts(&mixed()), json!([false, true, 4, 3, 1, 2]));
    assert_eq!(facts(&partial()), json!([false, true, 4, 1, 1, 0]));
    // All was run, and then the fourth witness was cut short.
    assert_eq!(facts(&good().interrupted()), json!([false, true, 4, 4, 4, 0]));
}

#[test]
fn what_is_put_aside_is_named_with_its_reason_covers_no_cell_and_is_no_part_that_is_missing() {
    let value = json(&put_aside());
    assert_eq!(faults(&value), Vec::<String>::new());
    let of = |name: &str| value[name].clone();
    assert_eq!(
        json!([of("complete"), of("partial"), of("planned"), of("ran"), of("passed"), of("failed")]),
        json!([false, false, 4, 3, 3, 0])
    );
    assert_eq!(value["aside"], json!({WAITS: NEEDS, FAILS: ANOTHER}));
    assert_eq!(value["notRun"], json!([WAITS]));
    let marks: Vec<&str> =
        value["cells"].as_array().expect("cells").iter().filter_map(|cell| cell["mark"].as_str()).collect();
    assert_eq!(marks, ["put aside", "put aside", "seen", "seen"]);
    let case =
        value["cases"].as_array().expect("cases").iter().find(|case| case["id"] == FAILS).expect("a case");
    assert_eq!(
        json!([case["expected"], case["told"]]),
        json!(["step 1: 204", "step 1: a refused handshake"])
    );
}

#[test]
fn the_shares_stand_at_the_top() {
    let value = json(&mixed());
    assert_eq!(value["standing"]["documented"], json!({"cells": 1, "passed": 1, "proven": 1}));
    assert_eq!(value["standing"]["choice"], json!({"cells": 3, "passed": 0, "proven": 0}));
    assert_eq!(value["derived"]["documented"], json!({"cells": 1, "passed": 0, "proven": 0}));
    let begins = mixed().json();
    assert!(begins.starts_with("{\n  \"version\": 1,\n  \"catalogue\": "), "{begins}");
}

#[test]
fn a_member_that_the_schema_does_not_know_is_refused_wherever_it_stands() {
    let good = json(&mixed());
    let mut places = Vec::new();
    objects(&good, "", &mut places);
    assert!(places.len() > 30, "{places:?}");
    for place in places {
        // Bodies are what the exchange had.
        if place.contains("/body") {
            continue;
        }
        let mut bad = good.clone();
        let object = bad.pointer_mut(&place).and_then(Value::as_object_mut).expect("an object");
        object.insert("another".to_owned(), json!("member"));
        assert!(!faults(&bad).is_empty(), "nobody noticed a member more at {place:?}");
    }
}

fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members.iter().for_each(|(name, member)| objects(member, &format!("{at}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, item)| objects(item, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

#[test]
fn without_any_one_member_a_report_is_refused() {
    let good = json(&good());
    for name in good.as_object().expect("an object").keys().filter(|name| *name != "derived") {
        let mut bad = good.clone();
        bad.as_object_mut().expect("an object").remove(name);
        assert!(!faults(&bad).is_empty(), "nobody missed {name}");
    }
}
