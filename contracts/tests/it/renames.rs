//! A member under another name is a fault, in every message and for every member.

use serde_json::Value;

use crate::exchanges::{
    ASSERTION, JWE, MERCHANTS_PATH, NOTIFY_PATH, OAUTH_PATH, TOKEN_PATH, TOKENS_PATH, headers,
    inbound_contract, json_headers, notification, outbound_contract, token, token_details, transaction,
};

/// Every copy of an object with one member renamed.
fn renamed(body: &str) -> Vec<(String, String)> {
    let Ok(Value::Object(members)) = serde_json::from_str(body) else {
        return Vec::new();
    };
    members
        .keys()
        .map(|name| {
            let mut copy = members.clone();
            let value = copy.remove(name).unwrap_or_default();
            copy.insert(format!("{name}X"), value);
            (name.clone(), Value::Object(copy).to_string())
        })
        .collect()
}

#[test]
fn a_renamed_member_of_a_request_is_a_fault() {
    let create_token = format!(r#"{{"encryptedData":"{JWE}","source":"MANUAL"}}"#);
    let transactions = format!("{TOKEN_PATH}/transactions");
    let notification = notification();
    let (inbound, outbound) = (inbound_contract(), outbound_contract());
    let mut count = 0;
    for (contract, path, body) in [
        (&inbound, OAUTH_PATH, ASSERTION),
        (&inbound, MERCHANTS_PATH, r#"{"merchantName":"a"}"#),
        (&inbound, TOKENS_PATH, &create_token),
        (&inbound, &transactions, r#"{"transactionType":"SINGLE"}"#),
        (&outbound, NOTIFY_PATH, &notification),
    ] {
        let judge =
            |body: &str| contract.judge_request("POST", path, &json_headers(), body.as_bytes()).is_ok();
        assert!(judge(body), "{path}");
        for (name, body) in renamed(body) {
            assert!(!judge(&body), "{path}: {name} renamed passes");
            count += 1;
        }
    }
    assert_eq!(count, 2 + 1 + 2 + 1 + 10);
}

#[test]
fn a_renamed_member_of_an_answer_is_a_fault() {
    let (inbound, outbound) = (inbound_contract(), outbound_contract());
    let good = headers(&[
        ("content-type", "application/json"),
        ("x-correlation-id", "a"),
        ("www-authenticate", "Bearer"),
    ]);
    let access = r#"{"access_token":"a","expires_in":900,"token_type":"Bearer","scope":"s"}"#;
    let merchant =
        r#"{"merchantId":"10610027312","merchantName":"a","creationTimestamp":"2026-04-22T09:30:00.000Z"}"#;
    let (token, details, transaction) = (token(), token_details(), transaction());
    let mut count = 0;
    for (contract, id, status, body) in [
        (&inbound, "getAccessToken", 200, access),
        (&inbound, "createMerchant", 201, merchant),
        (&inbound, "createToken", 201, &*token),
        (&inbound, "getToken", 200, &*details),
        (&inbound, "createTransaction", 201, &*transaction),
        (&inbound, "getToken", 401, r#"{"error":"AUTHORIZER_UNAUTHORIZED"}"#),
        (&inbound, "getToken", 404, r#"{"errorCode":"RESOURCE_NOT_FOUND","error":"x"}"#),
        (&outbound, "getAccessToken", 200, access),
        (&outbound, "getAccessToken", 400, r#"{"errorCode":"FIELD_INVALID_FORMAT","error":"scope"}"#),
    ] {
        let judge = |body: &str| contract.judge_answer(id, status, &good, body.as_bytes()).is_ok();
        assert!(judge(body), "{id} {status}");
        for (name, body) in renamed(body) {
            assert!(!judge(&body), "{id} {status}: {name} renamed passes");
            count += 1;
        }
    }
    assert_eq!(count, 4 + 3 + 8 + 9 + 4 + 1 + 2 + 4 + 2);
}

#[test]
fn a_renamed_member_of_a_plaintext_is_a_fault() {
    let contract = inbound_contract();
    for (schema, body) in [
        ("CardCredentials", r#"{"pan":"9999990000001012","exp":"0829"}"#),
        ("NetworkToken", r#"{"dpan":"9999998100000016","exp":"0730"}"#),
        (
            "PaymentData",
            r#"{"dpan":"9999998100000016","exp":"0730","cryptogram":"AAECAwQFBgcICQoLDA0ODxAREhM="}"#,
        ),
        ("AssertionHeader", r#"{"alg":"ES256","kid":"k","typ":"JWT"}"#),
    ] {
        assert_eq!(contract.judge_plaintext(schema, body.as_bytes()), Ok(()));
        for (name, body) in renamed(body) {
            let verdict = contract.judge_plaintext(schema, body.as_bytes());
            assert!(verdict.is_err(), "{schema}: {name} renamed passes");
        }
    }
}

/// Both sides of the wire renamed alike would agree with each other; the contract does not.
#[test]
fn a_member_renamed_in_a_copy_of_the_contract_turns_good_messages_bad() {
    let yaml = d1_contracts::INBOUND_YAML.replace("merchantName", "merchantTitle");
    let copy = d1_contracts::Contract::parse(&yaml, "copy").expect("it loads");
    let verdict = copy.judge_request("POST", MERCHANTS_PATH, &json_headers(), br#"{"merchantName":"a"}"#);
    assert!(verdict.is_err());
}
