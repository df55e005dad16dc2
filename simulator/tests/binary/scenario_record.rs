//! `d1sim scenario record`: what was recorded is what happens when it is played.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Serving, empty_folder, ends, made};

/// What a fault by chance strikes is drawn by its name, and a recording gives other names: the day happens otherwise.
const BY_CHANCE: &str = "hostile-day";

/// Scenarios of the library of which less is played than happened, and why.
const LESS: [(&str, &str); 2] = [
    ("certificate-about-to-expire", "needs a sandbox of its own: the day breaks off at the first step"),
    ("clock-skew", "calls that get no access token are not in the journal"),
];

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/scenarios")
}

/// A sandbox whose receiver is who plays.
fn sandbox(folder: &Path) -> Serving {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address");
    let receiver = format!("https://{free}");
    let clock = ["--clock", "2026-04-22T10:00:00Z", "--auth-clock", "sandbox", "--seed", "7"];
    Serving::start(folder, &[&clock[..], &["--receiver", &receiver]].concat())
}

fn journal(serving: &Serving) -> String {
    let url = format!("{}/journal", serving.address("admin"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { reqwest::get(url).await.expect("an answer").text().await.expect("text") })
}

/// Calls with their status, transitions, and deliveries with their answers, in order.
fn essentials(journal: &str) -> Vec<Value> {
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let essential = |line: Value| match line["kind"].as_str()? {
        "request" => Some(json!([line["operation"], line["status"]])),
        "transition" => Some(json!([line["cause"], line["from"], line["to"], line["queued"]["eventType"]])),
        "delivery" => {
            let what = [&line["eventType"], &line["sequence"], &line["attempt"], &line["forged"]];
            Some(json!([what, line["status"], line["outcome"]]))
        }
        _ => None,
    };
    lines.filter_map(essential).collect()
}

#[test]
fn every_day_of_the_library_happens_again_as_it_was_recorded() {
    let folder = made();
    let config = folder.path().join("d1-sandbox/sandbox.yaml");
    let text = fs::read_to_string(&config).expect("the configuration");
    // A receiver that is down for an hour needs more patience than the usual.
    assert!(text.contains("attempts: 8"), "{text}");
    fs::write(&config, text.replace("attempts: 8", "attempts: 100")).expect("written");
    let mut played = 0;
    for entry in fs::read_dir(library()).expect("the library") {
        let day = entry.expect("an entry").path();
        let name = day.file_stem().expect("a name").to_string_lossy().into_owned();
        if name.starts_with('_') || name == BY_CHANCE || day.extension().is_none_or(|ending| ending != "yaml")
        {
            continue;
        }
        let less = LESS.iter().find(|(less, _)| *less == name);
        let day = day.display().to_string();
        let first = sandbox(folder.path());
        let admin = first.address("admin");
        let broken = name == "certificate-about-to-expire";
        ends(folder.path(), &["scenario", "run", &day, "--attach", &admin], if broken { 4 } else { 0 });
        let recorded = format!("{name}-recorded.yaml");
        ends(folder.path(), &["scenario", "record", "--admin", &admin, "--out", &recorded], 0);
        let (findings, _) = ends(folder.path(), &["scenario", "check", &recorded], 0);
        assert_eq!(findings, "", "{name}");
        let again = sandbox(folder.path());
        ends(folder.path(), &["scenario", "run", &recorded, "--attach", &again.address("admin")], 0);
        let (once, twice) = (essentials(&journal(&first)), essentials(&journal(&again)));
        match less {
            None => assert_eq!(
                once,
                twice,
                "{name}: {}",
                fs::read_to_string(folder.path().join(&recorded)).expect("it")
            ),
            Some((_, why)) => {
                let mut rest = once.iter();
                let all = twice.iter().all(|wanted| rest.any(|found| found == wanted));
                assert!(all && twice.len() <= once.len(), "{name} ({why}): {once:?} {twice:?}");
            }
        }
        played += 1;
    }
    assert_eq!(played, 17);
}

#[test]
fn what_cannot_be_recorded_is_told_and_nothing_is_overwritten() {
    let folder = empty_folder();
    let path = folder.path();
    let record = |more: &[&str], code| ends(path, &[&["scenario", "record"], more].concat(), code).1;
    let request = json!({
        "n": 2, "at": "2026-04-22T10:00:00.000Z", "kind": "request", "gateway": "MGW_000001", "correlationId": "c-1",
        "operation": "createMerchant", "method": "POST", "path": "/ecom/v1/merchant-gateways/MGW_000001/merchants",
        "status": 201, "request": {"shown": {"merchantName": "Books"}}, "answer": {"shown": {"merchantId": "1"}},
    });
    fs::write(path.join("good.ndjson"), format!("{request}\n")).expect("written");
    fs::write(path.join("bad.ndjson"), format!("{request}\n\nnonsense\n")).expect("written");
    fs::write(path.join("empty.ndjson"), "").expect("written");
    let other = request.to_string().replace("MGW_000001", "MGW_000002").replace("\"n\":2", "\"n\":3");
    fs::write(path.join("two.ndjson"), format!("{request}\n{other}\n")).expect("written");
    assert!(
        record(&["--journal", "bad.ndjson"], 64).contains("bad.ndjson:3: expected an entry of a journal")
    );
    assert!(record(&["--journal", "empty.ndjson"], 3).contains("no gateway has called D1"));
    assert!(record(&["--journal", "two.ndjson"], 64).contains("--gateway: MGW_000001, MGW_000002"));
    assert!(record(&["--journal", "two.ndjson", "--gateway", "X"], 64).contains("--gateway X"));
    assert!(record(&["--journal", "nowhere.ndjson"], 71).contains("nowhere.ndjson"));
    assert!(record(&["--journal", "good.ndjson", "--name", "A B"], 64).contains("--name A B"));
    assert!(
        record(&["--admin", "http://127.0.0.1:1"], 71)
            .contains("http://127.0.0.1:1 does not answer: connection refused")
    );
    assert!(record(&[], 64).contains("--journal"));
    let said = record(&["--journal", "two.ndjson", "--gateway", "MGW_000002", "--out", "day.yaml"], 0);
    assert!(said.contains("wrote day.yaml") && said.contains("1 comment in it"), "{said}");
    let text = fs::read_to_string(path.join("day.yaml")).expect("it");
    assert!(text.contains("# Not played: 1 entry of MGW_000001"), "{text}");
    assert!(
        record(&["--journal", "good.ndjson", "--out", "day.yaml"], 71).contains("nothing is overwritten")
    );
    assert_eq!(fs::read_to_string(path.join("day.yaml")).expect("it"), text);
    let (out, _) = ends(path, &["scenario", "record", "--journal", "good.ndjson", "--name", "books"], 0);
    assert!(out.contains("name: books\n"), "{out}");
    ends(path, &["scenario", "run", "day.yaml"], 0);
}
