//! From files to a [`Scenario`]: includes, parameters, repetitions.

use std::path::{Component, Path, PathBuf};

use super::check;
use super::finding::{Findings, Place};
use super::members::{self, Members};
use super::node::{self, Key, Node, Value};
use super::parameters::{Parameters, is_parameter};
use super::stage::{Draft, Stage};
use super::step::{Action, STEPS, Step, action};

/// The version of the language.
const VERSION: i64 = 1;
/// So deep may files include each other, and repetitions stand in each other.
const MAX_DEPTH: usize = 8;
/// So many files may one scenario be made of.
const MAX_FILES: usize = 64;
/// So many steps may a scenario have, each round of a repetition counted.
pub(crate) const MAX_STEPS: usize = 5_000;
const MAX_ROUNDS: i64 = 1_000_000;
const MAX_TITLE: usize = 120;
const MAX_WHY: usize = 2000;

/// A scenario that can be played: every name is known, every default filled in, every repetition unrolled.
#[derive(Debug, Clone)]
pub(crate) struct Scenario {
    /// The file, as messages call it.
    pub(crate) file: String,
    /// Unique among the files of a folder.
    pub(crate) name: String,
    /// One sentence.
    pub(crate) title: String,
    pub(crate) why: String,
    /// With their values, as text.
    pub(crate) parameters: Vec<(String, String)>,
    pub(crate) stage: Stage,
    /// In order; never empty.
    pub(crate) steps: Vec<Step>,
}

impl Scenario {
    /// Whether D1 has to judge the dates of certificates by the sandbox's clock.
    pub(crate) fn ages_certificates(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Certificate(_)))
    }
}

/// What came of the reading.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// There unless something is wrong; hints are not.
    pub(crate) scenario: Option<Scenario>,
    pub(crate) findings: Findings,
}

/// Reads and checks a scenario. `set` holds the parameters of the command line, `read` gives the text of a file, or why
/// there is none.
pub(crate) fn load(
    file: &str,
    set: &[(String, String)],
    read: &dyn Fn(&str) -> Result<String, String>,
) -> Loaded {
    let mut loader =
        Loader { read, findings: Findings::default(), sources: Vec::new(), chain: Vec::new(), files: 0 };
    let main = Place::start_of(file);
    let whole = loader.file(file, file, &main);
    let Loader { mut findings, sources, .. } = loader;
    let Some(head) = whole else { return Loaded { scenario: None, findings } };
    let mut parameters = Parameters::default();
    declare(&sources, &mut parameters, &mut findings);
    for (name, text) in set {
        if let Err(reason) = parameters.set(name, text) {
            findings.sense(&main, reason);
        }
    }
    let mut draft = Draft::default();
    for node in sources.iter().filter_map(|source| source.stage.as_ref()) {
        draft.add(&parameters.substitute(node, &mut findings), &mut findings);
    }
    let stage = draft.finish(&main, &mut findings);
    let mut unrolling =
        Unrolling { parameters, findings, steps: Vec::new(), number: 0, depth: 0, full: false };
    for source in &sources {
        let prefix = if source.main { String::new() } else { format!("{}:", source.called) };
        unrolling.all(&source.steps, &prefix);
    }
    let Unrolling { parameters, mut findings, steps, full, .. } = unrolling;
    for key in sources.iter().flat_map(|source| &source.parameters).map(|(key, _)| key) {
        if !full && !findings.any_fault() && !parameters.is_used(&key.name) {
            findings.hint(&key.place, format!("nothing uses the parameter `{}`", key.name));
        }
    }
    if steps.is_empty() && !findings.any_fault() {
        findings.sense(&main, "expected steps, found none");
    }
    let Head { name, title, why } = head;
    let file = file.to_owned();
    let scenario = Scenario { file, name, title, why, parameters: parameters.shown(), stage, steps };
    // Of a scenario that was cut off nothing more can be said.
    if !full {
        check::check(&scenario, &mut findings);
    }
    Loaded { scenario: (!findings.any_fault()).then_some(scenario), findings }
}

struct Head {
    name: String,
    title: String,
    why: String,
}

/// What one file says.
struct Source {
    path: String,
    /// As the file that includes it calls it.
    called: String,
    main: bool,
    parameters: Vec<(Key, Node)>,
    stage: Option<Node>,
    steps: Vec<Node>,
}

struct Loader<'r> {
    read: &'r dyn Fn(&str) -> Result<String, String>,
    findings: Findings,
    /// Included ones first.
    sources: Vec<Source>,
    /// The files that are being read, each included by the one before.
    chain: Vec<String>,
    files: usize,
}

impl Loader<'_> {
    /// Reads a file and all that it includes. `at` is where it is asked for.
    fn file(&mut self, file: &str, called: &str, at: &Place) -> Option<Head> {
        if let Some(first) = self.chain.iter().position(|other| other == file) {
            let mut ring: Vec<&str> = self.chain[first..].iter().map(String::as_str).collect();
            ring.push(file);
            self.findings.sense(
                at,
                format!("files include each other in a ring: {}; take one out", ring.join(" -> ")),
            );
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
        let node = node::parse(file, &text, &mut self.findings)?;
        self.chain.push(file.to_owned());
        let head = self.document(&node, file, called);
        self.chain.pop();
        head
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
        for item in items {
            let Some(called) = members::text(&item, "a file to include", 255, &mut self.findings) else {
                continue;
            };
            let path = beside(file, &called);
            if self.sources.iter().any(|source| source.path == path) {
                self.findings
                    .sense(&item.place, format!("{called} is included already; take one of the two away"));
                continue;
            }
            // What is wrong is among the findings.
            let _ = self.file(&path, &called, &item.place);
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

fn declare(sources: &[Source], parameters: &mut Parameters, findings: &mut Findings) {
    for (key, node) in sources.iter().flat_map(|source| &source.parameters) {
        if parameters.has(&key.name) {
            let reason = format!("two files have a parameter `{}`; give one another name", key.name);
            findings.sense(&key.place, reason);
        }
        parameters.put(&key.name, node.value.clone());
    }
}

struct Unrolling {
    parameters: Parameters,
    findings: Findings,
    steps: Vec<Step>,
    number: usize,
    depth: usize,
    full: bool,
}

impl Unrolling {
    fn all(&mut self, nodes: &[Node], prefix: &str) {
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
            if let Some((_, _, node)) = found {
                self.repeat(node, path);
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
        let Some(mut m) = Members::of(&node, "a step", &mut self.findings) else { return };
        let found = m.one_of(&STEPS, &mut self.findings);
        m.done(&mut self.findings);
        let Some((kind, key, inner)) = found else { return };
        if let Some(action) = action(kind, inner, &mut self.findings) {
            let (number, path, place) = (self.number, path.to_owned(), key.place.clone());
            self.steps.push(Step { number, path, place, action });
        }
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
        let (Some(times), Some(steps)) = (times, steps) else { return };
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
