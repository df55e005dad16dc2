//! The black-box mode: whatever a shim does is judged, ends in time, and is told clearly.

mod fake;
mod protocol;

use d1_contracts::{
    Case, GoodAnswers, Limits, PlayError, ShimCommand, TlsFault, TransportFaults, transport_cases,
};

use fake::{Fake, fault_of, good_cases, stage};

/// Answers each call as it should be.
const GOOD: &str = "ok";

#[tokio::test]
async fn a_good_shim_is_judged_by_what_it_tells() {
    let fake = Fake::new("", GOOD);
    let ran = fake.run(&good_cases()).await;
    assert_eq!(ran.len(), 6);
    for one in &ran {
        assert_eq!(fault_of(one), None, "{}", one.case.id);
        // It has not called anybody: a report without a serving does not pass.
        assert!(one.verdict.served.is_err() && !one.verdict.passed());
    }
    assert_eq!(fake.starts(), 1);
    assert!(fake.heard().last().is_some_and(|line| line.contains("\"bye\"")), "{:?}", fake.heard());
}

#[tokio::test]
async fn answers_may_come_out_of_order() {
    let features = r#""parallel","another""#;
    // Answers nothing until the sixth call is there, then all of them backwards.
    let each = "all=\"$id $all\"; if [ $id = 6 ]; then for id in $all; do ok; done; fi";
    let fake = Fake::new(features, each);
    for one in fake.run(&good_cases()).await {
        assert_eq!(fault_of(&one), None, "{}", one.case.id);
    }
    assert_eq!(fake.starts(), 1);
}

fn of_transport(name: &str) -> Case {
    let faults = TransportFaults::built_in().expect("good faults");
    let cases = transport_cases(&faults, &GoodAnswers::built_in().expect("good answers"));
    cases.into_iter().find(|case| case.id.contains(name)).expect("a case")
}

#[tokio::test]
async fn a_client_that_does_not_name_http2_lacks_what_its_cases_need() {
    let (over_http2, over_any) = (of_transport("/http2-goaway-below/"), of_transport("/reset-after-head/"));
    for (features, lacks) in [("", Some("http2")), (r#""parallel""#, Some("http2")), (r#""http2""#, None)] {
        let shim = Fake::new(features, GOOD).start(Limits::default()).await;
        assert_eq!((shim.lacks(&over_http2), shim.lacks(&over_any)), (lacks, None), "{features}");
    }
}

#[tokio::test]
async fn a_stage_without_the_tls_of_a_case_does_not_play_it_with_another() {
    let case = of_transport("/certificate-expired/");
    let error = stage().play(&case).await.err().expect("it is refused");
    assert!(matches!(error, PlayError::Tls(TlsFault::Expired)), "{error}");
    assert!(stage().play(&of_transport("/reset-after-head/")).await.is_ok());
}

/// Runs a shim that does something else in one case. That case fails with the parts of the text, the others do not.
async fn fails_in_one_case(instead: &str, parts: &[&str], starts: usize) {
    fails_within(20_000, instead, parts, starts).await;
}

async fn fails_within(deadline_ms: u64, instead: &str, parts: &[&str], starts: usize) {
    let fake = Fake::new("", &format!("case $line in *'/401/'*) {instead};; *) ok;; esac"));
    let ran = fake.run_within(&good_cases(), deadline_ms).await;
    assert_eq!(ran.len(), 6, "{instead}");
    for one in ran {
        let fault = fault_of(&one);
        if one.case.id.contains("/401/") {
            let said = fault.unwrap_or_else(|| panic!("{instead}: it passes"));
            assert!(parts.iter().all(|part| said.contains(part)), "{instead}: {said}");
            assert!(!said.contains("9999990000000014"), "{said}");
        } else {
            assert_eq!(fault, None, "{instead}: {}", one.case.id);
        }
    }
    assert_eq!(fake.starts(), starts, "{instead}");
}

#[tokio::test]
async fn a_crash_fails_its_case_and_the_next_has_a_new_shim() {
    fails_in_one_case("exit 3", &["the shim ended", "exit status: 3"], 2).await;
    fails_in_one_case("kill -9 $$", &["the shim ended", "signal: 9"], 2).await;
    fails_in_one_case("printf '{\"told\":'; exit 0", &["in the middle of line 3"], 2).await;
}

#[tokio::test]
async fn silence_fails_its_case_and_the_next_has_a_new_shim() {
    fails_within(1000, "read -r never", &["no answer within 1000 ms"], 2).await;
}

#[tokio::test]
async fn garbage_fails_its_case_and_is_not_shown() {
    for (line, part) in [
        ("9999990000000014", "expected a JSON object"),
        ("", "expected a JSON object"),
        ("[]", "expected a JSON object"),
        ("Traceback (most recent call last):", "expected a JSON object"),
        ("{\"told\":7}", "`hello` or `told`"),
        ("{\"9999990000000014\":{}}", "`hello` or `told`"),
        ("{\"told\":{},\"more\":1}", "`hello` or `told`"),
        ("{\"told\":{\"outcome\":\"ok\"}}", "told.id: missing"),
        ("{\"told\":{\"id\":\"9999990000000014\"}}", "told.id: not as the protocol has it"),
        ("{\"hello\":{\"protocol\":1,\"client\":\"a\",\"features\":[]}}", "a second hello"),
        ("{\"told\":{\"id\":999}}", "a call that is not open"),
    ] {
        fails_in_one_case(&format!("echo '{line}'; read -r never"), &["line 3 of the shim", part], 2).await;
    }
    fails_in_one_case("printf '\\377\\n'; read -r never", &["line 3", "expected a JSON object"], 2).await;
}

#[tokio::test]
async fn an_answer_that_is_none_fails_its_case_alone() {
    let good = "\"outcome\":\"ok\",\"retryable\":\"never\",\"ambiguous\":false";
    for (from, to, part) in [
        ("\"outcome\":\"ok\",", "", "told.outcome: missing"),
        ("\"ok\"", "\"9999990000000014\"", "told.outcome: not as"),
        ("\"ok\"", "{\"refused\":{}}", "told.outcome: not as"),
        ("\"ok\"", "{\"refused\":{\"status\":400,\"code\":\"\"}}", "told.outcome: expected a text"),
        ("\"never\"", "null", "told.retryable: not as"),
        ("false", "\"no\"", "told.ambiguous: not as"),
        ("false", "false,\"waited_ms\":-1", "told.waited_ms: not as"),
        ("false", "false,\"result\":[]", "told.result: not as"),
        ("false", "false,\"waited\":1", "1 members that the protocol does not know"),
    ] {
        let answer = good.replace(from, to);
        fails_in_one_case(
            &format!("echo '{{\"told\":{{\"id\":'$id',{answer}}}}}'"),
            &["answer is none", part],
            1,
        )
        .await;
    }
}

#[tokio::test]
async fn an_answer_given_twice_fails_its_case_though_the_first_was_right() {
    fails_in_one_case("ok; ok", &["twice"], 1).await;
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let flood = "head -c 1100000 /dev/zero | tr '\\0' x";
    fails_in_one_case(&format!("{flood}; read -r never"), &["a line of more than 1048576 bytes"], 2).await;
    fails_in_one_case(&format!("{flood} >&2; read -r never"), &["1048576 bytes to stderr"], 2).await;
    // No line end and no end: nothing of it is kept.
    fails_in_one_case("tr '\\0' x </dev/zero", &["a line of more than 1048576 bytes"], 2).await;
    fails_in_one_case("tr '\\0' x </dev/zero >&2", &["1048576 bytes to stderr"], 2).await;
}

#[tokio::test]
async fn what_comes_after_the_last_answer_is_a_fault_of_its_case() {
    for (after, part) in [
        ("ok; echo nonsense; read -r never", "after its answer: line 3 of the shim is no message"),
        ("ok; ok; read -r never", "twice"),
    ] {
        let ran = Fake::new("", after).run(&good_cases()[..1]).await;
        let said = fault_of(&ran[0]).unwrap_or_else(|| panic!("{after}: it passes"));
        assert!(said.contains(part), "{after}: {said}");
    }
}

#[tokio::test]
async fn noise_before_the_first_answer_is_a_fault_too() {
    // Ends the list of features early.
    let noise = "]}}'; echo noise; : '";
    let ran = Fake::new(noise, GOOD).run(&good_cases()).await;
    for fault in ran.iter().map(fault_of) {
        let said = fault.expect("noise passes");
        assert!(said.contains("line 2 of the shim is no message"), "{said}");
    }
}

#[tokio::test]
async fn an_end_before_the_goodbye_is_a_fault() {
    let faults: Vec<String> =
        Fake::new("", "ok; exit 0").run(&good_cases()).await.iter().filter_map(fault_of).collect();
    // Whether it is found when nothing is open or when the next call is decides whose fault it is.
    assert!(!faults.is_empty() && faults.iter().all(|fault| fault.contains("the shim ended")), "{faults:?}");
}

#[tokio::test]
async fn a_shim_that_lets_every_deadline_pass_is_not_asked_for_ever() {
    let fake = Fake::new("", "read -r never");
    let ran = fake.run_within(&good_cases(), 100).await;
    let faults: Vec<String> = ran.iter().filter_map(fault_of).collect();
    assert_eq!(faults.len(), 6);
    assert!(faults[..3].iter().all(|fault| fault.contains("no answer within 100 ms")), "{faults:?}");
    assert!(faults[3..].iter().all(|fault| fault.contains("not asked")), "{faults:?}");
    assert_eq!(fake.starts(), 3);
}

#[tokio::test]
async fn a_shim_that_does_not_start_again_fails_its_cases() {
    let fake = Fake::new("", "exit 3").only_once();
    let faults: Vec<String> = fake.run(&good_cases()).await.iter().filter_map(fault_of).collect();
    assert_eq!(faults.len(), 6);
    assert!(faults[0].contains("exit status: 3"), "{faults:?}");
    assert!(faults[1..4].iter().all(|fault| fault.contains("cannot be started again")), "{faults:?}");
    assert!(faults[4..].iter().all(|fault| fault.contains("not asked")), "{faults:?}");
}

#[tokio::test]
async fn a_shim_that_stays_after_the_goodbye_does_not_hold_the_run() {
    let fake = Fake::new("", GOOD).that_stays();
    for one in fake.run(&good_cases()).await {
        assert_eq!(fault_of(&one), None, "{}", one.case.id);
    }
}

#[tokio::test]
async fn a_failed_handshake_is_told_and_no_finding() {
    let good = "{\"hello\":{\"protocol\":1,\"client\":\"a\",\"features\":[]}}";
    for (instead, part) in [
        (good.replace(":1,", ":2,"), "it speaks version 2 of the protocol, this suite version 1"),
        (good.replace("\"features\"", "\"featurs\""), "hello.features: missing"),
        (good.replace("[]", "[],\"more\":1"), "does not know"),
        (good.replace("\"a\"", "\"\""), "hello.client: expected"),
        ("{\"told\":{\"id\":1}}".to_owned(), "before the hello"),
        ("hello".to_owned(), "line 1 of the shim is no message"),
    ] {
        let said = fake::refusal(&format!("read -r hello; echo '{instead}'; read -r never"), 10_000).await;
        assert!(said.contains(part), "{instead}: {said}");
    }
    let said = fake::refusal("read -r hello; read -r never", 1000).await;
    assert!(said.contains("no hello within 1000 ms"), "{said}");
    let said = fake::refusal("echo 'No module named x' >&2; exit 1", 10_000).await;
    assert!(said.contains("exit status: 1") && said.contains("No module named x"), "{said}");
}

#[tokio::test]
async fn what_is_not_there_cannot_be_started() {
    let command: ShimCommand = "/nowhere/to/be/found --x".parse().expect("a command");
    let said = fake::start(command, Limits::default()).await.err().expect("not there");
    assert!(said.contains("/nowhere/to/be/found") && said.contains("cannot be started"), "{said}");
}
