//! The client against a scripted server: contract C34 on the wire, access tokens, limits, and what must not be logged.
//!
//! The server speaks plain HTTP, which only tests can reach; TLS has tests of its own.

mod any_answer;
mod any_script;
mod script;
mod tokens;
mod traces;

use std::time::Duration;

use super::*;
use crate::error::Loss;
use crate::retry::Retry;
use script::{ALL, Script, Step, World};

fn object(status: u16) -> Step {
    Step::Answer(status, r#"{"errorCode":"SERVICE_UNAVAILABLE","error":"later"}"#)
}

fn plain(status: u16) -> Step {
    Step::Answer(status, "<html>sorry</html>")
}

/// What a call comes to: requests sent, and `Ok`, or (ambiguous, what the caller may do).
type Outcome = (usize, Result<(), (bool, Retry)>);

#[track_caller]
fn verify(what: &str, operation: Operation, found: Outcome, expected: Outcome) {
    assert_eq!(found, expected, "{what}, {operation}");
}

async fn outcome(operation: Operation, steps: &[Step]) -> Outcome {
    let world = World::new().await;
    world.script(operation, Script::new(steps)).await;
    let result = world.call(operation).await;
    (world.requests(operation).await, result.map_err(|error| (error.is_ambiguous(), error.retry())))
}

async fn check(what: &str, steps: &[Step], creations: Outcome, others: Outcome) {
    for operation in ALL {
        let expected = if operation.is_creation() { creations } else { others };
        verify(what, operation, outcome(operation, steps).await, expected);
    }
}

const DONE: Outcome = (1, Ok(()));
const DONE_AT_SECOND: Outcome = (2, Ok(()));
const REFUSED: Outcome = (1, Err((false, Retry::Never)));
const IN_DOUBT: Outcome = (1, Err((true, Retry::Never)));

#[tokio::test]
async fn every_operation_succeeds() {
    check("success", &[Step::Good], DONE, DONE).await;
}

#[tokio::test]
async fn what_d1_says_was_not_carried_out_is_repeated_for_every_operation() {
    for status in [429, 503] {
        check("later", &[object(status), Step::Good], DONE_AT_SECOND, DONE_AT_SECOND).await;
    }
    check("429 without object", &[plain(429), Step::Good], DONE_AT_SECOND, DONE_AT_SECOND).await;
}

#[tokio::test]
async fn a_creation_in_doubt_is_never_sent_again_and_the_rest_is() {
    for status in [502, 503, 504] {
        check("stranger", &[plain(status), Step::Good], IN_DOUBT, DONE_AT_SECOND).await;
    }
    check("lost", &[Step::Lost, Step::Good], IN_DOUBT, DONE_AT_SECOND).await;
}

#[tokio::test]
async fn an_internal_error_is_never_repeated() {
    for step in [object(500), plain(500)] {
        check("500", &[step, Step::Good], IN_DOUBT, REFUSED).await;
    }
}

#[tokio::test]
async fn a_refusal_is_final_and_not_in_doubt() {
    for status in [400, 403, 404, 405, 409, 413, 415] {
        check("4xx", &[object(status), Step::Good], REFUSED, REFUSED).await;
    }
}

#[tokio::test]
async fn a_success_that_cannot_be_read_leaves_a_creation_in_doubt() {
    for body in ["", "{", "[]", "{}", "{\"merchantId\":\"a\",\"merchantId\":\"b\"}"] {
        let steps = [Step::Answer(201, body), Step::Good];
        for operation in ALL {
            let expected = match operation {
                // A deletion has nothing to say, but only D1 can say nothing.
                Operation::DeleteToken if ["", "[]", "{}"].contains(&body) => DONE,
                Operation::DeleteToken | Operation::GetAccessToken | Operation::GetToken => DONE_AT_SECOND,
                Operation::CreateMerchant | Operation::CreateToken | Operation::CreateTransaction => IN_DOUBT,
            };
            verify(body, operation, outcome(operation, &steps).await, expected);
        }
    }
}

#[tokio::test]
async fn the_attempts_end_at_four() {
    let given_up = (4, Err((false, Retry::Safe)));
    check("busy", &[object(503)], given_up, given_up).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    check("302", &[Step::Redirect, Step::Good], IN_DOUBT, REFUSED).await;
}

#[tokio::test]
async fn a_401_is_answered_with_one_new_token_and_one_replay() {
    const STALE: Step = Step::Answer(401, r#"{"error":"AUTHORIZER_UNAUTHORIZED"}"#);
    for operation in ALL.into_iter().filter(|op| *op != Operation::GetAccessToken) {
        let world = World::new().await;
        world.script(operation, Script::new(&[STALE, Step::Good])).await;
        world.call(operation).await.expect("the replay succeeds");
        assert_eq!(world.requests(operation).await, 2, "{operation}");
        assert_eq!(world.requests(Operation::GetAccessToken).await, 2, "{operation}");

        let world = World::new().await;
        world.script(operation, Script::new(&[STALE])).await;
        let error = world.call(operation).await.expect_err("final");
        assert_eq!((error.status(), error.retry(), error.is_ambiguous()), (Some(401), Retry::Never, false));
        assert_eq!(error.context().attempts, 2);
        assert_eq!(world.requests(operation).await, 2, "{operation}");
        assert_eq!(world.requests(Operation::GetAccessToken).await, 2, "{operation}");
    }
}

#[tokio::test]
async fn a_replay_after_a_401_does_not_use_up_the_policy() {
    let world = World::with(|config| config.retry(RetryPolicy::never())).await;
    let steps = [Step::Answer(401, ""), Step::Good];
    world.script(Operation::CreateToken, Script::new(&steps)).await;
    world.call(Operation::CreateToken).await.expect("the replay succeeds");
}

#[tokio::test]
async fn a_404_to_a_deletion_is_success_only_if_an_answer_of_d1_is_missing() {
    let gone = Step::Answer(404, r#"{"errorCode":"RESOURCE_NOT_FOUND","error":"token"}"#);
    let second = (2, Err((false, Retry::Never)));
    for unanswered in [Step::Lost, plain(502), plain(503), plain(504), plain(200)] {
        assert_eq!(
            outcome(Operation::DeleteToken, &[unanswered, gone]).await,
            DONE_AT_SECOND,
            "{unanswered:?}"
        );
        // A 404 that is not D1's says nothing about the token.
        let found = outcome(Operation::DeleteToken, &[unanswered, plain(404)]).await;
        assert_eq!(found, second, "{unanswered:?}");
    }
    assert_eq!(outcome(Operation::DeleteToken, &[gone]).await, REFUSED);
    assert_eq!(outcome(Operation::DeleteToken, &[object(503), gone]).await, second);
    assert_eq!(outcome(Operation::GetToken, &[Step::Lost, gone]).await, second);
}

#[tokio::test]
async fn a_deletion_is_done_with_any_success_that_can_be_from_d1() {
    for good in [Step::Answer(204, ""), Step::Answer(200, ""), Step::Answer(202, r#"{"x":1e400}"#)] {
        assert_eq!(outcome(Operation::DeleteToken, &[good]).await, DONE, "{good:?}");
    }
    for strange in [plain(200), Step::Huge(200)] {
        let given_up = (4, Err((false, Retry::Safe)));
        assert_eq!(outcome(Operation::DeleteToken, &[strange]).await, given_up, "{strange:?}");
    }
}

#[tokio::test]
async fn a_retry_after_is_waited_for() {
    let world = World::new().await;
    let steps = [Step::RetryAfter("7"), Step::Good];
    world.script(Operation::CreateMerchant, Script::new(&steps)).await;
    let before = world.clock.elapsed();
    world.call(Operation::CreateMerchant).await.expect("done");
    assert_eq!(world.clock.elapsed() - before, Duration::from_secs(7));
}

#[tokio::test]
async fn with_a_fixed_jitter_the_pauses_are_known() {
    for (fraction, paused_ms) in [(0.0, 100 + 200), (1.0, 200 + 400)] {
        let world = World::with(|config| config.fixed_jitter(fraction)).await;
        let steps = [object(503), object(503), Step::Good];
        world.script(Operation::CreateToken, Script::new(&steps)).await;
        let before = world.clock.elapsed();
        world.call(Operation::CreateToken).await.expect("done");
        assert_eq!(world.clock.elapsed() - before, Duration::from_millis(paused_ms));
    }
}

#[tokio::test]
async fn a_retry_after_that_is_too_long_ends_the_call_and_is_passed_on() {
    let steps = [Step::RetryAfter("31"), Step::Good];
    let expected = (1, Err((false, Retry::After(Duration::from_secs(31)))));
    assert_eq!(outcome(Operation::CreateMerchant, &steps).await, expected);
}

#[tokio::test]
async fn a_call_ends_within_its_budget() {
    let world = World::with(|config| {
        config.overall_timeout(Duration::from_secs(16)).retry(RetryPolicy::default().with_max_attempts(100))
    })
    .await;
    world.script(Operation::GetToken, Script::new(&[Step::RetryAfter("5")])).await;
    world.call(Operation::GetToken).await.expect_err("busy");
    assert_eq!(world.requests(Operation::GetToken).await, 4);
}

#[tokio::test]
async fn a_creation_is_not_sent_again_when_too_little_time_is_left_for_its_answer() {
    for (overall_seconds, requests) in [(15, 1), (19, 1), (21, 2)] {
        let world = World::with(|config| config.overall_timeout(Duration::from_secs(overall_seconds))).await;
        world.script(Operation::CreateToken, Script::new(&[Step::RetryAfter("5")])).await;
        let error = world.call(Operation::CreateToken).await.expect_err("busy");
        assert_eq!((error.status(), error.is_ambiguous()), (Some(503), false));
        assert_eq!(world.requests(Operation::CreateToken).await, requests, "{overall_seconds} s");
    }
}

#[tokio::test]
async fn a_call_that_runs_out_of_time_ends_with_its_last_error() {
    for operation in [Operation::CreateToken, Operation::GetToken] {
        let world = World::with(|config| config.overall_timeout(Duration::from_secs(20))).await;
        let steps = [Step::RetryAfter("2"), Step::Answer(401, ""), Step::Good];
        world.mount(operation, Script::new(&steps)).await;
        // The second access token takes what time is left.
        let slow = [Step::Good, Step::RetryAfter("19"), Step::Good];
        world.mount(Operation::GetAccessToken, Script::new(&slow)).await;
        let error = world.call(operation).await.expect_err("out of time");
        let context = error.context();
        assert_eq!(
            (error.status(), context.operation, context.attempts),
            (Some(401), operation, 2),
            "{error}"
        );
        assert_eq!(world.requests(operation).await, 2);
    }
}

#[tokio::test]
async fn an_answer_over_the_limit_is_not_read() {
    let steps = [Step::Huge(201)];
    assert_eq!(outcome(Operation::CreateToken, &steps).await, IN_DOUBT);
    assert_eq!(outcome(Operation::GetToken, &steps).await, (4, Err((false, Retry::Safe))));
    // As an error, the status alone is enough.
    assert_eq!(outcome(Operation::CreateToken, &[Step::Huge(400)]).await, REFUSED);
    assert_eq!(outcome(Operation::CreateToken, &[Step::Huge(503)]).await, IN_DOUBT);
}

#[tokio::test]
async fn an_answer_that_takes_too_long_leaves_a_creation_in_doubt() {
    let world = World::with(|config| {
        config
            .connect_timeout(Duration::from_millis(150))
            .attempt_timeout(Duration::from_millis(200))
            .retry(RetryPolicy::never())
    })
    .await;
    world.script(Operation::CreateToken, Script::new(&[Step::Slow])).await;
    let error = world.call(Operation::CreateToken).await.expect_err("too late");
    assert!(matches!(error, Error::NoAnswer { loss: Loss::AfterFirstByte, .. }), "{error:?}");
    assert!(error.is_ambiguous());
}

#[tokio::test]
async fn a_refused_connection_is_before_the_first_byte() {
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .and_then(|listener| listener.local_addr())
        .expect("a port that nobody listens on any more");
    let world = World::at(format!("http://{free}")).await;
    let error = world.call(Operation::CreateToken).await.expect_err("refused");
    assert_eq!(error.context().operation, Operation::GetAccessToken);
    assert!(matches!(error, Error::NoAnswer { loss: Loss::BeforeFirstByte, .. }), "{error:?}");
    assert_eq!((error.is_ambiguous(), error.retry(), error.context().attempts), (false, Retry::Safe, 4));
}

#[tokio::test]
async fn an_error_names_the_call_and_prints_no_source() {
    let world = World::new().await;
    let steps = [Step::Answer(400, r#"{"errorCode":"INVALID_FIELD","error":"encryptedData"}"#)];
    world.script(Operation::CreateToken, Script::new(&steps)).await;
    let error = world.call(Operation::CreateToken).await.expect_err("refused");
    assert_eq!(
        error.to_string(),
        "createToken (correlation id corr-1, attempts: 1) was refused with status 400, INVALID_FIELD: encryptedData"
    );
    for step in [Step::Lost, Step::Answer(201, "{\"secret\":")] {
        let world = World::new().await;
        world.script(Operation::CreateToken, Script::new(&[step])).await;
        let error = world.call(Operation::CreateToken).await.expect_err("in doubt");
        let mut source = std::error::Error::source(&error);
        assert!(source.is_some(), "{error:?}");
        while let Some(cause) = source {
            assert!(!error.to_string().contains(&cause.to_string()), "{error}");
            source = cause.source();
        }
    }
}
