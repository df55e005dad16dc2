//! The language as a whole: what is taken, what is refused, and in which words.

mod any_input;
mod bad_input;
mod editor;
mod faulty;
mod follow_ups;
mod library;
mod schema;
mod unreachable;

use std::collections::BTreeMap;

use super::{Scenario, Weight, load};

/// Files by name.
fn files<'f>(all: &[(&'f str, &'f str)]) -> BTreeMap<&'f str, &'f str> {
    all.iter().copied().collect()
}

/// What `check` says of the first file.
fn findings(all: &[(&str, &str)], set: &[(&str, &str)]) -> Vec<String> {
    let loaded = loaded(all, set);
    loaded.1
}

fn loaded(all: &[(&str, &str)], set: &[(&str, &str)]) -> (Option<Scenario>, Vec<String>, bool) {
    let known = files(all);
    let read =
        |name: &str| known.get(name).map(|text| (*text).to_owned()).ok_or_else(|| "no such file".to_owned());
    let set: Vec<(String, String)> =
        set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let loaded = load(all[0].0, &set, &read);
    let told = loaded.findings.all().map(ToString::to_string).collect();
    let form = loaded.findings.all().any(|finding| finding.weight == Weight::Form);
    (loaded.scenario, told, form)
}

/// A file of these steps, on a stage with a merchant, a card and a token.
fn with_steps(steps: &str) -> String {
    let stage = "merchants: {books: {}}\n  cards: {visa: approve, bad: decline}\n  tokens: {sub: {merchant: books, card: visa}}";
    format!("scenario: 1\nname: a\ntitle: A.\nwhy: B.\nstage:\n  {stage}\nsteps:\n{steps}")
}
