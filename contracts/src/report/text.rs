//! The report for a terminal.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::exchange_text::{answered, named};
use super::percent;
use super::view::{Mark, View, opening};
use crate::cases::Kind;
use crate::matrix::{Matrix, Share};

/// Whether a text may hold the colours of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Letters alone.
    Plain,
    /// With colours for the marks.
    Colour,
}

impl Paint {
    /// A text in the colour of a mark.
    fn mark(self, mark: Mark, text: &str) -> String {
        let colour = match mark {
            Mark::Proven => "32",
            Mark::Seen => "33",
            Mark::Failed => "1;31",
            Mark::NotRun | Mark::Aside => "2",
            Mark::NoCase => "35",
        };
        match self {
            Self::Plain => text.to_owned(),
            Self::Colour => format!("\x1b[{colour}m{text}\x1b[0m"),
        }
    }
}

pub(super) fn text(view: &View<'_>, paint: Paint) -> String {
    let mut text = format!("{}\n\nclient: {}\n\n", opening().join("\n"), view.client);
    let mut operation = String::new();
    // Writing to a String does not fail, here and below.
    for row in &view.rows {
        let name = row.operation();
        if name != operation {
            let _ = writeln!(text, "{name}");
            operation = name;
        }
        let mark = paint.mark(row.mark, &format!("{:<9}", row.mark.word()));
        let of = format!("{} of {}", row.passed, row.cases.len());
        let natural = if row.natural > 0 { ", natural too" } else { "" };
        let _ = writeln!(text, "  {:<32} {mark} {of:<8} {}{natural}", row.shown(), row.cell.standing);
    }
    for one in view.cases.iter().filter(|one| !one.passed) {
        let known = view.known.entries.contains_key(&one.case.id);
        let failed = paint.mark(Mark::Failed, if known { "failed, as is known" } else { "failed" });
        let _ = writeln!(text, "\n{failed}: {}\n  why it matters: {}", one.case.id, one.case.why);
        if one.case.kind() == Kind::Natural {
            text.push_str("  natural: D1 answered by itself\n");
        }
        for (witness, fault) in one.faults() {
            let _ = writeln!(text, "  {witness}: {fault}");
        }
        for exchange in one.exchanges {
            let _ = writeln!(text, "  saw {} -> {}", named(exchange), answered(exchange));
        }
    }
    for gap in &view.gaps {
        let _ = writeln!(text, "\ngap: {gap}");
    }
    if !view.aside.is_empty() {
        text.push('\n');
    }
    for (case, why) in view.aside {
        let _ = writeln!(text, "aside: {case}: {why}");
    }
    text.push_str(&view.known.text("known to fail"));
    text.push_str(&view.exempt.text("exempt"));
    text.push('\n');
    for tally in &view.tallies {
        let (family, standing) = (tally.family.word(), tally.standing);
        let (proven, cells) = (tally.proven, tally.cells);
        let share = percent(proven, cells);
        let _ = writeln!(
            text,
            "{family}, {standing}: {proven} of {cells} cells proven, {share} %; {} more only seen",
            tally.seen
        );
    }
    text.push_str(&view.summary());
    text
}

impl Matrix {
    /// What the cells cover, before anything is run.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("{}\n\n", opening().join("\n"));
        for (cell, cases) in self.rows() {
            let (name, standing) = (cell.to_string(), cell.standing.word());
            let natural = match self.natural(cases) {
                0 => String::new(),
                count => format!(", {count} natural"),
            };
            let _ = writeln!(text, "{name:<62} {standing:<10} {} cases{natural}", cases.len());
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
