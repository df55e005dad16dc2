//! The documents load, are complete, and every example in them is true.

use d1_contracts::{Contract, Document, INBOUND_YAML, OUTBOUND_YAML, Standing, inbound, outbound};
use jsonschema::Registry;
use serde_json::{Value, json};

pub(crate) fn documents() -> Vec<(&'static str, Document)> {
    [("inbound", INBOUND_YAML), ("outbound", OUTBOUND_YAML)]
        .into_iter()
        .map(|(name, yaml)| (name, Document::parse(yaml, name).expect("it loads")))
        .collect()
}

fn statuses(contract: &Contract, id: &str) -> Vec<String> {
    let operation = contract.operations().find(|operation| operation.id() == id);
    operation.expect("the operation is there").answers().map(|answer| answer.status().to_owned()).collect()
}

#[test]
fn both_documents_load_with_their_operations() {
    let ids = |contract: Contract| {
        let mut ids: Vec<String> = contract
            .operations()
            .map(|operation| {
                format!(
                    "{} {} {}{}",
                    operation.id(),
                    operation.method(),
                    operation.base_path(),
                    operation.path_template()
                )
            })
            .collect();
        ids.sort();
        ids
    };
    let merchants = "/ecom/v1/merchant-gateways/{merchantGatewayId}/merchants";
    assert_eq!(
        ids(inbound().expect("it loads")),
        [
            format!("createMerchant POST {merchants}"),
            format!("createToken POST {merchants}/{{merchantId}}/tokens"),
            format!("createTransaction POST {merchants}/{{merchantId}}/tokens/{{tokenId}}/transactions"),
            format!("deleteToken DELETE {merchants}/{{merchantId}}/tokens/{{tokenId}}"),
            "getAccessToken POST /authz/v1/oauth2/token".to_owned(),
            format!("getToken GET {merchants}/{{merchantId}}/tokens/{{tokenId}}"),
        ]
    );
    assert_eq!(
        ids(outbound().expect("it loads")),
        [
            "getAccessToken POST /oauth2/token",
            "notifyTokenUpdate POST /merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}/notify-update",
        ]
    );
}

#[test]
fn every_operation_lists_all_answers_it_can_give() {
    let contract = inbound().expect("it loads");
    let token = ["200", "400", "403", "405", "413", "415", "429", "500", "503"];
    assert_eq!(statuses(&contract, "getAccessToken"), token);
    let merchant = ["201", "400", "401", "403", "405", "413", "415", "429", "500", "503"];
    assert_eq!(statuses(&contract, "createMerchant"), merchant);
    for id in ["createToken", "createTransaction"] {
        let create = ["201", "400", "401", "403", "404", "405", "413", "415", "429", "500", "503"];
        assert_eq!(statuses(&contract, id), create, "{id}");
    }
    for (id, success) in [("getToken", "200"), ("deleteToken", "204")] {
        let others = [success, "400", "401", "403", "404", "405", "413", "429", "500", "503"];
        assert_eq!(statuses(&contract, id), others, "{id}");
    }
    let contract = outbound().expect("it loads");
    let notify = ["204", "400", "401", "403", "404", "405", "413", "415", "429", "500", "503"];
    assert_eq!(statuses(&contract, "notifyTokenUpdate"), notify);
}

#[test]
fn the_error_codes_of_each_operation_are_exact() {
    let contract = inbound().expect("it loads");
    let codes = |id: &str, status: u16| -> Vec<String> {
        let operation = contract.operations().find(|operation| operation.id() == id);
        let answer = operation.and_then(|operation| operation.answer(status));
        answer.into_iter().flat_map(|answer| answer.error_codes()).map(|code| code.code.clone()).collect()
    };
    assert_eq!(codes("createMerchant", 403), ["FORBIDDEN"]);
    assert_eq!(codes("createToken", 403), ["FORBIDDEN", "TOKENIZATION_DECLINED"]);
    assert_eq!(codes("getToken", 403), ["FORBIDDEN"]);
    assert_eq!(codes("deleteToken", 403), ["FORBIDDEN"]);
    assert_eq!(codes("createTransaction", 403), ["FORBIDDEN", "FORBIDDEN_STATE"]);
    assert_eq!(codes("getAccessToken", 403), ["FORBIDDEN"]);
    for operation in contract.operations() {
        assert_eq!(codes(operation.id(), 400), ["INVALID_FIELD", "MISSING_FIELD"]);
        assert_eq!(codes(operation.id(), 503), ["SERVICE_UNAVAILABLE"]);
    }
    assert_eq!(codes("getToken", 401), ["none"]);
    assert_eq!(codes("getToken", 404), ["RESOURCE_NOT_FOUND"]);
}

#[test]
fn only_what_the_public_pages_show_is_called_documented() {
    let contract = inbound().expect("it loads");
    let documented: Vec<String> = contract
        .operations()
        .flat_map(|operation| {
            operation
                .answers()
                .filter(|answer| answer.standing() == Some(Standing::Documented))
                .map(|answer| format!("{} {}", operation.id(), answer.status()))
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(documented, ["getAccessToken 200", "getAccessToken 400"]);
    let operations: Vec<&str> = contract
        .operations()
        .filter(|operation| operation.standing() == Some(Standing::Documented))
        .map(d1_contracts::Operation::id)
        .collect();
    assert_eq!(operations, ["createMerchant", "getAccessToken"]);
}

/// Calls `visit` with every object of a tree and its JSON pointer.
pub(crate) fn each_object<'v>(
    value: &'v Value,
    at: &str,
    visit: &mut impl FnMut(&str, &'v serde_json::Map<String, Value>),
) {
    match value {
        Value::Object(members) => {
            visit(at, members);
            for (name, member) in members {
                let step = name.replace('~', "~0").replace('/', "~1");
                each_object(member, &format!("{at}/{step}"), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                each_object(item, &format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
}

fn examples_of(members: &serde_json::Map<String, Value>) -> Vec<&Value> {
    let mut examples: Vec<&Value> = members.get("example").into_iter().collect();
    match members.get("examples") {
        Some(Value::Object(named)) => {
            examples.extend(named.values().filter_map(|named| named.get("value")));
        }
        Some(Value::Array(listed)) => examples.extend(listed),
        _ => {}
    }
    examples
}

#[test]
fn every_example_validates_and_every_body_has_one() {
    const URI: &str = "https://example.invalid/document.json";
    for (name, document) in documents() {
        let registry = Registry::new()
            .add(URI, document.root().clone())
            .and_then(jsonschema::RegistryBuilder::prepare)
            .expect("the references of the document are usable");
        let mut checked = 0;
        each_object(document.root(), "", &mut |at, members| {
            let examples = examples_of(members);
            let parent = at.rsplit('/').nth(1).unwrap_or_default();
            if parent == "content" {
                assert!(!examples.is_empty(), "{name}#{at} has no example");
            }
            let schema_at =
                if members.contains_key("schema") { format!("{at}/schema") } else { at.to_owned() };
            for example in examples {
                let fragment: String = schema_at.replace('{', "%7B").replace('}', "%7D");
                let validator = jsonschema::options()
                    .with_registry(&registry)
                    .should_validate_formats(true)
                    .build(&json!({"$ref": format!("{URI}#{fragment}")}))
                    .expect("the schema compiles");
                assert!(validator.is_valid(example), "{name}#{at}: {example}");
                checked += 1;
            }
        });
        assert!(checked > 20, "{name}: only {checked} examples");
    }
}

#[test]
fn the_example_of_every_answer_passes_the_strict_judge() {
    for contract in [inbound(), outbound()] {
        let contract = contract.expect("it loads");
        let mut judged = 0;
        for operation in contract.operations() {
            let at = format!(
                "/paths/{}/{}/responses",
                operation.path_template().replace('/', "~1"),
                operation.method().to_ascii_lowercase()
            );
            let document = contract.document();
            let answers = document.at(&at).and_then(Value::as_object);
            for (status, answer) in answers.expect("the answers are there") {
                let answer = document.resolve(answer).expect("it resolves");
                let mut headers = vec![("Content-Type".to_owned(), "application/json".to_owned())];
                let named = answer.get("headers").and_then(Value::as_object);
                for (name, header) in named.into_iter().flatten() {
                    let header = document.resolve(header).expect("it resolves");
                    let example = header.get("example").and_then(Value::as_str);
                    headers.push((name.clone(), example.expect("an example").to_owned()));
                }
                let media = answer.pointer("/content/application~1json");
                let bodies: Vec<Vec<u8>> = match media.and_then(Value::as_object) {
                    None => vec![Vec::new()],
                    Some(media) => examples_of(media)
                        .into_iter()
                        .map(|example| example.to_string().into_bytes())
                        .collect(),
                };
                for body in bodies {
                    let status = status.parse().expect("a number");
                    let verdict = contract.judge_answer(operation.id(), status, &headers, &body);
                    assert_eq!(verdict, Ok(()), "{} {status}", operation.id());
                    judged += 1;
                }
            }
        }
        assert!(judged > 15, "only {judged} answers");
    }
}

#[test]
fn the_plaintext_examples_pass_the_closed_check() {
    for (contract, names) in [
        (
            inbound(),
            &[
                "AssertionHeader",
                "AssertionClaims",
                "JweHeader",
                "CardCredentials",
                "NetworkToken",
                "PaymentData",
            ][..],
        ),
        (outbound(), &["NetworkToken"][..]),
    ] {
        let contract = contract.expect("it loads");
        for name in names {
            let at = format!("/components/schemas/{name}/examples/0");
            let example = contract.document().at(&at).expect("an example").to_string();
            let verdict = contract.judge_plaintext(name, example.as_bytes());
            assert_eq!(verdict, Ok(()), "{name}");
        }
    }
}

fn holds_card_number(text: &str) -> bool {
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(10).unwrap_or(99)).collect();
    digits.split(|digit| *digit == 99).filter(|run| (12..=19).contains(&run.len())).any(|run| {
        let sum: u32 = run
            .iter()
            .rev()
            .enumerate()
            .map(|(index, digit)| match index % 2 {
                0 => *digit,
                _ => digit * 2 - if *digit > 4 { 9 } else { 0 },
            })
            .sum();
        sum.is_multiple_of(10)
    })
}

#[test]
fn no_card_number_stands_outside_the_plaintext_examples() {
    assert!(holds_card_number("9999990000001012") && !holds_card_number("10610027312"));
    for (name, document) in documents() {
        let mut root = document.root().clone();
        let schemas = root.pointer_mut("/components/schemas").expect("schemas");
        for plaintext in ["CardCredentials", "NetworkToken", "PaymentData"] {
            if let Some(schema) = schemas.get_mut(plaintext).and_then(Value::as_object_mut) {
                assert!(schema.remove("examples").is_some(), "{plaintext}");
            }
        }
        assert!(!holds_card_number(&root.to_string()), "{name}");
    }
}

#[test]
fn the_choices_can_be_found_by_a_line_search() {
    for yaml in [INBOUND_YAML, OUTBOUND_YAML] {
        let lines = yaml.lines().filter(|line| line.contains("x-standing: choice")).count();
        assert!(lines > 10, "{lines}");
    }
}
