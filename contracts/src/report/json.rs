//! The report for programs. Its members stand in this order, the catalogue and the notice first; `report.schema.json` is
//! what readers may rely on.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::contract_facts::ContractFact;
use super::view::{RanCase, Row, View, presentable_fault};
use super::{CATALOGUE, DISCLAIMER};
use crate::cases::{Kind, Outcome};
use crate::cells::{Family, Side};
use crate::stage::{Exchange, ShownMessage};

/// The version of the format; a reader of this one reads no other.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Root<'a> {
    version: u32,
    catalogue: &'static str,
    notice: &'static str,
    client: &'a str,
    complete: bool,
    partial: bool,
    planned: usize,
    ran: usize,
    passed: usize,
    failed: usize,
    witnesses: &'static [&'static str],
    standing: BTreeMap<&'static str, Share>,
    #[serde(flatten)]
    families: BTreeMap<&'static str, BTreeMap<&'static str, Share>>,
    known: &'a BTreeMap<String, String>,
    exempt: &'a BTreeMap<String, String>,
    aside: &'a BTreeMap<String, String>,
    stale: &'a [&'a str],
    gaps: &'a [String],
    cells: Vec<Cell<'a>>,
    cases: Vec<Case<'a>>,
    #[serde(rename = "notRun")]
    not_run: Vec<&'a str>,
}

#[derive(Serialize)]
struct Share {
    cells: usize,
    passed: usize,
    proven: usize,
}

#[derive(Serialize)]
struct Cell<'a> {
    cell: String,
    standing: &'static str,
    mark: String,
    cases: &'a [String],
    contract: Vec<Fact<'a>>,
}

#[derive(Serialize)]
struct Fact<'a> {
    of: &'static str,
    text: &'a str,
    standing: Option<&'static str>,
    source: &'a [String],
}

#[derive(Serialize)]
struct Case<'a> {
    id: &'a str,
    cell: &'a str,
    kind: Kind,
    why: &'a str,
    source: &'a [String],
    passed: bool,
    proven: bool,
    faults: BTreeMap<&'static str, &'a str>,
    expected: &'a str,
    told: &'a str,
    outcome: Option<&'a Outcome>,
    exchanges: Vec<ShownExchange<'a>>,
}

#[derive(Serialize)]
struct ShownExchange<'a> {
    operation: Option<&'a str>,
    method: &'a str,
    path: &'a str,
    request: Message<'a>,
    /// Nothing where no answer was given.
    status: Option<u16>,
    answer: Message<'a>,
    /// What was wrong on purpose, apart from what the answer says.
    fault: Option<&'a str>,
    written: bool,
    faults: Vec<String>,
}

#[derive(Serialize)]
struct Message<'a> {
    headers: Vec<Header<'a>>,
    body: Option<&'a Value>,
}

#[derive(Serialize)]
struct Header<'a> {
    name: &'a str,
    value: &'a str,
}

pub(super) fn json(view: &View<'_>) -> String {
    let of_family = |family: Family| -> BTreeMap<&'static str, Share> {
        let own = view.tallies.iter().filter(|tally| tally.family == family);
        let share = own.map(|one| {
            (
                one.standing.word(),
                Share { cells: one.cells, passed: one.proven + one.seen, proven: one.proven },
            )
        });
        share.collect()
    };
    // The first family has the member that is as old as the format.
    let others = view.families().into_iter().filter(|family| *family != Family::Answers);
    let root = Root {
        version: VERSION,
        catalogue: CATALOGUE,
        notice: DISCLAIMER,
        client: view.client,
        complete: view.complete,
        partial: view.partial,
        planned: view.planned,
        ran: view.cases.len(),
        passed: view.passed,
        failed: view.failed,
        witnesses: view.witnesses,
        standing: of_family(Family::Answers),
        families: others.map(|family| (family.word(), of_family(family))).collect(),
        known: &view.known.entries,
        exempt: &view.exempt.entries,
        aside: view.aside,
        stale: &view.stale,
        gaps: &view.gaps,
        cells: view.rows.iter().map(cell).collect(),
        cases: view.cases.iter().map(case).collect(),
        not_run: view.not_run.iter().map(|case| case.id.as_str()).collect(),
    };
    // Names are texts and numbers are whole, so that nothing can fail.
    serde_json::to_string_pretty(&root).unwrap_or_default() + "\n"
}

fn cell<'a>(row: &'a Row<'a>) -> Cell<'a> {
    let fact = |one: &'a ContractFact| Fact {
        of: one.of,
        text: &one.text,
        standing: one.standing.map(crate::standing::Standing::word),
        source: &one.sources,
    };
    Cell {
        cell: row.cell.to_string(),
        standing: row.cell.standing.word(),
        mark: row.mark.word().to_lowercase(),
        cases: row.cases,
        contract: row.facts.iter().map(fact).collect(),
    }
}

fn case<'a>(one: &'a RanCase<'a>) -> Case<'a> {
    Case {
        id: &one.case.id,
        cell: one.case.cell(),
        kind: one.case.kind(),
        why: &one.case.why,
        source: &one.case.source,
        passed: one.passed,
        proven: one.proven,
        faults: one.faults().collect(),
        expected: &one.expected,
        told: &one.told,
        outcome: one.outcome.as_ref(),
        exchanges: one.exchanges.iter().map(|exchange| shown(one, exchange)).collect(),
    }
}

fn shown<'a>(case: &RanCase<'_>, one: &'a Exchange) -> ShownExchange<'a> {
    // Of the one under test: a client sends the requests, a receiver the answers.
    let of_receiver = case.case.id.starts_with(Side::Outbound.word());
    let faults = if of_receiver { &one.answer_faults } else { &one.request_faults };
    ShownExchange {
        operation: Some(one.operation.as_str()).filter(|operation| !operation.is_empty()),
        method: &one.shown.method,
        path: &one.shown.path,
        request: message(&one.shown.request),
        status: Some(one.status).filter(|status| *status != 0),
        answer: message(&one.shown.answer),
        fault: one.fault.as_deref(),
        written: one.written,
        faults: faults.iter().map(|fault| presentable_fault(fault)).collect(),
    }
}

fn message(shown: &ShownMessage) -> Message<'_> {
    Message {
        headers: shown.headers.iter().map(|(name, value)| Header { name, value }).collect(),
        body: shown.body.as_ref(),
    }
}
