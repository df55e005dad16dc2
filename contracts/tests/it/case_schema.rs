//! The published schema of case files and the strict loader accept the same and refuse the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use d1_contracts::{
    AnswerFault, CASE_SCHEMA, Case, ConnectionFault, Count, Disguise, Edit, End, Ending, Expectation, Given,
    GivenAccessToken, GivenCard, GivenClock, GivenGateway, GivenMerchant, GivenToken, GivenTokenState,
    Http2Fault, Instead, Piece, ReportedOutcome, Retryable, TlsFault, Turn, Unanswered, cases_in,
};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::changed::copies;

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

fn schema() -> Value {
    serde_json::from_str(CASE_SCHEMA).expect("JSON")
}

fn validator() -> Validator {
    jsonschema::meta::validate(&schema()).expect("a schema");
    jsonschema::validator_for(&schema()).expect("a schema")
}

/// The files of literal cases with their text.
fn files() -> Vec<(String, String)> {
    let files = fs::read_dir(Path::new(CASES).join("inbound")).expect("the folder");
    let files: Vec<_> = files
        .map(|entry| {
            let path = entry.expect("an entry").path();
            (path.display().to_string(), fs::read_to_string(&path).expect("a text"))
        })
        .collect();
    assert!(files.len() >= 6, "{files:?}");
    let natural = Path::new(CASES).join("natural.yaml");
    let text = fs::read_to_string(&natural).expect("a text");
    files.into_iter().chain([(natural.display().to_string(), text)]).collect()
}

fn all_cases() -> Vec<Value> {
    let read = |text: &str| -> Vec<Value> { serde_saphyr::from_str(text).expect("YAML") };
    files().iter().flat_map(|(_, text)| read(text)).collect()
}

#[test]
fn every_case_file_names_the_schema_and_is_as_it_says() {
    let validator = validator();
    for (path, text) in files() {
        let first = text.lines().next().unwrap_or_default();
        let named = first
            .strip_prefix("# yaml-language-server: $schema=")
            .unwrap_or_else(|| panic!("{path}: {first}"));
        let named = Path::new(&path).with_file_name(named);
        let named = fs::read_to_string(&named).unwrap_or_else(|fault| panic!("{}: {fault}", named.display()));
        assert!(named == CASE_SCHEMA, "{path} names another schema");
        let cases: Value = serde_saphyr::from_str(&text).expect("YAML");
        let faults: Vec<String> = validator.iter_errors(&cases).map(|fault| fault.to_string()).collect();
        assert_eq!(faults, [""; 0], "{path}");
    }
}

/// Whether the loader takes a file with one case, or why not.
fn loads(folder: &Path, case: &Value) -> Result<(), String> {
    fs::write(folder.join("one.yaml"), json!([case]).to_string()).expect("written");
    cases_in(folder).map(drop).map_err(|error| error.to_string())
}

/// What the schema's own text says that it cannot see.
fn beyond_the_schema(reason: &str) -> bool {
    ["none of its answers has", "`always`: expected on the last", "`given`: "]
        .iter()
        .any(|known| reason.contains(known))
}

/// A copy with one thing changed, for everything that can be changed in so many ways.
pub(crate) fn changed(case: &Value) -> Vec<(String, Value)> {
    let others = [
        json!(null),
        json!(true),
        json!(0),
        json!(7),
        json!(21),
        json!(300),
        json!(-1),
        json!(1.5),
        json!(99_999_999_999_u64),
        json!(""),
        json!("zzz"),
        json!("x".repeat(2000)),
        json!([]),
        json!({}),
        json!(["zzz"]),
        json!({"zzz": 1}),
        json!({"min": 1, "max": 21}),
        json!({"min": 0, "max": 2}),
        json!({"min": 1}),
        json!({"min": 1, "max": 3, "zzz": 1}),
        json!("two\nlines"),
        json!(" space around it all "),
        json!("D20"),
        json!("RFC 7516"),
        json!("refused"),
        json!("Ok"),
        json!("1"),
    ];
    // What a body and a result hold is free.
    copies(case, &others, &["/body", "/result"])
}

#[test]
fn schema_and_loader_agree_on_every_case_with_one_thing_changed() {
    let (validator, folder) = (validator(), tempfile::tempdir().expect("a folder"));
    let wanted = [
        "inbound/createToken/201/none/tokenizes",
        "inbound/createToken/401/none/for-ever",
        "inbound/createToken/405/METHOD_NOT_ALLOWED/told-once",
        "inbound/createToken/429/TOO_MANY_REQUESTS/for-ever",
        "inbound/getAccessToken/503/SERVICE_UNAVAILABLE/once-with-retry-after",
        "inbound/getAccessToken/200/none/clock-ahead-1s",
        "inbound/getAccessToken/403/FORBIDDEN/natural-other-environment",
        "inbound/createMerchant/transport/clock-steps-back-5m/natural",
        "inbound/createToken/400/INVALID_FIELD/natural-card-expired",
        "inbound/createToken/404/RESOURCE_NOT_FOUND/natural-merchant-unknown",
        "inbound/getToken/401/none/natural-forgotten",
    ];
    let cases: Vec<Value> = all_cases()
        .into_iter()
        .filter(|case| wanted.contains(&case["id"].as_str().unwrap_or_default()))
        .collect();
    assert_eq!(cases.len(), wanted.len());
    let (mut good, mut bad) = (0, 0);
    for (what, case) in cases.iter().flat_map(changed) {
        let by_schema = validator.is_valid(&json!([case]));
        match loads(folder.path(), &case) {
            Ok(()) => {
                assert!(by_schema, "the loader alone takes {}: {what}", case["id"]);
                good += 1;
            }
            Err(reason) => {
                let known = !by_schema || beyond_the_schema(&reason);
                assert!(known, "the schema alone takes {}: {what}: {reason}", case["id"]);
                bad += 1;
            }
        }
    }
    assert!(good > 50 && bad > 1500, "{good} good, {bad} bad");
}

#[test]
fn ids_are_judged_alike() {
    let (validator, folder) = (validator(), tempfile::tempdir().expect("a folder"));
    let model = all_cases().into_iter().find(|case| case["id"] == "inbound/createToken/201/none/tokenizes");
    let model = model.expect("a case");
    for (id, wanted) in [
        ("inbound/getToken/200/none/reads", true),
        ("inbound/getToken/200/none/reads-2", true),
        ("inbound/getToken/transport/reset/reads", false),
        ("inbound/getToken/transport/clock-/reads", false),
        ("inbound/getToken/transport/clock-AHEAD/reads", false),
        ("inbound/getToken/transport/clock-ahead/Reads", false),
        ("inbound/getToken/200/none", false),
        ("inbound/getToken/200/none/reads/more", false),
        ("outbound/getToken/200/none/reads", false),
        ("inbound/getTokens/200/none/reads", false),
        ("inbound/getToken/99/none/reads", false),
        ("inbound/getToken/600/none/reads", false),
        ("inbound/getToken/+200/none/reads", false),
        ("inbound/getToken/0200/none/reads", false),
        ("inbound/getToken/200/Some/reads", false),
        ("inbound/getToken/200/none/Reads", false),
        ("inbound/getToken/200/none/-reads", false),
        ("inbound/getToken/200/none/", false),
        ("inbound/getToken/200/none/reads ", false),
        ("", false),
    ] {
        let mut case = model.clone();
        case["id"] = json!(id);
        let verdicts = (validator.is_valid(&json!([case])), loads(folder.path(), &case).is_ok());
        assert_eq!(verdicts, (wanted, wanted), "{id}");
    }
}

#[test]
fn a_script_is_bounded_alike() {
    let (validator, folder) = (validator(), tempfile::tempdir().expect("a folder"));
    let mut case = serde_json::to_value(whole()).expect("JSON");
    case["answers"][0]["always"] = json!(false);
    let answer = case["answers"][0].clone();
    for (count, wanted) in [(20, true), (21, false)] {
        case["answers"] = vec![answer.clone(); count].into();
        let verdicts = (validator.is_valid(&json!([case])), loads(folder.path(), &case).is_ok());
        assert_eq!(verdicts, (wanted, wanted), "{count}");
    }
}

#[test]
fn every_fault_is_in_the_schema_with_all_its_words() {
    let text = || "a".to_owned();
    let headers = || BTreeMap::from([("a".to_owned(), "b".to_owned())]);
    let edit = Edit {
        before: Some(text()),
        behind: Some(text()),
        member: Some(text()),
        instead: Some(text()),
        headers: headers(),
    };
    let mut faults = vec![
        AnswerFault::Body(edit),
        AnswerFault::Instead(Instead { status: Some(302), headers: headers() }),
        AnswerFault::Bytes(vec![
            Piece::Say(text()),
            Piece::Repeat { text: text(), times: 3 },
            Piece::Endless(text()),
            Piece::Drip(text()),
            Piece::End(End::Keep),
            Piece::End(End::Close),
            Piece::End(End::Cut),
            Piece::End(End::Reset),
        ]),
    ];
    faults.extend(TlsFault::ALL.map(AnswerFault::Tls));
    faults.extend(Disguise::ALL.map(AnswerFault::Sealed));
    use ConnectionFault::{ClosedAfterHello, Garbage, Refused, Silent, Tls11};
    faults.extend(
        [Refused, ConnectionFault::Reset, ClosedAfterHello, Silent, Garbage, Tls11]
            .map(AnswerFault::Connection),
    );
    use Unanswered::{Closed, ClosedWhenIdle, Late, ResetUnread, ResetWithin};
    faults.extend(
        [ResetUnread, ResetWithin, Unanswered::Reset, Closed, Late, ClosedWhenIdle]
            .map(AnswerFault::Unanswered),
    );
    faults.extend(Http2Fault::ALL.map(AnswerFault::Http2));
    let (validator, folder) = (validator(), tempfile::tempdir().expect("a folder"));
    for fault in faults {
        // Before the answer of the cell, since some faults let none be shown.
        let mut case = whole();
        let faulty = Turn { fault: Some(fault), always: false, ..case.answers[0].clone() };
        case.answers.insert(0, faulty);
        let case = serde_json::to_value(case).expect("JSON");
        assert!(validator.is_valid(&json!([case])), "{case}");
        assert_eq!(loads(folder.path(), &case), Ok(()), "{case}");
    }
    for wrong in [
        json!({"tls": "zzz"}),
        json!({"http2": "zzz"}),
        json!({"sealed": "zzz"}),
        json!({"zzz": 1}),
        json!({"bytes": [{"end": "zzz"}]}),
        json!({}),
    ] {
        let mut case = serde_json::to_value(whole()).expect("JSON");
        case["answers"][0]["fault"] = wrong.clone();
        assert!(!validator.is_valid(&json!([case])) && loads(folder.path(), &case).is_err(), "{wrong}");
    }
}

/// Every member of a case; a new one does not compile until it stands here.
fn whole() -> Case {
    let refused = ReportedOutcome::Refused { status: 403, code: Some("FORBIDDEN".to_owned()) };
    let turn = Turn {
        status: 403,
        headers: BTreeMap::from([("allow".to_owned(), "GET".to_owned())]),
        body: Some(json!({"errorCode": "FORBIDDEN", "error": "no"})),
        fault: Some(AnswerFault::Unanswered(Unanswered::Late)),
        always: true,
    };
    let expect = Expectation {
        outcome: refused,
        retryable: Retryable::Never,
        ambiguous: false,
        or: vec![Ending {
            outcome: ReportedOutcome::NoAnswer,
            retryable: Retryable::Safe,
            ambiguous: true,
            attempts: Some(Count::Exactly(2)),
        }],
        attempts: Count::Between { min: 1, max: 2 },
        access_tokens: Some(Count::Exactly(1)),
        waits_at_least_ms: 5,
        result: BTreeMap::from([("tokenId".to_owned(), json!("x"))]),
    };
    Case {
        id: "inbound/getToken/403/FORBIDDEN/whole".to_owned(),
        why: "It has every member that a case can have.".to_owned(),
        source: vec!["C34".to_owned()],
        given: None,
        answers: vec![turn],
        judged: true,
        attempt_timeout_ms: Some(500),
        expect,
    }
}

/// Every state that can be given, each of which goes with the others or not.
fn given() -> Given {
    Given {
        gateway: GivenGateway::OfTheOtherEnvironment,
        merchant: GivenMerchant::Unknown,
        token: Some(GivenToken { state: GivenTokenState::Suspended, card: "approve".to_owned() }),
        card: Some(GivenCard { name: "approve".to_owned(), exp: Some("0120".to_owned()) }),
        access_token: GivenAccessToken::Forgotten,
        clock: Some(GivenClock::AheadS(1)),
    }
}

fn names(value: &Value) -> BTreeSet<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[test]
fn the_members_of_the_schema_are_those_of_the_loader() {
    let (schema, mut case) = (schema(), serde_json::to_value(whole()).expect("JSON"));
    case["given"] = serde_json::to_value(given()).expect("JSON");
    for (in_schema, in_case) in [
        ("/$defs/case/properties", ""),
        ("/$defs/answer/properties", "/answers/0"),
        ("/$defs/expect/properties", "/expect"),
        ("/$defs/outcome/anyOf/1/properties", "/expect/outcome"),
        ("/$defs/outcome/anyOf/1/properties/refused/properties", "/expect/outcome/refused"),
        ("/$defs/count/anyOf/1/properties", "/expect/attempts"),
        ("/$defs/given/properties", "/given"),
        ("/$defs/given/properties/token/anyOf/0/properties", "/given/token"),
        ("/$defs/given/properties/card/anyOf/0/properties", "/given/card"),
    ] {
        let known = schema.pointer(in_schema).unwrap_or_else(|| panic!("{in_schema}"));
        let shown = case.pointer(in_case).unwrap_or_else(|| panic!("{in_case}"));
        assert_eq!(names(known), names(shown), "{in_schema}");
    }
    assert!(validator().is_valid(&json!([case])), "{case}");
    case.as_object_mut().expect("an object").remove("given");
    assert_eq!(loads(tempfile::tempdir().expect("a folder").path(), &case), Ok(()));
}

#[test]
fn the_words_of_the_schema_are_those_of_the_loader() {
    let schema = schema();
    let words = |pointer: &str| -> BTreeSet<String> {
        let words = schema.pointer(pointer).and_then(Value::as_array).unwrap_or_else(|| panic!("{pointer}"));
        words.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
    };
    let word = |value: Value| value.as_str().expect("a word").to_owned();
    let retryables = [Retryable::Never, Retryable::Safe, Retryable::After];
    let known = retryables.map(|one| word(serde_json::to_value(one).expect("JSON")));
    assert_eq!(words("/$defs/expect/properties/retryable/enum"), BTreeSet::from(known));
    let in_given = |name: &str, known: &[Value]| {
        let known = known.iter().cloned().map(word).collect();
        assert_eq!(words(&format!("/$defs/given/properties/{name}")), known, "{name}");
    };
    in_given("gateway/enum", &[json!(GivenGateway::Onboarded), json!(GivenGateway::OfTheOtherEnvironment)]);
    in_given("merchant/enum", &[json!(GivenMerchant::Onboarded), json!(GivenMerchant::Unknown)]);
    in_given("access_token/enum", &[json!(GivenAccessToken::Kept), json!(GivenAccessToken::Forgotten)]);
    use GivenTokenState::{Active, Deleted, Suspended, Unknown};
    let states = [Active, Suspended, Deleted, Unknown].map(|state| json!(state));
    in_given("token/anyOf/0/properties/state/enum", &states);
    let outcomes = [
        ReportedOutcome::Ok,
        ReportedOutcome::Unreadable,
        ReportedOutcome::NoAnswer,
        ReportedOutcome::NotSent,
    ];
    let known = outcomes.map(|one| word(serde_json::to_value(one).expect("JSON")));
    assert_eq!(words("/$defs/outcome/anyOf/0/enum"), BTreeSet::from(known));
}

#[test]
fn editors_can_explain_every_member_and_no_object_is_open_by_mistake() {
    fn walk(value: &Value, at: &str, schema: &Value) {
        let Some(object) = value.as_object() else { return };
        for (name, member) in object.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let named = member.get("$ref").and_then(Value::as_str).map(|at| at.trim_start_matches('#'));
            let named = named.and_then(|at| schema.pointer(at)).and_then(|target| target.get("description"));
            assert!(member.get("description").or(named).is_some(), "{at}: {name} has no description");
        }
        let closed = object.get("additionalProperties").is_some();
        // What a client must have understood is told by the names of the contract.
        let open = at.ends_with("/result");
        assert!(object.get("type") != Some(&json!("object")) || closed || open, "{at} is open");
        for (name, member) in object {
            walk(member, &format!("{at}/{name}"), schema);
            for (index, item) in member.as_array().into_iter().flatten().enumerate() {
                walk(item, &format!("{at}/{name}/{index}"), schema);
            }
        }
    }
    let schema = schema();
    walk(&schema, "", &schema);
}
