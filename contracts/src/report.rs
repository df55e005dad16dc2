//! What a run has shown, for people and for programs. All formats show the same view of it, begin with the catalogue and
//! what the report is not, and hold no secret: of requests and answers they show what [`ShownExchange`] holds, of what a
//! client tells what [`presentable`] leaves.
//!
//! [`ShownExchange`]: crate::ShownExchange
//! [`presentable`]: crate::ReportedOutcome::presentable

mod contract_facts;
mod exchange_text;
mod har;
mod html;
mod json;
mod junit;
mod markdown;
mod text;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use crate::cases::Case;
use crate::cells::Side;
use crate::judge::Contract;
use crate::matrix::{Gap, Matrix};
use crate::runner::Ran;
use crate::sabotage::{Flaw, KillMatrix};
use crate::stage::holds_secret;
use crate::waivers::Waived;
use view::View;

pub use text::Paint;
pub use view::Tally;

/// What every report says first, after the catalogue.
pub const DISCLAIMER: &str = "Not a conformance statement of Thales: made from public documentation, which shows few answers; \
    all else is sibling evidence or a choice of this project, and is counted apart.";

/// The JSON Schema of the JSON report.
pub const REPORT_SCHEMA: &str = include_str!("../report.schema.json");

/// The catalogue of cases that this package holds.
pub(crate) const CATALOGUE: &str = env!("CARGO_PKG_VERSION");

/// The longest name of a client that is shown, in characters.
const LONGEST_NAME: usize = 128;

/// The longest word in one, and the most digits: fewer than a card number has.
const LONGEST_WORD: usize = 32;
const MOST_DIGITS: usize = 11;

/// What was expected in a case and what was told, for people; no value that is not to be seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InWords {
    /// What was expected.
    pub expected: String,
    /// What was told.
    pub told: String,
}

/// A run of cases against one client.
#[derive(Debug)]
pub struct Report {
    client: String,
    matrix: Matrix,
    planned: Vec<Case>,
    ran: Vec<Ran>,
    /// The cases that kill, if the fourth witness was called.
    kills: Option<BTreeSet<String>>,
    aside: BTreeMap<String, String>,
    words: BTreeMap<String, InWords>,
    unseen: BTreeSet<String>,
    contracts: Vec<(Side, Contract)>,
    interrupted: bool,
    known: Waived,
    exempt: Waived,
}

impl Report {
    /// A report of what was run of the planned cases, in their order; `matrix` holds all cells and cases of the catalogue,
    /// of which the planned ones may be a part.
    #[must_use]
    pub fn new(client: &str, matrix: Matrix, planned: Vec<Case>, mut ran: Vec<Ran>) -> Self {
        ran.sort_by_key(|one| planned.iter().position(|case| case.id == one.case.id));
        Self {
            client: presentable_name(client),
            matrix,
            planned,
            ran,
            kills: None,
            aside: BTreeMap::new(),
            words: BTreeMap::new(),
            unseen: BTreeSet::new(),
            contracts: Vec::new(),
            interrupted: false,
            known: Waived::default(),
            exempt: Waived::default(),
        }
    }

    /// Cites the fourth witness: a kill matrix of the cases that were run. Without one nothing is proven.
    #[must_use]
    pub fn with_kills<F: Flaw>(mut self, kills: &KillMatrix<F>) -> Self {
        let ids = self.planned.iter().map(|case| &case.id);
        self.kills = Some(ids.filter(|id| kills.kills(id)).cloned().collect());
        self
    }

    /// Puts cases aside, each with why: ones that were not run, or have passed in a way that says nothing of their cells,
    /// which are not covered.
    #[must_use]
    pub fn with_aside(mut self, aside: BTreeMap<String, String>) -> Self {
        self.aside = aside;
        self
    }

    /// Names the cases of which nobody has seen what became of what was sent: the third witness was not called, and nothing
    /// is proven.
    #[must_use]
    pub fn with_unseen(mut self, unseen: BTreeSet<String>) -> Self {
        self.unseen = unseen;
        self
    }

    /// Says of cases in other words what was expected and told than in those of a client's calls.
    #[must_use]
    pub fn with_words(mut self, words: BTreeMap<String, InWords>) -> Self {
        self.words = words;
        self
    }

    /// Lets the report say of each cell of this side what the contract says of it, and from where.
    #[must_use]
    pub fn with_contract(mut self, side: Side, contract: Contract) -> Self {
        self.contracts.push((side, contract));
        self
    }

    /// Names what is put up with: the cases that are known to fail, and the cells that may lack one.
    #[must_use]
    pub fn with_waived(mut self, known: Waived, exempt: Waived) -> Self {
        (self.known, self.exempt) = (known, exempt);
        self
    }

    /// Marks a run that came to no end of its own.
    #[must_use]
    pub fn interrupted(mut self) -> Self {
        self.interrupted = true;
        self
    }

    /// Whether every case of the catalogue was run and none put aside, every cell has one, and the run came to its end. A cell that may lack one lacks
    /// it all the same.
    #[must_use]
    pub fn complete(&self) -> bool {
        let ran: BTreeSet<&str> = self.ran.iter().map(|one| one.case.id.as_str()).collect();
        let all = self.matrix.rows().all(|(_, cases)| cases.iter().all(|case| ran.contains(case.as_str())));
        all && !self.partial() && self.matrix.gaps().is_empty() && self.aside.is_empty()
    }

    /// Whether the run ended before all that was planned for it was done.
    #[must_use]
    pub fn partial(&self) -> bool {
        let ran = |id: &String| self.ran.iter().any(|one| one.case.id == *id);
        let left_out = self.aside.keys().filter(|id| !ran(id)).count();
        self.interrupted || self.ran.len() + left_out < self.planned.len()
    }

    /// The cases that failed.
    pub fn failed(&self) -> impl Iterator<Item = &Ran> {
        self.ran.iter().filter(|ran| !ran.verdict.passed())
    }

    /// The cases that failed and are not known to.
    pub fn unexpected(&self) -> impl Iterator<Item = &Ran> {
        self.failed().filter(|ran| !self.known.entries.contains_key(&ran.case.id))
    }

    /// What is put up with, and is good for nothing any more.
    pub fn stale(&self) -> impl Iterator<Item = &str> {
        self.known.stale.iter().chain(&self.exempt.stale).map(String::as_str)
    }

    /// What the matrix lacks, and may not.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let exempt = |gap: &Gap| matches!(gap, Gap::Cell(id) if self.exempt.entries.contains_key(id));
        self.matrix.gaps().into_iter().filter(|gap| !exempt(gap)).collect()
    }

    /// How many cells of each family and standing are proven, only seen, and so on.
    #[must_use]
    pub fn tallies(&self) -> Vec<Tally> {
        View::of(self).tallies
    }

    /// The matrix as text: a line for each operation, a mark for each cell, then what went wrong.
    #[must_use]
    pub fn text(&self, paint: Paint) -> String {
        text::text(&View::of(self), paint)
    }

    /// For programs: JSON, as [`REPORT_SCHEMA`] has it.
    #[must_use]
    pub fn json(&self) -> String {
        json::json(&View::of(self))
    }

    /// JUnit XML: one test case for each planned case, with its exchanges.
    ///
    /// # Errors
    /// The text holds a character that XML cannot, which none of ours does.
    pub fn junit(&self) -> Result<String, quick_junit::SerializeError> {
        junit::junit(&View::of(self))
    }

    /// Markdown, for the summary of a job.
    #[must_use]
    pub fn markdown(&self) -> String {
        markdown::markdown(&View::of(self))
    }

    /// One HTML page that needs nothing but itself.
    #[must_use]
    pub fn html(&self) -> String {
        html::html(&View::of(self))
    }

    /// All exchanges as HAR 1.2. It wants a time for each of them, which is `started` (RFC 3339) for all: when each was
    /// is not kept, so that two runs can be compared.
    #[must_use]
    pub fn har(&self, started: &str) -> String {
        har::har(&View::of(self), started)
    }
}

/// A client chooses its name, and may choose one with a card number in it.
fn presentable_name(name: &str) -> String {
    // A name is a word or two and a version; digits are counted whatever stands between them.
    let digits = name.chars().filter(char::is_ascii_digit).count();
    let long = name.split_whitespace().any(|word| word.chars().count() > LONGEST_WORD);
    if holds_secret(name) || digits > MOST_DIGITS || long {
        return "(a name that is not shown)".to_owned();
    }
    name.chars().filter(|one| !one.is_control()).take(LONGEST_NAME).collect()
}

/// A whole number of percent, never rounded up to a hundred.
fn percent(part: usize, whole: usize) -> usize {
    (part * 100).checked_div(whole).unwrap_or(100)
}
