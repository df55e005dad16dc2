//! No input makes the judge panic, and no fault repeats what it read.

use proptest::prelude::*;

use crate::exchanges::{
    JWE, MERCHANTS_PATH, TOKEN_PATH, headers, inbound_contract, json_headers, outbound_contract,
};

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[ -~]{0,40}",
        Just(TOKEN_PATH.to_owned()),
        Just(MERCHANTS_PATH.to_owned()),
        "/ecom/v1/merchant-gateways/[^/]{0,12}/merchants",
        "(%[0-9a-fx]{0,2}|/|\\?|&|=){0,20}",
    ]
}

fn json_values() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<String>().prop_map(Into::into),
        Just(JWE.into()),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::hash_map("(merchantName|source|encryptedData|[a-z]{0,6})", inner, 0..6)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() }
}

#[test]
fn any_request_and_any_answer_has_a_verdict() {
    let contracts = [inbound_contract(), outbound_contract()];
    proptest!(config(), |(
        method in "(GET|POST|DELETE|[A-Za-z]{0,6})",
        path in texts(),
        name in "(content-type|authorization|x-correlation-id|[a-z-]{0,10})",
        value in texts(),
        status in any::<u16>(),
        body in prop::collection::vec(any::<u8>(), 0..200),
    )| {
        let headers = [json_headers(), headers(&[(&name, &value)])].concat();
        for contract in &contracts {
            let _ = contract.judge_request(&method, &path, &headers, &body);
            for operation in contract.operations() {
                let _ = contract.judge_answer(operation.id(), status, &headers, &body);
            }
            let _ = contract.judge_plaintext("NetworkToken", &body);
        }
    });
}

#[test]
fn any_json_body_has_a_verdict() {
    let contract = inbound_contract();
    proptest!(config(), |(body in json_values())| {
        let body = body.to_string();
        let _ = contract.judge_request("POST", MERCHANTS_PATH, &json_headers(), body.as_bytes());
        let _ = contract.judge_answer("createToken", 201, &json_headers(), body.as_bytes());
    });
}

#[test]
fn a_secret_is_never_repeated_in_a_fault() {
    let contract = inbound_contract();
    proptest!(config(), |(
        secret in "[0-9]{12,19}",
        member in "(pan|exp|cvv|dpan)",
        wrap in 0..4_usize,
    )| {
        let body = match wrap {
            0 => format!(r#"{{"{member}":"{secret}"}}"#),
            1 => format!(r#"{{"{member}":{secret}}}"#),
            2 => format!(r#"{{"{secret}":"{member}"}}"#),
            _ => format!(r#"{{"{member}":["{secret}"],"{member}":"{secret}"}}"#),
        };
        for schema in ["CardCredentials", "NetworkToken", "PaymentData", "Token", "Error"] {
            if let Err(faults) = contract.judge_plaintext(schema, body.as_bytes()) {
                for fault in faults {
                    prop_assert!(!fault.to_string().contains(&secret), "{fault}");
                }
            }
        }
    });
}
