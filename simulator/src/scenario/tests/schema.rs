//! The published schema and the loader accept the same and refuse the same; what only makes no sense the schema cannot see.

use std::sync::atomic::{AtomicUsize, Ordering};

use d1_fixtures::{SCENARIO_SCHEMA, scenario_files};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::scenario::{Weight, load, step_kinds};

pub(super) fn schema() -> Value {
    serde_json::from_str(SCENARIO_SCHEMA).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::meta::validate(&schema()).expect("a schema");
    jsonschema::validator_for(&schema()).expect("a schema")
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

#[test]
fn every_file_of_the_library_names_the_schema_and_is_as_it_says() {
    let validator = validator();
    for (file, text) in scenario_files() {
        assert!(text.starts_with("# yaml-language-server: $schema=scenario.schema.json\n"), "{file}");
        let faults: Vec<String> = validator.iter_errors(&yaml(text)).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, [""; 0], "{file}");
    }
}

/// What the loader says: nothing, no sense, or a wrong form.
fn judged(document: &Value) -> (Option<Weight>, String) {
    let text = document.to_string();
    let read = |name: &str| if name == "a.yaml" { Ok(text.clone()) } else { Err("no such file".to_owned()) };
    let loaded = load("a.yaml", &[], &read);
    let worst =
        loaded.findings.all().map(|finding| finding.weight).filter(|weight| *weight != Weight::Hint).min();
    let told: Vec<String> = loaded.findings.all().map(|finding| finding.reason.clone()).collect();
    (worst, told.join("; "))
}

fn agree(validator: &Validator, document: &Value, what: &str, counts: &mut [usize; 3]) {
    let (worst, told) = judged(document);
    let by_schema = validator.is_valid(document);
    match worst {
        None | Some(Weight::Hint) => {
            counts[0] += 1;
            assert!(by_schema, "the loader alone takes {what}");
        }
        Some(Weight::Sense) => {
            counts[1] += 1;
            // A parameter in the place of an object or a list is unknown to the loader before it has a form.
            let unknown = ["no parameter is called", "expected `}` after `${`"]
                .iter()
                .any(|known| told.contains(known));
            assert!(by_schema || unknown, "to the loader it is sense alone: {what}: {told}");
        }
        Some(Weight::Form) => {
            counts[2] += 1;
            assert!(!by_schema, "the schema alone takes {what}: {told}");
        }
    }
}

/// Documents that have every member of the language at least once, and the pointer to what is changed in each.
fn documents() -> Vec<(Value, &'static str)> {
    let base = json!({
        "scenario": 1, "name": "a", "title": "A.", "why": "B.",
        "parameters": {"n": 1, "t": "x", "d": 0.5, "b": true},
        "include": ["_shop.yaml"],
        "stage": {
            "seed": 1, "clock": "2026-04-22T10:00:00Z", "caller": "own", "authClock": "sandbox", "silence": "200ms",
            "hostile": true,
            "retry": {"firstDelay": "1s", "factor": 2, "maxDelay": "5m", "attempts": 8, "timeout": "10s"},
            "gateways": {"shop": {"receiver": "own"}, "yours": {"receiver": {
                "url": "https://127.0.0.1:8445", "authority": "ca.pem", "probe": "./probe",
                "oauth": {"tokenUrl": "https://127.0.0.1/t", "clientId": "d1", "clientSecretFile": "s", "scope": "x"},
            }}},
            "merchants": {"books": {"gateway": "shop", "name": "Books"}},
            "cards": {"visa": "approve", "given": {"pan": "9999990000000014", "exp": "1239"}},
            "tokens": {"sub": {"merchant": "books", "card": "visa"}},
        },
        "steps": [{"note": "x"}],
    });
    let with = |step: Value| {
        let mut document = base.clone();
        // Names that nothing has are no fault of form, and a small document is read fast.
        for member in ["stage", "include", "parameters"] {
            document.as_object_mut().expect("an object").remove(member);
        }
        document["steps"] = json!([step]);
        (document, "/steps")
    };
    let mut all = vec![(base.clone(), "")];
    for (_, _, example) in step_kinds() {
        all.extend(yaml(example).as_array().expect("steps").iter().cloned().map(with));
    }
    let calls = json!({"operation": "createToken", "gateway": "shop", "merchant": "books", "token": "sub", "answered": 201});
    let mut expected = calls.clone();
    for (member, value) in
        [("atLeast", json!(1)), ("atMost", json!(2)), ("since", json!("start")), ("spacing", json!(["1s"]))]
    {
        expected[member] = value;
    }
    expected["headers"] = json!({"content-type": "y", "X-Shop": true, "cookie": null, "content-length": 1});
    expected["members"] = json!({"z": null, "n": 1, "b": true});
    all.extend([
        with(json!({"expect": {"calls": expected, "inOrder": ["getToken", calls], "never": {"call": calls, "within": "1m"}}})),
        with(json!({"expect": {"notifications": {"attempts": 2, "deliveries": 3, "outcome": "dropped", "spacing": ["1s"], "since": "lastExpect", "answered": 204}}})),
        with(json!({"expect": {"tokens": {"sub": {"state": "ACTIVE", "cardLastDigits": "0014", "cardExpiryDate": "1239",
            "tokenLastDigits": "0014", "tokenExpiryDate": "1239"}}}})),
        with(json!({"expect": {"receiver": {"sub": {"state": "ACTIVE", "dpanLastDigits": "0014", "events": 2}}}})),
        with(json!({"call": {"createMerchant": {"gateway": "shop", "name": "X", "as": "x"}, "ambiguous": false, "answer": {"merchantName": "X"}}})),
        with(json!({"issuer": {"event": "card.replace", "card": "visa", "expiry": "1242", "pan": "9999990000000014"}})),
        with(json!({"issuer": {"event": "token.suspend", "token": "sub", "gives": "forbidden"}})),
        with(json!({"expect": {"receiver": {"sub": "sameAsD1", "other": {"tokenExpiryDate": "unchanged"}}}})),
        with(json!({"wait": {"notification": {"token": "sub", "nth": 2}}})),
        with(json!({"advance": {"until": {"event": "card.renew"}}})),
        with(json!({"advance": {"by": "1d"}})),
        with(json!({"skew": {"behind": "1m", "gateway": "shop"}})),
        with(json!({"receiver": {"gateway": "shop", "is": "up"}})),
    ]);
    all.extend(faults().into_iter().map(with));
    all
}

fn faults() -> Vec<Value> {
    let effects = json!([
        {"answer": {"status": 503, "errorCode": "SERVICE_UNAVAILABLE", "error": "x", "retryAfter": {"text": "soon"}, "members": {"x": 1}}},
        {"answer": {"status": 503, "retryAfter": "2026-04-22T10:00:00Z", "body": "x"}},
        {"latency": "2s"}, {"latency": {"uniform": {"from": "1s", "to": "2s"}}},
        {"latency": {"exponential": {"mean": "1s", "most": "2s"}}}, {"limit": {"calls": 5, "per": "1m"}},
        {"reset": "after"}, {"stall": "before"}, {"truncate": true}, {"malformed": "html"},
        {"malformed": {"missing": "tokenId"}}, {"unknownMembers": 2}, {"revokeBearer": true}, {"closeIdle": "1s"},
        {"goaway": true}, {"handshake": "close"}, {"handshake": {"certificate": "expired"}}, {"duplicate": 1},
        {"delay": "1m"}, {"drop": true}, {"hold": "reversed"}, {"reorder": "1m"},
    ]);
    let mut all = Vec::new();
    for effect in effects.as_array().expect("a list") {
        let mut fault = effect.clone();
        fault["name"] = json!("f");
        all.push(json!({"fault": fault}));
    }
    all[0]["fault"]["on"] = json!(["createToken"]);
    for (member, value) in [("gateway", json!("shop")), ("merchant", json!("books")), ("card", json!("visa"))]
    {
        all[0]["fault"][member] = value;
    }
    // The path of no other call names both.
    all[1]["fault"]["token"] = json!("sub");
    for (member, value) in [
        ("nth", json!(2)),
        ("every", json!(2)),
        ("times", json!(3)),
        ("for", json!("1m")),
        ("probability", json!(0.5)),
        ("mostInARow", json!(2)),
    ] {
        all[0]["fault"][member] = value;
    }
    all
}

#[test]
fn every_fault_of_the_language_can_be_set() {
    let mut all: Vec<Value> = faults().into_iter().map(|step| step["fault"].clone()).collect();
    let examples = step_kinds().iter().flat_map(|(_, _, example)| yaml(example).as_array().cloned());
    let library = scenario_files().iter().filter_map(|(_, text)| yaml(text)["steps"].as_array().cloned());
    collect_faults(&Value::from_iter(examples.chain(library).flatten()), &mut all);
    assert!(all.len() >= 28, "{}", all.len());
    for fault in all {
        // A parameter stands for a value of its own kind.
        let text = fault.to_string();
        if !text.contains("${") {
            let set = crate::faults::check(fault.as_object().expect("an object"));
            assert_eq!(set, Ok(()), "{text}");
        }
    }
}

fn collect_faults(value: &Value, all: &mut Vec<Value>) {
    match value {
        Value::Object(members) => {
            all.extend(members.get("fault").filter(|fault| fault.is_object()).cloned());
            members.values().for_each(|member| collect_faults(member, all));
        }
        Value::Array(items) => items.iter().for_each(|item| collect_faults(item, all)),
        _ => {}
    }
}

/// Values that stand in for others.
fn others() -> Vec<Value> {
    let long = "x".repeat(3000);
    vec![
        json!(null),
        json!(true),
        json!(0),
        json!(7),
        json!(204),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_u64),
        json!(""),
        json!("zzz"),
        json!(long),
        json!("own"),
        json!("ok"),
        json!("5m"),
        json!("5m2h"),
        json!("0s"),
        json!("1239"),
        json!("4111111111111111"),
        json!("2026-04-22T10:00:00Z"),
        json!("${zzz}"),
        json!([]),
        json!({}),
        json!([1]),
        json!({"zzz": 1}),
        json!("GET_IT"),
    ]
}

fn collect(value: &Value, at: String, pointers: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| collect(member, format!("{at}/{name}"), pointers));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(index, item)| collect(item, format!("{at}/{index}"), pointers));
        }
        _ => {}
    }
    pointers.push(at);
}

/// The document and every copy of it with one thing changed below a pointer.
fn agree_on_copies(validator: &Validator, (document, below): &(Value, &str), counts: &mut [usize; 3]) {
    let mut told = |copy: &Value, what: &str| {
        agree(validator, copy, &format!("{what} in {}", document["steps"]), counts);
    };
    told(document, "nothing changed");
    let mut pointers = Vec::new();
    collect(document.pointer(below).expect("it is there"), (*below).to_owned(), &mut pointers);
    for at in pointers {
        for other in others() {
            let mut copy = document.clone();
            let what = format!("{at} = {other}");
            *copy.pointer_mut(&at).expect("it is there") = other;
            told(&copy, &what);
        }
        let Some(members) = document.pointer(&at).and_then(Value::as_object) else { continue };
        for name in members.keys() {
            let mut copy = document.clone();
            copy.pointer_mut(&at).and_then(Value::as_object_mut).expect("an object").remove(name);
            told(&copy, &format!("{at} without {name}"));
        }
        let mut copy = document.clone();
        copy.pointer_mut(&at).expect("it is there")["zzz"] = json!("zzz");
        told(&copy, &format!("{at} with zzz"));
    }
}

#[test]
fn schema_and_loader_agree_on_every_document_with_one_thing_changed() {
    let (validator, documents) = (validator(), documents());
    // By far the longest test here: on several threads, so that nobody waits for it alone.
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let next = AtomicUsize::new(0);
    let counts = std::thread::scope(|scope| {
        let work = || {
            let mut counts = [0; 3];
            while let Some(document) = documents.get(next.fetch_add(1, Ordering::Relaxed)) {
                agree_on_copies(&validator, document, &mut counts);
            }
            counts
        };
        let working: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut counts = [0; 3];
        for one in working {
            for (sum, more) in counts.iter_mut().zip(one.join().expect("schema and loader agree")) {
                *sum += more;
            }
        }
        counts
    });
    let [good, senseless, formless] = counts;
    assert!(good > 1 && senseless > 1000 && formless > 5000, "{counts:?}");
}
