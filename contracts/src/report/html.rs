//! The report as one HTML page: no script, nothing from elsewhere, light or dark as the reader's system is. `maud` escapes
//! every text.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::exchange_text::{answer_text, answered, named, request_text};
use super::percent;
use super::view::{Mark, RanCase, Row, View, opening};
use crate::cells::Family;

const STYLE: &str = include_str!("html/style.css");
/// Whatever might stand in the page, nothing is loaded and nothing runs.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(super) fn html(view: &View<'_>) -> String {
    let [catalogue, notice] = opening();
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (catalogue) ": " (view.client) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    h1 { (catalogue) }
                    p.notice { (notice) }
                    p { "Client: " strong { (view.client) } }
                    p { (view.summary()) }
                }
                main {
                    (totals(view))
                    @for family in view.families() { (matrix(view, family)) }
                    (aside(view))
                    (gaps(view))
                    h2 { "Cells" }
                    @for row in &view.rows { (cell(view, row)) }
                }
            }
        }
    };
    page.into_string()
}

fn totals(view: &View<'_>) -> Markup {
    html! {
        table.tally {
            caption { "Coverage" }
            thead { tr {
                @for head in ["family", "standing", "cells", "proven", "only seen", "failed", "not run", "no case", "proven, %"] {
                    th scope="col" { (head) }
                }
            } }
            tbody { @for one in &view.tallies { tr {
                th scope="row" { (one.family.word()) }
                td { (one.standing) }
                @for count in [one.cells, one.proven, one.seen, one.failed, one.not_run, one.no_case, percent(one.proven, one.cells)] {
                    td.number { (count) }
                }
            } } }
        }
    }
}

fn matrix(view: &View<'_>, family: Family) -> Markup {
    html! {
        table.matrix {
            caption { "Matrix: " (family.word()) }
            thead { tr { th scope="col" { "operation" } th scope="col" { "cells" } } }
            tbody { @for (operation, rows) in view.by_operation(family) { tr {
                th scope="row" { (operation) }
                td { ul.cells { @for row in rows {
                    li { a class=(class(row.mark)) href={ "#" (row.cell) } { (row.shown()) " " (row.mark.word()) } }
                } } }
            } } }
        }
    }
}

fn aside(view: &View<'_>) -> Markup {
    html! {
        @if !view.aside.is_empty() {
            h2 { "Put aside" }
            ul { @for (case, why) in view.aside { li { (case) ": " (why) } } }
        }
    }
}

fn gaps(view: &View<'_>) -> Markup {
    html! {
        @if !view.gaps.is_empty() {
            h2 { "Gaps" }
            ul { @for gap in &view.gaps { li { (gap) } } }
        }
    }
}

fn cell(view: &View<'_>, row: &Row<'_>) -> Markup {
    html! {
        section id=(row.cell) {
            h3 { (row.cell) " " span class=(class(row.mark)) { (row.mark.word()) } " " small { (row.cell.standing) } }
            @if !row.facts.is_empty() {
                dl { @for fact in &row.facts {
                    dt { (fact.of) }
                    dd { (fact.text) " " small { "(" (fact.standing_and_source()) ")" } }
                } }
            }
            @for id in row.cases {
                @match view.case(id) {
                    Some(one) => (case(one)),
                    None => p { (id) ": " (view.aside.get(id).map_or("not run", String::as_str)) },
                }
            }
        }
    }
}

fn case(one: &RanCase<'_>) -> Markup {
    html! {
        details open[!one.passed] {
            summary { (one.case.id) ": " @if one.aside.is_some() { "put aside" } @else if one.passed { "passed" } @else { "FAILED" } }
            p { (one.case.why) " " small { "(" (one.case.source.join(", ")) ")" } }
            dl {
                dt { "answers" } dd { (one.case.kind().word()) }
                dt { "expected" } dd { (one.expected) }
                dt { "told" } dd { (one.told) }
                @for (witness, fault) in &one.witnesses {
                    dt { (witness) }
                    dd class=(if fault.is_some() { "failed" } else { "proven" }) { (fault.as_deref().unwrap_or("agrees")) }
                }
            }
            @for exchange in one.exchanges {
                h4 { (named(exchange)) " -> " (answered(exchange)) }
                pre tabindex="0" { (request_text(exchange)) }
                pre tabindex="0" { (answer_text(exchange)) }
            }
        }
    }
}

const fn class(mark: Mark) -> &'static str {
    match mark {
        Mark::Proven => "proven",
        Mark::Seen => "seen",
        Mark::Failed => "failed",
        Mark::NotRun | Mark::Aside => "not-run",
        Mark::NoCase => "no-case",
    }
}
