//! Who may know whom, and the rules that a reader of the source relies on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PACKAGES: [&str; 5] = ["simulator", "client", "contracts", "fixtures", "tests"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace").to_owned()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--offline", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// A source file without comments and without what stands after its first `#[cfg(test)] mod`.
struct Source {
    name: String,
    code: String,
    lines: usize,
}

/// The files below `PACKAGE/src`, tests of the package's own left out of the code.
fn sources(package: &str) -> Vec<Source> {
    let folder = root().join(package).join("src");
    let mut found = Vec::new();
    let mut folders = vec![folder.clone()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a source file");
                let name = path.strip_prefix(&folder).expect("below").to_string_lossy().into_owned();
                let tests = name.ends_with("tests.rs") || name.contains("/tests/");
                let code = if tests { String::new() } else { code_of(&text) };
                found.push(Source { name, code, lines: text.lines().count() });
            }
        }
    }
    assert!(!found.is_empty(), "{package} has sources");
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn code_of(text: &str) -> String {
    let end = text.find("#[cfg(test)]\nmod ").unwrap_or(text.len());
    let lines = text[..end].lines().filter(|line| !line.trim_start().starts_with("//"));
    lines.collect::<Vec<_>>().join("\n")
}

/// `a/b.rs` is in `a`, and so is `a.rs`.
fn is_in(name: &str, module: &str) -> bool {
    name == format!("{module}.rs") || name.starts_with(&format!("{module}/"))
}

/// What a file of the simulator uses of its own crate: the first step of each `crate::` path.
fn crate_uses(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let list = &list[..list.find('}').unwrap_or(list.len())];
            used.extend(list.split(',').map(|item| first_word(item.trim())));
        } else {
            used.insert(first_word(rest));
        }
    }
    used.remove("");
    used
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn packages_know_each_other_as_planned_and_no_further() {
    let metadata = metadata();
    let wanted: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::from([
        (("d1-contracts", "normal"), BTreeSet::new()),
        (("d1-contracts", "dev"), BTreeSet::new()),
        (("d1-fixtures", "normal"), BTreeSet::new()),
        (("d1-fixtures", "dev"), BTreeSet::new()),
        (("d1-client", "normal"), BTreeSet::new()),
        (("d1-client", "dev"), BTreeSet::from(["d1-contracts", "d1-fixtures"])),
        (("d1-simulator", "normal"), BTreeSet::from(["d1-client", "d1-contracts", "d1-fixtures"])),
        (("d1-simulator", "dev"), BTreeSet::new()),
        (
            ("system-tests", "normal"),
            BTreeSet::from(["d1-client", "d1-contracts", "d1-fixtures", "d1-simulator"]),
        ),
        (("system-tests", "dev"), BTreeSet::new()),
    ]);
    let packages = metadata["packages"].as_array().expect("packages");
    assert_eq!(packages.len(), PACKAGES.len(), "five packages and no sixth");
    for package in packages {
        let name = package["name"].as_str().expect("a name");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let on = dependency["name"].as_str().expect("a name");
            let kind = dependency["kind"].as_str().unwrap_or("normal");
            // For its tests a package may name itself, with all its features.
            let ours = (on.starts_with("d1-") || on == "system-tests") && !(on == name && kind == "dev");
            let allowed = wanted.get(&(name, kind)).is_some_and(|allowed| allowed.contains(on));
            assert!(!ours || allowed, "{name} must not have {on} as a {kind} dependency");
        }
    }
}

#[test]
fn the_simulator_knows_client_and_contract_in_its_command_line_alone() {
    for source in sources("simulator").iter().filter(|source| !is_in(&source.name, "cli")) {
        for stranger in ["d1_client", "d1_contracts"] {
            assert!(!source.code.contains(stranger), "{} names {stranger}", source.name);
        }
    }
}

#[test]
fn the_domain_imports_the_standard_library_and_itself() {
    for source in sources("simulator").iter().filter(|source| is_in(&source.name, "domain")) {
        let uses =
            source.code.lines().map(str::trim).filter_map(|line| {
                line.strip_prefix("use ").or_else(|| line.strip_prefix("pub(crate) use "))
            });
        for path in uses {
            let first = first_word(path);
            let own = ["std", "super", "self"].contains(&first.as_str()) || path.starts_with("crate::domain");
            // A file of the domain may re-export its own modules by name.
            let module = is_a_domain_module(&first);
            assert!(own || module, "{} imports {path}", source.name);
        }
        for used in crate_uses(&source.code) {
            assert_eq!(used, "domain", "{} uses crate::{used}", source.name);
        }
        for word in ["async ", ".await", "serde", "tokio", "tracing", "SystemTime", "aws_lc_rs", "jiff"] {
            assert!(!source.code.contains(word), "{} has {word}", source.name);
        }
    }
}

fn is_a_domain_module(name: &str) -> bool {
    sources("simulator").iter().any(|source| source.name == format!("domain/{name}.rs"))
}

#[test]
fn modules_of_the_simulator_look_only_where_they_may() {
    let forbidden: &[(&str, &[&str])] = &[
        ("faults", &["http", "notify", "world", "auth", "tls", "cli", "simulator", "onboarding"]),
        ("notify", &["http", "auth", "tls", "cli", "simulator", "onboarding"]),
        ("world", &["http", "notify", "auth", "tls", "cli", "simulator", "onboarding", "config"]),
        (
            "jose",
            &["http", "notify", "world", "auth", "tls", "cli", "simulator", "onboarding", "config", "clock"],
        ),
        ("auth", &["http", "notify", "tls", "cli", "simulator", "onboarding", "config"]),
        ("tls", &["notify", "world", "cli", "simulator", "onboarding", "config"]),
        ("http", &["notify", "cli", "simulator"]),
        ("onboarding", &["http", "cli", "simulator"]),
        ("config", &["http", "world", "cli", "simulator", "onboarding"]),
    ];
    let leaves: &[(&str, &[&str])] =
        &[("clock", &["domain"]), ("chance", &["domain"]), ("journal", &["domain", "clock"])];
    for source in sources("simulator") {
        let used = crate_uses(&source.code);
        for (module, strangers) in forbidden.iter().filter(|(module, _)| is_in(&source.name, module)) {
            let met = strangers.iter().find(|stranger| used.contains(**stranger));
            assert_eq!(met, None, "{} ({module}) uses what it may not", source.name);
        }
        for (leaf, allowed) in leaves.iter().filter(|(leaf, _)| is_in(&source.name, leaf)) {
            for other in used.iter().filter(|other| *other != leaf) {
                assert!(
                    allowed.contains(&other.as_str()),
                    "{} is of a leaf and uses crate::{other}",
                    source.name
                );
            }
        }
    }
    let journal = sources("simulator");
    let journal = journal.iter().filter(|source| is_in(&source.name, "journal"));
    for source in journal {
        let fixtures = source.code.matches("d1_fixtures::").count();
        let luhn = source.code.matches("d1_fixtures::luhn_valid").count();
        assert_eq!(fixtures, luhn, "{} may use luhn_valid of the fixtures and no more", source.name);
        let (clock, rfc3339) =
            (source.code.matches("clock::").count(), source.code.matches("clock::rfc3339").count());
        assert_eq!(clock, rfc3339, "{} may use rfc3339 of the clock and no more", source.name);
    }
}

#[test]
fn time_and_chance_have_one_home_each() {
    let time = ["SystemTime::now", "Instant::now", "Timestamp::now", "now_utc", "Zoned::now"];
    let chance = ["aws_lc_rs::rand", "SystemRandom", "Uuid::new_v4", "rand::"];
    let homes: &[(&str, &[&str], &[&str])] = &[
        // JWE ephemerals and signatures need randomness inside the cryptographic call.
        ("simulator", &["clock.rs"], &["chance.rs", "jose/jwe.rs", "jose/jws.rs"]),
        ("client", &["clock.rs"], &["chance.rs", "jwe.rs", "auth/assertion.rs", "auth.rs"]),
        ("contracts", &[], &[]),
        ("fixtures", &[], &["chance.rs"]),
        ("tests", &["folder.rs"], &["jose.rs"]),
    ];
    for (package, clocks, dice) in homes {
        for source in sources(package) {
            for (words, homes) in [(&time[..], clocks), (&chance[..], dice)] {
                let at_home = homes.contains(&source.name.as_str());
                let met = words.iter().find(|word| !at_home && source.code.contains(**word));
                assert_eq!(met, None, "{package}/src/{} has what has its home elsewhere", source.name);
            }
        }
    }
}

#[test]
fn every_package_takes_the_lints_and_unsafe_code_is_forbidden() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    assert!(manifest.contains("unsafe_code = \"forbid\""));
    for package in PACKAGES {
        let manifest = fs::read_to_string(root().join(package).join("Cargo.toml")).expect("Cargo.toml");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{package}");
        for source in sources(package) {
            assert!(!source.code.contains("allow(unsafe_code)"), "{package}/src/{}", source.name);
        }
    }
}

#[test]
fn no_file_is_longer_than_500_lines_and_none_is_a_drawer() {
    for package in PACKAGES {
        for source in sources(package) {
            assert!(source.lines <= 500, "{package}/src/{} has {} lines", source.name, source.lines);
            let stem = source.name.trim_end_matches(".rs").rsplit('/').next().unwrap_or("");
            let drawer =
                ["util", "utils", "common", "helper", "helpers", "misc", "types", "mod"].contains(&stem);
            assert!(!drawer, "{package}/src/{} is named after nothing", source.name);
        }
    }
}
