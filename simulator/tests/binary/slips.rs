//! Slips at the keyboard, and disks that are full: what they must not cost.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::{empty_folder, ends, made, text};

#[test]
fn a_forgotten_argument_overwrites_no_scenario_and_no_list() {
    let folder = empty_folder();
    ends(folder.path(), &["scenario", "new", "mine"], 0);
    let path = folder.path().join("mine.yaml");
    let before = fs::read(&path).expect("a file");
    fs::write(folder.path().join("known.list"), "[]").expect("written");
    for arguments in [
        &["scenario", "run", "--junit", "mine.yaml"][..],
        &["scenario", "run", "mine.yaml", "--transcript", "mine.yaml"],
        &["scenario", "run", "mine.yaml", "--html", "./mine.yaml"],
        &["contract", "run", "--filter", "createMerchant/40", "--md", "mine.yaml"],
        &[
            "contract",
            "run",
            "--filter",
            "createMerchant/40",
            "--known-failing",
            "known.list",
            "--json",
            "known.list",
        ],
        &["contract", "sabotage", "--json", "mine.yaml"],
        &["contract", "sabotage", "--receiver", "--json", "mine.yaml"],
    ] {
        let (_, err) = ends(folder.path(), arguments, 64);
        assert!(err.contains("a report would overwrite it; name another file"), "{arguments:?}: {err}");
    }
    assert_eq!(fs::read(&path).expect("a file"), before);
    assert_eq!(fs::read(folder.path().join("known.list")).expect("a file"), b"[]");
    for (twice, code) in [
        (&["--junit", "r.x", "--json", "./r.x"][..], 64),
        (&["--transcript", "r.x", "--html", "r.x"], 64),
        (&["--html", "r.x", "--json", "r.x"], 64),
        (&["--junit", "-"], 64),
    ] {
        let (out, err) = ends(folder.path(), &[&["scenario", "run", "mine.yaml"], twice].concat(), code);
        assert!(
            out.is_empty() && (err.contains("name the same file") || err.contains("/dev/stdout")),
            "{err}"
        );
    }
    // Several scenarios have folders, which may be one.
    let both = ["scenario", "run", "decline", "clock-skew", "--transcript", "days", "--html", "days"];
    ends(folder.path(), &both, 0);
    assert_eq!(fs::read_dir(folder.path().join("days")).expect("a folder").count(), 4);
}

fn report(folder: &Path, arguments: &[&str], code: i32) -> (String, Vec<Value>) {
    for name in ["j.xml", "j.ndjson"] {
        fs::write(folder.join(name), "green, of yesterday").expect("written");
    }
    let files = ["--junit", "j.xml", "--json", "j.ndjson"];
    ends(folder, &[&["scenario", "run"], arguments, &files].concat(), code);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("a report");
    let lines = read("j.ndjson");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let schema: Value = serde_json::from_str(d1_fixtures::TRANSCRIPT_SCHEMA).expect("a schema");
    let schema = jsonschema::validator_for(&schema).expect("a schema");
    let results = lines.into_iter().inspect(|line| assert!(schema.is_valid(line), "{line}"));
    (read("j.xml"), results.filter(|line| line["kind"] == "result").collect())
}

#[test]
fn a_run_that_plays_nothing_leaves_no_green_report() {
    let folder = made();
    ends(folder.path(), &["scenario", "new", "good"], 0);
    let good = fs::read_to_string(folder.path().join("good.yaml")).expect("a file");
    let bad = good.replace("name: good", "name: bad").replace("createTransaction", "createTransactoin");
    fs::write(folder.path().join("bad.yaml"), bad).expect("written");
    let (xml, lines) = report(folder.path(), &["good.yaml", "bad.yaml"], 64);
    assert!(xml.contains("<error message=\"bad.yaml:") && xml.contains("createTransactoin"), "{xml}");
    assert!(xml.contains("<skipped message=\"not played: other files are faulty\""), "{xml}");
    let outcomes: Vec<(&Value, &Value)> =
        lines.iter().map(|line| (&line["scenario"], &line["outcome"])).collect();
    assert_eq!(outcomes, [(&json!("bad.yaml"), &json!("faulty")), (&json!("good"), &json!("notPlayed"))]);
    for (arguments, code, told) in [
        (&["good.yaml", "--filter", "nothing"][..], 3, "--filter nothing"),
        (&["gone.yaml"], 71, "gone.yaml"),
        (&["good.yaml", "--probe", "true"], 64, "no scenario here notifies a receiver of yours"),
    ] {
        let (xml, lines) = report(folder.path(), arguments, code);
        assert!(xml.contains("<error message=") && xml.contains(told), "{xml}");
        assert_eq!(lines.last().expect("a line")["outcome"], "faulty");
    }
    let aside = ["receiver-down-for-an-hour", "decline", "--receiver", "https://127.0.0.1:1"];
    let (xml, lines) = report(folder.path(), &aside, 0);
    assert!(xml.contains("<skipped message=\"put aside: it shuts the receiver down"), "{xml}");
    assert_eq!(lines.last().expect("a line")["outcome"], "aside");
}

#[test]
fn what_cannot_be_printed_is_no_success() {
    let folder = made();
    for arguments in [
        &["--version"][..],
        &["cards", "--json"],
        &["errors"],
        &["jose", "assert"],
        &["contract", "coverage"],
        &["scenario", "list"],
        &["scenario", "run", "decline", "--junit", "j.xml"],
    ] {
        let full = OpenOptions::new().write(true).open("/dev/full").expect("a full disk");
        let output = d1sim_into(folder.path(), arguments, full);
        let err = text(&output.stderr);
        assert_eq!(output.status.code(), Some(71), "{arguments:?}: {err}");
        assert_eq!(err.matches("d1sim: cannot write stdout: No space left on device").count(), 1, "{err}");
    }
    // What a run has come to is not lost with it.
    assert!(fs::read_to_string(folder.path().join("j.xml")).expect("a report").contains("decline"));
}

fn d1sim_into(folder: &Path, arguments: &[&str], stdout: File) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command.current_dir(folder).args(arguments).stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    command.spawn().and_then(std::process::Child::wait_with_output).expect("d1sim runs")
}

#[test]
fn a_reader_that_has_gone_is_no_fault() {
    let folder = empty_folder();
    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = Command::new(env!("CARGO_BIN_EXE_d1sim"));
    command
        .current_dir(folder.path())
        .arg("errors")
        .stdin(Stdio::null())
        .stdout(writer)
        .stderr(Stdio::piped());
    let output = command.spawn().and_then(std::process::Child::wait_with_output).expect("d1sim runs");
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
}

#[test]
fn a_name_that_is_nearly_right_is_proposed() {
    let folder = empty_folder();
    ends(folder.path(), &["scenario", "new", "my-day"], 0);
    let run = |name: &str, code| ends(folder.path(), &["scenario", "run", name], code).1;
    let said = run("first-paymnt", 64);
    assert!(
        said.contains("neither a file nor a scenario of the library; did you mean `first-payment`?"),
        "{said}"
    );
    assert!(run("my-day", 64).contains("did you mean `my-day.yaml`?"));
    assert!(run("quite-another-thing", 64).contains("`d1sim scenario list` prints its names"));
    assert!(run("my-dya.yaml", 71).contains("there is no such file; did you mean `my-day.yaml`?"));
}

#[test]
fn a_flaw_that_nothing_meets_is_told() {
    let folder = empty_folder();
    let (_, said) = ends(folder.path(), &["scenario", "run", "decline", "--flaw", "keeps-nothing"], 0);
    assert!(said.contains("hint: --flaw keeps-nothing made no difference"), "{said}");
    let (_, said) = ends(folder.path(), &["scenario", "run", "decline", "--flaw", "repeats-refused"], 1);
    assert!(
        !said.contains("made no difference") && said.contains("d1sim: the scenario failed, see above"),
        "{said}"
    );
}
