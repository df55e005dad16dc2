//! What must have come of it in the end: the last step.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::run::happened::{Entry, notifications};
use super::story::Story;
use super::yaml::Yaml;

/// D1's usual number of attempts, and its first pause with the part that chance may take away (C24).
const USUAL_ATTEMPTS: u64 = 8;
const USUAL_PAUSE: (u64, u64) = (750, 1_050);
/// So many attempts the language allows.
const MOST_ATTEMPTS: u64 = 100;

/// The members of the step `expect`.
pub(super) fn ending(story: &Story<'_>) -> Yaml {
    let mut members = Vec::new();
    let calls: Vec<Yaml> = story
        .answered
        .iter()
        .map(|((operation, status), count)| {
            // How often it is told to come later depends on pauses that are drawn.
            let number = if *status == 429 || *status >= 500 { ("atLeast", 1) } else { ("count", *count) };
            Yaml::members([
                ("operation", Yaml::text(*operation)),
                ("answered", Yaml::number(*status)),
                (number.0, Yaml::number(number.1)),
            ])
        })
        .collect();
    let mut tokens: Vec<_> = story.tokens.values().collect();
    tokens.sort_by_key(|token| (token.name.len(), &token.name));
    let states: Vec<(String, Yaml)> =
        tokens.iter().map(|token| (token.name.clone(), Yaml::text(token.state))).collect();
    if !calls.is_empty() {
        members.push(("calls".to_owned(), Yaml::List(calls)));
    }
    let told = notified(story);
    if !told.is_empty() {
        members.push(("notifications".to_owned(), Yaml::List(told)));
    }
    if !states.is_empty() {
        members.push(("tokens".to_owned(), Yaml::Members(states)));
    }
    Yaml::Members(members)
}

/// One for each token, event and outcome.
fn notified(story: &Story<'_>) -> Vec<Yaml> {
    let entries: Vec<Entry> = story.entries().iter().map(|entry| (*entry).clone()).collect();
    let mut all: BTreeMap<(usize, String, String, String), (u64, bool)> = BTreeMap::new();
    for told in notifications(&entries) {
        let queued = &told.queued.line["queued"];
        let played = queued["eventId"].as_str().is_some_and(|id| story.told.contains(id));
        let token = told.queued.text("tokenId").and_then(|id| story.tokens.get(id)).filter(|_| played);
        let (Some(token), Some(event)) = (token, queued["eventType"].as_str()) else { continue };
        let outcome = told.outcome();
        if !["delivered", "waiting", "refused", "givenUp", "dropped"].contains(&outcome) {
            continue;
        }
        let key = (token.name.len(), token.name.clone(), event.to_owned(), outcome.to_owned());
        let (count, once) = all.entry(key).or_insert((0, true));
        *count += 1;
        *once &= told.attempts.len() == 1;
    }
    let one =
        |((_, token, event, outcome), (count, once)): ((usize, String, String, String), (u64, bool))| {
            let mut members = vec![
                ("token".to_owned(), Yaml::text(token)),
                ("event".to_owned(), Yaml::text(event)),
                ("count".to_owned(), Yaml::number(count)),
            ];
            if once && outcome == "delivered" {
                members.push(("attempts".to_owned(), Yaml::number(1_u64)));
            }
            members.push(("outcome".to_owned(), Yaml::text(outcome)));
            Yaml::Members(members)
        };
    all.into_iter().map(one).collect()
}

/// The stage's `retry`, where what happened tells that it was not the usual one.
pub(super) fn retry(story: &Story<'_>) -> Option<Yaml> {
    let tried =
        || story.entries().iter().filter(|entry| entry.is("delivery") && entry.text("forged").is_none());
    let most = tried().map(|entry| entry.attempt()).max()?;
    let given_up =
        tried().filter(|entry| entry.text("outcome") == Some("givenUp")).map(|entry| entry.attempt()).max();
    let attempts = match given_up {
        Some(attempts) => attempts,
        None if most > USUAL_ATTEMPTS => MOST_ATTEMPTS,
        None => USUAL_ATTEMPTS,
    };
    let pauses = tried().filter(|entry| entry.attempt() == 1 && !matches!(entry.status(), Some(429 | 503)));
    let pauses = pauses.filter_map(|entry| {
        let next: jiff::Timestamp = entry.text("nextAt")?.parse().ok()?;
        u64::try_from(next.duration_since(entry.at).as_millis()).ok()
    });
    let first = pauses.max().filter(|pause| !(USUAL_PAUSE.0..=USUAL_PAUSE.1).contains(pause));
    let mut members = Vec::new();
    // Chance takes away a fifth at most: what is left, rounded up to what a person would have set.
    let unit = |pause: u64| if pause > 1_000 { 1_000 } else { 100 };
    members.extend(first.map(|pause| {
        let set = pause.max(1).div_ceil(unit(pause)) * unit(pause);
        ("firstDelay".to_owned(), Yaml::text(crate::scenario::shown(Duration::from_millis(set))))
    }));
    if attempts != USUAL_ATTEMPTS {
        members.push(("attempts".to_owned(), Yaml::number(attempts.min(MOST_ATTEMPTS))));
    }
    (!members.is_empty()).then_some(Yaml::Members(members))
}
