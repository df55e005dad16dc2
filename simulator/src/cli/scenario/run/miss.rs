//! What did not come as expected, and what ended a run.

use crate::journal::redacted_whole;
use crate::scenario::{Place, Step};

/// Why a scenario cannot be played on, whatever it expects.
#[derive(Debug)]
pub(in crate::cli::scenario) struct Broken(pub(in crate::cli::scenario) String);

/// Something that did not come as expected. What it tells may come from anybody: it holds no secret and nothing strange.
#[derive(Debug, Clone)]
pub(super) struct Miss {
    pub(super) place: Place,
    /// Which step, from 1; 0 for the stage.
    pub(super) step: usize,
    /// Where the step stands, see [`Step::path`].
    pub(super) path: String,
    pub(super) expected: String,
    /// Of the things that come nearest, a line each.
    pub(super) found: Vec<String>,
    /// What to look at next.
    pub(super) look: String,
}

impl Miss {
    pub(super) fn of(step: &Step, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            place: step.place.clone(),
            step: step.number,
            path: step.path.clone(),
            expected: redacted_whole(&expected.into()),
            found: vec![redacted_whole(&found.into())],
            look: String::new(),
        }
    }

    pub(super) fn at(self, place: &Place) -> Self {
        Self { place: place.clone(), ..self }
    }

    pub(super) fn nearest(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.found.extend(lines.into_iter().map(|line| redacted_whole(&line)));
        self
    }

    pub(super) fn look(self, look: impl Into<String>) -> Self {
        Self { look: redacted_whole(&look.into()), ..self }
    }

    /// With the place in front, a line for each thing.
    pub(super) fn told(&self) -> String {
        let mut lines = vec![format!("{}: step {}: expected {}", self.place, self.path, self.expected)];
        let (first, more) = self.found.split_first().map_or(("nothing", &[][..]), |(f, m)| (f.as_str(), m));
        lines.push(format!("  found: {first}"));
        lines.extend(more.iter().map(|line| format!("         {line}")));
        if !self.look.is_empty() {
            lines.push(format!("  next: {}", self.look));
        }
        lines.join("\n")
    }
}
