use std::time::Duration;

use serde_json::json;

use super::*;

const NOW: Moment = Moment::from_ms(1_776_852_000_000);
const TOKENS: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens";

fn faults(seed: u64) -> Arc<Faults> {
    let card = Pan::parse("9999990000000014").expect("a number");
    let cards = HashMap::from([("approve".to_owned(), card)]);
    Faults::new(Chance::new(seed), Known { cards, authority: false }, Arc::new(Journal::new()))
}

fn set(faults: &Faults, fault: Value) -> Arc<str> {
    let form = serde_json::from_value(fault).expect("a form");
    faults.set(&form, NOW).expect("a good fault")
}

fn refused(fault: Value) -> String {
    let form = serde_json::from_value(fault).expect("a form");
    faults(1).set(&form, NOW).expect_err("a bad fault").to_string()
}

fn call<'a>(operation: &'static str, path: &'a str) -> Call<'a> {
    Call { operation, gateway: "MGW_000001", path, correlation: None, card: None }
}

/// For so many calls of one path, whether each is struck.
fn pattern(faults: &Faults, path: &str, calls: usize) -> String {
    let one = |_| if faults.strike_call(&call("createToken", path), NOW).is_empty() { '.' } else { 'x' };
    (0..calls).map(one).collect()
}

fn struck_by(fault: Value, calls: usize) -> String {
    let faults = faults(1);
    set(&faults, fault);
    pattern(&faults, TOKENS, calls)
}

#[test]
fn counts_choose_which_calls_are_struck() {
    let with = |more: Value| {
        let mut fault = json!({"answer": {"status": 503}});
        fault.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        struck_by(fault, 8)
    };
    assert_eq!(with(json!({})), "xxxxxxxx");
    assert_eq!(with(json!({"nth": 2})), ".x......");
    assert_eq!(with(json!({"every": 3})), "..x..x..");
    assert_eq!(with(json!({"every": 2, "times": 2})), ".x.x....");
    assert_eq!(with(json!({"times": 4})), "xxxx....");
    assert_eq!(with(json!({"mostInARow": 2})), "xx.xx.xx");
    assert_eq!(with(json!({"probability": 1.0, "mostInARow": 1})), "x.x.x.x.");
}

#[test]
fn chance_is_replayed_by_seed_and_name_and_bounded_in_each_stream_by_itself() {
    let fault = |name: &str| json!({"name": name, "probability": 0.5, "mostInARow": 2, "latency": "1s"});
    let run = |seed, name, others: bool| {
        let faults = faults(seed);
        set(&faults, fault(name));
        let other = format!("{TOKENS}-other");
        let one = |_| {
            if others {
                pattern(&faults, &other, 3);
            }
            pattern(&faults, TOKENS, 1)
        };
        (0..200).map(one).collect::<String>()
    };
    let storm = run(7, "storm", false);
    assert_eq!(storm, run(7, "storm", true), "what happens elsewhere changes nothing");
    assert_ne!(storm, run(8, "storm", false));
    assert_ne!(storm, run(7, "other", false));
    assert!(storm.contains("xx") && !storm.contains("xxx"), "{storm}");
}

#[test]
fn gateways_whose_calls_have_one_path_have_rows_of_their_own() {
    let faults = faults(1);
    set(&faults, json!({"on": ["getAccessToken"], "mostInARow": 1, "answer": {"status": 503}}));
    let struck = |gateway| {
        let call = Call { gateway, ..call("getAccessToken", "/authz/v1/oauth2/token") };
        !faults.strike_call(&call, NOW).is_empty()
    };
    let both = || (struck("MGW_000001"), struck("MGW_000002"));
    assert_eq!((both(), both(), both()), ((true, true), (false, false), (true, true)));
}

#[test]
fn what_befalls_a_body_counts_once_it_has() {
    let faults = faults(1);
    set(&faults, json!({"name": "more", "unknownMembers": 1, "times": 1}));
    let counts = || {
        let view = serde_json::to_value(faults.view(NOW)).expect("JSON");
        (view[0]["applied"].clone(), view[0]["over"].clone(), faults.journal.last())
    };
    let call = call("deleteToken", TOKENS);
    let struck = faults.strike_call(&call, NOW);
    assert!(faults.strike_call(&call, NOW).is_empty(), "one at most");
    assert_eq!(counts(), (json!(0), json!(true), 1), "until it is known");
    faults.settle(&struck[0], false, &call, NOW);
    assert_eq!(counts(), (json!(0), json!(false), 1), "there was no body");
    let struck = faults.strike_call(&call, NOW);
    faults.settle(&struck[0], true, &call, NOW);
    assert_eq!(counts(), (json!(1), json!(true), 2));
}

#[test]
fn by_itself_an_effect_befalls_what_it_can_and_nothing_else() {
    let faults = faults(1);
    set(&faults, json!({"name": "ends", "revokeBearer": true}));
    set(&faults, json!({"name": "group", "on": ["repeatable"], "revokeBearer": true}));
    let struck = |operation| faults.strike_call(&call(operation, TOKENS), NOW).len();
    assert_eq!((struck("getAccessToken"), struck("getToken"), struck("createToken")), (0, 2, 1));
}

#[test]
fn what_is_set_lifted_or_ended_is_in_the_journal_of_the_gateways_that_it_is_limited_to() {
    let faults = faults(1);
    let [one, other] = ["MGW_000001", "MGW_000002"];
    set(&faults, json!({"name": "one", "gateway": one, "goaway": true, "for": "1s"}));
    set(&faults, json!({"name": "both", "gateways": [one, other], "goaway": true}));
    set(&faults, json!({"name": "all", "goaway": true}));
    faults.end_one(NOW.after(Duration::from_secs(1))).expect("its time is over");
    faults.lift_all(NOW);
    let of = |gateway| {
        let page = faults.journal.page_of(Some(gateway), 0).text;
        let lines = String::from_utf8(page).expect("text");
        let entry = |line: &str| {
            let entry: Value = serde_json::from_str(line).expect("JSON");
            format!("{} {}", entry["name"], entry["what"]).replace('"', "")
        };
        lines.lines().map(entry).collect::<Vec<_>>()
    };
    assert_eq!(of(one), ["one set", "both set", "one ended", "one lifted", "both lifted"]);
    assert_eq!(of(other), ["both set", "both lifted"]);
}

#[test]
fn selectors_take_gateway_merchant_and_token_from_certificate_and_path() {
    let token = "01fb32ff-5ed0-497f-8835-6af0916f29c0";
    let path = format!("{TOKENS}/{token}");
    for (selector, strikes) in [
        (json!({"gateway": "MGW_000001"}), true),
        (json!({"gateway": "MGW_000002"}), false),
        (json!({"gateways": ["MGW_000002", "MGW_000001"]}), true),
        (json!({"gateways": ["MGW_000002", "MGW_000003"]}), false),
        (json!({"merchant": "10610027312"}), true),
        (json!({"merchant": "10610027313"}), false),
        (json!({"token": token}), true),
        (json!({"token": "01fb32ff-5ed0-497f-8835-6af0916f29c1"}), false),
        (json!({"on": ["reads"]}), true),
        (json!({"on": ["repeatable"]}), true),
        (json!({"on": ["creates", "deleteToken"]}), false),
        (json!({"on": ["calls"]}), true),
    ] {
        let faults = faults(1);
        let mut fault = json!({"truncate": true});
        fault.as_object_mut().expect("an object").extend(selector.as_object().expect("an object").clone());
        set(&faults, fault);
        let struck = faults.strike_call(&call("getToken", &path), NOW);
        assert_eq!(!struck.is_empty(), strikes, "{selector}");
    }
}

#[test]
fn a_card_is_struck_once_it_is_known_and_by_nothing_else() {
    let faults = faults(1);
    set(&faults, json!({"on": ["createToken"], "card": "approve", "answer": {"status": 503}}));
    let (card, other) = (Pan::parse("9999990000000014"), Pan::parse("9999990000000022"));
    assert!(faults.strike_call(&call("createToken", TOKENS), NOW).is_empty());
    for (pan, strikes) in [(card, true), (other, false)] {
        let call = Call { card: pan.as_ref(), ..call("createToken", TOKENS) };
        assert_eq!(!faults.strike_call(&call, NOW).is_empty(), strikes);
    }
}

#[test]
fn what_changes_adds_up_and_the_first_answer_ends_it() {
    let faults = faults(1);
    for fault in [
        json!({"name": "slow", "latency": "2s"}),
        json!({"name": "busy", "answer": {"status": 429, "retryAfter": "1s"}, "times": 1}),
        json!({"name": "more", "unknownMembers": 1}),
    ] {
        set(&faults, fault);
    }
    let names = || {
        let struck = faults.strike_call(&call("createToken", TOKENS), NOW);
        struck.iter().map(|one| one.name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!((names(), names()), (vec!["slow".into(), "busy".into()], vec!["slow".into(), "more".into()]));
}

#[test]
fn a_limit_counts_by_the_window_and_says_when_it_ends() {
    let faults = faults(1);
    set(&faults, json!({"limit": {"calls": 2, "per": "10s"}}));
    let at = |ms| {
        let now = NOW.after(std::time::Duration::from_millis(ms));
        let struck = faults.strike_call(&call("createToken", TOKENS), now);
        struck.first().map(|one| match &one.act {
            Act::Answer(answer) => (answer.status, answer.retry_after.clone()),
            other => panic!("{other:?}"),
        })
    };
    assert_eq!((at(0), at(1), at(2_500)), (None, None, Some((429, Some(RetryAfter::Seconds(8))))));
    assert_eq!((at(10_000), at(10_001)), (None, None), "a new window");
    assert_eq!(at(19_999), Some((429, Some(RetryAfter::Seconds(1)))));
}

#[test]
fn a_quota_has_no_end() {
    assert_eq!(struck_by(json!({"limit": {"calls": 3}}), 6), "...xxx");
}

#[test]
fn a_fault_ends_with_its_time_its_number_or_when_it_is_lifted() {
    let faults = faults(1);
    set(&faults, json!({"name": "while", "for": "10s", "goaway": true}));
    let struck = |ms| {
        let now = NOW.after(std::time::Duration::from_millis(ms));
        !faults.strike_call(&call("createToken", TOKENS), now).is_empty()
    };
    assert!(struck(9_999) && !struck(10_000));
    assert!(faults.lift("while", NOW).is_some() && faults.lift("while", NOW).is_none());
    assert!(!struck(0) && !faults.is_armed(CALLS));
}

#[tokio::test]
async fn who_hangs_goes_on_when_the_fault_is_lifted_or_its_time_is_over_and_not_before() {
    let faults = faults(1);
    for (name, lasts) in [("one", json!("10s")), ("two", Value::Null)] {
        set(&faults, json!({"name": name, "stall": "before", "for": lasts}));
    }
    let hang = |number| {
        let faults = Arc::clone(&faults);
        tokio::spawn(async move { faults.until_lifted(number, None).await })
    };
    let (first, second) = (hang(1), hang(2));
    tokio::task::yield_now().await;
    let end = NOW.after(Duration::from_secs(10));
    assert_eq!((faults.next_end(), faults.end_one(Moment::from_ms(end.as_ms() - 1))), (Some(end), None));
    tokio::task::yield_now().await;
    assert!(!first.is_finished() && !second.is_finished());
    assert_eq!(faults.end_one(end).map(|(at, _)| at), Some(end));
    first.await.expect("its time is over");
    assert!(!second.is_finished() && faults.next_end().is_none() && faults.end_one(end).is_none());
    faults.lift("two", end);
    second.await.expect("it is lifted");
    faults.until_lifted(1, None).await;
}

#[test]
fn what_strikes_nothing_any_more_makes_room_and_nothing_else_does() {
    let faults = faults(1);
    set(&faults, json!({"name": "hold", "hold": "inOrder", "times": 1}));
    let queued = Queued { gateway: "MGW_000001", merchant: "10610027312", token: "t" };
    faults.strike_notification(&queued, NOW).expect("held");
    for n in 1..MOST {
        set(&faults, json!({"name": format!("f{n}"), "times": 1, "goaway": true}));
    }
    let form = FaultForm { goaway: Some(true), ..FaultForm::default() };
    let full = faults.set(&form, NOW).expect_err("full").to_string();
    assert!(full.contains("at most 256 faults"), "{full}");
    // Whom they have struck is still at it.
    let struck = faults.strike_call(&call("createToken", TOKENS), NOW);
    faults.set(&form, NOW).expect_err("full still");
    drop(struck);
    assert_eq!(&*faults.set(&form, NOW).expect("room"), "fault-257");
    assert!(faults.lift("hold", NOW).is_some_and(|lifted| lifted.holds.is_some()), "what holds stays");
}

#[test]
fn latencies_are_drawn_within_their_bounds() {
    let waits = |latency: Value| {
        let faults = faults(3);
        set(&faults, json!({"latency": latency}));
        let one = |_| match faults.strike_call(&call("createToken", TOKENS), NOW)[0].act {
            Act::Wait(time) => time.as_millis(),
            ref other => panic!("{other:?}"),
        };
        (0..100).map(one).collect::<Vec<u128>>()
    };
    assert!(waits(json!("2s")).iter().all(|ms| *ms == 2000));
    let uniform = waits(json!({"uniform": {"from": "100ms", "to": "200ms"}}));
    assert!(uniform.iter().all(|ms| (100..=200).contains(ms)) && uniform[0] != uniform[1]);
    let exponential = waits(json!({"exponential": {"mean": "1s", "most": "2s"}}));
    let mean = exponential.iter().sum::<u128>() / 100;
    assert!(exponential.iter().all(|ms| *ms <= 2000) && (500..1100).contains(&mean), "{mean}");
}

#[test]
fn a_notification_is_struck_by_its_token() {
    let faults = faults(1);
    let token = "01fb32ff-5ed0-497f-8835-6af0916f29c0";
    set(&faults, json!({"on": ["notifications"], "token": token, "duplicate": 1, "times": 1}));
    let queued = |token| Queued { gateway: "MGW_000001", merchant: "10610027312", token };
    assert!(faults.strike_notification(&queued("other"), NOW).is_none());
    let struck = faults.strike_notification(&queued(token), NOW).expect("struck");
    assert_eq!(struck.act, Notice::Duplicate(1));
    assert!(faults.strike_notification(&queued(token), NOW).is_none());
}

#[test]
fn every_refusal_names_the_member() {
    for (fault, begins) in [
        (json!({}), "body: expected exactly one of answer, latency"),
        (json!({"goaway": true, "truncate": true}), "body: expected exactly one of"),
        (json!({"goaway": false}), "goaway: expected true"),
        (json!({"goaway": true, "on": ["payments"]}), "on: expected getAccessToken"),
        (json!({"goaway": true, "on": []}), "on: expected at least one"),
        (json!({"goaway": true, "on": ["notifications"]}), "on: expected getAccessToken"),
        (json!({"drop": true, "on": ["createToken"]}), "on: expected [notifications]"),
        (json!({"handshake": "close", "gateway": "MGW_000001"}), "gateway: expected none"),
        (json!({"handshake": {"certificate": "expired"}}), "handshake: expected ca/server-ca.pem"),
        (json!({"goaway": true, "name": "a b"}), "name: expected 1 to 80"),
        (json!({"goaway": true, "gateway": "x"}), "gateway: expected 10 characters"),
        (json!({"goaway": true, "gateways": []}), "gateways: expected 1 to 64"),
        (json!({"goaway": true, "gateways": ["x"]}), "gateways: expected 1 to 64"),
        (
            json!({"goaway": true, "gateway": "MGW_000001", "gateways": ["MGW_000001"]}),
            "gateways: expected none beside",
        ),
        (json!({"handshake": "close", "gateways": ["MGW_000001"]}), "gateways: expected none with"),
        (json!({"goaway": true, "merchant": "x"}), "merchant: expected 11 digits"),
        (json!({"goaway": true, "token": "x"}), "token: expected a tokenId"),
        (json!({"revokeBearer": true, "on": ["getAccessToken"]}), "on: expected createMerchant, createToken"),
        (
            json!({"revokeBearer": true, "on": ["createToken"], "card": "approve"}),
            "card: expected none with revokeBearer",
        ),
        (json!({"goaway": true, "card": "approve"}), "card: expected none, or `on: [createToken]`"),
        (json!({"goaway": true, "on": ["createToken"], "card": "x"}), "card: expected the name of a card"),
        (json!({"goaway": true, "nth": 0}), "nth: expected a whole number from 1"),
        (json!({"goaway": true, "probability": 1.5}), "probability: expected a number above 0"),
        (json!({"goaway": true, "probability": 0}), "probability: expected a number above 0"),
        (json!({"goaway": true, "nth": 3, "every": 2}), "nth: expected a multiple of every (2)"),
        (
            json!({"goaway": true, "on": ["getAccessToken"], "merchant": "10610027312"}),
            "merchant: expected none, or one",
        ),
        (
            json!({"goaway": true, "on": ["createToken"], "token": "00000000-0000-4000-8000-000000000000"}),
            "token: expected none, or one of getToken",
        ),
        (json!({"goaway": true, "for": "soon"}), "for: expected a duration"),
        (json!({"latency": "-1s"}), "latency: expected a duration"),
        (json!({"latency": {"uniform": {"from": "2s", "to": "1s"}}}), "latency: expected uniform"),
        (json!({"limit": {"calls": 1}, "every": 2}), "limit: expected no nth"),
        (json!({"hold": "inOrder", "for": "1s"}), "for: expected none with hold"),
        (json!({"unknownMembers": 11}), "unknownMembers: expected a whole number from 1 to 10"),
        (json!({"answer": {"status": 101}}), "answer: expected a status"),
        (json!({"answer": {"status": 503, "body": "x", "error": "y"}}), "answer: expected body, or"),
        (json!({"answer": {"status": 204, "body": "x"}}), "answer: expected no body"),
        (json!({"answer": {"status": 503, "retryAfter": "soon"}}), "retryAfter: expected \"30s\""),
        (json!({"answer": {"status": 503, "retryAfter": {"text": "\r\n"}}}), "retryAfter: expected a text"),
    ] {
        let told = refused(fault.clone());
        assert!(told.starts_with(begins), "{fault}: {told}");
    }
}

#[test]
fn what_is_wrong_with_a_form_is_named_with_its_path() {
    for (fault, told) in [
        (json!({"goaway": true, "probabilty": 0.1}), "probabilty: expected only "),
        (json!({"answer": {"status": 503, "code": "X"}}), "answer.code: expected only `status`"),
        (json!({"limit": {"calls": 1, "in": "1s"}}), "limit.in: expected only `calls`"),
        (json!({"reset": "middle"}), "reset: expected one of `before`"),
    ] {
        let fault = check(fault.as_object().expect("an object")).expect_err("a bad form").to_string();
        assert!(fault.starts_with(told), "{fault}");
    }
}

#[test]
fn the_hostile_profile_can_be_set_and_each_of_its_faults_is_bounded_or_bearable() {
    let faults = faults(1);
    faults.set_hostile(NOW).expect("a good profile");
    let view = serde_json::to_value(faults.view(NOW)).expect("JSON");
    let all = view.as_array().expect("faults");
    assert_eq!(all.len(), 8);
    for fault in all {
        let bearable = fault.get("unknownMembers").is_some() || fault.get("latency").is_some();
        assert!(bearable || fault["mostInARow"].as_u64().is_some_and(|most| most <= 2), "{fault}");
    }
}

#[test]
fn two_faults_have_two_names() {
    let faults = faults(1);
    set(&faults, json!({"name": "storm", "goaway": true}));
    let form = FaultForm { name: Some("storm".into()), goaway: Some(true), ..FaultForm::default() };
    let told = faults.set(&form, NOW).expect_err("taken").to_string();
    assert!(told.starts_with("name: expected a name that no other fault has"), "{told}");
}

#[tokio::test]
async fn a_fault_that_is_over_gives_way_to_its_name_unless_something_hangs_or_is_held() {
    let faults = faults(1);
    let once = json!({"name": "storm", "times": 1, "goaway": true});
    for round in 0..2 {
        set(&faults, once.clone());
        assert_eq!(pattern(&faults, TOKENS, 2), "x.", "{round}");
    }
    let named =
        |name: &str| FaultForm { name: Some(name.into()), goaway: Some(true), ..FaultForm::default() };
    set(&faults, json!({"name": "held", "times": 1, "hold": "inOrder"}));
    let queued = Queued { gateway: "MGW_000001", merchant: "10610027312", token: "t" };
    assert!(faults.strike_notification(&queued, NOW).is_some());
    assert!(faults.set(&named("held"), NOW).is_err());
    set(&faults, json!({"name": "hung", "times": 1, "handshake": "stall"}));
    {
        let struck = faults.strike_connection(NOW).expect("struck");
        let mut hangs = std::pin::pin!(faults.until_lifted(struck.number, None));
        let waits =
            std::future::poll_fn(|context| std::task::Poll::Ready(hangs.as_mut().poll(context).is_pending()));
        assert!(waits.await);
        assert!(faults.set(&named("hung"), NOW).is_err());
    }
    assert!(faults.set(&named("hung"), NOW).is_ok(), "who hung has gone");
}

#[test]
fn the_view_shows_the_form_and_the_counts() {
    let faults = faults(1);
    set(&faults, json!({"every": 2, "for": "10m", "answer": {"status": 503}}));
    pattern(&faults, TOKENS, 5);
    let view = serde_json::to_value(faults.view(NOW)).expect("JSON");
    let wanted = json!([{
        "name": "fault-1", "every": 2, "for": "10m", "answer": {"status": 503},
        "matched": 5, "applied": 2, "until": "2026-04-22T10:10:00.000Z", "over": false,
    }]);
    assert_eq!(view, wanted);
}

#[test]
fn a_form_in_yaml_is_the_same_form() {
    let yaml = "on: [createToken]\nanswer: {status: 503, retryAfter: 30s}\nmostInARow: 2\n";
    let form: FaultForm = serde_saphyr::from_str(yaml).expect("a form");
    let json =
        json!({"on": ["createToken"], "answer": {"status": 503, "retryAfter": "30s"}, "mostInARow": 2});
    assert_eq!(form.shown(), json);
}
