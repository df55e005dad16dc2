//! From steps as they are written to steps that are done: parameters and repetitions.

use super::MAX_DEPTH;
use crate::scenario::broken::Broken;
use crate::scenario::finding::Findings;
use crate::scenario::members::{self, Members};
use crate::scenario::node::{Node, Value};
use crate::scenario::parameters::{Parameters, is_parameter};
use crate::scenario::step::{Action, STEPS, Step, action};

/// So many steps may a scenario have, each round of a repetition counted.
pub(crate) const MAX_STEPS: usize = 5_000;
const MAX_ROUNDS: i64 = 1_000_000;

pub(super) struct Unrolling {
    pub(super) parameters: Parameters,
    pub(super) findings: Findings,
    pub(super) broken: Broken,
    pub(super) steps: Vec<Step>,
    pub(super) number: usize,
    pub(super) depth: usize,
    pub(super) full: bool,
}

impl Unrolling {
    pub(super) fn all(&mut self, nodes: &[Node], prefix: &str) {
        for (index, node) in nodes.iter().enumerate() {
            if self.full {
                return;
            }
            self.one(node, &format!("{prefix}{}", index + 1));
        }
    }

    fn one(&mut self, node: &Node, path: &str) {
        let repeats = match &node.value {
            Value::Members(members) => members.iter().any(|(key, _)| key.name == "repeat"),
            _ => false,
        };
        if repeats {
            let Some(mut m) = Members::of(node, "a step", &mut self.findings) else { return };
            let found = m.one_of(&STEPS, &mut self.findings);
            m.done(&mut self.findings);
            match found {
                Some((_, _, node)) => self.repeat(node, path),
                None => self.broken.step(self.steps.len(), node),
            }
            return;
        }
        self.number += 1;
        if self.number > MAX_STEPS {
            self.full = true;
            let reason = format!(
                "expected at most {MAX_STEPS} steps in all, each round of a `repeat` counted; here are more"
            );
            self.findings.sense(&node.place, reason);
            return;
        }
        let node = self.parameters.substitute(node, &mut self.findings);
        let faults = self.findings.faults();
        let step = self.step(&node, path);
        // What is named by a wait for something unknown is not known to be a token.
        let step = step.filter(|step| {
            self.findings.faults() == faults || !matches!(step.action, Action::Wait(_) | Action::Call(_))
        });
        if step.is_none() || self.findings.faults() > faults {
            self.broken.step(self.steps.len(), &node);
        }
        self.steps.extend(step);
    }

    fn step(&mut self, node: &Node, path: &str) -> Option<Step> {
        let mut m = Members::of(node, "a step", &mut self.findings)?;
        let found = m.one_of(&STEPS, &mut self.findings);
        m.done(&mut self.findings);
        let (kind, key, inner) = found?;
        let action = action(kind, inner, &mut self.findings)?;
        Some(Step { number: self.number, path: path.to_owned(), place: key.place.clone(), action })
    }

    fn repeat(&mut self, node: &Node, path: &str) {
        if self.depth >= MAX_DEPTH {
            self.findings
                .sense(&node.place, format!("expected `repeat` at most {MAX_DEPTH} deep, found it deeper"));
            return;
        }
        let Some(mut m) = Members::of(node, "`repeat`", &mut self.findings) else { return };
        let times = m.need("times", &mut self.findings);
        let times = times.map(|node| self.parameters.substitute(node, &mut self.findings));
        let times =
            times.and_then(|node| members::whole(&node, "`times`", 1, MAX_ROUNDS, &mut self.findings));
        let name = m.take("as");
        let counter = name.and_then(|node| self.counter(node));
        let steps = m.need("steps", &mut self.findings);
        let steps = steps.map(|node| members::list(node, "`steps`: a list of steps", &mut self.findings));
        m.done(&mut self.findings);
        let (Some(times), Some(steps), true) = (times, steps, counter.is_some() == name.is_some()) else {
            self.broken.step(self.steps.len(), node);
            return;
        };
        if steps.is_empty() {
            return;
        }
        self.depth += 1;
        for round in 1..=times {
            if self.full {
                break;
            }
            if let Some(counter) = &counter {
                self.parameters.put(counter, Value::Whole(i64::from(round)));
            }
            self.all(steps, &format!("{path}[{round}]."));
        }
        self.depth -= 1;
        if let Some(counter) = &counter {
            self.parameters.take_away(counter);
        }
    }

    fn counter(&mut self, node: &Node) -> Option<String> {
        let text = match &node.value {
            Value::Text(text) if is_parameter(text) => text.clone(),
            _ => {
                let expected =
                    "`as`: a name of letters and digits, a small letter first, for the number of the round";
                members::wrong(node, expected, &mut self.findings);
                return None;
            }
        };
        if self.parameters.has(&text) {
            let reason = format!("`{text}` is the name of a parameter already; give this one another");
            self.findings.sense(&node.place, reason);
            return None;
        }
        Some(text)
    }
}
