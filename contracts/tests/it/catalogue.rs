//! A copy of the folder of cases is the catalogue that is built in, and whatever is taken away from it is a named gap.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use d1_contracts::{CaseError, Catalogue, Contract, Gap, Matrix, Shown, inbound};

const CASES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cases");

struct BuiltIn {
    contract: Contract,
    catalogue: Catalogue,
}

/// Made once for each test: it takes longer than what is read of a folder.
fn built_in() -> BuiltIn {
    let contract = inbound().expect("the contract");
    let catalogue = Catalogue::built_in(&contract).expect("good cases");
    BuiltIn { contract, catalogue }
}

/// A copy of the folder, and the files of literal cases in it.
fn copied() -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut files = Vec::new();
    fs::create_dir(folder.path().join("inbound")).expect("made");
    for made_of in ["good.yaml", "natural.yaml", "transport.yaml"] {
        fs::copy(Path::new(CASES).join(made_of), folder.path().join(made_of)).expect("copied");
    }
    for entry in fs::read_dir(Path::new(CASES).join("inbound")).expect("the folder") {
        let from = entry.expect("an entry").path();
        let to = folder.path().join("inbound").join(from.file_name().expect("a name"));
        fs::copy(from, &to).expect("copied");
        files.push(to);
    }
    assert!(files.len() >= 6, "{files:?}");
    (folder, files)
}

/// What a folder lacks that has no natural cases: the clocks. All else stands beside scripted cases.
fn without_natural(built_in: &BuiltIn, folder: &Path) -> BTreeSet<String> {
    fs::remove_file(folder.join("natural.yaml")).expect("removed");
    let cells = missing(built_in, folder);
    assert_eq!(cells.len(), 4, "{cells:?}");
    assert!(cells.iter().all(|cell| cell.contains("/transport/clock-")), "{cells:?}");
    cells
}

fn missing(built_in: &BuiltIn, folder: &Path) -> BTreeSet<String> {
    let catalogue = built_in.catalogue.of_folder(&built_in.contract, folder).expect("good cases");
    let gaps = Matrix::new(catalogue.cells(), catalogue.cases()).gaps();
    let named = gaps.into_iter().map(|gap| match gap {
        Gap::Cell(id) => id,
        Gap::Case(id) => panic!("a case without a cell: {id}"),
    });
    named.collect()
}

/// The literal cases of a file: the cell and the lines of each.
fn cases_of(text: &str) -> Vec<(String, String)> {
    let cases = text.split("\n- id: ").skip(1);
    let cell = |case: &str| {
        let id = case.lines().next().unwrap_or_default();
        id.rsplit_once('/').expect("an id").0.to_owned()
    };
    cases.map(|case| (cell(case), format!("\n- id: {case}"))).collect()
}

#[test]
fn a_copy_of_the_folder_is_what_is_built_in() {
    let built_in = built_in();
    let (folder, _) = copied();
    let copy = Catalogue::in_folder(&built_in.contract, folder.path()).expect("good cases");
    assert!(copy == Catalogue::built_in(&built_in.contract).expect("good cases"));
    assert_eq!(missing(&built_in, folder.path()), BTreeSet::new());
}

#[test]
fn without_the_cases_of_any_one_cell_the_gap_is_named() {
    let built_in = built_in();
    let (folder, files) = copied();
    let clocks = without_natural(&built_in, folder.path());
    let mut seen = BTreeSet::new();
    for path in files {
        let text = fs::read_to_string(&path).expect("a text");
        let cells: BTreeSet<String> = cases_of(&text).into_iter().map(|(cell, _)| cell).collect();
        for cell in cells {
            let own = cases_of(&text).into_iter().filter(|(of, _)| *of == cell);
            let rest = own.fold(text.clone(), |rest, (_, case)| rest.replace(&case, ""));
            fs::write(&path, rest).expect("written");
            assert_eq!(missing(&built_in, folder.path()), &clocks | &BTreeSet::from([cell.clone()]));
            seen.insert(cell);
        }
        fs::write(&path, text).expect("written");
    }
    let answers = built_in.catalogue.cells().iter().filter(|cell| matches!(cell.shown, Shown::Answer { .. }));
    assert_eq!(seen, answers.map(ToString::to_string).collect(), "every cell of an answer was tried");
}

#[test]
fn without_any_one_file_its_cells_are_named() {
    let built_in = built_in();
    let (folder, files) = copied();
    let clocks = without_natural(&built_in, folder.path());
    for path in files {
        let text = fs::read_to_string(&path).expect("a text");
        let cells = cases_of(&text).into_iter().map(|(cell, _)| cell).collect();
        fs::remove_file(&path).expect("removed");
        assert_eq!(missing(&built_in, folder.path()), &clocks | &cells, "{}", path.display());
        fs::write(&path, text).expect("written");
    }
}

#[test]
fn without_good_answers_or_one_of_their_members_the_derived_cells_are_named() {
    let built_in = built_in();
    let (folder, _) = copied();
    let good = folder.path().join("good.yaml");
    let text = fs::read_to_string(&good).expect("a text");
    fs::write(&good, text.replacen("    par: Q1J4AwSWD4Dx6q1DTo0MB21XDAV76\n", "", 1)).expect("written");
    let wanted = ["absent", "highest", "lowest", "null", "wrong-pattern", "wrong-type"]
        .map(|rule| format!("inbound/createToken/derived/{rule}.par"));
    assert_eq!(missing(&built_in, folder.path()), BTreeSet::from(wanted));
    fs::remove_file(&good).expect("removed");
    let derived: BTreeSet<String> = Catalogue::built_in(&built_in.contract)
        .expect("good cases")
        .cells()
        .iter()
        .filter(|cell| matches!(cell.shown, Shown::Derived(_)))
        .map(ToString::to_string)
        .collect();
    assert!(derived.len() > 300, "{}", derived.len());
    assert_eq!(missing(&built_in, folder.path()), derived);
}

#[test]
fn without_the_faults_or_one_of_them_the_transport_cells_are_named() {
    let built_in = built_in();
    let (folder, _) = copied();
    let faults = folder.path().join("transport.yaml");
    let text = fs::read_to_string(&faults).expect("a text");
    let of_faults = |shown: &Shown| matches!(shown, Shown::Transport(fault) if !fault.starts_with("clock-"));
    let cells = built_in.catalogue.cells().iter().filter(|cell| of_faults(&cell.shown));
    let cells: BTreeSet<String> = cells.map(ToString::to_string).collect();
    let entries: Vec<&str> = text.split("\n- name: ").skip(1).collect();
    assert!(entries.len() > 50 && cells.len() > 170, "{} {}", entries.len(), cells.len());
    for entry in entries {
        let name = entry.lines().next().unwrap_or_default();
        fs::write(&faults, text.replace(&format!("\n- name: {entry}"), "")).expect("written");
        let of_entry = cells.iter().filter(|cell| cell.ends_with(&format!("/{name}"))).cloned();
        assert_eq!(missing(&built_in, folder.path()), of_entry.collect(), "{name}");
    }
    fs::remove_file(&faults).expect("removed");
    assert_eq!(missing(&built_in, folder.path()), cells);
}

#[test]
fn a_case_that_contradicts_the_document_is_no_part_of_a_catalogue() {
    let contract = inbound().expect("the contract");
    let (folder, files) = copied();
    let path = files.iter().find(|path| path.ends_with("createToken.yaml")).expect("the file");
    let text = fs::read_to_string(path).expect("a text");
    fs::write(path, text.replacen("ambiguous: true", "ambiguous: false", 1)).expect("written");
    let error = Catalogue::in_folder(&contract, folder.path()).expect_err("it is refused");
    assert!(matches!(error, CaseError::Disagrees(_)));
    let said = error.to_string();
    for word in
        ["case inbound/createToken/500/INTERNAL_ERROR/told-once: `ambiguous`", "follows true, found false"]
    {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
}

#[test]
fn a_catalogue_of_faults_is_read_as_strictly_as_cases() {
    let contract = inbound().expect("the contract");
    let (folder, _) = copied();
    let path = folder.path().join("transport.yaml");
    let good = "- name: x\n  why: A reason that is long enough to be one.\n  source: [C34]\n  fault: {unanswered: reset}\n  ends: in_doubt\n";
    let read = |text: String| {
        fs::write(&path, text).expect("written");
        Catalogue::in_folder(&contract, folder.path()).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(read(good.to_owned()), Ok(()));
    for (from, to, wanted) in [
        ("name: x", "name: x/y z", "full stops"),
        ("A reason that is long enough to be one.", "So.", "`why`"),
        ("[C34]", "[]", "`source`"),
        ("[C34]", "[C99]", "`source`"),
        ("ends: in_doubt", "attempt_timeout_ms: 0\n  ends: in_doubt", "`attempt_timeout_ms`"),
        ("ends: in_doubt", "ends: repeated", "`once`"),
        ("ends: in_doubt", "ends: sometime", "sometime"),
        ("{unanswered: reset}", "{bytes: [{repeat: {text: aaaa, times: 16000000}}]}", "`repeat`"),
        ("{unanswered: reset}", "{instead: {status: 999}}", "`status`"),
        ("{unanswered: reset}", "{instead: {headers: {x: \"a\\r\\nb: c\"}}}", "`headers`"),
    ] {
        let said = read(good.replace(from, to)).expect_err(to);
        assert!(said.starts_with("transport.yaml:") && said.contains(wanted), "{to}: {said}");
    }
    let said = read(format!("{good}{good}")).expect_err("twice");
    assert!(said.starts_with("transport.yaml:6: ") && said.contains("line 1 already"), "{said}");
}

#[test]
fn good_answers_are_read_as_strictly_as_cases() {
    let contract = inbound().expect("the contract");
    let (folder, _) = copied();
    let path = folder.path().join("good.yaml");
    let text = fs::read_to_string(&path).expect("a text");
    for (from, to, wanted) in [
        ("\ncreateMerchant:", "\ncreateMerchants:", "did you mean"),
        ("status: 204", "status: 404", "expected one from 200 to 299, found 404"),
        ("status: 204", "status: 204\n  always: true", "always"),
        ("status: 204", "status: 204\n  headers: {X: y}", "`headers`"),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text);
        fs::write(&path, changed).expect("written");
        let error = Catalogue::in_folder(&contract, folder.path()).expect_err(to);
        let said = error.to_string();
        assert!(said.starts_with("good.yaml:") && said.contains(wanted), "{to}: {said}");
    }
}
