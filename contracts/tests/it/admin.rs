//! The document of the simulator's admin port: ours alone, so without standings, but as exact.

use std::sync::LazyLock;

use d1_contracts::{Contract, Fault};

use crate::exchanges::headers;

static ADMIN: LazyLock<Contract> = LazyLock::new(|| {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../simulator/openapi/d1sim-admin.yaml");
    let yaml = std::fs::read_to_string(path).expect("the document is there");
    Contract::parse(&yaml, "d1sim-admin.yaml").expect("it loads")
});

fn request(method: &str, path: &str, body: &str) -> Result<String, Vec<Fault>> {
    let headers = headers(&[("content-type", "application/json")]);
    ADMIN.judge_request(method, path, &headers, body.as_bytes()).map(str::to_owned)
}

#[test]
fn its_requests_match() {
    for (id, method, path, body) in [
        ("getHealth", "GET", "/healthz", ""),
        ("getJournal", "GET", "/journal?after=0&wait_ms=60000", ""),
        ("getJournal", "GET", "/journal", ""),
        ("getState", "GET", "/state", ""),
        ("getInfo", "GET", "/info", ""),
        ("postEvent", "POST", "/events", r#"{"gateway":"MGW_000001","tokenId":"t","event":"token.suspend"}"#),
        (
            "postEvent",
            "POST",
            "/events",
            r#"{"gateway":"MGW_000001","tokenId":"t","event":"card.replace","exp":"0830","pan":"9999990000001012"}"#,
        ),
        ("advanceClock", "POST", "/clock/advance", r#"{"by":"2h"}"#),
        ("advanceClock", "POST", "/clock/advance", r#"{"to":"2026-04-22T09:30:00+02:00","silence":"200ms"}"#),
        ("advanceClock", "POST", "/clock/advance", r#"{"until":"next"}"#),
        ("advanceClock", "POST", "/clock/advance", r#"{"until":{"event":"expiry.card","tokenId":"t"}}"#),
        ("leaseClock", "POST", "/clock/lease", r#"{"holder":"ci","for":"60s"}"#),
        ("leaseClock", "POST", "/clock/lease", r#"{"lease":"1JkQ0yHBq0m0ZfPq3nT8Aw"}"#),
        ("giveClockBack", "DELETE", "/clock/lease/1JkQ0yHBq0m0ZfPq3nT8Aw", ""),
        ("reset", "POST", "/reset", ""),
        ("getFaults", "GET", "/faults", ""),
        ("deleteFaults", "DELETE", "/faults", ""),
        ("deleteFault", "DELETE", "/faults/storm", ""),
        ("postFault", "POST", "/faults", r#"{"on":["calls"],"latency":{"uniform":{"from":"1s","to":"2s"}}}"#),
        ("postFault", "POST", "/faults", r#"{"answer":{"status":503,"retryAfter":{"text":"soon"}},"nth":2}"#),
        (
            "postForgedNotification",
            "POST",
            "/notifications/forged",
            r#"{"gateway":"MGW_000001","tokenId":"t","as":"tampered"}"#,
        ),
        ("reset", "POST", "/reset?gateway=MGW_000001", "{}"),
        ("getJournal", "GET", "/journal?after=0&gateway=MGW_000001", ""),
        ("getState", "GET", "/state?gateway=MGW_000001", ""),
        ("listGateways", "GET", "/gateways", ""),
        ("addGateway", "POST", "/gateways", ""),
        ("addGateway", "POST", "/gateways", r#"{"gateway":"MGW_000042","key":"rsa"}"#),
        (
            "addGateway",
            "POST",
            "/gateways",
            r#"{"receiver":{"url":"https://127.0.0.1:1","retry":{"attempts":3,"firstDelay":"1s"}}}"#,
        ),
        ("deleteGateway", "DELETE", "/gateways/MGW_000042", ""),
    ] {
        assert_eq!(request(method, path, body), Ok(id.to_owned()), "{path} {body}");
    }
}

#[test]
fn bad_requests_are_faults() {
    for (method, path, body) in [
        ("GET", "/journal?after=x", ""),
        ("GET", "/journal?after=-1", ""),
        ("GET", "/journal?wait_ms=60001", ""),
        ("GET", "/journal?since=1", ""),
        ("POST", "/healthz", ""),
        ("POST", "/events", "{}"),
        ("POST", "/events", r#"{"gateway":"MGW_000001","tokenId":"t","event":"token.explode"}"#),
        ("POST", "/events", r#"{"gateway":"MGW_000001","tokenId":"t","event":"card.renew","exp":"1330"}"#),
        ("GET", "/state?gateway=x", ""),
        ("GET", "/journal?gateway=MGW_0000001", ""),
        ("POST", "/reset?token=1", ""),
        ("POST", "/gateways", r#"{"gateway":"MGW_1"}"#),
        ("POST", "/gateways", r#"{"key":"ed25519"}"#),
        ("POST", "/gateways", r#"{"receiver":{"authority":"a"}}"#),
        ("POST", "/gateways", r#"{"receiver":{"url":"https://a","oauth":{"clientId":"a"}}}"#),
        ("POST", "/gateways", r#"{"receiver":{"url":"https://a","retry":{"attempts":0}}}"#),
        ("POST", "/gateways", r#"{"count":2}"#),
        ("POST", "/clock/advance", r#"{"by":2}"#),
        ("POST", "/clock/advance", "{}"),
        ("POST", "/clock/lease", "{}"),
        ("POST", "/clock/lease", r#"{"holder":"ci","lease":"a"}"#),
        ("POST", "/clock/advance", r#"{"by":"2h","to":"2026-04-22T09:30:00Z"}"#),
        ("POST", "/clock/advance", r#"{"until":"later"}"#),
        ("POST", "/clock/advance", r#"{"until":{"event":"token.explode"}}"#),
        ("POST", "/faults", r#"{"goaway":true,"probabilty":0.5}"#),
        ("POST", "/faults", r#"{"reset":"middle"}"#),
        ("POST", "/notifications/forged", r#"{"gateway":"MGW_000001","tokenId":"t","as":"odd"}"#),
    ] {
        assert!(request(method, path, body).is_err(), "{method} {path} {body}");
    }
}

#[test]
fn its_answers_are_exact() {
    let json = headers(&[("content-type", "application/json")]);
    let admin = &*ADMIN;
    for (id, status, body) in [
        ("getHealth", 200, r#"{"status":"ok"}"#),
        ("postEvent", 202, r#"{"journal":7}"#),
        ("postEvent", 409, r#"{"errorCode":"FORBIDDEN_STATE","error":"the token is deleted"}"#),
        (
            "advanceClock",
            200,
            r#"{"now":"2026-04-22T09:30:00.000Z","fired":[{"at":"2026-04-22T09:30:00.000Z","kind":"answer","journal":3}],"leftOut":0,"journal":3}"#,
        ),
        ("advanceClock", 409, r#"{"errorCode":"NOT_QUIET","error":"not quiet"}"#),
        ("reset", 204, ""),
        ("reset", 404, r#"{"errorCode":"RESOURCE_NOT_FOUND","error":"gateway: no such gateway"}"#),
        ("listGateways", 200, r#"{"gateways":[{"gateway":"MGW_000001","origin":"configuration"}]}"#),
        (
            "addGateway",
            201,
            r#"{"gateway":"MGW_000003","origin":"admin","paths":{"folder":"/a","certificate":"/a/b","key":"/a/c","assertionKey":"/a/d","assertionJwk":"/a/e","jweJwk":"/a/f"}}"#,
        ),
        ("addGateway", 409, r#"{"errorCode":"NO_AUTHORITY","error":"no key"}"#),
        ("deleteGateway", 204, ""),
    ] {
        let verdict = admin.judge_answer(id, status, &json, body.as_bytes());
        assert_eq!(verdict, Ok(()), "{id} {status}");
    }
    for (id, status, body) in [
        ("getHealth", 200, r#"{"status":"fine"}"#),
        ("postEvent", 202, r#"{"journal":-1}"#),
        ("postEvent", 404, r#"{"error":"none"}"#),
        ("addGateway", 201, r#"{"gateway":"MGW_000003","origin":"admin"}"#),
        ("listGateways", 200, r#"{"gateways":[{"gateway":"MGW_000001"}]}"#),
        ("reset", 204, "{}"),
        ("reset", 200, ""),
    ] {
        let verdict = admin.judge_answer(id, status, &json, body.as_bytes());
        assert!(verdict.is_err(), "{id} {status}");
    }
}

#[test]
fn a_journal_line_is_judged_by_its_schema() {
    let admin = &*ADMIN;
    let line = r#"{"n":1,"at":"2026-04-22T09:30:00.000Z","kind":"request","gateway":"MGW_000001","correlationId":null}"#;
    let judge = |line: &str| admin.judge_plaintext("JournalLine", line.as_bytes());
    assert_eq!(judge(line), Ok(()));
    let more = line.replace('}', ",\"method\":\"POST\",\"answer\":{\"status\":201}}");
    assert_eq!(judge(&more), Ok(()));
    let headed = |value: &str| line.replace('}', &format!(",\"headers\":{{\"content-type\":{value}}}}}"));
    assert_eq!(judge(&headed("\"application/json\"")), Ok(()));
    assert!(judge(&headed("[]")).is_err());
    let gap = line.replace("request", "gap").replace("null}", "null,\"from\":1,\"to\":9}");
    assert_eq!(judge(&gap), Ok(()));
    assert!(judge(&line.replace("request", "gap")).is_err());
    assert!(judge(&line.replace("request", "rumour")).is_err());
    assert!(judge(&line.replace("\"n\":1,", "")).is_err());
}
