//! The whole file: its head, its stage, its steps, and a check of it before anybody sees it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::super::super::exit::{Exit, Failure};
use super::ending::{ending, retry};
use super::lines::Line;
use super::piece::Piece;
use super::story::Story;
use super::yaml::{Yaml, comment};
use crate::scenario::{MAX_STEPS, Weight, load};

/// The longest file that `check` and `run` read.
const MAX_BYTES: usize = 1024 * 1024;
/// So many steps may be found to make no sense before it is given up.
const MAX_ROUNDS: usize = 200;
/// So many other gateways are told of.
const MAX_OTHERS: usize = 20;

/// What is said before the steps.
pub(super) struct Head<'h> {
    pub(super) name: &'h str,
    /// Whose journal it is.
    pub(super) of: &'h str,
    pub(super) seed: Option<u32>,
    /// The last reset, whose past is not played.
    pub(super) before: Option<u64>,
    /// Entries of other gateways.
    pub(super) others: BTreeMap<String, u64>,
}

/// The file, and how many comments in it tell of what is not played.
pub(super) fn whole(head: &Head<'_>, lines: &[Line], gateway: &str) -> Result<(String, usize), Failure> {
    let first = lines.iter().find_map(|line| match line {
        Line::Entry(entry) => Some(entry.at),
        Line::Gap { .. } => None,
    });
    let Some(first) = first else {
        return Err(Failure { exit: Exit::NothingRan, error: "the journal has no entry".into() });
    };
    let mut story = Story::new(gateway, lines, head.seed.is_some(), first).map_err(Failure::internal)?;
    // The stage has whole seconds.
    let clock = jiff::Timestamp::from_second(story.pieces.now.as_second()).unwrap_or(first);
    story.pieces.now = clock;
    story.walk(lines);
    if !story.pieces.any_step() {
        let told: String = story.pieces.all.iter().take(10).map(Piece::text).collect();
        let error = format!("{}: nothing of {gateway} can be played\n{}", head.of, told.trim_end());
        return Err(Failure { exit: Exit::NothingRan, error: error.into() });
    }
    let last = ending(&story);
    if last != Yaml::Members(Vec::new()) {
        let n = lines.last().map_or(0, Line::n);
        story.pieces.step(n, "expect", last);
    }
    let stage = stage(&story, head, clock);
    let mut pieces = std::mem::take(&mut story.pieces.all);
    let steps = pieces.iter().filter(|piece| matches!(piece, Piece::Step { .. })).count();
    if steps > MAX_STEPS {
        let reason = format!(
            "{}: it would take {steps} steps, and a scenario has at most {MAX_STEPS}; record a shorter time: POST /reset forgets what was before",
            head.of
        );
        return Err(Failure::usage(reason));
    }
    let top = top(head, gateway, &stage);
    let text = sound(&top, &mut pieces)?;
    if text.len() > MAX_BYTES {
        let reason =
            format!("{}: the file would have more than {MAX_BYTES} bytes; record a shorter time", head.of);
        return Err(Failure::usage(reason));
    }
    let notes = pieces.iter().filter(|piece| matches!(piece, Piece::Note { .. })).count();
    Ok((text, notes + usize::from(head.before.is_some()) + head.others.len()))
}

fn stage(story: &Story<'_>, head: &Head<'_>, clock: jiff::Timestamp) -> Yaml {
    let mut members = Vec::new();
    members.extend(head.seed.map(|seed| ("seed".to_owned(), Yaml::number(seed))));
    members.push(("clock".to_owned(), Yaml::Bare(clock.to_string())));
    members.extend(retry(story).map(|retry| ("retry".to_owned(), retry)));
    if !story.cards.is_empty() {
        members.push(("cards".to_owned(), story.cards.yaml()));
    }
    Yaml::Members(members)
}

fn top(head: &Head<'_>, gateway: &str, stage: &Yaml) -> String {
    let mut text = String::from("# yaml-language-server: $schema=scenario.schema.json\n");
    let mut line = |told: &str| {
        text.push_str(&format!("# {}\n", comment(told)));
    };
    line(&format!("Recorded by `d1sim scenario record` from the journal of {}: gateway {gateway}.", head.of));
    line(
        "Cards are not in a journal: test cards, or numbers that nobody has, stand for them. Access tokens are asked for",
    );
    line("by our client itself. What is not played stands in comments, with its numbers in the journal.");
    if let Some(reset) = head.before {
        line(&format!("What was before the reset (journal {reset}) is not played."));
    }
    for (other, count) in head.others.iter().take(MAX_OTHERS) {
        let entries = if *count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
        line(&format!("Not played: {entries} of {other}; `--gateway` records another gateway."));
    }
    let name = head.name;
    // Writing to a String cannot fail.
    let _ = write!(
        text,
        "scenario: 1\nname: {name}\ntitle: A day as it was recorded.\nwhy: What happened once must be the same when it happens again.\n"
    );
    text.push_str("stage:\n");
    if let Yaml::Members(members) = stage {
        for (name, value) in members {
            text.push_str("  ");
            value.under(name, 2, &mut text);
        }
    }
    text.push_str("steps:\n");
    text
}

/// The text, without steps in which `check` finds a fault: a comment in the place of each says what.
fn sound(top: &str, pieces: &mut [Piece]) -> Result<String, Failure> {
    for _ in 0..MAX_ROUNDS {
        let mut text = top.to_owned();
        // Where each piece begins.
        let mut starts = Vec::new();
        for piece in &*pieces {
            starts.push(text.lines().count() + 1);
            text.push_str(&piece.text());
        }
        let loaded = load("recorded.yaml", &[], &|_| Ok(text.clone()));
        // A hint is no reason to leave anything out.
        let fault = loaded.findings.all().find(|finding| finding.weight != Weight::Hint);
        let Some(finding) = fault else { return Ok(text) };
        let line = usize::try_from(finding.place.line).unwrap_or(usize::MAX);
        let at = starts.partition_point(|start| *start <= line).checked_sub(1);
        let step = at.and_then(|at| match &pieces[at] {
            Piece::Step { n, step } => Some((at, *n, step.flow())),
            Piece::Note { .. } => None,
        });
        let Some((at, n, step)) = step else {
            return Err(Failure::internal(format!("what was recorded is no scenario: {finding}")));
        };
        let why = format!("{step} is not played: {}", finding.reason);
        pieces[at] = Piece::note(n, why);
    }
    Err(Failure::usage("too much of this journal makes no sense as a scenario: record a shorter time"))
}
