//! A scenario as a page: a timeline with a lane each for the gateway, D1 and the receiver. It needs nothing but itself.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::miss::Miss;
use super::super::played::Played;
use super::super::transcript::{Kind, Lane, Line};

const STYLE: &str = "
:root { color-scheme: light dark; --line: #8886; --good: #1a7f37; --bad: #cf222e; --quiet: #8889; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; margin-bottom: .2rem; }
.of { color: var(--quiet); margin-top: 0; }
.verdict { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.lanes { display: grid; grid-template-columns: 8.5rem 1fr 1fr 1fr; }
.lanes > * { padding: .15rem .5rem; border-left: 1px solid var(--line); }
.lanes > .head { font-weight: 600; border-bottom: 2px solid var(--line); position: sticky; top: 0; background: Canvas; }
.lanes > .time, .lanes > .head:first-child { border-left: 0; }
.time { color: var(--quiet); font-variant-numeric: tabular-nums; font-size: .85rem; }
.step { grid-column: 1 / -1; border-left: 0; margin-top: .7rem; font-weight: 600; border-top: 1px solid var(--line); }
.all { grid-column: 2 / -1; } .one { grid-column: span 1; } .two { grid-column: span 2; }
.two { text-align: center; } .two span { border-bottom: 1px solid currentColor; display: block; }
pre { white-space: pre-wrap; margin: .2rem 0; font: .85rem/1.4 ui-monospace, monospace; }
";

pub(super) fn html(played: &Played) -> String {
    let bad = played.outcome() != "passed";
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (played.name) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (played.title) }
                p .of { (played.name) ", " (played.file) ", seed " (played.seed) }
                p class=(if bad { "verdict bad" } else { "verdict good" }) { (played.verdict()) }
                @for miss in &played.misses { (missed(miss)) }
                div .lanes {
                    div .head { "sandbox clock" } div .head { "gateway" } div .head { "D1" } div .head { "receiver" }
                    @for line in &played.lines { (row(line)) }
                }
            }
        }
    };
    page.into_string()
}

fn missed(miss: &Miss) -> Markup {
    html! { pre .bad { (miss.told()) } }
}

fn row(line: &Line) -> Markup {
    let time = html! { div .time { (line.clock()) } };
    match (line.kind, line.from, line.to) {
        (Kind::Step, ..) => html! { div .step { (line.step) ". " (line.text) } },
        (Kind::Good, ..) => html! { (time) div .all.good { "\u{2713} " (line.text) } },
        (Kind::Miss, ..) => html! { (time) div .all.bad { pre { "\u{2717} " (line.text) } } },
        (Kind::Event, Lane::Gateway, Lane::D1) => html! {
            (time) div .two { span { (line.text) " \u{2192}" } } div {}
        },
        (Kind::Event, Lane::D1, Lane::Receiver) => html! {
            (time) div {} div .two { span { (line.text) " \u{2192}" } }
        },
        (Kind::Event, Lane::D1, Lane::D1) => html! { (time) div {} div .one { (line.text) } div {} },
        (Kind::Event, ..) => html! { (time) div .all { (line.text) } },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_a_file_says_is_escaped() {
        let at = "2026-04-22T10:00:00Z".parse().expect("a moment");
        let text = "<script>alert(1)</script>".to_owned();
        let line =
            Line { at, step: 1, kind: Kind::Step, from: Lane::Player, to: Lane::Player, text: text.clone() };
        let played = Played {
            name: text.clone(),
            title: text.clone(),
            file: text,
            seed: 1,
            lines: vec![line],
            misses: Vec::new(),
            broken: None,
            took: Duration::ZERO,
        };
        let page = html(&played);
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(page.matches("&lt;script&gt;").count(), 6);
    }
}
