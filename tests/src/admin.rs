//! The admin port of a sandbox: events, clock, journal.

use std::sync::LazyLock;
use std::time::Duration;

use d1_contracts::Contract;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;

/// The longest real time that a test waits for something to happen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A caller of the admin port.
#[derive(Debug, Clone)]
pub struct Admin {
    url: String,
    http: Client,
}

impl Admin {
    /// For the port at `url`.
    #[must_use]
    pub fn new(url: String) -> Self {
        // It is asked without TLS: without this the certificates of the system would be read each time.
        let plain = Client::builder().tls_certs_only([]).no_proxy();
        Self { url, http: plain.retry(reqwest::retry::never()).build().expect("a client") }
    }

    /// What the port says of itself.
    #[must_use]
    pub fn document(&self) -> &'static Contract {
        static DOCUMENT: LazyLock<Contract> = LazyLock::new(|| {
            let yaml = include_str!("../../simulator/openapi/d1sim-admin.yaml");
            Contract::parse(yaml, "d1sim-admin.yaml").expect("the document")
        });
        &DOCUMENT
    }

    /// `POST` with a JSON body: status and text of the answer.
    pub async fn post_text(&self, path: &str, body: String) -> (u16, String) {
        let request = self.http.post(format!("{}{path}", self.url));
        let sent = request.header("content-type", "application/json").body(body).send().await;
        let answer = sent.unwrap_or_else(|fault| panic!("POST {path}: {fault}"));
        (answer.status().as_u16(), answer.text().await.expect("a body"))
    }

    /// `POST` with a JSON body: status and JSON of the answer (null if it has no body).
    pub async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        let (status, text) = self.post_text(path, body.to_string()).await;
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// `DELETE`: the status of the answer.
    pub async fn delete(&self, path: &str) -> u16 {
        let sent = self.http.delete(format!("{}{path}", self.url)).send().await;
        sent.unwrap_or_else(|fault| panic!("DELETE {path}: {fault}")).status().as_u16()
    }

    /// Sets a fault.
    pub async fn fault(&self, fault: Value) {
        let (status, answer) = self.post("/faults", fault.clone()).await;
        assert_eq!(status, 201, "{fault}: {answer}");
    }

    /// The strike of a fault, as soon as it is in the journal.
    pub async fn struck(&self, name: &str) -> Value {
        let struck =
            |entry: &Value| entry["kind"] == "fault" && entry["what"] == "struck" && entry["name"] == name;
        self.entry(&format!("a strike of {name}"), struck).await
    }

    /// The text of a `GET` that succeeds.
    pub async fn get(&self, path: &str) -> String {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await;
        let answer = answer.unwrap_or_else(|fault| panic!("GET {path}: {fault}"));
        assert_eq!(answer.status(), 200, "GET {path}");
        answer.text().await.expect("a body")
    }

    /// Lets the issuer or the TSP do something to a token of the first gateway (contract C25); `more` holds `exp` and
    /// `pan`. Gives the number of its journal entry.
    pub async fn event(&self, token: &str, event: &str, more: Value) -> u64 {
        let mut body = json!({"gateway": crate::GATEWAY, "tokenId": token, "event": event});
        let members = body.as_object_mut().expect("an object");
        members.extend(more.as_object().cloned().unwrap_or_default());
        let (status, answer) = self.post("/events", body).await;
        assert_eq!(status, 202, "{event}: {answer}");
        answer["journal"].as_u64().expect("a number")
    }

    /// Moves the sandbox's clock alone; see also `Sandbox::advance`.
    pub async fn advance(&self, by: Duration) {
        let (status, answer) =
            self.post("/clock/advance", json!({"by": format!("{}ms", by.as_millis())})).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// The time of the sandbox's clock, RFC 3339.
    pub async fn now(&self) -> String {
        let info: Value = serde_json::from_str(&self.get("/info").await).expect("JSON");
        info["now"].as_str().expect("now").to_owned()
    }

    /// The whole journal as text: one entry a line.
    pub async fn journal_text(&self) -> String {
        let mut text = String::new();
        loop {
            let page = self.get(&format!("/journal?after={}", last_number(&text))).await;
            if page.is_empty() {
                return text;
            }
            text.push_str(&page);
        }
    }

    /// The entries of the whole journal.
    pub async fn journal(&self) -> Vec<Value> {
        lines(&self.journal_text().await)
    }

    /// The first entry with a number above `after` that is wanted, as soon as there is one; `what` is for the failure.
    pub async fn entry_after(&self, after: u64, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut from = after;
        let search = async {
            loop {
                let page = self.get(&format!("/journal?after={from}&wait_ms=10000")).await;
                for entry in lines(&page) {
                    from = entry["n"].as_u64().expect("a numbered entry");
                    if wanted(&entry) {
                        return entry;
                    }
                }
            }
        };
        match timeout(PATIENCE, search).await {
            Ok(entry) => entry,
            Err(_) => panic!("no journal entry for {what}; the journal:\n{}", self.journal_text().await),
        }
    }

    /// Like [`Self::entry_after`], in the whole journal.
    pub async fn entry(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        self.entry_after(0, what, wanted).await
    }

    /// The attempt of a delivery, as soon as it is over: the notification `sequence` of a token, its `attempt`-th try.
    pub async fn delivery(&self, token: &str, sequence: u64, attempt: u64) -> Value {
        self.entry(&format!("delivery {sequence} of {token}, attempt {attempt}"), |entry| {
            entry["kind"] == "delivery"
                && entry["tokenId"] == token
                && entry["sequence"] == sequence
                && entry["attempt"] == attempt
        })
        .await
    }
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

fn last_number(text: &str) -> u64 {
    lines(text).last().map_or(0, |entry| entry["n"].as_u64().expect("a number"))
}
