//! A file and all that it includes.

use std::path::{Component, Path, PathBuf};

use super::MAX_DEPTH;
use crate::scenario::broken::Broken;
use crate::scenario::finding::{Findings, Place};
use crate::scenario::members::{self, Members};
use crate::scenario::node::{self, Key, Node, Value};
use crate::scenario::parameters::is_parameter;

/// The version of the language.
const VERSION: i64 = 1;
/// So many files may one scenario be made of.
const MAX_FILES: usize = 64;
const MAX_TITLE: usize = 120;
const MAX_WHY: usize = 2000;

pub(super) struct Head {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) why: String,
}

/// What one file says.
pub(super) struct Source {
    pub(super) path: String,
    /// As the file that includes it calls it.
    pub(super) called: String,
    pub(super) main: bool,
    pub(super) parameters: Vec<(Key, Node)>,
    pub(super) stage: Option<Node>,
    pub(super) steps: Vec<Node>,
}

pub(super) struct Loader<'r> {
    pub(super) read: &'r dyn Fn(&str) -> Result<String, String>,
    pub(super) findings: Findings,
    /// Included ones first.
    pub(super) sources: Vec<Source>,
    /// The files that are being read and their texts, each included by the one before.
    pub(super) chain: Vec<(String, String)>,
    pub(super) files: usize,
    pub(super) broken: Broken,
}

impl Loader<'_> {
    /// Reads a file and all that it includes. `at` is where it is asked for.
    pub(super) fn file(&mut self, file: &str, called: &str, at: &Place) -> Option<Head> {
        if let Some(first) = self.chain.iter().position(|(other, _)| other == file) {
            self.ring(first, file, at);
            return None;
        }
        if self.chain.len() >= MAX_DEPTH || self.files >= MAX_FILES {
            let reason =
                format!("expected files to include others at most {MAX_DEPTH} deep, {MAX_FILES} in all");
            self.findings.sense(at, reason);
            return None;
        }
        self.files += 1;
        let text = match (self.read)(file) {
            Ok(text) => text,
            Err(reason) => {
                self.findings.sense(at, format!("cannot read {file}: {reason}"));
                return None;
            }
        };
        // The same file by another path: a link, or an absolute one.
        if let Some(first) = self.chain.iter().position(|(_, other)| *other == text) {
            self.ring(first, file, at);
            return None;
        }
        let node = node::parse(file, &text, &mut self.findings)?;
        self.chain.push((file.to_owned(), text));
        let head = self.document(&node, file, called);
        self.chain.pop();
        head
    }

    fn ring(&mut self, first: usize, file: &str, at: &Place) {
        let mut ring: Vec<&str> = self.chain[first..].iter().map(|(file, _)| file.as_str()).collect();
        ring.push(file);
        let reason = format!("files include each other in a ring: {}; take one out", ring.join(" -> "));
        self.findings.sense(at, reason);
    }

    fn document(&mut self, node: &Node, file: &str, called: &str) -> Option<Head> {
        let main = self.chain.len() == 1;
        let mut m = Members::of(node, "a scenario", &mut self.findings)?;
        if let Some(node) = m.need("scenario", &mut self.findings)
            && !matches!(node.value, Value::Whole(VERSION))
        {
            let reason =
                format!("`scenario`: {VERSION}, the version of the language that this program knows");
            members::wrong(node, &reason, &mut self.findings);
        }
        let name = m.take("name");
        let named = name.is_some();
        let name = name.and_then(|node| members::name(node, &mut self.findings));
        let text = |node: &Node, what, max, findings: &mut Findings| members::text(node, what, max, findings);
        let title = m.need("title", &mut self.findings);
        let title = title.and_then(|node| text(node, "`title`", MAX_TITLE, &mut self.findings));
        let why = if named { m.need("why", &mut self.findings) } else { m.take("why") };
        let why = why.and_then(|node| text(node, "`why`", MAX_WHY, &mut self.findings));
        let parameters =
            m.take("parameters").map(|node| declared(node, &mut self.findings)).unwrap_or_default();
        let include = m.take("include");
        let stage = m.take("stage").cloned();
        let steps = if named { m.need("steps", &mut self.findings) } else { m.take("steps") };
        let steps =
            steps.map(|node| members::list(node, "`steps`: a list of steps", &mut self.findings).to_vec());
        m.done(&mut self.findings);
        if let Some(include) = include {
            self.include(include, file);
        }
        let steps = steps.unwrap_or_default();
        self.sources.push(Source {
            path: file.to_owned(),
            called: called.to_owned(),
            main,
            parameters,
            stage,
            steps,
        });
        if main && (!named || is_part(file)) {
            let reason = "this is a part that others include, and nothing to play: a scenario has a `name`, and its file's \
                          name does not begin with `_`";
            self.findings.sense(&node.place, reason);
        }
        Some(Head { name: name?.name, title: title?, why: why? }).or_else(|| {
            (!main || named).then(|| Head { name: String::new(), title: String::new(), why: String::new() })
        })
    }

    fn include(&mut self, node: &Node, file: &str) {
        let items = members::list(node, "`include`: a list of files", &mut self.findings).to_vec();
        let mut here = Vec::new();
        for item in items {
            let Some(called) = members::text(&item, "a file to include", 255, &mut self.findings) else {
                continue;
            };
            if !called.ends_with(".yaml") && !called.ends_with(".yml") {
                members::wrong(
                    &item,
                    "a file to include, whose name ends in .yaml or .yml",
                    &mut self.findings,
                );
                self.broken.whole();
                continue;
            }
            let path = beside(file, &called);
            if here.contains(&path) {
                self.findings
                    .sense(&item.place, format!("{called} is included already; take one of the two away"));
                continue;
            }
            here.push(path.clone());
            // What several files include comes once, before the first of them.
            if self.sources.iter().any(|source| source.path == path) {
                continue;
            }
            // What is wrong is among the findings.
            if self.file(&path, &called, &item.place).is_none() {
                self.broken.whole();
            }
        }
    }
}

/// Files that are only included.
pub(crate) fn is_part(file: &str) -> bool {
    Path::new(file).file_name().is_some_and(|name| name.to_string_lossy().starts_with('_'))
}

/// The path of a file that is named relative to another.
fn beside(file: &str, called: &str) -> String {
    let mut path = PathBuf::new();
    for part in Path::new(file).parent().unwrap_or(Path::new("")).join(called).components() {
        match part {
            Component::ParentDir if path.file_name().is_some_and(|name| name != "..") => {
                path.pop();
            }
            Component::CurDir => {}
            other => path.push(other),
        }
    }
    path.display().to_string()
}

fn declared(node: &Node, findings: &mut Findings) -> Vec<(Key, Node)> {
    let Value::Members(members) = &node.value else {
        members::wrong(node, "`parameters`: an object of names and values", findings);
        return Vec::new();
    };
    let mut all = Vec::new();
    for (key, value) in members {
        if !is_parameter(&key.name) {
            let reason = format!(
                "`parameters`: expected a name of letters and digits, a small letter first, found `{}`",
                key.name
            );
            findings.form(&key.place, reason);
        } else if matches!(&value.value, Value::Text(text) if text.contains("${")) {
            let reason = "a parameter's value names no other parameter; write the value itself";
            findings.sense(&value.place, reason);
        } else if matches!(
            value.value,
            Value::Text(_) | Value::Whole(_) | Value::Decimal(_) | Value::Truth(_)
        ) {
            all.push((key.clone(), value.clone()));
        } else {
            members::wrong(
                value,
                "text, a number, true or false: the value unless --set gives another",
                findings,
            );
        }
    }
    all
}
