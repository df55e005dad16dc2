//! A run as every format shows it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::contract_facts::{ContractFact, facts};
use super::{DISCLAIMER, Report};
use crate::cases::{Case, Kind};
use crate::cells::{Cell, Family, Shown};
use crate::runner::Ran;
use crate::stage::{Exchange, holds_secret};
use crate::standing::Standing;
use crate::waivers::Waived;

/// What came of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    /// All witnesses agree in each of its cases.
    Proven,
    /// All but the fourth.
    Seen,
    /// One of its cases failed.
    Failed,
    /// Not all of its cases were run, and none failed.
    NotRun,
    /// Cases of it were put aside, and all others passed.
    Aside,
    /// There is none.
    NoCase,
}

impl Mark {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Seen => "seen",
            Self::Failed => "FAILED",
            Self::NotRun => "not run",
            Self::Aside => "put aside",
            Self::NoCase => "no case",
        }
    }
}

/// How many cells of one family and standing there are, and what came of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// The family.
    pub family: Family,
    /// The standing.
    pub standing: Standing,
    /// All of them.
    pub cells: usize,
    /// All witnesses agree, the fourth too.
    pub proven: usize,
    /// Three witnesses agree; the fourth does not, or was not called.
    pub seen: usize,
    /// A case failed.
    pub failed: usize,
    /// A case was not run or put aside, and none failed.
    pub not_run: usize,
    /// There is no case.
    pub no_case: usize,
}

/// A cell and what came of it.
pub(super) struct Row<'a> {
    pub(super) cell: &'a Cell,
    pub(super) mark: Mark,
    pub(super) cases: &'a [String],
    pub(super) passed: usize,
    /// Cases of it that D1 answers by itself.
    pub(super) natural: usize,
    pub(super) facts: Vec<ContractFact>,
}

impl Row<'_> {
    /// `inbound/createToken`.
    pub(super) fn operation(&self) -> String {
        format!("{}/{}", self.cell.side.word(), self.cell.operation)
    }

    /// What the cell shows: `403 FORBIDDEN`, `201 -`, `... unknown-member`.
    pub(super) fn shown(&self) -> String {
        match &self.cell.shown {
            Shown::Answer { status, code } => format!("{status} {}", code.as_deref().unwrap_or("-")),
            Shown::Derived(rule) => format!("... {rule}"),
            Shown::Transport(fault) => format!("!!! {fault}"),
        }
    }
}

/// A case that was run.
pub(super) struct RanCase<'a> {
    pub(super) case: &'a Case,
    pub(super) exchanges: &'a [Exchange],
    pub(super) passed: bool,
    pub(super) proven: bool,
    /// Why it says nothing of its cell.
    pub(super) aside: Option<&'a str>,
    /// Each witness that was called, with its fault.
    pub(super) witnesses: Vec<(&'static str, Option<String>)>,
    pub(super) expected: String,
    pub(super) told: String,
    pub(super) outcome: Option<crate::cases::Outcome>,
}

impl RanCase<'_> {
    pub(super) fn faults(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.witnesses.iter().filter_map(|(name, fault)| Some((*name, fault.as_deref()?)))
    }
}

/// A run.
pub(super) struct View<'a> {
    pub(super) client: &'a str,
    pub(super) witnesses: &'static [&'static str],
    /// So many cases have no third witness.
    pub(super) unseen: usize,
    pub(super) complete: bool,
    pub(super) partial: bool,
    pub(super) planned: usize,
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) tallies: Vec<Tally>,
    pub(super) rows: Vec<Row<'a>>,
    pub(super) cases: Vec<RanCase<'a>>,
    pub(super) not_run: Vec<&'a Case>,
    /// What says nothing of its cell, whether it was run or not, with why.
    pub(super) aside: &'a BTreeMap<String, String>,
    pub(super) gaps: Vec<String>,
    pub(super) known: &'a Waived,
    pub(super) exempt: &'a Waived,
    pub(super) stale: Vec<&'a str>,
}

impl<'a> View<'a> {
    pub(super) fn of(report: &'a Report) -> Self {
        let known = report.kills.is_some();
        let cases: Vec<RanCase<'a>> = report.ran.iter().map(|ran| ran_case(report, ran)).collect();
        let counted = cases.iter().filter(|one| one.aside.is_none());
        let marks: BTreeMap<&str, (bool, bool)> =
            counted.map(|one| (one.case.id.as_str(), (one.passed, one.proven))).collect();
        let rows: Vec<Row<'a>> =
            report.matrix.rows().map(|(cell, ids)| row(report, cell, ids, &marks)).collect();
        let ran: BTreeSet<&str> = cases.iter().map(|one| one.case.id.as_str()).collect();
        let passed = cases.iter().filter(|one| one.passed).count();
        Self {
            client: &report.client,
            witnesses: if known {
                &["served", "reported", "behaved", "killed"]
            } else {
                &["served", "reported", "behaved"]
            },
            unseen: cases.iter().filter(|one| report.unseen.contains(&one.case.id)).count(),
            complete: report.complete(),
            partial: report.partial(),
            planned: report.planned.len(),
            passed,
            failed: cases.len() - passed,
            tallies: tallies(&rows),
            not_run: report.planned.iter().filter(|case| !ran.contains(case.id.as_str())).collect(),
            rows,
            cases,
            aside: &report.aside,
            gaps: report.gaps().iter().map(ToString::to_string).collect(),
            known: &report.known,
            exempt: &report.exempt,
            stale: report.stale().collect(),
        }
    }

    /// The rows of each operation of a family, in their order.
    pub(super) fn by_operation(&self, family: Family) -> BTreeMap<String, Vec<&Row<'a>>> {
        let mut found: BTreeMap<String, Vec<&Row<'a>>> = BTreeMap::new();
        for row in self.rows.iter().filter(|row| row.cell.family() == family) {
            found.entry(row.operation()).or_default().push(row);
        }
        found
    }

    /// The families that have cells.
    pub(super) fn families(&self) -> BTreeSet<Family> {
        self.tallies.iter().map(|tally| tally.family).collect()
    }

    /// A case that was run, by its id.
    pub(super) fn case(&self, id: &str) -> Option<&RanCase<'a>> {
        self.cases.iter().find(|one| one.case.id == id)
    }

    /// What was done, in one sentence.
    pub(super) fn summary(&self) -> String {
        let (ran, witnesses) = (self.cases.len(), self.witnesses.join(", "));
        let mut text = format!(
            "{ran} of {} cases run, {} passed, {} failed; witnesses: {witnesses}",
            self.planned, self.passed, self.failed
        );
        let natural = self.cases.iter().filter(|one| one.case.kind() == Kind::Natural).count();
        if natural > 0 {
            // Writing to a String does not fail, here and below.
            let _ = write!(text, "; D1 answered {natural} by itself (natural)");
        }
        if self.unseen > 0 {
            let _ = write!(text, "; {} without the third, behaved: nothing of them is proven", self.unseen);
        }
        if !self.aside.is_empty() {
            let _ = write!(text, "; {} put aside, whose cells are not covered", self.aside.len());
        }
        if !self.known.entries.is_empty() {
            let _ = write!(text, "; {} of the failures are known", self.known.entries.len());
        }
        if !self.witnesses.contains(&"killed") {
            text.push_str("; without the fourth, killed, nothing is proven");
        }
        if self.partial {
            text.push_str("; PARTIAL: the run came to no end");
        }
        text
    }
}

/// The first lines of every report for people.
pub(super) fn opening() -> [String; 2] {
    [format!("D1 contract catalogue {}", super::CATALOGUE), DISCLAIMER.to_owned()]
}

fn row<'a>(
    report: &Report,
    cell: &'a Cell,
    cases: &'a [String],
    marks: &BTreeMap<&str, (bool, bool)>,
) -> Row<'a> {
    let found: Vec<(bool, bool)> =
        cases.iter().filter_map(|case| marks.get(case.as_str()).copied()).collect();
    let passed = found.iter().filter(|(passed, _)| *passed).count();
    let mark = if cases.is_empty() {
        Mark::NoCase
    } else if passed < found.len() {
        Mark::Failed
    } else if found.len() < cases.len() {
        let aside = cases.iter().filter(|case| report.aside.contains_key(*case)).count();
        if found.len() + aside < cases.len() { Mark::NotRun } else { Mark::Aside }
    } else if found.iter().all(|(_, proven)| *proven) {
        Mark::Proven
    } else {
        Mark::Seen
    };
    let contract = report.contracts.iter().find(|(side, _)| *side == cell.side);
    let facts = contract.map(|(_, contract)| facts(contract, cell)).unwrap_or_default();
    Row { cell, mark, cases, passed, natural: report.matrix.natural(cases), facts }
}

fn tallies(rows: &[Row<'_>]) -> Vec<Tally> {
    let mut found: BTreeMap<(Family, Standing), Tally> = BTreeMap::new();
    for row in rows {
        let (family, standing) = (row.cell.family(), row.cell.standing);
        let new = Tally { family, standing, cells: 0, proven: 0, seen: 0, failed: 0, not_run: 0, no_case: 0 };
        let tally = found.entry((family, standing)).or_insert(new);
        tally.cells += 1;
        *match row.mark {
            Mark::Proven => &mut tally.proven,
            Mark::Seen => &mut tally.seen,
            Mark::Failed => &mut tally.failed,
            Mark::NotRun | Mark::Aside => &mut tally.not_run,
            Mark::NoCase => &mut tally.no_case,
        } += 1;
    }
    found.into_values().collect()
}

/// A case as it is shown.
fn ran_case<'a>(report: &'a Report, ran: &'a Ran) -> RanCase<'a> {
    let id = &ran.case.id;
    // What the fourth witness says, if it was called.
    let kills = report.kills.as_ref().map(|kills| kills.contains(id));
    let (aside, words) = (report.aside.get(id).map(String::as_str), report.words.get(id));
    let fault = |one: &Result<(), String>| one.as_ref().err().map(|fault| presentable_fault(fault));
    let verdict = &ran.verdict;
    let mut witnesses = vec![("served", fault(&verdict.served)), ("reported", fault(&verdict.reported))];
    let seen = !report.unseen.contains(id);
    if seen || verdict.behaved.is_err() {
        witnesses.push(("behaved", fault(&verdict.behaved)));
    }
    // Of a case that fails, the fourth witness has nothing to say.
    if let Some(kills) = kills.filter(|_| verdict.passed()) {
        let fault = "nothing that is broken on purpose fails this case, but for blunt faults".to_owned();
        witnesses.push(("killed", (!kills).then_some(fault)));
    }
    RanCase {
        case: &ran.case,
        exchanges: &ran.exchanges,
        passed: verdict.passed(),
        proven: verdict.passed() && kills == Some(true) && aside.is_none() && seen,
        aside,
        witnesses,
        expected: words.map_or_else(|| expected(&ran.case), |words| words.expected.clone()),
        told: words.map_or_else(|| told(ran), |words| presentable_fault(&words.told)),
        outcome: ran.told.as_ref().map(|told| told.outcome.presentable()),
    }
}

/// No fault holds a value of the exchange; should one all the same, it is not shown.
pub(super) fn presentable_fault(fault: &str) -> String {
    if holds_secret(fault) { "(a text that is not shown)".to_owned() } else { fault.to_owned() }
}

fn expected(case: &Case) -> String {
    let expect = &case.expect;
    let endings = expect.endings().map(|one| ending(&one.outcome, one.retryable, one.ambiguous));
    let mut text = endings.collect::<Vec<_>>().join(" or ");
    // Writing to a String does not fail, here and below.
    let _ = write!(text, "; requests: {}", expect.attempts);
    if let Some(count) = expect.access_tokens {
        let _ = write!(text, "; requests for an access token: {count}");
    }
    if expect.waits_at_least_ms > 0 {
        let _ = write!(text, "; a pause of {} ms at least", expect.waits_at_least_ms);
    }
    if !expect.result.is_empty() {
        // The values may be card data.
        let names: Vec<&str> = expect.result.keys().map(String::as_str).collect();
        let _ = write!(text, "; understands {}", names.join(", "));
    }
    text
}

fn told(ran: &Ran) -> String {
    let Some(told) = &ran.told else { return "nothing".to_owned() };
    let ending = ending(&told.outcome, told.retryable, told.ambiguous);
    format!("{ending}; waited {} ms", told.waited_ms)
}

fn ending(outcome: &crate::cases::Outcome, retryable: crate::cases::Retryable, ambiguous: bool) -> String {
    let carried_out = if ambiguous { "may have been carried out" } else { "no doubt" };
    format!("{outcome}; retryable: {retryable}; {carried_out}")
}
