//! `d1sim scenario`: bad days as files.

mod new;
mod record;
mod run;
mod source;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::args::{
    CheckScenarios, ExplainScenario, ListScenarios, Scenario, ScenarioCommand, ScenarioSchemaOf,
};
use super::exit::{Exit, Failure};
use super::{print, say};
use crate::journal::redacted_whole;
use crate::scenario::{self, Findings, Weight, explain, step_kinds};
pub(super) use run::Flaw;
use source::{Source, built_in, from_disk, near_in_library, sources};

pub(super) fn run(args: &Scenario) -> Result<(), Failure> {
    match &args.command {
        ScenarioCommand::Run(args) => run::run(args),
        ScenarioCommand::Check(args) => check(args),
        ScenarioCommand::Schema(args) => {
            print(match args.of {
                ScenarioSchemaOf::Scenario => d1_fixtures::SCENARIO_SCHEMA.trim_end(),
                ScenarioSchemaOf::Transcript => d1_fixtures::TRANSCRIPT_SCHEMA.trim_end(),
            });
            Ok(())
        }
        ScenarioCommand::List(args) => list(args),
        ScenarioCommand::Explain(args) if args.steps => {
            steps();
            Ok(())
        }
        ScenarioCommand::Explain(args) => explained(args),
        ScenarioCommand::New(args) => new::run(args),
        ScenarioCommand::Record(args) => record::run(args),
    }
}

/// Findings go to stdout, one below the other; the sum to stderr.
fn check(args: &CheckScenarios) -> Result<(), Failure> {
    let sources = sources(&args.paths)?;
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    let mut faulty = 0;
    for source in &sources {
        let loaded = scenario::load(&source.file, &args.set, &source.read);
        for finding in loaded.findings.all() {
            print(&finding.to_string());
        }
        let Some(scenario) = loaded.scenario else {
            faulty += 1;
            continue;
        };
        if let Some(first) = names.insert(scenario.name.clone(), source.file.clone()) {
            let name = scenario.name;
            print(&format!(
                "{}:1:1: {first} has the name `{name}` already; give this one another",
                source.file
            ));
            faulty += 1;
        }
    }
    let all = sources.len();
    if faulty == 0 {
        say(&format!("{all} checked, nothing wrong"));
        return Ok(());
    }
    let of = if all == 1 { "the scenario".to_owned() } else { format!("{faulty} of {all} scenarios") };
    Err(Failure::usage(format!("{of} cannot be played")))
}

fn list(args: &ListScenarios) -> Result<(), Failure> {
    let sources = if args.paths.is_empty() { built_in() } else { sources(&args.paths)? };
    let (mut rows, mut faulty) = (Vec::new(), 0);
    for source in &sources {
        let loaded = scenario::load(&source.file, &[], &source.read);
        match loaded.scenario {
            Some(scenario) => rows.push(row(scenario)),
            None => {
                faulty += 1;
                say(&format!("{}: faulty; `d1sim scenario check {0}` says why", source.file));
            }
        }
    }
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, title) in rows {
        print(&format!("{name:width$}  {title}"));
    }
    if faulty == 0 {
        Ok(())
    } else {
        let of = match sources.len() {
            1 => "the file is".to_owned(),
            all => format!("{faulty} of {all} files are"),
        };
        Err(Failure::usage(format!("{of} faulty")))
    }
}

fn row(scenario: scenario::Scenario) -> (String, String) {
    (scenario.name, redacted_whole(&scenario.title))
}

fn explained(args: &ExplainScenario) -> Result<(), Failure> {
    let wanted = args.scenario.as_deref().unwrap_or_default();
    let known = built_in().into_iter().find(|source| source.file == format!("{wanted}.yaml"));
    let source: Source = match known {
        Some(source) => source,
        None if wanted.contains(['.', '/']) => from_disk(wanted.to_owned()),
        None => {
            let reason = format!(
                "no scenario of the library is called `{wanted}`{}; a file is named with its ending, e.g. {wanted}.yaml",
                near_in_library(wanted)
            );
            return Err(Failure::usage(reason));
        }
    };
    let loaded = scenario::load(&source.file, &args.set, &source.read);
    let Some(scenario) = loaded.scenario else { return Err(Failure::usage(faults(&loaded.findings))) };
    print(&explain(&scenario));
    Ok(())
}

fn faults(findings: &Findings) -> String {
    let faults = findings.all().filter(|finding| finding.weight != Weight::Hint);
    let all: Vec<String> = faults.map(ToString::to_string).collect();
    format!("the scenario is faulty\n{}", all.join("\n"))
}

fn steps() {
    let mut text = String::new();
    for (kind, what, example) in step_kinds() {
        let example: Vec<String> = example.lines().map(|line| format!("    {line}")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{kind}\n  {what}\n\n{}\n", example.join("\n"));
    }
    print(text.trim_end());
}

/// A folder without scenarios, or a file that is only included.
fn nothing(reason: String) -> Failure {
    Failure { exit: Exit::NothingRan, error: reason.into() }
}
