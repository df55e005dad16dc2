//! A journal of the simulator against the documents: an answer that none lists is named, whatever it says.

use d1_contracts::{JournalError, JournalVerdict, inbound, judge_journal, outbound};
use serde_json::{Value, json};

fn judged(entries: &[Value]) -> Result<JournalVerdict, JournalError> {
    let lines: Vec<String> = entries.iter().map(ToString::to_string).collect();
    let (inbound, outbound) = (inbound().expect("a contract"), outbound().expect("a contract"));
    judge_journal(&inbound, &outbound, &lines.join("\n"))
}

fn request(operation: Value, status: u16, media_type: Value, shown: Value) -> Value {
    json!({
        "n": 7, "at": "2026-04-22T09:30:00.000Z", "kind": "request", "gateway": "MGW_000001", "correlationId": null,
        "operation": operation, "status": status, "mediaType": media_type, "answer": {"bytes": 2, "shown": shown},
    })
}

fn strangers(entry: Value) -> Vec<String> {
    judged(&[entry]).expect("an entry").strangers.iter().map(ToString::to_string).collect()
}

#[test]
fn what_the_documents_list_is_counted_by_cell() {
    let json = || json!("application/json");
    let verdict = judged(&[
        request(json!("createToken"), 201, json(), json!({"state": "ACTIVE"})),
        request(json!("createToken"), 403, json(), json!({"errorCode": "TOKENIZATION_DECLINED"})),
        request(
            json!("createToken"),
            403,
            json!("application/json; charset=utf-8"),
            json!({"errorCode": "TOKENIZATION_DECLINED"}),
        ),
        request(json!("createToken"), 401, json(), json!({"error": "AUTHORIZER_UNAUTHORIZED"})),
        request(Value::Null, 404, json(), json!({"errorCode": "RESOURCE_NOT_FOUND"})),
        json!({"n": 8, "kind": "request", "operation": "deleteToken", "status": 204}),
        json!({"n": 9, "kind": "delivery", "call": "notifyTokenUpdate", "status": 204}),
        json!({"n": 10, "kind": "delivery", "call": "notifyTokenUpdate", "status": null, "failure": "a time-out"}),
        // What a fault that was asked for has made, or let not begin, follows no document.
        json!({"n": 13, "kind": "request", "operation": "createToken", "status": 599, "forced": true, "faults": ["f"]}),
        json!({"n": 14, "kind": "request", "operation": "createToken", "status": null, "faults": ["f"]}),
        json!({"n": 11, "kind": "transition", "from": "ACTIVE", "to": "SUSPENDED"}),
        json!({"n": 12, "kind": "gap", "from": 1, "to": 6}),
    ]);
    let verdict = verdict.expect("entries");
    assert_eq!((verdict.strangers.len(), verdict.answers, verdict.lost), (0, 7, 6), "{}", verdict.text());
    let touched: Vec<String> = verdict.touched().map(|(cell, times)| format!("{times} {cell}")).collect();
    let wanted = [
        "1 inbound/createToken/201/none",
        "1 inbound/createToken/401/none",
        "2 inbound/createToken/403/TOKENIZATION_DECLINED",
        "1 inbound/deleteToken/204/none",
        "1 outbound/notifyTokenUpdate/204/none",
    ];
    assert_eq!(touched, wanted);
    assert!(
        verdict.text().contains("\n     2  inbound/createToken/403/TOKENIZATION_DECLINED\n"),
        "{}",
        verdict.text()
    );
}

#[test]
fn a_status_a_code_a_media_type_or_an_operation_that_no_document_lists_is_named() {
    let json = || json!("application/json");
    let declined = || json!({"errorCode": "TOKENIZATION_DECLINED"});
    for (entry, wanted) in [
        (
            request(json!("createToken"), 418, json(), declined()),
            "entry 7: inbound/createToken: answered 418",
        ),
        (
            request(json!("getToken"), 403, json(), declined()),
            "inbound/getToken: answered 403 TOKENIZATION_DECLINED",
        ),
        (request(json!("createToken"), 403, json(), json!({})), "answered 403 without a code"),
        (request(json!("createToken"), 201, json(), declined()), "answered 201 TOKENIZATION_DECLINED"),
        (
            request(json!("createToken"), 403, json!("text/html"), declined()),
            "media type text/html, and the document lists application/json",
        ),
        (request(json!("deleteToken"), 204, json(), json!({})), "the document lists none"),
        (request(json!("suspendToken"), 204, Value::Null, json!({})), "inbound/suspendToken: answered 204"),
        (request(Value::Null, 200, json(), json!({})), "to a request of no operation"),
        (
            json!({"n": 3, "kind": "delivery", "call": "notifyTokenUpdate", "status": 418}),
            "a receiver answered 418",
        ),
    ] {
        let said = strangers(entry.clone());
        assert!(said.len() == 1 && said[0].contains(wanted), "{entry}: {said:?}");
    }
}

#[test]
fn no_value_of_an_entry_gets_into_what_is_said_of_it() {
    let card = "9999990000000014";
    let mut said = strangers(request(json!("createToken"), 403, json!(card), json!({"errorCode": card})));
    said.extend(strangers(request(json!("createToken"), 201, json!(card), json!({}))));
    let line = format!("{{\"n\": \"{card}\"}}");
    let (inbound, outbound) = (inbound().expect("a contract"), outbound().expect("a contract"));
    said.push(judge_journal(&inbound, &outbound, &line).expect_err("no number").to_string());
    assert_eq!(said.len(), 3);
    assert!(said.iter().all(|said| !said.contains(card)), "{said:?}");
}

#[test]
fn a_line_that_is_no_entry_is_named() {
    for (lines, wanted) in [
        ("{\"n\": 1, \"kind\": \"reset\"}\n\nnonsense", "line 3: "),
        ("[]", "a member is missing or of another type"),
        ("{\"n\": 1}", "a member is missing"),
        ("{\"n\": 1, \"kind\": \"request\"}", "a request without a `status`"),
        ("{\"n\": 1, \"kind\": \"gap\"}", "a gap without `from` and `to`"),
    ] {
        let (inbound, outbound) = (inbound().expect("a contract"), outbound().expect("a contract"));
        let said = judge_journal(&inbound, &outbound, lines).expect_err(lines).to_string();
        assert!(said.contains(wanted), "{lines}: {said}");
    }
}
