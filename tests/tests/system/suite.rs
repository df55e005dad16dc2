//! The contract suite against our own client, over real mutual TLS, and that the suite can fail.

use std::collections::BTreeMap;
use std::sync::Arc;

use d1_client::{Client, MerchantId, TokenId};
use d1_contracts::{
    BoxFuture, Break, BrokenClient, Case, Catalogue, Count, Kind, MERCHANT_ID, Ran, ReportedOutcome,
    Retryable, Subject, TOKEN_ID, Task, Told, built_in_cases, first_kills, judge_case, run_case, run_cases,
    sabotage,
};
use d1_simulator::cli::{OwnClient, contract_props, contract_stage};
use system_tests::{Folder, client_config};
use tokio::task::JoinSet;

/// Every case that is built in, literal or made.
fn all_cases() -> Vec<Case> {
    let contract = d1_contracts::inbound().expect("the contract");
    Catalogue::built_in(&contract).expect("good cases").cases().to_vec()
}

async fn run_all() -> Vec<Ran> {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let subject: Arc<dyn Subject> = Arc::new(OwnClient::new(folder.root()));
    run_cases(&stage, &all_cases(), &subject, 8, &|_| ()).await.expect("it runs")
}

/// The same case with one expectation turned into another than what was told, and nothing else being right.
fn flipped(case: &Case, told: &Told) -> Vec<(&'static str, Case)> {
    let mut case = case.clone();
    (case.expect.outcome, case.expect.retryable) = (told.outcome.clone(), told.retryable);
    (case.expect.ambiguous, case.expect.or) = (told.ambiguous, Vec::new());
    let case = &case;
    let change = |what, make: &dyn Fn(&mut Case)| {
        let mut other = case.clone();
        make(&mut other);
        (what, other)
    };
    let outcome = match case.expect.outcome {
        ReportedOutcome::Ok => ReportedOutcome::Unreadable,
        _ => ReportedOutcome::Ok,
    };
    let retryable = match case.expect.retryable {
        Retryable::Never => Retryable::Safe,
        Retryable::Safe | Retryable::After => Retryable::Never,
    };
    let mut all = vec![
        change("outcome", &|other| other.expect.outcome = outcome.clone()),
        change("retryable", &|other| other.expect.retryable = retryable),
        change("ambiguous", &|other| other.expect.ambiguous = !case.expect.ambiguous),
        change("attempts", &|other| other.expect.attempts = Count::Exactly(99)),
        change("pause", &|other| other.expect.waits_at_least_ms = u64::MAX),
        change("the answer of the cell", &|other| {
            other.id = case.id.replacen(case.cell(), "inbound/getToken/418/TEAPOT", 1)
        }),
    ];
    if case.expect.access_tokens.is_some() {
        all.push(change("access tokens", &|other| other.expect.access_tokens = Some(Count::Exactly(99))));
    }
    let understood = case.expect.result.keys().filter(|_| told.outcome == ReportedOutcome::Ok);
    for name in understood {
        all.push(change("a member", &|other| {
            other.expect.result.insert(name.clone(), "another value".into());
        }));
    }
    // What D1 must answer by itself, as far as it was asked.
    for place in 0..if case.kind() == Kind::Natural { case.answers.len() } else { 0 } {
        all.push(change("the status of an answer", &|other| other.answers[place].status = 299));
        for name in case.answers[place].headers.keys() {
            all.push(change("a header of an answer", &|other| {
                other.answers[place].headers.insert(name.clone(), "another".to_owned());
            }));
        }
        let body = case.answers[place].body.as_ref().and_then(serde_json::Value::as_object);
        for name in body.into_iter().flat_map(serde_json::Map::keys) {
            all.push(change("a member of an answer", &|other| {
                other.answers[place].body.as_mut().expect("a body")[name] = "another".into();
            }));
        }
    }
    for name in case.expect.result.keys().filter(|_| told.outcome == ReportedOutcome::Ok) {
        all.push(change("where a member is answered", &|other| {
            other.expect.result.insert(name.clone(), serde_json::json!({"$answered": "no such member"}));
        }));
    }
    if let ReportedOutcome::Refused { status, code } = case.expect.outcome.clone() {
        let other_code = Some(code.map_or("INVALID_FIELD".to_owned(), |code| format!("{code}S")));
        let refused = ReportedOutcome::Refused { status, code: other_code };
        all.push(change("code", &|other| other.expect.outcome = refused.clone()));
    }
    all
}

#[tokio::test]
async fn our_client_passes_every_case_and_any_flipped_expectation_fails() {
    let ran = run_all().await;
    let failed: Vec<String> = ran
        .iter()
        .flat_map(|one| {
            one.verdict.faults().map(|(witness, fault)| format!("{}: {witness}: {fault}", one.case.id))
        })
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert!(ran.len() > 440, "{}", ran.len());
    for one in &ran {
        let told = one.told.as_ref().expect("it came back");
        for (what, case) in flipped(&one.case, told) {
            let verdict = judge_case(&case, &one.exchanges, told);
            assert!(!verdict.passed(), "{}: {what} was turned round and nobody noticed", one.case.id);
        }
    }
}

#[tokio::test]
async fn a_server_that_was_never_asked_and_an_answer_against_the_contract_are_no_witnesses() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let subject = OwnClient::new(folder.root());
    let cases = built_in_cases().expect("good cases");
    let mut case = cases.into_iter().find(|case| case.id.contains("createMerchant/403")).expect("a case");
    let ran = run_case(&stage, &case, &subject).await.expect("it runs");
    let told = ran.told.expect("it came back");
    assert!(judge_case(&case, &[], &told).served.is_err(), "nothing was served");
    // An answer that the contract does not allow: another code than the cell's status has.
    case.answers[0].body = Some(serde_json::json!({"errorCode": "FORBIDDEN", "error": "x", "more": 1}));
    let ran = run_case(&stage, &case, &subject).await.expect("it runs");
    assert!(ran.verdict.served.is_err(), "{:?}", ran.verdict);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_client_without_a_fault_passes_every_case_and_every_broken_one_is_killed() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let props = contract_props(folder.root()).expect("props");
    let cases = all_cases();
    let kills = first_kills(&stage, &props, &cases).await.expect("it runs");
    assert!(kills.unsound.is_empty(), "{:#?}", kills.unsound);
    assert_eq!(kills.survivors().collect::<Vec<_>>(), [], "{}", kills.text());
    assert_eq!(kills.idle().collect::<Vec<_>>(), [""; 0], "{}", kills.text());
    assert_eq!((kills.by_break.len(), kills.by_case.len()), (Break::ALL.len(), cases.len()));
}

#[tokio::test(flavor = "multi_thread")]
async fn each_of_these_cases_is_there_for_the_one_thing_that_it_notices() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let props = contract_props(folder.root()).expect("props");
    let (cases, mut running) = (all_cases(), JoinSet::new());
    for (broken, id) in [
        (Break::SwallowDelete404, "inbound/deleteToken/404/RESOURCE_NOT_FOUND/first-try"),
        (Break::ForgetDoubt, "inbound/deleteToken/404/RESOURCE_NOT_FOUND/after-a-lost-answer"),
        (Break::NotAmbiguous, "inbound/createTransaction/500/INTERNAL_ERROR/told-once"),
        (Break::IgnoreSealed, "inbound/getToken/200/none/reads"),
        (Break::StaleBearer, "inbound/createToken/401/none/once"),
        (Break::RetryForever, "inbound/getAccessToken/429/TOO_MANY_REQUESTS/for-ever"),
        (Break::AnyCertificate, "inbound/createTransaction/transport/certificate-self-signed/generated"),
        (Break::NoHostname, "inbound/createTransaction/transport/certificate-wrong-name/generated"),
        (Break::NoDates, "inbound/getToken/transport/certificate-expired/generated"),
        (Break::AcceptTruncated, "inbound/getToken/transport/cut-without-goodbye/generated"),
        (Break::NoBodyLimit, "inbound/getToken/transport/body-endless/generated"),
        (Break::NoTimeout, "inbound/getAccessToken/transport/head-dripping/generated"),
        (Break::NoTimeout, "inbound/createTransaction/transport/handshake-silent/generated"),
        (Break::NoTimeout, "inbound/getToken/transport/body-dripping/generated"),
        (Break::NoBodyLimit, "inbound/createTransaction/transport/head-endless/generated"),
        (Break::FollowRedirects, "inbound/createTransaction/transport/redirected/generated"),
        (Break::RetryAfterOnlySeconds, "inbound/deleteToken/transport/retry-after-date/generated"),
        (Break::SkipTag, "inbound/createTransaction/transport/jwe-ciphertext-changed/generated"),
        (Break::SkipTag, "inbound/getToken/transport/jwe-tag-changed/generated"),
        (Break::SkipTag, "inbound/getToken/transport/jwe-header-changed/generated"),
        (Break::TrustHeader, "inbound/getToken/transport/jwe-enc-a128gcm/generated"),
        (Break::TrustHeader, "inbound/getToken/transport/jwe-alg-dir/generated"),
        (Break::TrustHeader, "inbound/createTransaction/transport/jwe-crit-unknown/generated"),
        (Break::TrustHeader, "inbound/getToken/transport/jwe-zip/generated"),
        (Break::TrustHeader, "inbound/createTransaction/transport/jwe-json-serialization/generated"),
        (Break::PanicUnreadable, "inbound/getAccessToken/transport/body-invalid-utf8-ignored/generated"),
        (Break::PanicUnreadable, "inbound/getToken/transport/body-bom/generated"),
        (Break::PanicUnreadable, "inbound/createTransaction/transport/body-deep/generated"),
        (Break::WantMediaType, "inbound/getAccessToken/transport/media-type-missing/generated"),
        (Break::WantMediaType, "inbound/createTransaction/transport/media-type-other/generated"),
        (
            Break::AnyCertificate,
            "inbound/createTransaction/transport/certificate-without-intermediate/generated",
        ),
        (Break::FollowRedirects, "inbound/deleteToken/transport/redirected-to-another-host/generated"),
        (Break::NotAmbiguous, "inbound/createTransaction/transport/reset-within-request/generated"),
        (Break::RefusalInDoubt, "inbound/createTransaction/transport/http2-stream-refused/generated"),
        (Break::RefusalInDoubt, "inbound/createTransaction/transport/http2-goaway-below/generated"),
        (Break::WaitOutResets, "inbound/createTransaction/transport/http2-stream-refused/generated"),
        (Break::WaitOutResets, "inbound/createTransaction/transport/http2-goaway-below/generated"),
        (Break::GoawayIsNo, "inbound/createTransaction/transport/http2-goaway-above-unanswered/generated"),
        (Break::GoawayIsEnd, "inbound/getToken/transport/http2-goaway-above-answered/generated"),
        (Break::GoawayIsEnd, "inbound/deleteToken/transport/http2-goaway-above-answered/generated"),
        (Break::NotAmbiguous, "inbound/createTransaction/transport/http2-stream-failed/generated"),
        (Break::NotAmbiguous, "inbound/createTransaction/transport/http2-stream-cancelled/generated"),
        (Break::InflateAll, "inbound/getToken/transport/body-gzip-bomb/generated"),
    ] {
        let case = cases.iter().find(|case| case.id == id).unwrap_or_else(|| panic!("{id}")).clone();
        let (stage, props) = (stage.clone(), props.clone());
        // Side by side: some of them are about waiting.
        running.spawn(async move {
            let whole = BrokenClient::new(props.clone(), None);
            let ran = run_case(&stage, &case, &whole).await.expect("it runs");
            assert!(ran.verdict.passed(), "{id}: {:?}", ran.verdict);
            let subject = BrokenClient::new(props, Some(broken));
            let ran = run_case(&stage, &case, &subject).await.expect("it runs");
            assert!(!ran.verdict.passed(), "{broken} survives {id}");
        });
    }
    while let Some(ended) = running.join_next().await {
        ended.expect("the case is there for that");
    }
}

#[tokio::test]
async fn a_case_whose_expectation_is_emptied_kills_nobody_and_is_reported() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let props = contract_props(folder.root()).expect("props");
    let id = "inbound/getToken/200/none/reads";
    let mut case =
        built_in_cases().expect("good cases").into_iter().find(|case| case.id == id).expect("a case");
    case.expect.attempts = Count::Between { min: 0, max: u32::MAX };
    case.expect.access_tokens = None;
    case.expect.result.clear();
    let kills = sabotage(&stage, &props, &[case]).await.expect("it runs");
    assert_eq!(kills.idle().collect::<Vec<_>>(), [id], "{}", kills.text());
    assert!(kills.text().contains(&format!("idle: {id}")), "{}", kills.text());
    assert!(kills.survivors().any(|one| one == Break::StatusOnly), "{}", kills.text());
}

#[tokio::test]
async fn a_client_that_panics_fails_its_case_and_leaves_the_suite_standing() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let props = contract_props(folder.root()).expect("props");
    let subject = BrokenClient::new(props, Some(Break::PanicAlways));
    let case = built_in_cases().expect("good cases").remove(0);
    let ran = run_case(&stage, &case, &subject).await.expect("the suite stands");
    assert_eq!(ran.verdict.reported, Err("the client panicked".to_owned()));
    assert!(ran.told.is_none());
}

/// A client that has learned no HTTP/2.
struct OfHttp1(Arc<Folder>);

impl Subject for OfHttp1 {
    fn name(&self) -> &'static str {
        "of http/1.1 alone"
    }

    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>> {
        Box::pin(async move {
            let client =
                Client::new(client_config(&self.0, task.base_url).http1_only(true)).expect("a client");
            let (merchant, token) = (MerchantId::new(MERCHANT_ID), TokenId::new(TOKEN_ID));
            let (merchant, token) = (merchant.expect("an id"), token.expect("an id"));
            let read = client.get_token(&merchant, &token, None).await;
            let outcome = if read.is_ok() { ReportedOutcome::Ok } else { ReportedOutcome::NoAnswer };
            let (retryable, result) = (Retryable::Never, BTreeMap::new());
            Ok(Told { outcome, retryable, ambiguous: false, result, waited_ms: 0 })
        })
    }
}

#[tokio::test]
async fn a_fault_of_http2_counts_as_served_only_if_its_bytes_left_over_http2() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let id = "inbound/getToken/transport/http2-stream-refused/generated";
    let case = all_cases().into_iter().find(|case| case.id == id).expect("a case");
    let ran = run_case(&stage, &case, &OfHttp1(Arc::clone(&folder))).await.expect("it runs");
    assert!(ran.verdict.served.as_ref().is_err_and(|fault| fault.contains("not be written")), "{ran:?}");
    assert!(ran.verdict.behaved.as_ref().is_err_and(|fault| fault.contains("ALPN")), "{ran:?}");
    let ran = run_case(&stage, &case, &OwnClient::new(folder.root())).await.expect("it runs");
    assert_eq!(ran.verdict.served, Ok(()));
}

#[tokio::test]
async fn whoever_calls_where_a_redirection_points_is_seen_there() {
    let folder = Folder::shared();
    let stage = contract_stage(folder.root()).expect("a stage");
    let props = contract_props(folder.root()).expect("props");
    let id = "inbound/getToken/transport/redirected-to-another-host/generated";
    let case = all_cases().into_iter().find(|case| case.id == id).expect("a case");
    let subject = BrokenClient::new(props, Some(Break::FollowRedirects));
    let ran = run_case(&stage, &case, &subject).await.expect("it runs");
    let seen = |fault: &String| fault.contains("another address than D1's");
    assert!(ran.verdict.behaved.as_ref().is_err_and(seen), "{:?}", ran.verdict);
}
