//! A small run, made by hand.

use std::collections::BTreeMap;

use d1_contracts::{
    Break, Case, Cell, Count, Exchange, Expectation, InWords, KillMatrix, Matrix, Ran, Report,
    ReportedOutcome, Retryable, Shown, ShownExchange, ShownMessage, Side, Standing, Told, Verdict, inbound,
};
use serde_json::{Value, json};

pub(super) const PASSES: &str = "inbound/getAccessToken/200/none/issued";
pub(super) const FAILS: &str = "inbound/createToken/403/FORBIDDEN/not-ours";
pub(super) const DIES: &str = "inbound/createToken/derived/unknown-member/generated";
pub(super) const WAITS: &str = "inbound/createToken/201/none/tokenizes";

fn cell(operation: &str, shown: Shown, standing: Standing) -> Cell {
    Cell { side: Side::Inbound, operation: operation.to_owned(), shown, standing }
}

fn answer(operation: &str, status: u16, code: Option<&str>, standing: Standing) -> Cell {
    cell(operation, Shown::Answer { status, code: code.map(str::to_owned) }, standing)
}

pub(super) fn cells() -> Vec<Cell> {
    vec![
        answer("createToken", 201, None, Standing::Choice),
        answer("createToken", 403, Some("FORBIDDEN"), Standing::Choice),
        cell("createToken", Shown::Derived("unknown-member".to_owned()), Standing::Documented),
        answer("deleteToken", 204, None, Standing::Choice),
        answer("getAccessToken", 200, None, Standing::Documented),
    ]
}

pub(super) fn case(id: &str, outcome: ReportedOutcome) -> Case {
    Case {
        id: id.to_owned(),
        why: "Whoever gets this wrong charges <somebody> twice | or never.".to_owned(),
        source: vec!["C17".to_owned(), "D10".to_owned()],
        given: None,
        answers: Vec::new(),
        judged: true,
        attempt_timeout_ms: None,
        expect: Expectation {
            or: Vec::new(),
            outcome,
            retryable: Retryable::Never,
            ambiguous: false,
            attempts: Count::Exactly(1),
            access_tokens: Some(Count::Exactly(1)),
            waits_at_least_ms: 0,
            result: BTreeMap::from([("cryptogram".to_owned(), json!("never shown"))]),
        },
    }
}

pub(super) fn refused() -> ReportedOutcome {
    ReportedOutcome::Refused { status: 403, code: Some("FORBIDDEN".to_owned()) }
}

pub(super) fn told(outcome: ReportedOutcome) -> Told {
    Told { outcome, retryable: Retryable::Safe, ambiguous: true, result: BTreeMap::new(), waited_ms: 250 }
}

fn message(header: (&str, &str), body: Value) -> ShownMessage {
    ShownMessage { headers: vec![(header.0.to_owned(), header.1.to_owned())], body: Some(body) }
}

pub(super) fn exchange(status: u16) -> Exchange {
    let path = "/ecom/v1/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens";
    let body = json!({"errorCode": "FORBIDDEN", "error": "No."});
    Exchange {
        fault: None,
        operation: "createToken".to_owned(),
        method: "POST".to_owned(),
        request_faults: Vec::new(),
        status,
        body: if status == 0 { Vec::new() } else { body.to_string().into_bytes() },
        by_itself: None,
        answer_faults: Vec::new(),
        written: status != 0,
        shown: ShownExchange {
            method: "POST".to_owned(),
            path: path.to_owned(),
            request: message(
                ("content-type", "application/json"),
                json!({"encryptedData": "(512 characters)"}),
            ),
            answer: if status == 0 {
                ShownMessage::default()
            } else {
                message(("content-type", "application/json"), body)
            },
        },
    }
}

/// Bytes that were no request.
pub(super) fn stray() -> Exchange {
    Exchange {
        fault: None,
        operation: String::new(),
        method: String::new(),
        request_faults: vec!["request: expected a whole one".to_owned()],
        status: 0,
        body: Vec::new(),
        by_itself: None,
        answer_faults: Vec::new(),
        written: false,
        shown: ShownExchange::default(),
    }
}

pub(super) fn passed(case: &Case) -> Ran {
    let verdict = Verdict { served: Ok(()), reported: Ok(()), behaved: Ok(()) };
    let told = Some(told(case.expect.outcome.clone()));
    Ran { case: case.clone(), exchanges: vec![exchange(201)], told, verdict }
}

pub(super) fn failed(case: &Case, fault: &str) -> Ran {
    let verdict = Verdict { served: Ok(()), reported: Err(fault.to_owned()), behaved: Ok(()) };
    let exchanges = vec![exchange(403), exchange(0), stray()];
    Ran { case: case.clone(), exchanges, told: Some(told(ReportedOutcome::Ok)), verdict }
}

pub(super) fn dead(case: &Case) -> Ran {
    let verdict = Verdict::without_report(case, &[], "the client panicked");
    Ran { case: case.clone(), exchanges: Vec::new(), told: None, verdict }
}

pub(super) fn cases() -> Vec<Case> {
    vec![
        case(WAITS, ReportedOutcome::Ok),
        case(FAILS, refused()),
        case(DIES, ReportedOutcome::Ok),
        case(PASSES, ReportedOutcome::Ok),
    ]
}

/// A report of these cases, in the contract's words.
pub(super) fn report(client: &str, cells: &[Cell], planned: Vec<Case>, ran: Vec<Ran>) -> Report {
    let matrix = Matrix::new(cells, &planned);
    Report::new(client, matrix, planned, ran).with_contract(Side::Inbound, inbound().expect("the contract"))
}

/// One case passed and killed a broken client, one failed, one has no report, one was not run, and a cell has none.
pub(super) fn mixed() -> Report {
    let cases = cases();
    let ran =
        vec![passed(&cases[3]), dead(&cases[2]), failed(&cases[1], "expected refused with 403, told ok")];
    let red = (Some(Break::StatusOnly), PASSES.to_owned(), "reported: x".to_owned());
    let kills = KillMatrix::new(&[Break::StatusOnly], cases.iter().map(|case| case.id.as_str()), [red]);
    report("a client 1.0", &cells(), cases, ran).with_kills(&kills)
}

/// All cases passed, and each cell has one.
pub(super) fn good() -> Report {
    let cases = cases();
    let ran = cases.iter().map(passed).collect();
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.operation != "deleteToken").collect();
    report("a client 1.0", &cells, cases, ran)
}

pub(super) const NEEDS: &str = "not run: needs the state busy";
pub(super) const ANOTHER: &str = "passed with another right answer: a refused handshake";

/// All that were run passed; of one that says nothing, and one was not run. Both are put aside.
pub(super) fn put_aside() -> Report {
    let cases = cases();
    let ran = cases[1..].iter().map(passed).collect();
    let cells: Vec<Cell> = cells().into_iter().filter(|cell| cell.operation != "deleteToken").collect();
    let aside = [(WAITS, NEEDS), (FAILS, ANOTHER)];
    let words =
        InWords { expected: "step 1: 204".to_owned(), told: "step 1: a refused handshake".to_owned() };
    report("a receiver", &cells, cases, ran)
        .with_aside(aside.map(|(case, why)| (case.to_owned(), why.to_owned())).into())
        .with_words([(FAILS.to_owned(), words)].into())
}

pub(super) const STARTED: &str = "2026-04-22T10:00:00Z";

/// Every format of a report.
pub(super) fn formats(report: &Report) -> [(&'static str, String); 6] {
    [
        ("text", report.text(d1_contracts::Paint::Plain)),
        ("JSON", report.json()),
        ("JUnit", report.junit().expect("XML")),
        ("Markdown", report.markdown()),
        ("HTML", report.html()),
        ("HAR", report.har(STARTED)),
    ]
}
