//! The report for CI systems: a test case a scenario.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::super::miss::Miss;
use super::super::played::Played;
use super::super::unplayed::{Outcome, Unplayed};

pub(super) fn junit(all: &[Played], unplayed: &[Unplayed]) -> Result<String, SerializeError> {
    let mut suite = TestSuite::new("d1-scenarios");
    suite.add_test_cases(all.iter().map(test_case));
    for Unplayed { name, outcome, why } in unplayed {
        let mut status = match outcome {
            Outcome::Faulty => TestCaseStatus::non_success(NonSuccessKind::Error),
            Outcome::Aside | Outcome::NotPlayed => TestCaseStatus::skipped(),
        };
        status.set_message(why.lines().next().unwrap_or_default());
        if *outcome == Outcome::Faulty {
            status.set_description(why.clone());
        }
        let mut case = TestCase::new(name.clone(), status);
        case.set_classname("scenario");
        suite.add_test_case(case);
    }
    let mut report = Report::new("d1sim scenario run");
    report.add_test_suite(suite);
    report.to_string()
}

fn test_case(played: &Played) -> TestCase {
    let status = if let Some(why) = &played.broken {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
        status.set_message(format!("broke off: {why}"));
        status
    } else if let Some(first) = played.misses.first() {
        let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
        let all: Vec<String> = played.misses.iter().map(Miss::told).collect();
        let found = first.found.first().map_or("nothing", String::as_str);
        let message = format!("{}: expected {}, found {found}", first.place, first.expected);
        status.set_message(message).set_description(all.join("\n\n"));
        status
    } else {
        TestCaseStatus::success()
    };
    let mut case = TestCase::new(played.name.clone(), status);
    case.set_classname("scenario").set_time(played.took).set_system_out(played.transcript());
    case.add_property(Property::new("file", played.file.clone()));
    case.add_property(Property::new("seed", played.seed.to_string()));
    case
}
