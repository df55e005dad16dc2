//! Any answer has an outcome, whatever its status, its headers and its body are.

use proptest::prelude::*;
use wiremock::ResponseTemplate;

use super::script::{ALL, BEARER, Turn, World};
use super::*;

#[derive(Debug, Clone)]
struct Raw {
    status: u16,
    content_type: Option<String>,
    body: Vec<u8>,
}

fn raw() -> impl Strategy<Value = Raw> {
    let json = prop_oneof![
        Just(r#"{"errorCode":"SERVICE_UNAVAILABLE","error":"x"}"#.to_owned()),
        "\\{\"(tokenId|merchantId|transactionId|encryptedData|access_token|expires_in)\":(\"[a-zA-Z0-9._-]{0,20}\"|[0-9.e-]{1,6}|null)\\}",
        Just(format!("{}{}", "[".repeat(200), "]".repeat(200))),
    ];
    let body = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..300),
        json.prop_map(String::into_bytes),
        Just(vec![b' '; 64 * 1024 + 1]),
    ];
    let status = prop_oneof![200_u16..=299, 300_u16..=599, 200_u16..=999];
    let content_type = proptest::option::of("[ -~]{0,30}");
    (status, content_type, body).prop_map(|(status, content_type, body)| Raw { status, content_type, body })
}

impl Raw {
    fn template(&self) -> ResponseTemplate {
        let template = ResponseTemplate::new(self.status).set_body_bytes(self.body.clone());
        match &self.content_type {
            Some(text) => template.insert_header("content-type", text.trim()),
            None => template,
        }
    }
}

/// Life times that a token endpoint might write.
fn expires_in() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "0", "-1", "1e300", "1e400", "0.001", "900.0", "null", "\"900\"", "[]"
        ])
        .prop_map(str::to_owned),
        any::<f64>()
            .prop_filter("JSON has no other numbers", |number| number.is_finite())
            .prop_map(|number| number.to_string()),
        (-5_i64..2_000).prop_map(|number| number.to_string()),
    ]
}

async fn answered(operation: Operation, answers: &[ResponseTemplate]) -> (World, Result<(), Error>) {
    let world = World::with(|config| config.fixed_jitter(0.0)).await;
    let turns = answers.iter().cloned().map(Turn::Answer).collect();
    world.mount_turns(operation, turns).await;
    let other = match operation {
        Operation::GetAccessToken => Operation::GetToken,
        _ => Operation::GetAccessToken,
    };
    world.mount_turns(other, vec![Turn::Answer(world.good(other))]).await;
    // In real time: the clock of the world skips what it is told to wait.
    let call = tokio::time::timeout(Duration::from_secs(20), world.call(operation)).await;
    let result = call.expect("a call ends");
    (world, result)
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

proptest! {
    #[test]
    fn any_answer_has_an_outcome_for_every_operation(
        operation in proptest::sample::select(ALL.to_vec()),
        answers in proptest::collection::vec(raw(), 1..4),
    ) {
        let templates: Vec<_> = answers.iter().map(Raw::template).collect();
        let (world, result) = block_on(answered(operation, &templates));
        let sent = block_on(world.requests(operation));
        // Four attempts by the policy, and the replay after a 401.
        prop_assert!((1..=5).contains(&sent), "{sent}");
        let last = &answers[(sent - 1).min(answers.len() - 1)];
        match result {
            Ok(()) => prop_assert!((200..300).contains(&last.status) || operation == Operation::DeleteToken),
            Err(error) => {
                let status = error.status();
                // A body over the limit may be cut off by us before the server is done with it, so that it never ends.
                prop_assert!(status == Some(last.status) || status.is_none(), "{error}");
                prop_assert!(!error.to_string().contains(BEARER));
                if operation.is_creation() && !matches!(answers[0].status, 401 | 429 | 503) {
                    prop_assert_eq!(sent, 1, "a creation is not sent again");
                }
            }
        }
    }

    #[test]
    fn any_access_token_is_used_or_given_up_and_never_asked_for_without_end(
        lives in proptest::collection::vec(expires_in(), 1..5),
        statuses in proptest::collection::vec(200_u16..300, 5),
        pass in proptest::collection::vec(0_u64..1_000, 1..6),
    ) {
        let templates: Vec<_> = lives.iter().zip(&statuses).map(|(life, status)| {
            let body = format!(r#"{{"access_token":"{BEARER}","expires_in":{life}}}"#);
            ResponseTemplate::new(*status).set_body_string(body)
        }).collect();
        block_on(async {
            let (world, _) = answered(Operation::GetAccessToken, &templates).await;
            for seconds in &pass {
                world.clock.advance(Duration::from_secs(*seconds));
                let call = tokio::time::timeout(Duration::from_secs(20), world.call(Operation::GetToken)).await;
                let _outcome = call.expect("a call ends");
            }
            let (asked, calls) = (world.requests(Operation::GetAccessToken).await, pass.len() + 1);
            prop_assert!(asked <= 4 * calls, "{asked} requests for {calls} calls");
            Ok(())
        })?;
    }
}
