//! The report as Markdown: what the summary of a job shows.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::exchange_text::{answer_text, request_text};
use super::percent;
use super::view::{Mark, RanCase, View, opening};
use crate::cells::Family;

/// So many failed cases are shown in full; a summary of a job is cut at a mebibyte.
const MOST_CASES: usize = 50;

pub(super) fn markdown(view: &View<'_>) -> String {
    let [catalogue, notice] = opening();
    let client = escaped(view.client);
    let mut text = format!("## {catalogue}\n\n> {notice}\n\nClient: {client}\n\n{}\n\n", view.summary());
    totals(view, &mut text);
    for family in view.families() {
        matrix(view, family, &mut text);
    }
    let failed: Vec<&RanCase<'_>> = view.cases.iter().filter(|one| !one.passed).collect();
    if !failed.is_empty() {
        text.push_str("\n### Failed cases\n");
    }
    for one in failed.iter().take(MOST_CASES) {
        case(one, &mut text);
    }
    if failed.len() > MOST_CASES {
        // Writing to a String does not fail, here and below.
        let _ =
            writeln!(text, "\n{} more failed; the other reports have them all.", failed.len() - MOST_CASES);
    }
    if !view.aside.is_empty() {
        text.push_str("\n### Put aside\n\n");
    }
    for (case, why) in view.aside {
        let _ = writeln!(text, "* {}: {}", escaped(case), escaped(why));
    }
    if !view.gaps.is_empty() {
        text.push_str("\n### Gaps\n\n");
    }
    for gap in &view.gaps {
        let _ = writeln!(text, "* {}", escaped(gap));
    }
    text
}

fn totals(view: &View<'_>, text: &mut String) {
    text.push_str(
        "| family | standing | cells | proven | only seen | failed | not run | no case | proven, % |\n",
    );
    text.push_str("|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for tally in &view.tallies {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            tally.family.word(),
            tally.standing,
            tally.cells,
            tally.proven,
            tally.seen,
            tally.failed,
            tally.not_run,
            tally.no_case,
            percent(tally.proven, tally.cells)
        );
    }
}

/// A row for each answer, a column for each operation.
fn matrix(view: &View<'_>, family: Family, text: &mut String) {
    let by_operation = view.by_operation(family);
    let shown: BTreeSet<String> = by_operation.values().flatten().map(|row| row.shown()).collect();
    let _ = write!(text, "\n<details><summary>Matrix: {}</summary>\n\n| |", family.word());
    for operation in by_operation.keys() {
        let _ = write!(text, " {operation} |");
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(by_operation.len()));
    for shown in &shown {
        let _ = write!(text, "\n| {} |", escaped(shown));
        for rows in by_operation.values() {
            let mark = rows.iter().find(|row| row.shown() == *shown).map_or("", |row| word(row.mark));
            let _ = write!(text, " {mark} |");
        }
    }
    text.push_str("\n\n</details>\n");
}

const fn word(mark: Mark) -> &'static str {
    match mark {
        Mark::Failed => "**FAILED**",
        other => other.word(),
    }
}

fn case(one: &RanCase<'_>, text: &mut String) {
    let (id, why) = (escaped(&one.case.id), escaped(&one.case.why));
    let _ = writeln!(
        text,
        "\n#### {id}\n\n{why}\n\n* answers: {}\n* expected: {}\n* told: {}",
        one.case.kind().word(),
        escaped(&one.expected),
        escaped(&one.told)
    );
    for (witness, fault) in one.faults() {
        let _ = writeln!(text, "* **{witness}**: {}", escaped(fault));
    }
    for exchange in one.exchanges {
        // Nothing in it can end the block: a line of it begins with a method, a status, a header's name or a JSON body.
        let _ = writeln!(text, "\n```text\n{}\n-> {}\n```", request_text(exchange), answer_text(exchange));
    }
}

/// A text that is text alone, in a table too.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '\n' | '\r' => safe.push(' '),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '!' | '@' => {
                safe.push('\\');
                safe.push(character);
            }
            other => safe.push(other),
        }
    }
    safe
}
