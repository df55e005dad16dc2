//! The table of contract C34, row by row.

use std::time::Duration;

use super::*;
use crate::error::{Context, ErrorCode};
use crate::model::CorrelationId;

const ALL: [Operation; 6] = [
    Operation::GetAccessToken,
    Operation::CreateMerchant,
    Operation::CreateToken,
    Operation::GetToken,
    Operation::CreateTransaction,
    Operation::DeleteToken,
];

fn context(operation: Operation) -> Context {
    Context { operation, correlation_id: CorrelationId::new("c").expect("an id"), attempts: 1 }
}

fn refused(operation: Operation, status: u16, object: bool, after: Option<u64>) -> Error {
    Error::Refused {
        context: context(operation),
        status,
        code: object.then_some(ErrorCode::ServiceUnavailable),
        error: None,
        retry_after: after.map(Duration::from_secs),
    }
}

fn lost(operation: Operation, loss: Loss) -> Error {
    Error::NoAnswer { context: context(operation), loss, source: None }
}

/// (ambiguous, advice, repeated by itself)
type Row = (bool, Retry, bool);
const NO: Row = (false, Retry::Never, false);
const DOUBT: Row = (true, Retry::Never, false);
const AGAIN: Row = (false, Retry::Safe, true);

#[track_caller]
fn check(what: &str, error: impl Fn(Operation) -> Error, creations: Row, others: Row) {
    for operation in ALL {
        let error = error(operation);
        let expected = if operation.is_creation() { creations } else { others };
        let found = (error.is_ambiguous(), error.retry(), repeated_by_itself(&error));
        assert_eq!(found, expected, "{what}, {operation}");
    }
}

#[test]
fn only_the_three_creations_create() {
    let creations: Vec<_> = ALL.into_iter().filter(|operation| operation.is_creation()).collect();
    assert_eq!(creations, [Operation::CreateMerchant, Operation::CreateToken, Operation::CreateTransaction]);
}

#[test]
fn the_table_holds_for_statuses() {
    for status in [400, 401, 403, 404, 405, 409, 413, 415, 418, 499] {
        for object in [true, false] {
            check("4xx", |op| refused(op, status, object, None), NO, NO);
        }
    }
    for object in [true, false] {
        check("429", |op| refused(op, 429, object, None), AGAIN, AGAIN);
        check("500", |op| refused(op, 500, object, None), DOUBT, NO);
        check("502", |op| refused(op, 502, object, None), DOUBT, AGAIN);
        check("504", |op| refused(op, 504, object, None), DOUBT, AGAIN);
        for unnamed in [302, 501, 505, 599] {
            check("unnamed", |op| refused(op, unnamed, object, None), DOUBT, NO);
        }
    }
    check("503", |op| refused(op, 503, true, None), AGAIN, AGAIN);
    check("503 of a stranger", |op| refused(op, 503, false, None), DOUBT, AGAIN);
}

#[test]
fn a_retry_after_is_passed_on_where_a_repetition_is_allowed() {
    let after = (false, Retry::After(Duration::from_secs(3)), true);
    check("429", |op| refused(op, 429, true, Some(3)), after, after);
    check("503", |op| refused(op, 503, true, Some(3)), after, after);
    check("502", |op| refused(op, 502, false, Some(3)), DOUBT, after);
    check("500", |op| refused(op, 500, true, Some(3)), DOUBT, NO);
    check("404", |op| refused(op, 404, true, Some(3)), NO, NO);
}

#[test]
fn the_table_holds_for_losses() {
    let caller_decides = (false, Retry::Safe, false);
    check("before", |op| lost(op, Loss::BeforeFirstByte), caller_decides, AGAIN);
    check("after", |op| lost(op, Loss::AfterFirstByte), DOUBT, AGAIN);
    check("not begun", |op| lost(op, Loss::NotBegun), caller_decides, AGAIN);
    check("alert", |op| lost(op, Loss::RefusedInHandshake), NO, NO);
    check("trust", |op| lost(op, Loss::ServerNotTrusted), NO, NO);
    check("incompatible", |op| lost(op, Loss::NothingInCommon), NO, NO);
    let unreadable =
        |op| Error::Unreadable { context: context(op), status: 201, reason: String::new(), source: None };
    check("unreadable", unreadable, DOUBT, AGAIN);
    let prepare = |op| Error::Prepare { context: context(op), reason: String::new() };
    check("prepare", prepare, NO, NO);
}

#[test]
fn the_pause_doubles_up_to_its_cap_and_jitters_below() {
    let policy = RetryPolicy::default();
    for (attempts, most) in [(1, 200), (2, 400), (3, 800), (6, 5_000), (u32::MAX, 5_000)] {
        let most = Duration::from_millis(most);
        assert_eq!(policy.pause(attempts, 0.0), most / 2);
        assert_eq!(policy.pause(attempts, 1.0), most);
    }
}

#[test]
fn the_policy_ends_at_its_limits() {
    let policy = RetryPolicy::default();
    let long = Duration::from_secs(3_600);
    let busy = |after| refused(Operation::CreateToken, 503, true, after);
    assert!(policy.next(&busy(None), 3, long, 0.5).is_some());
    assert_eq!(policy.next(&busy(None), 4, long, 0.5), None);
    assert_eq!(policy.next(&busy(Some(7)), 1, long, 0.5), Some(Duration::from_secs(7)));
    assert_eq!(policy.next(&busy(Some(31)), 1, long, 0.5), None);
    assert_eq!(policy.next(&busy(Some(7)), 1, Duration::from_secs(7), 0.5), None);
    assert_eq!(RetryPolicy::never().next(&busy(None), 1, long, 0.5), None);
}

#[test]
fn a_404_is_success_only_for_a_deletion_in_doubt_and_in_the_words_of_d1() {
    let gone = |operation, status, code: Option<&str>| Error::Refused {
        context: context(operation),
        status,
        code: code.map(|code| ErrorCode::from(code.to_owned())),
        error: None,
        retry_after: None,
    };
    let d1 = Some("RESOURCE_NOT_FOUND");
    assert!(is_already_gone(&gone(Operation::DeleteToken, 404, d1), true));
    assert!(!is_already_gone(&gone(Operation::DeleteToken, 404, d1), false));
    assert!(!is_already_gone(&gone(Operation::DeleteToken, 404, None), true));
    assert!(!is_already_gone(&gone(Operation::DeleteToken, 404, Some("NO_ROUTE")), true));
    assert!(!is_already_gone(&gone(Operation::DeleteToken, 403, d1), true));
    assert!(!is_already_gone(&gone(Operation::GetToken, 404, d1), true));
}

#[test]
fn each_setting_of_the_policy_sets_itself_alone() {
    let (default, some) = (RetryPolicy::default(), Duration::from_millis(1_234));
    for (changed, expected) in [
        (default.with_max_attempts(9), RetryPolicy { max_attempts: 9, ..default }),
        (default.with_first_pause(some), RetryPolicy { first_pause: some, ..default }),
        (default.with_max_pause(some), RetryPolicy { max_pause: some, ..default }),
        (default.with_max_retry_after(some), RetryPolicy { max_retry_after: some, ..default }),
        (RetryPolicy::never(), RetryPolicy { max_attempts: 1, ..default }),
    ] {
        assert_eq!(changed, expected);
        assert_ne!(changed, default);
    }
}
