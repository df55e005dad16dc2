//! From files to a [`Scenario`]: includes, parameters, repetitions.

mod files;
mod unroll;

pub(crate) use files::is_part;
pub(crate) use unroll::MAX_STEPS;

use super::broken::Broken;
use super::check;
use super::finding::{Findings, Place};
use super::parameters::Parameters;
use super::stage::{Draft, Stage};
use super::step::{Action, Step};
use files::{Head, Loader, Source};
use unroll::Unrolling;

/// So deep may files include each other, and repetitions stand in each other.
const MAX_DEPTH: usize = 8;

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
    let mut loader = Loader {
        read,
        findings: Findings::default(),
        sources: Vec::new(),
        chain: Vec::new(),
        files: 0,
        broken: Broken::default(),
    };
    let main = Place::start_of(file);
    let whole = loader.file(file, file, &main);
    let Loader { mut findings, sources, mut broken, .. } = loader;
    let Some(head) = whole else { return Loaded { scenario: None, findings } };
    let mut parameters = Parameters::default();
    declare(&sources, &mut parameters, &mut findings);
    for (at, (name, text)) in set.iter().enumerate() {
        let option = Place::option(&format!("--set {name}"));
        if set[..at].iter().any(|(other, _)| other == name) {
            findings.sense(&option, "this parameter is set twice; take one of the two options away");
        } else if let Err(reason) = parameters.set(name, text) {
            findings.sense(&option, format!("{file} {reason}"));
        }
    }
    let mut draft = Draft::default();
    for node in sources.iter().filter_map(|source| source.stage.as_ref()) {
        draft.add(&parameters.substitute(node, &mut findings), &mut broken, &mut findings);
    }
    let stage = draft.finish(&main, &mut findings);
    let mut unrolling =
        Unrolling { parameters, findings, broken, steps: Vec::new(), number: 0, depth: 0, full: false };
    for source in &sources {
        let prefix = if source.main { String::new() } else { format!("{}:", source.called) };
        unrolling.all(&source.steps, &prefix);
    }
    let Unrolling { parameters, mut findings, broken, steps, full, .. } = unrolling;
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
        check::check(&scenario, &broken, &mut findings);
    }
    Loaded { scenario: (!findings.any_fault()).then_some(scenario), findings }
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
