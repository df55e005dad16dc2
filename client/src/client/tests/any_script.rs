//! Any script of answers against contract C34, which is told here a second time as a plain model.

use proptest::prelude::*;
use wiremock::ResponseTemplate;

use super::script::{ALL, Turn, World};
use super::*;

/// What the server does with one request.
#[derive(Debug, Clone)]
enum Step {
    Good,
    /// A status that is no success, with D1's error object (the code) or without one, and with a `Retry-After`.
    Refusal {
        status: u16,
        code: Option<&'static str>,
        retry_after: Option<&'static str>,
    },
    /// A success that is a page of HTML.
    Strange(u16),
    Lost,
}

fn step() -> impl Strategy<Value = Step> {
    let status = prop_oneof![
        Just(401_u16),
        Just(404),
        Just(429),
        Just(500),
        Just(502),
        Just(503),
        Just(504),
        300_u16..600,
    ];
    let code = prop_oneof![
        Just(None),
        proptest::sample::select(vec!["SERVICE_UNAVAILABLE", "RESOURCE_NOT_FOUND", "NEW_CODE"])
            .prop_map(Some),
    ];
    let retry_after = proptest::option::of(proptest::sample::select(vec![
        "0",
        "1",
        "7",
        "30",
        "31",
        "99999999999999999999999",
        "-1",
        "soon",
        "Sun, 06 Nov 1994 08:49:37 GMT",
    ]));
    prop_oneof![
        2 => Just(Step::Good),
        8 => (status, code, retry_after)
            .prop_map(|(status, code, retry_after)| Step::Refusal { status, code, retry_after }),
        1 => (200_u16..204).prop_map(Step::Strange),
        1 => Just(Step::Lost),
    ]
}

/// One run: an operation, what the server does in turn (the last for ever), and the settings that matter.
#[derive(Debug, Clone)]
struct Plan {
    operation: Operation,
    steps: Vec<Step>,
    max_attempts: u32,
    overall_seconds: u64,
    /// The texts of the error objects.
    text: String,
}

fn plan() -> impl Strategy<Value = Plan> {
    (
        proptest::sample::select(ALL.to_vec()),
        proptest::collection::vec(step(), 1..8),
        1_u32..6,
        proptest::sample::select(vec![15_u64, 16, 20, 45, 120]),
        "(\\PC{0,30}|RESOURCE_NOT_FOUND|AUTHORIZER_UNAUTHORIZED)",
    )
        .prop_map(|(operation, steps, max_attempts, overall_seconds, text)| Plan {
            operation,
            steps,
            max_attempts,
            overall_seconds,
            text,
        })
}

/// How a call ended: requests at the operation and at the token endpoint, what was waited in all, and whether it
/// succeeded or else (ambiguous, may be repeated by the caller).
#[derive(Debug, PartialEq, Eq)]
struct Ended {
    sent: usize,
    tokens: usize,
    waited: Duration,
    outcome: Result<(), (bool, Retry)>,
}

/// A row of contract C34: may have been carried out, is repeated by itself for reads, for creations.
struct Row {
    doubt: bool,
    reads_repeat: bool,
    creations_repeat: bool,
}

impl Step {
    fn row(&self) -> Row {
        let row = |doubt, reads_repeat, creations_repeat| Row { doubt, reads_repeat, creations_repeat };
        match self {
            Self::Refusal { status: 429, .. } | Self::Refusal { status: 503, code: Some(_), .. } => {
                row(false, true, true)
            }
            Self::Refusal { status: 400..=499, .. } => row(false, false, false),
            Self::Refusal { status: 502..=504, .. } => row(true, true, false),
            Self::Refusal { .. } => row(true, false, false),
            Self::Good | Self::Strange(_) | Self::Lost => row(true, true, false),
        }
    }

    /// What D1 asks for, in seconds.
    fn asked(&self) -> Option<u64> {
        let Self::Refusal { retry_after, .. } = self else { return None };
        match *retry_after {
            Some("Sun, 06 Nov 1994 08:49:37 GMT") => Some(0),
            Some("99999999999999999999999") => Some(86_400),
            Some(text) => text.parse().ok(),
            None => None,
        }
    }
}

impl Plan {
    /// What C34, the policy and the budget make of it.
    fn expected(&self) -> Ended {
        let creation = self.operation.is_creation();
        let mut ended = Ended { sent: 0, tokens: 1, waited: Duration::ZERO, outcome: Ok(()) };
        let (mut counted, mut replayed, mut doubt) = (0_u32, false, false);
        loop {
            let step = &self.steps[ended.sent.min(self.steps.len() - 1)];
            ended.sent += 1;
            counted += 1;
            let gone = matches!(step, Step::Refusal { status: 404, code: Some("RESOURCE_NOT_FOUND"), .. });
            if matches!(step, Step::Good) || (gone && doubt && self.operation == Operation::DeleteToken) {
                break;
            }
            let unauthorized = matches!(step, Step::Refusal { status: 401, .. });
            let row = step.row();
            let repeats = if creation { row.creations_repeat } else { row.reads_repeat };
            let advice = match step.asked() {
                _ if !repeats => Retry::Never,
                Some(asked) => Retry::After(Duration::from_secs(asked)),
                None => Retry::Safe,
            };
            let failed = Err((row.doubt && creation, advice));
            // What is left for another attempt to begin in: for a creation, all but the time of one attempt.
            let reserved = if creation { 15 } else { 0 };
            let room = Duration::from_secs(self.overall_seconds - reserved).saturating_sub(ended.waited);
            if unauthorized && !replayed && self.operation != Operation::GetAccessToken {
                replayed = true;
                counted -= 1;
                ended.tokens += 1;
                if room.is_zero() {
                    ended.outcome = failed;
                    break;
                }
                continue;
            }
            let own = Duration::from_millis(100 << (counted - 1)).min(Duration::from_millis(2_500));
            let pause = own.max(Duration::from_secs(step.asked().unwrap_or(0)));
            let patient = step.asked().is_none_or(|asked| asked <= 30);
            if !repeats || counted >= self.max_attempts || !patient || pause >= room {
                ended.outcome = failed;
                break;
            }
            ended.waited += pause;
            doubt |= row.doubt;
        }
        if self.operation == Operation::GetAccessToken {
            ended.tokens = ended.sent;
        }
        ended
    }

    async fn run(&self) -> Ended {
        let policy = RetryPolicy::default().with_max_attempts(self.max_attempts);
        let overall = Duration::from_secs(self.overall_seconds);
        let world =
            World::with(|config| config.retry(policy).overall_timeout(overall).fixed_jitter(0.0)).await;
        let turns = self.steps.iter().map(|step| self.turn(&world, step)).collect();
        world.mount_turns(self.operation, turns).await;
        let other = match self.operation {
            Operation::GetAccessToken => Operation::GetToken,
            _ => Operation::GetAccessToken,
        };
        world.mount_turns(other, vec![Turn::Answer(world.good(other))]).await;
        let before = world.clock.elapsed();
        let result = world.call(self.operation).await;
        Ended {
            sent: world.requests(self.operation).await,
            tokens: world.requests(Operation::GetAccessToken).await,
            waited: world.clock.elapsed() - before,
            outcome: result.map_err(|error| (error.is_ambiguous(), error.retry())),
        }
    }

    fn turn(&self, world: &World, step: &Step) -> Turn {
        Turn::Answer(match step {
            Step::Lost => return Turn::Lost,
            Step::Good => world.good(self.operation),
            Step::Strange(status) => ResponseTemplate::new(*status).set_body_string("<html>hello</html>"),
            Step::Refusal { status, code, retry_after } => {
                let body = match code {
                    Some(code) => serde_json::json!({ "errorCode": code, "error": self.text }),
                    None => serde_json::json!({ "error": self.text }),
                };
                let template = ResponseTemplate::new(*status).set_body_string(body.to_string());
                match retry_after {
                    Some(value) => template.insert_header("retry-after", *value),
                    None => template,
                }
            }
        })
    }
}

proptest! {
    /// Among others: what must not be repeated never is, one 401 makes one refresh and one replay, the text of an error
    /// decides nothing, and the pauses stay within the budget.
    #[test]
    fn any_script_ends_as_the_contract_says(plan in plan()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let found = runtime.block_on(plan.run());
        prop_assert!(found.waited < Duration::from_secs(plan.overall_seconds));
        prop_assert_eq!(found, plan.expected());
    }
}
