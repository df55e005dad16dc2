//! `d1sim contract run --receiver`: what is judged, and the exit codes.

use std::fs;

use d1_contracts::{BrokenReceiver, ReceiverBreak};
use d1_simulator::cli::broken_receiver_props;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{empty_folder, ends, made};

const BEARER: &str = "outbound/getAccessToken/200/none/good";
const ORDER: &str = "outbound/notifyTokenUpdate/204/none/reordered";

#[test]
fn our_receiver_passes_and_what_it_was_not_put_through_is_named() {
    let folder = empty_folder();
    let (out, _) = ends(folder.path(), &["contract", "run", "--receiver", "self", "--json", "run.json"], 0);
    assert!(
        out.contains("aside: outbound/notifyTokenUpdate/429/TOO_MANY_REQUESTS/busy: not run: needs"),
        "{out}"
    );
    let report = fs::read_to_string(folder.path().join("run.json")).expect("the report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(
        (&report["complete"], &report["standing"]["documented"]["passed"]),
        (&false.into(), &2.into())
    );
    let (_, err) = ends(folder.path(), &["contract", "run", "--receiver", "self", "--filter", "nothing"], 3);
    assert!(err.contains("nothing"), "{err}");
    ends(folder.path(), &["contract", "run", "--receiver", "self", "--filter", "429"], 3);
    ends(folder.path(), &["contract", "run", "--receiver", "http://127.0.0.1:8445"], 64);
    ends(folder.path(), &["contract", "run", "--probe", "true"], 64);
}

#[test]
fn a_run_against_a_receiver_is_proven_with_kills_and_says_what_was_planned_run_and_put_aside() {
    let folder = empty_folder();
    let files = ["--json", "run.json", "--junit", "run.xml", "--html", "run.html", "--har", "run.har"];
    let run = [&["contract", "run", "--receiver", "self", "--kills"], &files[..]].concat();
    let (out, _) = ends(folder.path(), &run, 0);
    assert!(out.contains("broken receivers killed"), "{out}");
    assert!(out.contains("0 failed; witnesses: served, reported, behaved, killed; 13 put aside"), "{out}");
    assert!(out.contains("403 FORBIDDEN                    put aside 0 of 3"), "{out}");
    let text = |name: &str| fs::read_to_string(folder.path().join(name)).expect("the report");
    let json: Value = serde_json::from_str(&text("run.json")).expect("JSON");
    let count = |name: &str| json[name].as_u64().expect("a number");
    let left_out = json["notRun"].as_array().expect("a list").len() as u64;
    assert_eq!((count("planned"), count("failed")), (count("ran") + left_out, 0));
    assert_eq!(json["standing"]["documented"], serde_json::json!({"cells": 2, "passed": 2, "proven": 2}));
    assert_eq!(json["aside"].as_object().expect("reasons").len(), 13);
    assert!(text("run.xml").contains("skipped=\"13\""));
    // An exchange is shown as a client's is, without what is secret or the receiver's own in it.
    let bearer = json["cases"].as_array().expect("cases").iter().find(|case| case["id"] == BEARER);
    let exchanges = bearer.expect("the case")["exchanges"].as_array().expect("exchanges");
    let (asked, told) = (&exchanges[0], &exchanges[1]);
    assert_eq!(asked["path"], "/oauth2/token");
    assert_eq!(asked["answer"]["body"]["token_type"], "(6 characters)");
    assert!(asked["answer"]["body"]["access_token"].as_str().expect("a text").ends_with(" characters)"));
    let path = "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}/notify-update";
    assert_eq!((&told["method"], &told["path"]), (&"POST".into(), &path.into()));
    assert_eq!(told["request"]["body"]["state"], "SUSPENDED");
    for name in &files {
        if name.starts_with("run") {
            assert!(!text(name).contains("Bearer ") && !text(name).contains("Basic "), "{name}");
        }
    }
    assert!(
        text("run.har").contains("https://d1.invalid/merchant-gateways/MGW_000001/merchants/10610027312/")
    );
}

#[test]
fn what_is_put_up_with_in_receivers_has_an_end() {
    let folder = made();
    let props = broken_receiver_props(&folder.path().join("d1-sandbox")).expect("props");
    let runtime = Runtime::new().expect("a runtime");
    let started = runtime.block_on(BrokenReceiver::start(props, Some(ReceiverBreak::NoBearerCheck)));
    let url = started.as_ref().expect("a port").url().to_string();
    let list = |pattern: &str, until: &str| {
        let text = format!("- {{pattern: '{pattern}', reason: It is known to be so, until: {until}}}");
        fs::write(folder.path().join("list.yaml"), text).expect("written");
    };
    let run = |option: &str, more: &[&str], code| {
        let run = ["contract", "run", "--receiver", &url, "--filter", "reordered", option, "list.yaml"];
        ends(folder.path(), &[&run[..], more].concat(), code)
    };
    list(ORDER, "2999-12-31");
    let (out, _) = run("--known-failing", &["--probe", "echo null"], 0);
    assert!(out.contains("failed, as is known: ") && out.contains(ORDER), "{out}");
    let (out, _) = run("--known-failing", &[], 5);
    assert!(out.contains("passes; take it away"), "{out}");
    list(ORDER, "2001-12-31");
    run("--known-failing", &["--probe", "echo null"], 5);
    list("outbound/notifyTokenUpdate/405/*", "2999-12-31");
    let (out, _) = run("--exempt", &[], 5);
    assert!(out.contains("has a case; narrow it"), "{out}");
    list("outbound/getAccessToken/200/*", "2999-12-31");
    let (_, err) = run("--exempt", &[], 64);
    assert!(err.contains("is documented"), "{err}");
    // Cases that do not cover the cells of receivers are a gap, which may be put up with.
    let (case, _) = ends(folder.path(), &["contract", "show", ORDER], 0);
    fs::create_dir_all(folder.path().join("cases/outbound")).expect("a folder");
    fs::write(folder.path().join("cases/outbound/one.yaml"), format!("[{case}]")).expect("written");
    let (out, _) = ends(folder.path(), &["contract", "run", "--receiver", &url, "--cases", "cases"], 2);
    assert!(out.contains("gap: no case shows outbound/notifyTokenUpdate/405/METHOD_NOT_ALLOWED"), "{out}");
    list("outbound/notifyTokenUpdate/405/*", "2999-12-31");
    let (out, _) = run("--exempt", &["--cases", "cases"], 2);
    assert!(!out.contains("gap: no case shows outbound/notifyTokenUpdate/405"), "{out}");
}

#[test]
fn the_bearer_is_had_where_sandbox_yaml_says_and_with_its_scope() {
    let folder = made();
    let sandbox = folder.path().join("d1-sandbox");
    let props = broken_receiver_props(&sandbox).expect("props");
    fs::write(sandbox.join("secret"), &props.credentials.secret).expect("written");
    let runtime = Runtime::new().expect("a runtime");
    let start = |broken| runtime.block_on(BrokenReceiver::start(props.clone(), broken)).expect("a port");
    let (whole, narrow) = (start(None), start(Some(ReceiverBreak::StrictForm)));
    let (url, gone) = (whole.url().to_string(), start(None).url().to_string());
    let yaml = fs::read_to_string(sandbox.join("sandbox.yaml")).expect("the configuration");
    let run = |token_url: &str, scope: &str, at: &str, code| {
        let oauth = format!(
            "authority: ca/receiver-ca.pem\n      oauth: {{tokenUrl: '{token_url}', clientId: '{}', clientSecretFile: secret{scope}}}",
            props.credentials.id
        );
        let yaml = yaml.replacen("authority: ca/receiver-ca.pem", &oauth, 1);
        fs::write(sandbox.join("sandbox.yaml"), yaml).expect("written");
        let filter = ["--filter", "notifyTokenUpdate/204/none/suspended"];
        ends(folder.path(), &[&["contract", "run", "--receiver", at][..], &filter].concat(), code)
    };
    run(&format!("{url}/oauth2/token"), "", &url, 0);
    let (_, err) = run(&format!("{gone}/oauth2/token"), "", &url, 4);
    assert!(err.contains("oauth.tokenUrl") && err.contains("nobody listens there"), "{err}");
    let (out, _) = run(&format!("{url}/another/path"), "", &url, 1);
    assert!(out.contains("expected 204, came 401"), "{out}");
    // Who refuses a scope is asked without one, unless one is configured.
    let at = narrow.url().to_string();
    run(&format!("{at}/oauth2/token"), "", &at, 0);
    run(&format!("{at}/oauth2/token"), ", scope: to notify", &at, 1);
    run(&format!("{url}/oauth2/token"), ", scope: to notify", &url, 0);
}

#[test]
fn a_receiver_anywhere_is_judged_as_far_as_its_probe_tells() {
    let folder = made();
    let sandbox = folder.path().join("d1-sandbox");
    let props = broken_receiver_props(&sandbox).expect("props");
    // It is not known to sandbox.yaml that it asks for a bearer, and so it must not.
    let runtime = Runtime::new().expect("a runtime");
    let started = runtime.block_on(BrokenReceiver::start(props, Some(ReceiverBreak::NoBearerCheck)));
    let receiver = started.expect("a port");
    let url = receiver.url().to_string();
    let run = |more: &[&str], code| {
        let run = ["contract", "run", "--receiver", &url];
        ends(folder.path(), &[&run[..], more].concat(), code)
    };
    let (out, err) = run(&[], 0);
    assert!(err.contains("without --probe"), "{err}");
    assert!(out.contains("401/none/no-bearer: not run: needs the client credentials"), "{out}");
    // A run can be had again by its seed, and only by it.
    let tokens = |seed: &str| {
        let probe = format!("sh -c 'cat >> {seed}.asked; echo {{}}'");
        let (_, err) = run(&["--seed", seed, "--filter", "reordered", "--probe", &probe], 0);
        assert!(err.contains(&format!("seed {seed}: ")), "{err}");
        let asked = fs::read_to_string(folder.path().join(format!("{seed}.asked"))).expect("asked");
        fs::remove_file(folder.path().join(format!("{seed}.asked"))).expect("removed");
        assert!(asked.contains("tokenId"), "{asked}");
        asked
    };
    let first = tokens("7");
    assert_eq!(first, tokens("7"));
    assert_ne!(first, tokens("8"));
    // It says that it knows the token, and nothing of it that would be judged: no more is proven than without it.
    for more in [&["--kills", "--filter", "204"][..], &["--probe", "echo {}", "--kills", "--filter", "204"]] {
        let (out, _) = run(more, 0);
        assert!(out.contains("204 -                            seen"), "{out}");
        assert!(out.contains("without the third, behaved: nothing of them is proven"), "{out}");
    }
    let (out, _) = run(&["--probe", "echo null", "--filter", "notify"], 1);
    assert!(out.contains("behaved: expected 1 events to be handed on, found 0"), "{out}");
    let (out, _) = run(&["--probe", "echo '{\"state\": \"DELETED\"}'"], 1);
    assert!(out.contains("state: expected ACTIVE, found DELETED"), "{out}");
    let (out, _) = run(&["--probe", "echo nonsense"], 1);
    assert!(out.contains("the probe: its answer is not one value of JSON"), "{out}");
    let (_, err) = run(&["--probe", "/nowhere/at-all"], 4);
    assert!(err.contains("--probe: it cannot be started"), "{err}");
    drop((receiver, runtime));
    let (_, err) = run(&[], 4);
    assert!(err.contains(&format!("--receiver {url}: nobody listens there; start")), "{err}");
}

#[test]
fn cases_that_let_a_broken_receiver_live_end_with_6_and_cases_that_fail_a_whole_one_with_1() {
    let folder = empty_folder();
    fs::create_dir_all(folder.path().join("cases/outbound")).expect("a folder");
    let (case, _) = ends(folder.path(), &["contract", "show", ORDER], 0);
    let write = |text: &str| fs::write(folder.path().join("cases/outbound/one.yaml"), text).expect("written");
    let sabotage = ["contract", "sabotage", "--receiver", "--cases", "cases", "--json", "kills.json"];
    write(&format!("[{case}]"));
    let (out, _) = ends(folder.path(), &sabotage, 6);
    assert!(out.contains("survivor: SkipTag: ") && !out.contains("survivor: ArrivalOrderEvents"), "{out}");
    let kills = fs::read_to_string(folder.path().join("kills.json")).expect("the report");
    let kills: Value = serde_json::from_str(&kills).expect("JSON");
    assert_eq!(kills["breaks"]["ArrivalOrderEvents"]["killedBy"], serde_json::json!([ORDER]));
    write(&format!("[{}]", case.replace("\"state\": \"ACTIVE\"\n    }", "\"state\": \"DELETED\"\n    }")));
    let (out, _) = ends(folder.path(), &sabotage, 1);
    assert!(out.contains(&format!("unsound: {ORDER}: ")), "{out}");
    write(&format!("[{}]", case.replace("taken_as", "takenas")));
    let (_, err) = ends(folder.path(), &sabotage, 64);
    assert!(err.contains("outbound/one.yaml:") && err.contains("takenas"), "{err}");
    fs::remove_file(folder.path().join("cases/outbound/one.yaml")).expect("removed");
    ends(folder.path(), &sabotage, 3);
}
