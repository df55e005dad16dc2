//! What is put up with has a reason, an end, and something to be put up with; else it is stale.

use std::fs;

use d1_contracts::{Cell, Day, Gap, Side, Waivers, documented_cells, inbound};

const CASE: &str = "inbound/createToken/500/INTERNAL_ERROR/told-once";
const OTHER: &str = "inbound/createToken/404/RESOURCE_NOT_FOUND/unknown";

fn day(text: &str) -> Day {
    Day::try_from(text.to_owned()).expect("a day")
}

fn read(text: &str) -> Result<Waivers, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("known.yaml");
    fs::write(&path, text).expect("written");
    Waivers::read(&path).map_err(|error| error.to_string())
}

fn list(pattern: &str) -> Waivers {
    read(&format!("- {{pattern: '{pattern}', reason: Is being mended, until: 2026-12-31}}\n"))
        .expect("a list")
}

#[test]
fn a_known_failure_is_put_up_with_until_its_last_day() {
    let list = list("inbound/createToken/500/*");
    let judged = |today: &str| list.of_cases(&day(today), [CASE, OTHER], [(CASE, false), (OTHER, true)]);
    for today in ["2026-11-25", "2026-12-31"] {
        let waived = judged(today);
        assert_eq!(waived.stale, [""; 0], "{today}");
        assert_eq!(waived.entries[CASE], "Is being mended (until 2026-12-31)");
        assert_eq!(waived.entries.len(), 1);
    }
    let stale = judged("2027-01-01").stale;
    assert!(stale.len() == 1 && stale[0].contains("its time ended on 2026-12-31"), "{stale:?}");
    assert!(stale[0].contains("known.yaml:1: inbound/createToken/500/*"), "{stale:?}");
}

#[test]
fn a_known_failure_that_passes_or_is_no_case_is_stale() {
    let today = day("2026-11-25");
    let passes =
        list("inbound/createToken/*").of_cases(&today, [CASE, OTHER], [(CASE, false), (OTHER, true)]);
    assert!(passes.stale.len() == 1 && passes.stale[0].contains(&format!("{OTHER} passes")), "{passes:?}");
    let nobody = list("inbound/createTokens/*").of_cases(&today, [CASE, OTHER], [(CASE, false)]);
    assert!(nobody.stale.len() == 1 && nobody.stale[0].contains("no case has such an id"), "{nobody:?}");
    assert!(nobody.entries.is_empty());
    // A part of the cases was run: that another was not is no fault of the list.
    let part = list("inbound/createToken/500/*").of_cases(&today, [CASE, OTHER], [(OTHER, true)]);
    assert_eq!(part.stale, [""; 0]);
}

fn cells() -> Vec<Cell> {
    documented_cells(&inbound().expect("the contract"), Side::Inbound)
}

#[test]
fn an_exempt_cell_is_no_gap_unless_it_is_documented() {
    let (today, cell) = (day("2026-11-25"), "inbound/createToken/500/INTERNAL_ERROR");
    let gap = Gap::Cell(cell.to_owned());
    let mut gaps = vec![gap.clone(), Gap::Cell("inbound/getToken/200/none".to_owned())];
    let waived = list("*/createToken/500/*").of_gaps(&today, &cells(), &mut gaps).expect("allowed");
    assert_eq!(gaps, [Gap::Cell("inbound/getToken/200/none".to_owned())]);
    assert!(waived.entries.contains_key(cell) && waived.stale.is_empty(), "{waived:?}");
    let late = list(cell).of_gaps(&day("2027-01-01"), &cells(), &mut vec![gap]).expect("allowed");
    assert!(late.stale.len() == 1 && late.stale[0].contains("its time ended"), "{late:?}");
    let needless = list(cell).of_gaps(&today, &cells(), &mut Vec::new()).expect("allowed");
    assert!(needless.stale[0].contains("has a case"), "{needless:?}");
    let nobody = list("inbound/createTokens/*").of_gaps(&today, &cells(), &mut Vec::new()).expect("allowed");
    assert!(nobody.stale[0].contains("no cell has such an id"), "{nobody:?}");
    let refused = list("inbound/getAccessToken/*").of_gaps(&today, &cells(), &mut Vec::new());
    assert!(refused.is_err_and(|said| said.contains("is documented") && said.contains("no exemption")));
}

#[test]
fn a_list_that_cannot_be_meant_is_refused_with_its_line() {
    for (text, wanted) in [
        (
            "- {patern: a/b, reason: Is being mended, until: 2026-12-31}\n",
            &["known.yaml:1:4", "did you mean `pattern`?"][..],
        ),
        ("- {pattern: a/b, until: 2026-12-31}\n", &["known.yaml:1:", "`reason`", "add it"]),
        (
            "- {pattern: a/b, reason: Is being mended, until: soon}\n",
            &["known.yaml:1:", "2026-12-31", "\"soon\""],
        ),
        ("- {pattern: a/b, reason: so, until: 2026-12-31}\n", &["known.yaml:1:3: `reason`", "say why"]),
        (
            "- {pattern: '*/*', reason: Is being mended, until: 2026-12-31}\n",
            &["known.yaml:1:3: `pattern`", "not * alone"],
        ),
        (
            "- {pattern: a/b, reason: Is being mended, until: 2026-12-31}\n- {pattern: a/b, reason: Is being mended, until: 2026-12-31}\n",
            &["known.yaml:2:3", "on line 1 already"],
        ),
        ("", &["known.yaml:1:1: expected content"]),
    ] {
        let said = read(text).expect_err(text);
        for word in wanted {
            assert!(said.contains(word), "{text}: no {word:?} in {said}");
        }
    }
}
