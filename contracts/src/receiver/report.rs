//! What a run against a receiver has shown, as every other run is reported.

use std::collections::{BTreeMap, BTreeSet};

use super::case::ReceiverCase;
use super::play::{Came, Delivered, NotRun, ReceiverRan};
use super::side::D1Side;
use super::verdict::looked_at;
use super::words::{in_words, on_purpose, shown};
use crate::cases::{Case, Count, Expectation, Outcome, Retryable};
use crate::cells::{Cell, Side};
use crate::matrix::Matrix;
use crate::report::Report;
use crate::runner::Ran;
use crate::stage::Exchange;
use crate::subject::Told;

/// The report of a run of `planned`, which are `all` the cases of a catalogue or some of them; `cells` are those of the
/// catalogue. A case that could not be run, or has passed without the answer of its cell, is put aside: its cell is not
/// covered.
#[must_use]
pub fn receiver_report(
    name: &str,
    side: &D1Side,
    cells: &[Cell],
    (all, planned): (&[ReceiverCase], &[ReceiverCase]),
    ended: Vec<Result<ReceiverRan, NotRun>>,
) -> Report {
    let ran = || ended.iter().flatten();
    let seen: BTreeSet<String> = ran().flat_map(|one| one.cells_shown(side)).collect();
    let mut aside: BTreeMap<String, String> = ended
        .iter()
        .filter_map(|one| one.as_ref().err())
        .map(|one| (one.case.clone(), format!("not run: needs {}", one.needs)))
        .collect();
    let elsewhere = ran().filter(|one| one.verdict.passed() && !seen.contains(one.case.cell()));
    aside.extend(elsewhere.map(|one| {
        let came: BTreeSet<String> = one.deliveries.iter().map(|one| shown(&one.came)).collect();
        let came = came.into_iter().collect::<Vec<_>>().join(", ");
        (one.case.id.clone(), format!("passed with another right answer than that of its cell: {came}"))
    }));
    let unseen =
        ran().filter(|one| !looked_at(&one.case, &one.found)).map(|one| one.case.id.clone()).collect();
    let words = ran().map(|one| (one.case.id.clone(), in_words(one))).collect();
    let stand_ins =
        |cases: &[ReceiverCase]| -> Vec<Case> { cases.iter().map(ReceiverCase::stand_in).collect() };
    let matrix = Matrix::new(cells, &stand_ins(all));
    Report::new(name, matrix, stand_ins(planned), ended.into_iter().flatten().map(as_ran).collect())
        .with_contract(Side::Outbound, side.props.contract.clone())
        .with_aside(aside)
        .with_unseen(unseen)
        .with_words(words)
}

/// D1 is the one who calls: what it was told is the receiver's last answer.
fn as_ran(ran: ReceiverRan) -> Ran {
    let ReceiverRan { case, deliveries, verdict, .. } = ran;
    let told = deliveries.iter().rev().find_map(|one| match &one.came {
        Came::Answer { status, code, .. } => Some(told(outcome(*status, code.clone()))),
        _ => None,
    });
    let exchanges = deliveries.into_iter().map(|one| exchange(&case, one)).collect();
    Ran { case: case.stand_in(), exchanges, told, verdict }
}

impl ReceiverCase {
    /// As much of a case as reports and coverage look at.
    #[must_use]
    pub fn stand_in(&self) -> Case {
        let (status, code) = self.cell_answer();
        Case {
            id: self.id.clone(),
            why: self.why.clone(),
            source: self.source.clone(),
            given: None,
            answers: Vec::new(),
            judged: true,
            attempt_timeout_ms: None,
            expect: Expectation {
                outcome: outcome(status, code.map(str::to_owned)),
                retryable: Retryable::Never,
                ambiguous: false,
                or: Vec::new(),
                attempts: Count::Exactly(1),
                access_tokens: None,
                waits_at_least_ms: 0,
                result: BTreeMap::new(),
            },
        }
    }
}

fn outcome(status: u16, code: Option<String>) -> Outcome {
    if (200..300).contains(&status) { Outcome::Ok } else { Outcome::Refused { status, code } }
}

fn told(outcome: Outcome) -> Told {
    Told { outcome, retryable: Retryable::Never, ambiguous: false, result: BTreeMap::new(), waited_ms: 0 }
}

/// Its body is left out: that of a receiver may hold a bearer.
fn exchange(case: &ReceiverCase, one: Delivered) -> Exchange {
    let status = match one.came {
        Came::Answer { status, .. } => status,
        _ => 0,
    };
    Exchange {
        operation: one.operation.to_owned(),
        method: one.method,
        request_faults: one.request_faults,
        status,
        body: Vec::new(),
        by_itself: None,
        answer_faults: one.answer_faults,
        fault: case.steps.get(one.step).and_then(on_purpose),
        shown: one.shown,
        written: !matches!(one.came, Came::Nothing(_)),
    }
}
