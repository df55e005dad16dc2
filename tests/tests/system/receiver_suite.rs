//! The receiver suite against our own receiver, over real mutual TLS, and that the suite can fail.

use std::collections::BTreeSet;

use d1_contracts::{
    BoxFuture, BrokenReceiver, Count, D1Side, NotRun, Observer, Probed, ReceiverBreak, ReceiverCase,
    ReceiverRan, RightAnswer, Side, State, TokenRef, documented_cells, judge_receiver_case, outbound,
    receiver_cases, receiver_report, run_receiver_case, run_receiver_cases, sabotage_receivers,
};
use d1_simulator::cli::{OwnReceiver, broken_receiver_props, own_d1_props};
use serde_json::Value;
use system_tests::Folder;

fn cases() -> Vec<ReceiverCase> {
    receiver_cases().expect("good cases")
}

fn case(id: &str) -> ReceiverCase {
    cases().into_iter().find(|case| case.id == id).unwrap_or_else(|| panic!("{id}"))
}

/// Our receiver with all cases.
async fn run_all() -> (D1Side, Vec<Result<ReceiverRan, NotRun>>) {
    let folder = Folder::shared();
    let receiver = OwnReceiver::start(folder.root()).await.expect("a receiver");
    let side = D1Side::new(own_d1_props(folder.root()).expect("props"), receiver.url().clone());
    let ended = run_receiver_cases(&side, Some(&receiver), &cases(), &|_| {}).await;
    (side, ended)
}

/// A receiver with a fault, or none, and D1 before it.
async fn before(broken: Option<ReceiverBreak>) -> (D1Side, BrokenReceiver) {
    let folder = Folder::shared();
    let props = broken_receiver_props(folder.root()).expect("props");
    let receiver = BrokenReceiver::start(props, broken).await.expect("a port");
    let side = D1Side::new(own_d1_props(folder.root()).expect("props"), receiver.url().clone());
    (side, receiver)
}

/// The same case with one expectation turned into another.
fn flipped(case: &ReceiverCase) -> Vec<(String, ReceiverCase)> {
    let mut all = Vec::new();
    let mut change = |what: String, make: &dyn Fn(&mut ReceiverCase)| {
        let mut other = case.clone();
        make(&mut other);
        all.push((what, other));
    };
    for place in 0..case.steps.len() {
        if !case.steps[place].hang_up {
            change(format!("the answers of step {}", place + 1), &|other| {
                other.steps[place].answers =
                    vec![RightAnswer { status: Some(418), code: None, refused: None }];
            });
        }
        change(format!("the times of step {}", place + 1), &|other| other.steps[place].at_once += 1);
    }
    let Some(end) = &case.end else { return all };
    if end.events.is_some() {
        change("events".to_owned(), &|other| {
            if let Some(end) = &mut other.end {
                end.events = Some(Count::Exactly(99));
            }
        });
    }
    for name in end.token.keys() {
        change(name.clone(), &|other| {
            if let Some(end) = &mut other.end {
                end.token.insert(name.clone(), "another value".to_owned());
            }
        });
    }
    if !end.unknown {
        change("unknown".to_owned(), &|other| {
            if let Some(end) = &mut other.end {
                (end.unknown, end.events) = (true, None);
                end.token.clear();
            }
        });
    }
    all
}

#[tokio::test]
async fn our_receiver_passes_every_case_that_it_can_be_put_through_and_any_flipped_expectation_fails() {
    let (side, ended) = run_all().await;
    let ran = || ended.iter().flatten();
    let not_run: Vec<&NotRun> = ended.iter().filter_map(|one| one.as_ref().err()).collect();
    let failed: Vec<String> = ran()
        .flat_map(|one| one.verdict.faults().map(|(name, fault)| format!("{}: {name}: {fault}", one.case.id)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    assert_eq!(ended.len(), cases().len());
    let needs: BTreeSet<&str> = not_run.iter().map(|one| one.needs.as_str()).collect();
    let states = ["the state busy", "the state tokens-busy", "the state tokens-fail"];
    assert_eq!(needs, states.into(), "what nobody can bring about from outside");
    for one in ran() {
        for (what, case) in flipped(&one.case) {
            let verdict = judge_receiver_case(&case, &one.deliveries, &one.found);
            assert!(!verdict.passed(), "{}: {what} was turned round and nobody noticed", one.case.id);
        }
    }
    // What is documented is covered; a state that it was not in, and an answer that it has not given, are not.
    let cells = documented_cells(&outbound().expect("the contract"), Side::Outbound);
    let report = receiver_report("ours", &side, &cells, (&cases(), &cases()), ended);
    let report: Value = serde_json::from_str(&report.json()).expect("JSON");
    let documented = &report["standing"]["documented"];
    assert_eq!((&documented["cells"], &documented["passed"]), (&2.into(), &2.into()), "{documented}");
    assert_eq!(report["complete"], false);
    for id in ["429/TOO_MANY_REQUESTS/busy", "403/FORBIDDEN/no-certificate"] {
        let id = format!("outbound/notifyTokenUpdate/{id}");
        assert!(report["aside"][&id].is_string(), "{id}");
    }
    assert_eq!(report["gaps"], Value::Array(Vec::new()));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receiver_without_a_fault_passes_every_case_and_every_broken_one_is_killed() {
    let folder = Folder::shared();
    let props = own_d1_props(folder.root()).expect("props");
    let receiver = broken_receiver_props(folder.root()).expect("props");
    let kills = sabotage_receivers(&props, &receiver, &cases()).await.expect("it runs");
    assert!(kills.unsound.is_empty(), "{:#?}", kills.unsound);
    assert_eq!(kills.survivors().collect::<Vec<_>>(), [], "{}", kills.text());
    assert_eq!(kills.idle().count(), 0, "{}", kills.text());
}

#[tokio::test]
async fn each_of_these_cases_is_there_for_the_one_thing_that_it_notices() {
    for (broken, id) in [
        (ReceiverBreak::DeduplicatesByArrival, "204/none/several"),
        (ReceiverBreak::ArrivalOrderEvents, "204/none/late-after-delete"),
        (ReceiverBreak::RemembersLastEvent, "204/none/duplicate-later"),
        (ReceiverBreak::NoDeduplication, "204/none/answer-lost"),
        (ReceiverBreak::LooksThenNotes, "204/none/two-at-once"),
        (ReceiverBreak::StrictMembers, "204/none/unknown-member"),
        (ReceiverBreak::PanicUnknownValue, "204/none/unknown-state"),
        (ReceiverBreak::SkipTag, "400/FIELD_INVALID_FORMAT/tag-changed"),
        (ReceiverBreak::TrustHeader, "400/FIELD_INVALID_FORMAT/other-enc"),
        (ReceiverBreak::AcknowledgesBeforeKeeping, "503/SERVICE_UNAVAILABLE/store-fails"),
        (ReceiverBreak::AnyCaller, "403/FORBIDDEN/expired-certificate"),
        (ReceiverBreak::NoBearerCheck, "401/none/wrong-bearer"),
        (ReceiverBreak::BearersForEver, "401/none/ended-bearer"),
    ] {
        let case = case(&format!("outbound/notifyTokenUpdate/{id}"));
        let (side, whole) = before(None).await;
        let ran = run_receiver_case(&side, Some(&whole), &case).await.expect("it runs");
        assert!(ran.verdict.passed(), "{id}: {:?}", ran.verdict);
        let (side, receiver) = before(Some(broken)).await;
        let ran = run_receiver_case(&side, Some(&receiver), &case).await.expect("it runs");
        assert!(!ran.verdict.passed(), "{broken} survives {id}");
    }
}

/// One who looks, and is told nothing that can be used.
struct Blind;

impl Observer for Blind {
    fn look<'a>(&'a self, _: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>> {
        Box::pin(async { Err("it says nothing".to_owned()) })
    }

    fn enter(&self, state: Option<State>) -> BoxFuture<'_, bool> {
        Box::pin(async move { state.is_none() })
    }
}

#[tokio::test]
async fn a_probe_that_cannot_tell_fails_the_case_and_without_one_only_the_answers_are_judged() {
    let (side, _receiver) = before(Some(ReceiverBreak::KeepsNothing)).await;
    let case = case("outbound/notifyTokenUpdate/204/none/suspended");
    let ran = run_receiver_case(&side, Some(&Blind), &case).await.expect("it runs");
    assert_eq!(ran.verdict.behaved, Err("the probe: it says nothing".to_owned()));
    let ran = run_receiver_case(&side, None, &case).await.expect("it runs");
    assert!(ran.verdict.passed() && ran.found.is_none(), "{:?}", ran.verdict);
}

#[tokio::test]
async fn nobody_at_the_place_of_the_receiver_is_told_at_once() {
    let folder = Folder::shared();
    let (_, receiver) = before(None).await;
    let url = receiver.url().clone();
    drop(receiver);
    let side = D1Side::new(own_d1_props(folder.root()).expect("props"), url);
    let case = case("outbound/notifyTokenUpdate/204/none/suspended");
    let ran = run_receiver_case(&side, None, &case).await.expect("it runs");
    assert!(ran.verdict.served.is_err(), "{:?}", ran.verdict);
    assert!(side.reach().await.is_err());
}
