//! Certificates that D1 must refuse.

use http::Method;
use serde_json::{Value, json};
use system_tests::{Papers, Sandbox};

const MERCHANTS: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants";
const TOKEN: &str = "/authz/v1/oauth2/token";

#[tokio::test]
async fn a_certificate_of_bad_chain_dates_or_usage_is_refused_in_the_handshake_and_the_journal_says_why() {
    let sandbox = Sandbox::start().await;
    for (name, check, expected) in [
        ("expired", "certificate dates", "valid now"),
        ("not-yet-valid", "certificate dates", "valid now"),
        ("unknown-ca", "certificate authority", "signed by the Thales CA (ca/thales-ca.pem)"),
        ("server-usage", "certificate usage", "extended key usage clientAuth"),
        ("no-usage", "certificate usage", "extended key usage clientAuth"),
    ] {
        let refusal = refused_handshake(&sandbox, Papers::rogue(name)).await;
        assert_eq!(refusal["refused"]["check"], check, "{name}: {refusal}");
        assert_eq!(refusal["refused"]["expected"], expected, "{name}: {refusal}");
        assert_eq!(refusal["peer"], "TLSMA-ECDSA/MGW_000001/PPR", "{name}: {refusal}");
    }
}

#[tokio::test]
async fn a_caller_without_a_certificate_is_refused_in_the_handshake() {
    let sandbox = Sandbox::start().await;
    let refusal = refused_handshake(&sandbox, Papers::uncertified()).await;
    assert_eq!(refusal["refused"]["check"], "client certificate", "{refusal}");
    assert_eq!(refusal["peer"], Value::Null, "{refusal}");
}

/// Calls with these papers, which must fail in TLS, and gives the journal's entry of it.
async fn refused_handshake(sandbox: &Sandbox, papers: Papers) -> Value {
    let shown = papers.certificate.clone();
    let before = sandbox.admin.journal().await.len() as u64;
    let sent = sandbox.caller(papers).try_send(Method::POST, TOKEN, &[], "").await;
    let fault = sent.map(|answer| answer.status).expect_err("no answer at all");
    assert!(fault.contains("alert"), "{shown:?}: expected an alert of TLS, found {fault}");
    let refusal =
        sandbox.admin.entry_after(before, "the handshake", |entry| entry["kind"] == "handshake").await;
    assert_eq!(refusal["accepted"], false, "{shown:?}: {refusal}");
    refusal
}

#[tokio::test]
async fn a_certificate_of_wrong_name_or_key_gets_403_everywhere_and_only_the_journal_says_why() {
    let sandbox = Sandbox::start().await;
    for name in ["wrong-cn", "other-env", "rsa2048", "p384"] {
        let caller = sandbox.caller(Papers::rogue(name));
        let token_request = caller.token_request();
        let before = sandbox.admin.journal().await.len() as u64;
        let at_token = caller.ask_token(token_request).await;
        let at_operation = caller.call(Method::POST, MERCHANTS, "any", json!({"merchantName": "A"})).await;
        for answer in [at_token, at_operation] {
            assert_eq!(answer.status, 403, "{name}");
            let wanted = json!({"errorCode": "FORBIDDEN", "error": "client certificate not allowed"});
            assert_eq!(answer.json(), wanted, "{name}: the answer says no more than this");
        }
        let entries = sandbox.admin.journal().await;
        let fresh: Vec<&Value> = entries.iter().filter(|entry| entry["n"].as_u64() > Some(before)).collect();
        let handshake = fresh.iter().find(|entry| entry["kind"] == "handshake").expect("a handshake");
        assert_eq!(handshake["accepted"], true, "{name}: {handshake}");
        let why = &handshake["refused"];
        for member in ["check", "expected", "actual"] {
            assert!(why[member].as_str().is_some_and(|text| !text.is_empty()), "{name}: {handshake}");
        }
        let requests: Vec<&&Value> = fresh.iter().filter(|entry| entry["kind"] == "request").collect();
        assert_eq!(requests.len(), 2, "{name}");
        for request in requests {
            assert_eq!((&request["refused"], &request["status"]), (why, &json!(403)), "{name}");
            assert_eq!(request["gateway"], Value::Null, "{name}: nobody's request");
        }
    }
}

#[tokio::test]
async fn the_reason_names_the_very_check_that_failed() {
    let sandbox = Sandbox::start().await;
    for (name, words) in
        [("wrong-cn", "TLSMA-"), ("other-env", "PPR"), ("rsa2048", "4096"), ("p384", "P-256")]
    {
        let caller = sandbox.caller(Papers::rogue(name));
        caller.ask_token(caller.token_request()).await;
        let peers = |entry: &Value| entry["kind"] == "handshake" && entry["refused"].is_object();
        let entries = sandbox.admin.journal().await;
        let why = &entries.iter().rev().find(|entry| peers(entry)).expect("a refusal")["refused"];
        assert!(why["expected"].as_str().is_some_and(|text| text.contains(words)), "{name}: {why}");
    }
}
