//! `d1sim scenario new`: a file to begin with.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::super::args::{NewScenario, Template};
use super::super::exit::Failure;
use super::super::say;
use super::run::DEFAULT_FOLDER;
use crate::scenario::is_name;

const SCHEMA_FILE: &str = "scenario.schema.json";

pub(super) fn run(args: &NewScenario) -> Result<(), Failure> {
    let name = &args.name;
    if !is_name(name) {
        let reason = format!(
            "`{name}`: expected a name of small letters, digits and hyphens, e.g. token-lost; the ending is added"
        );
        return Err(Failure::usage(reason));
    }
    let file = format!("{name}.yaml");
    let text = template(args.template).replace("NAME", name);
    if !write_new(Path::new(&file), &text)? {
        return Err(Failure::resource(format!(
            "{file} is there already, and nothing is overwritten; take another name"
        )));
    }
    let schema = write_new(Path::new(SCHEMA_FILE), d1_fixtures::SCENARIO_SCHEMA)?;
    let beside = if schema {
        format!(", and {SCHEMA_FILE} for your editor")
    } else if std::fs::read(SCHEMA_FILE).is_ok_and(|text| text == d1_fixtures::SCENARIO_SCHEMA.as_bytes()) {
        String::new()
    } else {
        format!(
            "\n{SCHEMA_FILE} is not that of this version: `d1sim scenario schema > {SCHEMA_FILE}` renews it"
        )
    };
    let mut next = ["check", "explain", "run"].map(|verb| format!("d1sim scenario {verb} {file}")).to_vec();
    if args.template == Template::Outside && !Path::new(DEFAULT_FOLDER).exists() {
        next.insert(
            0,
            "d1sim init   (./d1-sandbox: certificates and keys that your system needs too)".to_owned(),
        );
    }
    say(&format!("wrote {file}{beside}\nnext: {}", next.join("\n      ")));
    Ok(())
}

pub(super) const fn template(template: Template) -> &'static str {
    match template {
        Template::Payment => include_str!("templates/payment.yaml"),
        Template::Lifecycle => include_str!("templates/lifecycle.yaml"),
        Template::Fault => include_str!("templates/fault.yaml"),
        Template::Outside => include_str!("templates/outside.yaml"),
    }
}

/// `false` if there is such a file already.
pub(super) fn write_new(path: &Path, text: &str) -> Result<bool, Failure> {
    let mut file = match OpenOptions::new().write(true).create_new(true).open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == ErrorKind::AlreadyExists => return Ok(false),
        Err(fault) => return Err(Failure::file("write", path, &fault)),
    };
    file.write_all(text.as_bytes()).map_err(|fault| Failure::file("write", path, &fault))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;
    use crate::scenario::load;

    #[test]
    fn every_template_is_a_scenario_without_fault_and_without_hint() {
        for kind in Template::value_variants() {
            let text = template(*kind).replace("NAME", "my-day");
            let loaded = load("my-day.yaml", &[], &|_| Ok(text.clone()));
            let told: Vec<String> = loaded.findings.all().map(ToString::to_string).collect();
            assert_eq!(told, [""; 0], "{kind:?}");
            assert_eq!(loaded.scenario.expect("a scenario").name, "my-day");
        }
    }
}
