//! The report for CI systems.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::exchange_text::{answer_text, request_text};
use super::view::{RanCase, View};
use super::{CATALOGUE, DISCLAIMER};

pub(super) fn junit(view: &View<'_>) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new("d1-contract");
    let yes_or_no = |what: bool| if what { "true" } else { "false" };
    for (name, value) in [
        ("catalogue", CATALOGUE),
        ("notice", DISCLAIMER),
        ("complete", yes_or_no(view.complete)),
        ("partial", yes_or_no(view.partial)),
    ] {
        suite.add_property(Property::new(name, value));
    }
    for tally in &view.tallies {
        let name = format!("{}, {}", tally.family.word(), tally.standing);
        let of = format!("{} of {} cells proven, {} more only seen", tally.proven, tally.cells, tally.seen);
        suite.add_property(Property::new(name, of));
    }
    for one in &view.cases {
        suite.add_test_case(test_case(one, view.known.entries.get(&one.case.id)));
    }
    for case in &view.not_run {
        let mut status = TestCaseStatus::skipped();
        let why = view.aside.get(&case.id).map_or("planned, but not run", String::as_str);
        status.set_message(why);
        let mut skipped = TestCase::new(case.id.clone(), status);
        skipped.set_classname(case.cell());
        suite.add_test_case(skipped);
    }
    let mut report = Report::new(format!("D1 contract suite: {}", view.client));
    report.add_test_suite(suite);
    report.to_string()
}

/// A case fails as the run does: the fourth witness, which speaks of the case and not of the client, does not count.
/// One that is known to fail is put up with.
fn test_case(one: &RanCase<'_>, known: Option<&String>) -> TestCase {
    let mut status = TestCaseStatus::success();
    if let Some(reason) = known {
        status = TestCaseStatus::skipped();
        status.set_message(format!("known to fail: {reason}"));
    } else if let Some(why) = one.aside {
        status = TestCaseStatus::skipped();
        status.set_message(why);
    } else if !one.passed {
        let faults: Vec<String> =
            one.faults().map(|(witness, fault)| format!("{witness}: {fault}")).collect();
        status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        status.set_message(faults.join("; ")).set_description(one.case.why.clone());
    }
    let saw = one.exchanges.iter().map(|one| format!("{}\n-> {}", request_text(one), answer_text(one)));
    let mut case = TestCase::new(one.case.id.clone(), status);
    let kind = one.case.kind().word();
    let said = format!("answers: {kind}\nexpected: {}\ntold: {}", one.expected, one.told);
    let lines: Vec<String> = saw.chain([said]).collect();
    case.set_classname(one.case.cell()).set_system_out(lines.join("\n\n"));
    case
}
