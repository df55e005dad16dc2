//! What a run against a receiver has shown, as every other run is reported.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::case::ReceiverCase;
use super::play::{Came, Delivered, NotRun, ReceiverRan};
use super::side::{D1Side, NOTIFY_PATH, TOKEN_PATH};
use crate::cases::{Case, Count, Expectation, Outcome, Retryable};
use crate::cells::{Cell, Side};
use crate::matrix::Matrix;
use crate::report::Report;
use crate::runner::Ran;
use crate::stage::{Exchange, ShownExchange};
use crate::subject::Told;

/// Cases that say nothing of their cells, each with why.
pub type Aside = Vec<(String, String)>;

/// The report of a run of `all` the cases of a catalogue or some of them; `cells` are those of the catalogue. A case that
/// could not be run, or passed with another right answer than that of its cell, is put aside: its cell is not covered.
#[must_use]
pub fn receiver_report(
    name: &str,
    side: &D1Side,
    cells: &[Cell],
    all: &[ReceiverCase],
    (ran, not_run): (Vec<ReceiverRan>, Vec<NotRun>),
) -> (Report, Aside) {
    let seen: BTreeSet<String> = ran.iter().flat_map(|one| one.cells_shown(side)).collect();
    let mut aside: Aside =
        not_run.into_iter().map(|one| (one.case, format!("not run: needs {}", one.needs))).collect();
    let (told, other): (Vec<_>, Vec<_>) =
        ran.into_iter().partition(|one| !one.verdict.passed() || seen.contains(one.case.cell()));
    let why = "passed with another right answer than that of its cell, which is still to be seen";
    aside.extend(other.into_iter().map(|one| (one.case.id, why.to_owned())));
    aside.sort();
    let stand_ins: Vec<Case> = all.iter().map(ReceiverCase::stand_in).collect();
    let planned = told.iter().map(|one| one.case.stand_in()).collect();
    let ran = told.into_iter().map(as_ran).collect();
    let report = Report::new(name, Matrix::new(cells, &stand_ins), planned, ran);
    (report.with_contract(Side::Outbound, side.props.contract.clone()), aside)
}

/// D1 is the one who calls: what it was told is the receiver's last answer.
fn as_ran(ran: ReceiverRan) -> Ran {
    let ReceiverRan { case, deliveries, verdict, .. } = ran;
    let told = deliveries.iter().rev().find_map(|one| match &one.came {
        Came::Answer { status, code, .. } => Some(told(outcome(*status, code.clone()))),
        _ => None,
    });
    Ran { case: case.stand_in(), exchanges: deliveries.into_iter().map(exchange).collect(), told, verdict }
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

/// Bodies are left out: that of a receiver may hold a bearer.
fn exchange(one: Delivered) -> Exchange {
    let status = match one.came {
        Came::Answer { status, .. } => status,
        _ => 0,
    };
    let path = if one.operation == "getAccessToken" { TOKEN_PATH } else { NOTIFY_PATH }.to_owned();
    let shown = ShownExchange { method: one.method.clone(), path, ..ShownExchange::default() };
    Exchange {
        operation: one.operation.to_owned(),
        method: one.method,
        request_faults: one.request_faults,
        status,
        body: Vec::new(),
        by_itself: None,
        answer_faults: one.answer_faults,
        fault: None,
        shown,
        written: true,
    }
}
