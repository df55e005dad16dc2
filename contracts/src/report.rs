//! What a run has shown, for people and for programs. No report holds a secret: requests are shown by their operation,
//! answers by status and code.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use serde_json::{Value, json};

use crate::cells::{Family, Shown};
use crate::matrix::{Gap, Matrix, Share};
use crate::runner::Ran;
use crate::sabotage::KillMatrix;
use crate::stage::Exchange;
use crate::standing::Standing;
use crate::waivers::Waived;

/// What every report says first.
pub const DISCLAIMER: &str = "Not a conformance statement of Thales: made from public documentation, which shows few answers; \
    all else is sibling evidence or a choice of this project, and is counted apart.";

/// A run of cases against one client.
#[derive(Debug)]
pub struct Report {
    client: String,
    matrix: Matrix,
    planned: usize,
    ran: Vec<Ran>,
    kills: Option<KillMatrix>,
    known: Waived,
    exempt: Waived,
    /// Cases that say nothing, and why.
    aside: Vec<(String, String)>,
}

impl Report {
    /// A report of what was run of the planned cases; `matrix` holds all cells and cases that the run was to cover.
    #[must_use]
    pub fn new(client: &str, matrix: Matrix, planned: usize, ran: Vec<Ran>) -> Self {
        Self {
            client: client.to_owned(),
            matrix,
            planned,
            ran,
            kills: None,
            known: Waived::default(),
            exempt: Waived::default(),
            aside: Vec::new(),
        }
    }

    /// Cites the fourth witness: a kill matrix of the cases that were run. Without one nothing is proven.
    #[must_use]
    pub fn with_kills(mut self, kills: KillMatrix) -> Self {
        self.kills = Some(kills);
        self
    }

    /// Names what is put up with: the cases that are known to fail, and the cells that may lack one.
    #[must_use]
    pub fn with_waived(mut self, known: Waived, exempt: Waived) -> Self {
        (self.known, self.exempt) = (known, exempt);
        self
    }

    /// Names the cases that say nothing of their cells, each with why.
    #[must_use]
    pub fn with_aside(mut self, aside: Vec<(String, String)>) -> Self {
        self.aside = aside;
        self
    }

    /// Whether every case of the catalogue was run, and every cell has one. A cell that may lack one lacks it all the same.
    #[must_use]
    pub fn complete(&self) -> bool {
        self.ran.len() == self.planned && self.matrix.gaps().is_empty()
    }

    /// The cases that failed and are not known to.
    pub fn unexpected(&self) -> impl Iterator<Item = &Ran> {
        self.failed().filter(|ran| !self.known.entries.contains_key(&ran.case.id))
    }

    /// What is put up with, and is good for nothing any more.
    pub fn stale(&self) -> impl Iterator<Item = &str> {
        self.known.stale.iter().chain(&self.exempt.stale).map(String::as_str)
    }

    /// The cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Ran> {
        self.ran.iter().filter(|ran| !ran.verdict.passed())
    }

    /// What the matrix lacks, and may not.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let exempt = |gap: &Gap| matches!(gap, Gap::Cell(id) if self.exempt.entries.contains_key(id));
        self.matrix.gaps().into_iter().filter(|gap| !exempt(gap)).collect()
    }

    fn passed(&self) -> BTreeSet<&str> {
        let passed = self.ran.iter().filter(|ran| ran.verdict.passed());
        passed.map(|ran| ran.case.id.as_str()).collect()
    }

    /// The cases that passed and that a client with a fault of their kind does not.
    fn proven(&self) -> BTreeSet<&str> {
        let kills = |case: &str| self.kills.as_ref().is_some_and(|kills| kills.kills(case));
        self.passed().into_iter().filter(|case| kills(case)).collect()
    }

    /// The share of cells whose cases all passed, for each family and standing.
    #[must_use]
    pub fn shares(&self) -> BTreeMap<(Family, Standing), Share> {
        self.matrix.shares(&self.passed())
    }

    /// The share of cells that are proven, all four witnesses agreeing in each of their cases, for each family and standing.
    #[must_use]
    pub fn proven_shares(&self) -> BTreeMap<(Family, Standing), Share> {
        self.matrix.shares(&self.proven())
    }

    fn witnesses(&self) -> &'static [&'static str] {
        if self.kills.is_some() {
            &["served", "reported", "behaved", "killed"]
        } else {
            &["served", "reported", "behaved"]
        }
    }

    /// The matrix as text: a line for each operation, a mark for each cell, then what went wrong.
    #[must_use]
    pub fn text(&self) -> String {
        let (passed, proven) = (self.passed(), self.proven());
        let failed: BTreeSet<&str> = self.failed().map(|ran| ran.case.id.as_str()).collect();
        let aside: BTreeSet<&str> = self.aside.iter().map(|(case, _)| case.as_str()).collect();
        let mut text = format!("{DISCLAIMER}\n\nclient: {}\n\n", self.client);
        let mut operation = String::new();
        for (cell, cases) in self.matrix.rows() {
            let name = format!("{}/{}", cell.side.word(), cell.operation);
            if name != operation {
                // Writing to a String does not fail, here and below.
                let _ = writeln!(text, "{name}");
                operation = name;
            }
            let good = cases.iter().filter(|case| passed.contains(case.as_str())).count();
            let mark = match (good, cases.len()) {
                (_, 0) => "no case",
                (good, all) if good == all => {
                    let proven = cases.iter().all(|case| proven.contains(case.as_str()));
                    if proven { "proven" } else { "seen" }
                }
                _ if cases.iter().any(|case| failed.contains(case.as_str())) => "FAILED",
                _ if cases.iter().any(|case| aside.contains(case.as_str())) => "aside",
                _ => "not run",
            };
            let shown = match &cell.shown {
                Shown::Answer { status, code } => format!("{status} {}", code.as_deref().unwrap_or("-")),
                Shown::Derived(rule) => format!("... {rule}"),
                Shown::Transport(fault) => format!("!!! {fault}"),
            };
            let of = format!("{good} of {}", cases.len());
            let _ = writeln!(text, "  {shown:<32} {mark:<8} {of:<8} {}", cell.standing);
        }
        for ran in self.failed() {
            let known = if self.known.entries.contains_key(&ran.case.id) { ", as is known" } else { "" };
            let _ = writeln!(text, "\nfailed{known}: {}\n  why it matters: {}", ran.case.id, ran.case.why);
            for (witness, fault) in ran.verdict.faults() {
                let _ = writeln!(text, "  {witness}: {fault}");
            }
            for one in &ran.exchanges {
                let _ = writeln!(text, "  saw {} -> {}", named(one), one.status);
            }
        }
        for (case, why) in &self.aside {
            let _ = writeln!(text, "\naside: {case}: {why}");
        }
        for gap in self.gaps() {
            let _ = writeln!(text, "\ngap: {gap}");
        }
        text.push_str(&self.known.text("known to fail"));
        text.push_str(&self.exempt.text("exempt"));
        let _ = writeln!(text, "\n{}", self.totals());
        text
    }

    /// The last lines: shares for each standing, and the count of cases.
    fn totals(&self) -> String {
        let mut text = String::new();
        let passed = self.shares();
        for ((family, standing), Share { cells, covered }) in self.proven_shares() {
            let seen = passed.get(&(family, standing)).map_or(0, |share| share.covered) - covered;
            let share = percent(covered, cells);
            let _ = writeln!(
                text,
                "{}, {standing}: {covered} of {cells} cells proven, {share} %; {seen} more only seen",
                family.word()
            );
        }
        let failed = self.failed().count();
        let _ = write!(
            text,
            "{} of {} cases run, {} passed, {failed} failed; witnesses: {}",
            self.ran.len(),
            self.planned,
            self.ran.len() - failed,
            self.witnesses().join(", ")
        );
        if !self.known.entries.is_empty() {
            let _ = write!(text, "; {} of the failures are known", self.known.entries.len());
        }
        if self.kills.is_none() {
            text.push_str("; without the fourth, killed, nothing is proven");
        }
        text
    }

    /// The report for programs.
    #[must_use]
    pub fn json(&self) -> Value {
        let (all, proven) = (self.shares(), self.proven_shares());
        let of_family = |family: Family| -> Value {
            let own = all.iter().filter(|((of, _), _)| *of == family);
            let shares = own.map(|(key, Share { cells, covered })| {
                let proven = proven.get(key).map_or(0, |share| share.covered);
                (key.1.word().to_owned(), json!({"cells": cells, "passed": covered, "proven": proven}))
            });
            shares.collect::<serde_json::Map<_, _>>().into()
        };
        let proven_cases = self.proven();
        let cases = self.ran.iter().map(|ran| {
            let faults =
                ran.verdict.faults().map(|(witness, fault)| (witness.to_owned(), Value::from(fault)));
            let saw = ran.exchanges.iter().map(|one| json!({"operation": named(one), "status": one.status}));
            json!({
                "id": ran.case.id,
                "cell": ran.case.cell(),
                "passed": ran.verdict.passed(),
                "proven": proven_cases.contains(ran.case.id.as_str()),
                "faults": faults.collect::<serde_json::Map<_, _>>(),
                "outcome": ran.told.as_ref().map(|told| told.outcome.presentable()),
                "exchanges": saw.collect::<Vec<_>>(),
            })
        });
        json!({
            "version": 1,
            "catalogue": env!("CARGO_PKG_VERSION"),
            "notice": DISCLAIMER,
            "client": self.client,
            "complete": self.complete(),
            "witnesses": self.witnesses(),
            "standing": of_family(Family::Answers),
            "derived": of_family(Family::Derived),
            "transport": of_family(Family::Transport),
            "known": self.known.entries,
            "exempt": self.exempt.entries,
            "stale": self.stale().collect::<Vec<_>>(),
            "gaps": self.gaps().iter().map(ToString::to_string).collect::<Vec<_>>(),
            "cases": cases.collect::<Vec<_>>(),
            "aside": self.aside.iter().map(|(id, why)| json!({"id": id, "why": why})).collect::<Vec<_>>(),
        })
    }

    /// The report as JUnit XML: one test case for each case, with its exchanges.
    ///
    /// # Errors
    /// The text holds a character that XML cannot, which none of ours does.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        let mut suite = TestSuite::new("d1-contract");
        for ran in &self.ran {
            let faults: Vec<String> =
                ran.verdict.faults().map(|(witness, fault)| format!("{witness}: {fault}")).collect();
            let mut status = TestCaseStatus::success();
            if let Some(reason) = self.known.entries.get(&ran.case.id) {
                status = TestCaseStatus::skipped();
                status.set_message(format!("known to fail: {reason}"));
            } else if !faults.is_empty() {
                status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_message(faults.join("; ")).set_description(ran.case.why.clone());
            }
            let saw = ran.exchanges.iter().map(|one| format!("{} -> {}", named(one), one.status));
            let mut case = TestCase::new(ran.case.id.clone(), status);
            case.set_classname(ran.case.cell()).set_system_out(saw.collect::<Vec<_>>().join("\n"));
            suite.add_test_case(case);
        }
        for (id, why) in &self.aside {
            let mut status = TestCaseStatus::skipped();
            status.set_message(why.clone());
            suite.add_test_case(TestCase::new(id.clone(), status));
        }
        let mut report = quick_junit::Report::new(format!("D1 contract suite: {}", self.client));
        report.add_test_suite(suite);
        report.to_string()
    }
}

impl Matrix {
    /// What the cases cover, before anything is run.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{DISCLAIMER}\n\n");
        for (cell, cases) in self.rows() {
            // Writing to a String does not fail.
            let _ =
                writeln!(text, "{:<62} {:<10} {} cases", cell.to_string(), cell.standing.word(), cases.len());
        }
        let all: BTreeSet<&str> = self.rows().flat_map(|(_, cases)| cases).map(String::as_str).collect();
        text.push('\n');
        for ((family, standing), Share { cells, covered }) in self.shares(&all) {
            let (family, share) = (family.word(), percent(covered, cells));
            let _ = writeln!(text, "{family}, {standing}: {covered} of {cells} cells have a case, {share} %");
        }
        for gap in self.gaps() {
            let _ = writeln!(text, "gap: {gap}");
        }
        text
    }
}

/// What a request was for. Its path is not shown: a client under test can put anything into it.
fn named(one: &Exchange) -> &str {
    if one.operation.is_empty() { "a request of no operation" } else { &one.operation }
}

/// A whole number of percent, never rounded up to a hundred.
fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}
