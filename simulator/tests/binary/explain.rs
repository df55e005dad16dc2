//! `d1sim errors` and `d1sim explain`.

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::{Serving, empty_folder, ends, gateway, made};

#[test]
fn errors_lists_all_a_part_and_as_json() {
    let folder = empty_folder();
    let errors = |arguments: &[&str], code| ends(folder.path(), &[&["errors"], arguments].concat(), code);
    let (all, _) = errors(&[], 0);
    for word in ["createToken/403/TOKENIZATION_DECLINED", "getAccessToken/400/MISSING_FIELD", "(documented"] {
        assert!(all.contains(word), "{word}: {all}");
    }
    let (json, _) = errors(&["--json", "createToken/503"], 0);
    let one: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((one.as_array().map(Vec::len), &one[0]["retry"]), (Some(1), &json!("afterDelay")));
    assert_eq!(one[0]["natural"], json!({"card": "unavailable-twice"}));
    assert_eq!(errors(&["--json", "createtoken/503"], 0).0, json);
    assert!(errors(&["nothing"], 64).1.contains("OPERATION/STATUS/CODE"));
}

#[tokio::test]
async fn explain_tells_why_a_running_sandbox_refused() {
    let folder = made();
    let serving = Serving::start(folder.path(), &[]);
    let (api, admin) = (serving.address("api"), serving.address("admin"));
    let explain = |arguments: &[&str], code| ends(folder.path(), &[&["explain"], arguments].concat(), code);
    assert!(explain(&["--admin", &admin], 0).0.starts_with("Nothing was refused"));
    let (http, url) =
        (gateway(folder.path()), format!("{api}/ecom/v1/merchant-gateways/MGW_000001/merchants"));
    let call = |id: &'static str| http.post(&url).header("x-correlation-id", id).body("{}");
    assert_eq!(call("no-bearer").send().await.expect("an answer").status(), 401);
    let fault = json!({"name": "storm", "on": ["createMerchant"], "answer": {"status": 503}}).to_string();
    let set =
        reqwest::Client::new().post(format!("{admin}/faults")).header("content-type", "application/json");
    assert_eq!(set.body(fault).send().await.expect("an answer").status(), 201);
    assert_eq!(call("stormy").send().await.expect("an answer").status(), 503);
    let (last, _) = explain(&["--admin", &admin], 0);
    assert!(last.contains("answered 503 SERVICE_UNAVAILABLE") && last.contains("forced by storm"), "{last}");
    assert!(!last.contains("Nothing was refused since"), "{last}");
    let claims = json!({"iss": "MGW_000001", "exp": 1_776_852_090});
    let late = ends(folder.path(), &["jose", "assert", "--at", "2026-04-22T10:00:00Z", "--life", "90s"], 0).0;
    let ask = |assertion: &str| {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        let body = json!({"grant_type": grant, "assertion": assertion.trim()});
        http.post(format!("{api}/authz/v1/oauth2/token")).header("x-correlation-id", "asks").json(&body)
    };
    assert_eq!(ask(&late).send().await.expect("an answer").status(), 400);
    let good = ends(folder.path(), &["jose", "assert"], 0).0;
    assert_eq!(ask(&good).send().await.expect("an answer").status(), 200);
    let (last, _) = explain(&["--admin", &admin], 0);
    let dated = format!("found     {} (2026-04-22T10:01:30.000Z)", claims["exp"]);
    assert!(last.contains(&dated), "{last}");
    assert!(
        last.contains("Nothing was refused since. After it came a call: ") && last.contains("answered 200"),
        "{last}"
    );
    let whole = reqwest::get(format!("{admin}/journal?all")).await.expect("an answer");
    assert_eq!(
        (whole.status().as_u16(), &whole.headers()["content-type"]),
        (200, &"application/x-ndjson".parse().expect("a value"))
    );
    let page = reqwest::get(format!("{admin}/journal")).await.expect("an answer");
    assert_eq!(whole.text().await.expect("text"), page.text().await.expect("text"));
    assert_eq!(reqwest::get(format!("{admin}/journal?all=7")).await.expect("an answer").status(), 400);
    let (_, said) = explain(&["--admin", &api.replace("https", "http")], 71);
    assert!(said.contains("that is no plain HTTP: is it the API's port?"), "{said}");
    let (told, _) = explain(&["no-bearer", "--admin", &admin], 0);
    for word in
        ["createMerchant was answered 401", "check     bearer", "C10 (our choice)", "ask for a new one"]
    {
        assert!(told.contains(word), "{word}: {told}");
    }
    let journal =
        reqwest::get(format!("{admin}/journal")).await.expect("an answer").text().await.expect("text");
    fs::write(folder.path().join("journal.ndjson"), journal).expect("written");
    assert_eq!(serving.stop(Signal::TERM), Some(0));
    assert_eq!(explain(&["no-bearer", "--journal", "journal.ndjson"], 0).0, told);
    let (_, fault) = explain(&["nowhere", "--journal", "journal.ndjson"], 64);
    assert!(fault.contains("no entry has this number or correlation id"), "{fault}");
    assert!(
        explain(&["--admin", &admin], 71)
            .1
            .contains("does not answer: connection refused; is d1sim serve running?")
    );
    let line = |n: u32| json!({"n": n, "kind": "reset"}).to_string() + "\n";
    for (entries, warned) in [(999, false), (1_000, true)] {
        let lines: String = (1..=entries).map(line).collect();
        fs::write(folder.path().join("page.ndjson"), lines).expect("written");
        let said = explain(&["--journal", "page.ndjson"], 0).1;
        assert_eq!(said.contains("GET /journal?all gives the whole journal"), warned, "{said}");
    }
    assert!(explain(&["--journal", "none.ndjson"], 71).1.contains("none.ndjson"));
}
