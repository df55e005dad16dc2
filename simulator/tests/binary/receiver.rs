//! `d1sim contract run --receiver`: what is judged, and the exit codes.

use std::fs;

use d1_contracts::{BrokenReceiver, ReceiverBreak};
use d1_simulator::cli::broken_receiver_props;
use serde_json::Value;
use tokio::runtime::Runtime;

use crate::{empty_folder, ends, made};

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
    ends(folder.path(), &["contract", "run", "--receiver", "self", "--kills"], 64);
    ends(folder.path(), &["contract", "run", "--probe", "true"], 64);
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
    // It says that it knows the token, and nothing of it that would be judged.
    run(&["--probe", "echo {}"], 0);
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
