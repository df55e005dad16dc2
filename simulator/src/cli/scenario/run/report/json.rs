//! The report for programs: an object a line. `fixtures/data/scenarios/transcript.schema.json` describes it.

use serde_json::{Value, json};

use super::super::miss::Miss;
use super::super::played::Played;
use super::super::unplayed::Unplayed;

pub(super) fn json(all: &[Played], unplayed: &[Unplayed]) -> String {
    let mut text = String::new();
    let mut line = |value: Value| text.push_str(&format!("{value}\n"));
    for played in all {
        for one in &played.lines {
            line(one.json(&played.name));
        }
        line(json!({
            "kind": "result",
            "scenario": played.name,
            "title": played.title,
            "file": played.file,
            "seed": played.seed,
            "outcome": played.outcome(),
            "brokenOff": played.broken,
            "misses": played.misses.iter().map(miss).collect::<Vec<_>>(),
        }));
    }
    for Unplayed { name, outcome, why } in unplayed {
        let outcome = outcome.as_str();
        line(json!({"kind": "result", "scenario": name, "outcome": outcome, "reason": why, "misses": []}));
    }
    text
}

fn miss(miss: &Miss) -> Value {
    json!({
        "file": &*miss.place.file,
        "line": miss.place.line,
        "column": miss.place.column,
        "step": miss.step,
        "path": miss.path,
        "expected": miss.expected,
        "found": miss.found,
        "next": miss.look,
    })
}
