//! What literal cases expect follows from what the document says of their answers; each expectation turned round is seen.

use d1_contracts::{
    Case, Count, Disagreement, ReportedOutcome, Retryable, built_in_cases, disagreements, inbound,
};

fn found(change: impl FnOnce(&mut Case), id: &str) -> Vec<Disagreement> {
    let cases = built_in_cases().expect("good cases");
    let mut case = cases.into_iter().find(|case| case.id == id).unwrap_or_else(|| panic!("no case {id}"));
    change(&mut case);
    disagreements(&inbound().expect("the contract"), &[case])
}

#[test]
fn every_built_in_case_agrees_with_the_document() {
    let cases = built_in_cases().expect("good cases");
    assert_eq!(disagreements(&inbound().expect("the contract"), &cases), []);
}

#[test]
fn every_expectation_of_every_case_is_held_against_the_document() {
    let contract = inbound().expect("the contract");
    // What may be concluded from a fault stands in no document.
    let faulty = |case: &Case| {
        case.answers.iter().any(|turn| turn.fault.is_some()) || case.cell().contains("/transport/")
    };
    for case in built_in_cases().expect("good cases").into_iter().filter(|case| !faulty(case)) {
        let seen = |what: &str, change: &dyn Fn(&mut Case)| {
            let mut other = case.clone();
            change(&mut other);
            let found = disagreements(&contract, &[other]);
            let named =
                found.iter().any(|one| one.case == case.id && one.reason.starts_with(&format!("`{what}`")));
            assert!(named, "{}: {what} was turned round: {found:?}", case.id);
        };
        seen("outcome", &|other| {
            other.expect.outcome = match other.expect.outcome {
                ReportedOutcome::Ok => ReportedOutcome::Unreadable,
                _ => ReportedOutcome::Ok,
            };
        });
        seen("ambiguous", &|other| other.expect.ambiguous = !other.expect.ambiguous);
        seen("retryable", &|other| {
            other.expect.retryable = match other.expect.retryable {
                Retryable::Never | Retryable::After => Retryable::Safe,
                Retryable::Safe => Retryable::Never,
            };
        });
        seen("attempts", &|other| other.expect.attempts = Count::Exactly(7));
        if case.expect.access_tokens.is_some() {
            seen("access_tokens", &|other| other.expect.access_tokens = Some(Count::Exactly(7)));
        }
    }
}

#[test]
fn a_refusal_for_good_leaves_no_room_and_an_endless_delay_no_number() {
    let never = "inbound/createToken/400/INVALID_FIELD/told-once";
    let loose = found(|case| case.expect.attempts = Count::Between { min: 1, max: 4 }, never);
    assert!(loose.iter().any(|one| one.reason.contains("follows 1, found 1 to 4")), "{loose:?}");
    let endless = "inbound/createToken/429/TOO_MANY_REQUESTS/for-ever";
    let fixed = found(|case| case.expect.attempts = Count::Exactly(2), endless);
    assert!(fixed.iter().any(|one| one.reason.contains("{min: 2, max: ...}")), "{fixed:?}");
    let late = found(|case| case.expect.attempts = Count::Between { min: 3, max: 4 }, endless);
    assert_eq!(late.len(), 1, "{late:?}");
}

#[test]
fn a_pause_that_d1_asks_for_must_be_expected_and_the_code_must_be_that_of_the_answer() {
    let paused = "inbound/createToken/429/TOO_MANY_REQUESTS/once-with-retry-after";
    let shorter = found(|case| case.expect.waits_at_least_ms = 1999, paused);
    assert!(shorter.iter().any(|one| one.reason.contains("2000 at least")), "{shorter:?}");
    let other = found(
        |case| {
            let code = Some("FORBIDDEN".to_owned());
            case.expect.outcome = ReportedOutcome::Refused { status: 403, code };
        },
        "inbound/createToken/403/TOKENIZATION_DECLINED/issuer-declines",
    );
    assert!(other.iter().any(|one| one.reason.contains("TOKENIZATION_DECLINED")), "{other:?}");
    assert!(other[0].to_string().contains("issuer-declines"), "{}", other[0]);
}
