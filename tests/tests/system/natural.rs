//! Natural cases: what they claim of D1 is held against what a real one answers.

use d1_contracts::{
    Case, GivenClock, GivenTokenState, Kind, Ran, RunError, Subject, built_in_cases, run_case,
};
use d1_simulator::cli::{OwnClient, contract_stage};
use serde_json::json;
use system_tests::Folder;

fn natural(id: &str) -> Case {
    let case = built_in_cases().expect("good cases").into_iter().find(|case| case.id == id);
    let case = case.unwrap_or_else(|| panic!("no case {id}"));
    assert_eq!(case.kind(), Kind::Natural);
    case
}

async fn run(case: &Case) -> Result<Ran, RunError> {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let subject: &dyn Subject = &OwnClient::new(folder.root());
    run_case(&stage, case, subject).await
}

async fn served(case: &Case) -> String {
    run(case).await.expect("it runs").verdict.served.expect_err("D1 answers something else")
}

#[tokio::test]
async fn a_state_in_which_d1_answers_otherwise_is_a_fault_of_the_case() {
    let mut case = natural("inbound/createTransaction/403/FORBIDDEN_STATE/natural-suspended");
    let token = |case: &mut Case, state| {
        case.given.as_mut().and_then(|given| given.token.as_mut()).expect("a token").state = state;
    };
    token(&mut case, GivenTokenState::Active);
    assert_eq!(served(&case).await, "answer 1 of D1: expected 403, found 201");
    token(&mut case, GivenTokenState::Deleted);
    assert_eq!(served(&case).await, "answer 1 of D1: expected 403, found 404");
    token(&mut case, GivenTokenState::Suspended);
    case.answers[0].body = Some(json!({"errorCode": "FORBIDDEN_STATE", "error": "another text"}));
    assert_eq!(
        served(&case).await,
        "answer 1 of D1: error: expected as the case has it, found another or none"
    );
    case.answers[0].body = None;
    case.answers[0].headers.insert("retry-after".to_owned(), "1".to_owned());
    assert!(served(&case).await.contains("header retry-after"));
}

#[tokio::test]
async fn identifiers_are_made_up_anew_and_a_plaintext_is_what_d1_has_sealed() {
    let mut case = natural("inbound/getToken/200/none/natural");
    let ran = run(&case).await.expect("it runs");
    assert!(ran.verdict.passed(), "{:?}", ran.verdict);
    let told = ran.told.expect("it came back");
    assert_ne!(told.result["tokenId"], json!(d1_contracts::TOKEN_ID));
    let dpan = told.result["dpan"].as_str().expect("a DPAN");
    let last = dpan.get(dpan.len() - 4..);
    assert_eq!(told.result["tokenLastDigits"].as_str(), last, "the DPAN that the token stands for");
    assert!(!format!("{:?}", ran.exchanges).contains(dpan), "it stands in no trace");
    // What the answer has as another member is another value.
    case.expect.result.insert("dpan".to_owned(), json!({"$answered": "exp"}));
    let ran = run(&case).await.expect("it runs");
    assert_eq!(ran.verdict.reported, Err("dpan: understood another value than was sent".to_owned()));
}

#[tokio::test]
async fn a_clock_is_as_far_off_as_the_case_says() {
    // Ours takes five minutes either way, and D1 no more than that.
    for (clock, passes) in [
        (GivenClock::AheadS(299), true),
        (GivenClock::AheadS(320), false),
        (GivenClock::BehindS(420), true),
        (GivenClock::BehindS(480), false),
    ] {
        let mut case = natural("inbound/getAccessToken/200/none/clock-ahead-1s");
        case.given.as_mut().expect("a state").clock = Some(clock);
        let ran = run(&case).await.expect("it runs");
        assert_eq!(ran.verdict.passed(), passes, "{clock}: {:?}", ran.verdict);
    }
}

#[tokio::test]
async fn a_card_that_is_not_in_the_table_is_a_fault_of_the_suite() {
    let mut case = natural("inbound/createToken/201/none/natural");
    case.given.as_mut().and_then(|given| given.card.as_mut()).expect("a card").name = "nobodys".to_owned();
    let fault = run(&case).await.expect_err("no such card");
    assert!(matches!(fault, RunError::Play { .. }), "{fault}");
    let source = std::error::Error::source(&fault).expect("a reason").to_string();
    assert!(source.contains("no test card nobodys"), "{source}");
}
