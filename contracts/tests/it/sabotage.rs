//! The kill matrix, and what a report makes of it.

use std::collections::BTreeSet;

use d1_contracts::{
    Break, Case, Family, KillMatrix, Matrix, Paint, Ran, Report, Side, Standing, Verdict, built_in_cases,
    documented_cells, inbound,
};

const FIRST: &str = "inbound/getAccessToken/200/none/issued";
const SECOND: &str = "inbound/getAccessToken/400/INVALID_FIELD/refused-assertion";

fn cases() -> Vec<Case> {
    let cases: Vec<Case> = built_in_cases().expect("good cases");
    let cases: Vec<Case> =
        cases.into_iter().filter(|case| [FIRST, SECOND].contains(&case.id.as_str())).collect();
    assert_eq!(cases.len(), 2);
    cases
}

fn matrix(breaks: &[Break], red: &[(Option<Break>, &str)]) -> KillMatrix {
    let red = red.iter().map(|(one, case)| (*one, (*case).to_owned(), "reported: x".to_owned()));
    KillMatrix::new(breaks, [FIRST, SECOND], red)
}

#[test]
fn every_broken_client_stands_once_in_the_list_and_says_what_it_stands_for() {
    assert!(Break::ALL.is_sorted(), "the order of the reports");
    let names: BTreeSet<String> = Break::ALL.iter().map(ToString::to_string).collect();
    let faults: BTreeSet<&str> = Break::ALL.iter().map(|one| one.fault()).collect();
    assert_eq!((names.len(), faults.len()), (Break::ALL.len(), Break::ALL.len()));
    for blunt in [Break::AlwaysOk, Break::AlwaysError, Break::PanicAlways, Break::NoBearer] {
        assert!(blunt.is_blunt(), "{blunt}");
    }
    assert!(!Break::StatusOnly.is_blunt() && !Break::RetryNever.is_blunt());
}

#[test]
fn a_broken_client_that_no_case_turns_red_is_a_survivor_and_named() {
    let breaks = [Break::AlwaysOk, Break::StatusOnly, Break::NoRefresh];
    let matrix = matrix(&breaks, &[(Some(Break::AlwaysOk), SECOND), (Some(Break::StatusOnly), FIRST)]);
    assert_eq!(matrix.survivors().collect::<Vec<_>>(), [Break::NoRefresh]);
    assert!(matrix.text().contains("survivor: NoRefresh"), "{}", matrix.text());
    assert!(matrix.text().contains("2 of 3 broken clients killed"), "{}", matrix.text());
    assert_eq!(matrix.json()["survivors"], serde_json::json!(["NoRefresh"]));
    assert_eq!(matrix.json()["breaks"]["StatusOnly"]["killedBy"], serde_json::json!([FIRST]));
}

#[test]
fn a_case_that_kills_blunt_clients_alone_is_idle_and_named() {
    let breaks = [Break::AlwaysError, Break::StatusOnly];
    let matrix = matrix(
        &breaks,
        &[
            (Some(Break::AlwaysError), FIRST),
            (Some(Break::AlwaysError), SECOND),
            (Some(Break::StatusOnly), SECOND),
        ],
    );
    assert_eq!(matrix.idle().collect::<Vec<_>>(), [FIRST]);
    assert!(matrix.kills(SECOND) && !matrix.kills(FIRST) && !matrix.kills("no such case"));
    assert!(matrix.text().contains(&format!("idle: {FIRST}")), "{}", matrix.text());
    assert_eq!(matrix.json()["idle"], serde_json::json!([FIRST]));
}

#[test]
fn what_the_baseline_fails_kills_nobody() {
    let red = [(Some(Break::StatusOnly), FIRST), (None, FIRST), (Some(Break::StatusOnly), SECOND)];
    let matrix = matrix(&[Break::StatusOnly], &red);
    assert_eq!(matrix.by_break[&Break::StatusOnly], BTreeSet::from([SECOND.to_owned()]));
    assert_eq!(matrix.unsound.keys().collect::<Vec<_>>(), [FIRST]);
    assert!(matrix.text().contains(&format!("unsound: {FIRST}")), "{}", matrix.text());
}

fn report() -> Report {
    let passed = Verdict { served: Ok(()), reported: Ok(()), behaved: Ok(()) };
    let ran =
        |case: &Case| Ran { case: case.clone(), exchanges: Vec::new(), told: None, verdict: passed.clone() };
    let (contract, cases) = (inbound().expect("the contract"), cases());
    let mut cells = documented_cells(&contract, Side::Inbound);
    cells.retain(|cell| cases.iter().any(|case| case.cell() == cell.to_string()));
    let ran = cases.iter().map(ran).collect();
    Report::new("x", Matrix::new(&cells, &cases), cases, ran)
}

fn json(report: &Report) -> serde_json::Value {
    serde_json::from_str(&report.json()).expect("JSON")
}

#[test]
fn a_cell_is_proven_by_four_witnesses_and_only_seen_by_three() {
    let of_documented = |report: &Report| {
        let tallies = report.tallies();
        let wanted = (Family::Answers, Standing::Documented);
        let tally = tallies.iter().find(|tally| (tally.family, tally.standing) == wanted).expect("a tally");
        (tally.proven + tally.seen, tally.proven)
    };
    let three = report();
    assert_eq!(of_documented(&three), (2, 0));
    assert_eq!(json(&three)["witnesses"], serde_json::json!(["served", "reported", "behaved"]));
    assert!(!three.text(Paint::Plain).contains("  proven  "), "{}", three.text(Paint::Plain));

    let kills = matrix(
        &[Break::AlwaysOk, Break::StatusOnly],
        &[(Some(Break::StatusOnly), FIRST), (Some(Break::AlwaysOk), SECOND)],
    );
    let four = report().with_kills(&kills);
    assert_eq!(of_documented(&four), (2, 1));
    let json = json(&four);
    assert_eq!(json["witnesses"], serde_json::json!(["served", "reported", "behaved", "killed"]));
    assert_eq!(json["standing"]["documented"], serde_json::json!({"cells": 2, "passed": 2, "proven": 1}));
    let text = four.text(Paint::Plain);
    assert!(text.contains("1 of 2 cells proven, 50 %; 1 more only seen"), "{text}");
    for (cell, mark) in [("200 -", "proven"), ("400 INVALID_FIELD", "seen")] {
        let line = text.lines().find(|line| line.contains(cell)).expect("a line");
        assert!(line.contains(mark), "{line}");
    }
}
