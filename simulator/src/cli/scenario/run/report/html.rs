//! A scenario as a page: a timeline with a lane each for the gateway, D1 and the receiver. It needs nothing but itself.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::super::miss::Miss;
use super::super::played::Played;
use super::super::transcript::{Kind, Lane, Line};

const STYLE: &str = include_str!("html.css");

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
                    div .head.clock { "sandbox clock" } div .head { "gateway" } div .head { "D1" } div .head { "receiver" }
                    @for line in &played.lines { (row(line)) }
                    @if let Some(why) = &played.broken {
                        div .time {} div .all.bad { pre { "\u{2717} broke off: " (why) } }
                    }
                }
            }
        }
    };
    page.into_string()
}

fn missed(miss: &Miss) -> Markup {
    html! { pre .miss.bad { (miss.told()) } }
}

fn row(line: &Line) -> Markup {
    let time = html! { div .time { (line.clock()) } };
    match (line.kind, line.from, line.to) {
        (Kind::Step, ..) => html! { div .step { (line.step) ". " (line.text) } },
        (Kind::Good, ..) => html! { (time) div .all.good { "\u{2713} " (line.text) } },
        (Kind::Miss, ..) => html! { (time) div .all.bad { pre { "\u{2717} " (line.text) } } },
        (Kind::Event, Lane::Gateway, Lane::D1) => html! {
            (time) div .two { span { (line.text) } } div {}
        },
        (Kind::Event, Lane::D1, Lane::Receiver) => html! {
            (time) div {} div .two { span { (line.text) } }
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
