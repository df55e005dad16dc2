//! What could not be read. What it would have made is not told as missing: who mends the one has mended the other.

use std::collections::BTreeSet;

use super::node::{Node, Value};

/// Members that give a name to what a step makes.
const NAMING: [&str; 2] = ["as", "name"];

/// The parts of a scenario that could not be read.
#[derive(Debug, Default)]
pub(super) struct Broken {
    names: BTreeSet<String>,
    /// Before which of the steps that could be read.
    steps: BTreeSet<usize>,
    /// So much is missing that any name may have been made there.
    all: bool,
}

impl Broken {
    /// A step in front of the step with this index.
    pub(super) fn step(&mut self, before: usize, node: &Node) {
        self.steps.insert(before);
        self.collect(node);
    }

    /// A thing of the stage.
    pub(super) fn thing(&mut self, name: &str) {
        self.names.insert(name.to_owned());
    }

    /// A section of the stage by a name that it does not have.
    pub(super) fn section(&mut self, node: &Node) {
        if let Value::Members(members) = &node.value {
            self.names.extend(members.iter().map(|(key, _)| key.name.clone()));
        }
    }

    /// The stage, or a file that was to be included.
    pub(super) fn whole(&mut self) {
        self.all = true;
    }

    fn collect(&mut self, node: &Node) {
        match &node.value {
            Value::Members(members) => {
                for (key, value) in members {
                    match &value.value {
                        Value::Text(name) if NAMING.contains(&key.name.as_str()) => {
                            // Of a repetition that was not unrolled.
                            self.all |= name.contains("${");
                            self.names.insert(name.clone());
                        }
                        _ => self.collect(value),
                    }
                }
            }
            Value::List(items) => items.iter().for_each(|item| self.collect(item)),
            // It named a parameter that there is not.
            Value::Unknown => self.all = true,
            _ => {}
        }
    }

    /// Whether a thing of this name may have been made by what could not be read.
    pub(super) fn may_have_made(&self, name: &str) -> bool {
        self.all || self.names.contains(name)
    }

    /// Whether a step right in front of this one, or behind the last one, could not be read.
    pub(super) fn is_before(&self, step: usize) -> bool {
        self.steps.contains(&step)
    }

    /// Whether any step could not be read.
    pub(super) fn any_step(&self) -> bool {
        self.all || !self.steps.is_empty()
    }
}
