//! The library that comes along, and the examples of `explain --steps`.

use super::{findings, loaded, with_steps};
use crate::scenario::{explain, is_part, step_kinds};

#[test]
fn every_file_of_the_library_is_without_fault_and_without_hint() {
    let all = d1_fixtures::scenario_files();
    let mut names = Vec::new();
    for (file, _) in all.iter().filter(|(file, _)| !is_part(file)) {
        let mut files = vec![*all.iter().find(|(name, _)| name == file).expect("itself")];
        files.extend(all);
        let (scenario, told, _) = loaded(&files, &[]);
        assert_eq!(told, [""; 0], "{file}");
        let scenario = scenario.expect("a scenario");
        assert_eq!(format!("{}.yaml", scenario.name), *file);
        assert!(scenario.title.ends_with('.'), "{file}: the title is a sentence");
        let text = explain(&scenario);
        assert!(text.contains(&format!("\n{}. ", scenario.steps.len())), "{text}");
        names.push(scenario.name);
    }
    assert_eq!(names.len(), 18);
}

#[test]
fn parameters_of_the_library_can_be_set() {
    let all = d1_fixtures::scenario_files();
    let mut files: Vec<_> = all.iter().filter(|(file, _)| *file == "rate-limit.yaml").copied().collect();
    files.extend(all);
    let (scenario, told, _) = loaded(&files, &[("payments", "50")]);
    assert_eq!(told, [""; 0]);
    assert_eq!(scenario.expect("a scenario").steps.len(), 52);
    let told = findings(&files, &[("payment", "50")]);
    assert!(told[0].contains("did you mean `payments`?"), "{told:?}");
}

#[test]
fn every_kind_of_step_has_an_example_that_is_taken() {
    let kinds: Vec<&str> = step_kinds().iter().map(|(kind, ..)| *kind).collect();
    assert_eq!(kinds, crate::scenario::step::STEPS);
    for (kind, _, example) in step_kinds() {
        let steps: String = example.lines().map(|line| format!("  {line}\n")).collect();
        let steps = steps.replace("subscription", "sub").replace("as: sub}", "as: other}");
        // What it takes to make the example's sense.
        let before = match *kind {
            "lift" => "  - fault: {name: storm, goaway: true}\n",
            "expect" => {
                "  - call: {createTransaction: {token: sub}}\n  - call: {createTransaction: {token: sub}}\n  - issuer: {event: token.suspend, token: sub}\n"
            }
            "wait" => {
                "  - call: {createToken: {merchant: books, card: visa}}\n  - call: {createToken: {merchant: books, card: visa}}\n"
            }
            "call" => "  - fault: {name: calm, unknownMembers: 1}\n",
            _ => "",
        };
        let text = with_steps(&format!("{before}{steps}  - expect: {{calls: {{}}}}\n"));
        let text = if *kind == "receiver" {
            text.replace("stage:\n", "stage:\n  gateways: {shop: {receiver: own}}\n")
        } else {
            text
        };
        assert_eq!(findings(&[("a.yaml", &text)], &[]), [""; 0], "{kind}:\n{text}");
    }
}

#[test]
fn the_scenario_of_the_readme_is_one() {
    let readme = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
    let readme = std::fs::read_to_string(readme).expect("README.md at the root");
    let shown = readme.split("```yaml\n# yaml-language-server: $schema=scenario.schema.json\n").nth(1);
    let shown = shown.and_then(|rest| rest.split("```").next()).expect("a scenario in the README");
    assert_eq!(findings(&[("a.yaml", shown)], &[]), [""; 0]);
}

#[test]
fn a_wait_for_quiet_is_told_as_one_in_which_no_time_passes() {
    let text = with_steps("  - advance: {until: quiet}\n  - expect: {calls: {}}\n");
    let (scenario, ..) = loaded(&[("a.yaml", &text)], &[]);
    let told = explain(&scenario.expect("a scenario"));
    assert!(told.contains("1. The sandbox clock stays until all is quiet"), "{told}");
    assert!(!told.contains("moves on"), "{told}");
}
