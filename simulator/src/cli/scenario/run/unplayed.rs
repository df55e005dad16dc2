//! What a run was asked to play and did not, for its reports.

use std::collections::BTreeMap;

use super::super::super::exit::Failure;

/// What stands in the reports for what has no name of its own: the run itself.
const RUN: &str = "d1sim scenario run";

/// A scenario, a file or a run that came to nothing.
pub(super) struct Unplayed {
    pub(super) name: String,
    pub(super) outcome: Outcome,
    /// One line or more, the first for those who read no further.
    pub(super) why: String,
}

/// Why it was not played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It cannot be, with these options.
    Aside,
    /// It is not as it must be.
    Faulty,
    /// The run did not come to it.
    NotPlayed,
}

impl Outcome {
    /// As the report for programs has it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Aside => "aside",
            Self::Faulty => "faulty",
            Self::NotPlayed => "notPlayed",
        }
    }
}

impl Unplayed {
    pub(super) fn aside(name: &str, why: &str) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::Aside, why: format!("put aside: {why}") }
    }

    pub(super) fn not_played(name: &str, why: &str) -> Self {
        Self { name: name.to_owned(), outcome: Outcome::NotPlayed, why: format!("not played: {why}") }
    }

    /// The run, which ended for a reason of its own.
    pub(super) fn run(failure: &Failure) -> Self {
        Self { name: RUN.to_owned(), outcome: Outcome::Faulty, why: failure.error.to_string() }
    }

    /// The files that these faults, which begin with their places, are of.
    pub(super) fn files(faults: &[String]) -> Vec<Self> {
        let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for fault in faults {
            let file = fault.split(':').next().unwrap_or_default();
            files.entry(file).or_default().push(fault);
        }
        let one = |(file, faults): (&str, Vec<&str>)| Self {
            name: file.to_owned(),
            outcome: Outcome::Faulty,
            why: faults.join("\n"),
        };
        files.into_iter().map(one).collect()
    }
}

/// What the reports of a run have that ended before anything was played.
pub(super) fn of_nothing(mut known: Vec<Unplayed>, failure: &Failure) -> Vec<Unplayed> {
    if !known.iter().any(|one| one.outcome == Outcome::Faulty) {
        known.push(Unplayed::run(failure));
    }
    known
}
