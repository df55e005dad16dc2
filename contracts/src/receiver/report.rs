//! What a run against a receiver has shown, as every other run is reported.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::case::ReceiverCase;
use super::play::{Came, Delivered, NotRun, ReceiverRan};
use super::side::D1Side;
use super::verdict::end_was_judged;
use crate::cases::{Case, Count, Expectation, Outcome, Retryable};
use crate::cells::Cell;
use crate::matrix::Matrix;
use crate::report::Report;
use crate::runner::{Ran, Shows};
use crate::stage::Exchange;
use crate::subject::Told;

/// The report of a run. `planned` are all cases that the run was to make; `cells` those that they are to show.
#[must_use]
pub fn receiver_report(
    name: &str,
    side: &D1Side,
    cells: &[Cell],
    planned: &[ReceiverCase],
    (ran, not_run): (Vec<ReceiverRan>, Vec<NotRun>),
) -> Report {
    let seen: BTreeSet<String> = ran.iter().flat_map(|one| one.cells_shown(side)).collect();
    let ran = ran.into_iter().map(|one| as_ran(one, &seen)).collect();
    Report::new(name, Matrix::new(cells, planned), planned.len(), ran).with_not_run(not_run)
}

/// D1 is the one who calls: what it was told is the receiver's last answer.
fn as_ran(ran: ReceiverRan, seen: &BTreeSet<String>) -> Ran {
    let ReceiverRan { case, deliveries, found, verdict } = ran;
    let shows = if !seen.contains(case.cell()) {
        Shows::OtherAnswer
    } else if end_was_judged(case.end.as_ref(), &found) {
        Shows::Cell
    } else {
        Shows::Unprobed
    };
    let (status, code) = case.cell_answer();
    let expected = outcome(status, code.map(str::to_owned));
    let told = deliveries.iter().rev().find_map(|one| match &one.came {
        Came::Answer { status, code, .. } => Some(told(outcome(*status, code.clone()))),
        _ => None,
    });
    let attempts = Count::Exactly(u32::try_from(deliveries.len()).unwrap_or(u32::MAX));
    let case = Case {
        id: case.id,
        why: case.why,
        source: case.source,
        answers: Vec::new(),
        judged: true,
        attempt_timeout_ms: None,
        expect: Expectation {
            outcome: expected,
            retryable: Retryable::Never,
            ambiguous: false,
            or: Vec::new(),
            attempts,
            access_tokens: None,
            waits_at_least_ms: 0,
            result: BTreeMap::new(),
        },
    };
    Ran { case, exchanges: deliveries.into_iter().map(exchange).collect(), told, verdict, shows }
}

fn outcome(status: u16, code: Option<String>) -> Outcome {
    if (200..300).contains(&status) { Outcome::Ok } else { Outcome::Refused { status, code } }
}

fn told(outcome: Outcome) -> Told {
    Told { outcome, retryable: Retryable::Never, ambiguous: false, result: BTreeMap::new(), waited_ms: 0 }
}

/// Bodies are left out: that of a receiver may hold a bearer.
fn exchange(one: Delivered) -> Exchange {
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
        answer_faults: one.answer_faults,
        fault: None,
        written: true,
    }
}
