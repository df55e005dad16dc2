//! `d1sim scenario record`: what was recorded is what happens when it is played.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::{Serving, empty_folder, ends, made};

/// What a fault by chance strikes is drawn by its name, and a recording gives other names: the day happens otherwise.
const BY_CHANCE: &str = "hostile-day";

/// What needs a sandbox of its own, which is gone before it can be recorded.
const OF_ITS_OWN: &str = "certificate-about-to-expire";

/// The scenario of the library of which less is played than happened: calls that get no access token are not in the journal.
const LESS: &str = "clock-skew";

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/data/scenarios")
}

fn sandbox(folder: &Path) -> Serving {
    Serving::start(folder, &["--clock", "2026-04-22T10:00:00Z", "--auth-clock", "sandbox", "--seed", "7"])
}

fn journal(serving: &Serving) -> String {
    let url = format!("{}/journal", serving.address("admin"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async { reqwest::get(url).await.expect("an answer").text().await.expect("text") })
}

/// The gateway that called last: one that was given up since time had to pass was there before it.
fn gateway(journal: &str) -> String {
    let mut lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let last = lines.rfind(|line| line["kind"] == "request").expect("a call");
    last["gateway"].as_str().expect("a gateway").to_owned()
}

/// Calls with their status, transitions, and deliveries with their answers, in order.
fn essentials(journal: &str) -> Vec<Value> {
    let whose = gateway(journal);
    let lines = journal.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let lines = lines.filter(|line| line["gateway"] == whose.as_str());
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
    let mut played = 0;
    for entry in fs::read_dir(library()).expect("the library") {
        let day = entry.expect("an entry").path();
        let name = day.file_stem().expect("a name").to_string_lossy().into_owned();
        let left_out = name.starts_with('_') || name == BY_CHANCE || name == OF_ITS_OWN;
        if left_out || day.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        let day = day.display().to_string();
        let first = sandbox(folder.path());
        let admin = first.address("admin");
        ends(folder.path(), &["scenario", "run", &day, "--attach", &admin], 0);
        let (recorded, whose) = (format!("{name}-recorded.yaml"), gateway(&journal(&first)));
        let record = ["scenario", "record", "--admin", &admin, "--gateway", &whose, "--out", &recorded];
        ends(folder.path(), &record, 0);
        let (findings, _) = ends(folder.path(), &["scenario", "check", &recorded], 0);
        assert_eq!(findings, "", "{name}");
        let again = sandbox(folder.path());
        ends(folder.path(), &["scenario", "run", &recorded, "--attach", &again.address("admin")], 0);
        let (once, twice) = (essentials(&journal(&first)), essentials(&journal(&again)));
        if name == LESS {
            let mut rest = once.iter();
            let all = twice.iter().all(|wanted| rest.any(|found| found == wanted));
            assert!(all && twice.len() <= once.len(), "{name}: {once:?} {twice:?}");
        } else {
            let text = fs::read_to_string(folder.path().join(&recorded)).expect("it");
            assert_eq!(once, twice, "{name}: {text}");
        }
        played += 1;
    }
    assert_eq!(played, 16);
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
