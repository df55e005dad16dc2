//! Natural cases: which cells have one, why the others have none, and how strictly they are read.

use std::collections::BTreeSet;
use std::fs;

use d1_contracts::{Kind, Side, built_in_cases, cases_in, documented_cells, inbound};

const NEEDS_A_BAD_REQUEST: &str = "D1 answers so to a request that no client makes which makes calls of the contract: the \
    suite asks for calls, not for requests";
const FORCED: &str =
    "the sandbox has no state in which it answers so: neither limits of rate nor faults of its own";
const BEFORE_IT: &str =
    "the certificate is refused at the token endpoint already, and the path is the gateway's own";
const ISSUER: &str = "no issuer is asked by this operation";

/// The cells without a natural case, by status and code, and the operations that have one all the same.
const WITHOUT: [(&str, &str, &[&str]); 9] = [
    ("400/INVALID_FIELD", NEEDS_A_BAD_REQUEST, &["getAccessToken", "createToken"]),
    ("400/MISSING_FIELD", NEEDS_A_BAD_REQUEST, &[]),
    ("403/FORBIDDEN", BEFORE_IT, &["getAccessToken"]),
    ("405/METHOD_NOT_ALLOWED", NEEDS_A_BAD_REQUEST, &[]),
    ("413/PAYLOAD_TOO_LARGE", NEEDS_A_BAD_REQUEST, &[]),
    ("415/UNSUPPORTED_MEDIA_TYPE", NEEDS_A_BAD_REQUEST, &[]),
    ("429/TOO_MANY_REQUESTS", FORCED, &[]),
    ("500/INTERNAL_ERROR", FORCED, &[]),
    ("503/SERVICE_UNAVAILABLE", ISSUER, &["createToken"]),
];

#[test]
fn every_inbound_cell_has_a_natural_case_or_a_reason_why_it_has_none() {
    let cases = built_in_cases().expect("good cases");
    let natural: BTreeSet<&str> =
        cases.iter().filter(|case| case.kind() == Kind::Natural).map(|case| case.cell()).collect();
    let mut used = BTreeSet::new();
    for cell in documented_cells(&inbound().expect("the contract"), Side::Inbound) {
        let id = cell.to_string();
        let excused = WITHOUT.iter().find(|(answer, _, but)| {
            id.ends_with(&format!("/{answer}")) && !but.contains(&cell.operation.as_str())
        });
        used.extend(excused.map(|(answer, ..)| *answer));
        let reason = excused.map(|(_, reason, _)| *reason);
        assert_eq!(natural.contains(id.as_str()), reason.is_none(), "{id}: {reason:?}");
    }
    assert_eq!(used.len(), WITHOUT.len(), "each reason is there for a cell: {used:?}");
}

#[test]
fn a_natural_case_stands_beside_a_scripted_one() {
    let cases = built_in_cases().expect("good cases");
    let of = |kind: Kind| -> BTreeSet<&str> {
        cases
            .iter()
            .filter(|case| (case.kind() == Kind::Natural) == (kind == Kind::Natural))
            .map(|case| case.cell())
            .collect()
    };
    let alone: Vec<&str> = of(Kind::Natural).difference(&of(Kind::Scripted)).copied().collect();
    assert!(alone.iter().all(|cell| cell.contains("/transport/clock-")), "{alone:?}");
}

const GOOD: &str = "\
- id: inbound/createTransaction/403/FORBIDDEN_STATE/natural
  why: A suspended token is not to be tried again; the payment needs another way.
  source: [C11]
  given: {token: {state: suspended}}
  answers:
    - {status: 403, body: {errorCode: FORBIDDEN_STATE}}
  expect: {outcome: {refused: {status: 403, code: FORBIDDEN_STATE}}, retryable: never, ambiguous: false, attempts: 1}
";

#[test]
fn what_does_not_go_together_is_refused_with_file_and_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let read = |text: &str| {
        fs::write(folder.path().join("one.yaml"), text).expect("written");
        cases_in(folder.path()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(GOOD), Ok(()));
    for (from, to, wanted) in [
        ("{token: {state: suspended}}", "{}", "`given`: expected a `token`"),
        ("{token: {state: suspended}}", "{tokens: {state: suspended}}", "unknown member `tokens`"),
        ("state: suspended", "state: asleep", "asleep"),
        ("state: suspended", "state: suspended, card: 'A card'", "`card`: expected the name"),
        ("suspended}}", "suspended}, clock: {ahead_s: 5}}", "`clock` and another `gateway` go with"),
        ("suspended}}", "suspended}, clock: {ahead_s: 0}}", "`clock`: expected 1 to 86400"),
        ("suspended}}", "suspended}, card: {name: approve}}", "go with createToken alone"),
        ("suspended}}", "suspended}, merchant: unknown}", "go with createToken alone"),
        ("{status: 403, body", "{status: 403, always: true, body", "without `fault` and `always`"),
        (
            "{status: 403, body: {errorCode: FORBIDDEN_STATE}}",
            "{status: 404}",
            "none of its answers has status 403",
        ),
        ("403/FORBIDDEN_STATE/natural", "transport/clock-ahead/natural", "`given`: expected a `clock`"),
        ("403/FORBIDDEN_STATE/natural", "transport/reset/natural", "begins with clock-"),
    ] {
        let said = read(&GOOD.replacen(from, to, 1)).expect_err(to);
        assert!(said.starts_with("one.yaml:") && said.contains(wanted), "{to}: {said}");
    }
}
