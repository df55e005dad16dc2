//! No report of the contract suite shows what a client has put into its requests, or what was sealed toward it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use d1_contracts::{
    BoxFuture, CARD, Case, Matrix, Paint, Ran, Report, ReportedOutcome, Retryable, Side, Subject, Task, Told,
    built_in_cases, documented_cells, inbound, run_case,
};
use d1_simulator::cli::{OwnClient, contract_stage};
use http::Method;
use serde_json::{Value, json};
use system_tests::{Caller, Folder, Papers};

/// Words that stand where a client might put a secret. (A name that looks like one is shown by the judge's faults, so that
/// whoever has misspelled it can see it.)
const MARKS: [&str; 3] = ["markedpath", "markedvalue", "markedtext"];

const CASES: [&str; 4] = [
    "inbound/getAccessToken/200/none/issued",
    "inbound/createToken/201/none/tokenizes",
    "inbound/getToken/200/none/reads",
    "inbound/createTransaction/201/none/pays",
];

/// A client that puts card data and marks everywhere, and notes every secret that it has had.
struct Careless {
    folder: Arc<Folder>,
    secrets: Mutex<Vec<String>>,
}

impl Careless {
    fn note(&self, secrets: impl IntoIterator<Item = String>) {
        self.secrets.lock().expect("a lock").extend(secrets);
    }

    /// Sends a request with card data and marks in each of its parts.
    async fn spread(&self, caller: &Caller, bearer: &str) {
        let jwe = caller.sealed(&json!({"pan": CARD.0, "exp": CARD.1}));
        let body = json!({
            "encryptedData": jwe, "another": "markedtext", "merchantName": CARD.0, "source": [CARD.0, 9_999_990_000_000_014_u64],
            CARD.0: {"pan": CARD.0}, bearer: 1, jwe.clone(): 2,
        });
        let authorization = format!("Bearer {bearer}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/json; markedvalue=1"),
            ("x-correlation-id", CARD.0),
            ("another", CARD.0),
            (CARD.0, "x"),
            ("user-agent", "markedvalue"),
        ];
        let path = format!("/{}/tokens?{bearer}=markedvalue&{}=x", CARD.0, CARD.0);
        // What comes of it is of no matter here; the answer repeats the correlation id.
        let _ = caller.try_send(Method::POST, &caller.path(&path), &headers, body.to_string()).await;
        let _ =
            caller.try_send(Method::PUT, &format!("/markedpath/{}", CARD.0), &headers, "markedtext").await;
        self.note([jwe]);
    }
}

impl Subject for Careless {
    fn name(&self) -> &str {
        "a careless client"
    }

    fn call<'a>(&'a self, task: Task<'a>) -> BoxFuture<'a, Result<Told, String>> {
        Box::pin(async move {
            let now = Folder::now().unix_timestamp() * 1000;
            let caller = Caller::new(&self.folder, task.base_url, Papers::good(), now);
            let request = caller.token_request();
            let assertion = request["assertion"].as_str().expect("a text").to_owned();
            let bearer = caller.ask_token(request).await.text("access_token");
            self.note([assertion, bearer.clone()]);
            self.spread(&caller, &bearer).await;
            let (merchant, token) = (d1_contracts::MERCHANT_ID, d1_contracts::TOKEN_ID);
            let path = caller.path(&format!("/{merchant}/tokens/{token}"));
            let read = caller.call(Method::GET, &path, &bearer, Value::Null).await;
            let paid = caller.pay(&bearer, merchant, token).await;
            for answer in [read, paid] {
                let opened = caller.opened(&answer);
                let sealed = ["dpan", "cryptogram"].map(|name| opened[name].as_str().map(str::to_owned));
                self.note(sealed.into_iter().flatten().chain([answer.text("encryptedData")]));
            }
            Ok(Told {
                outcome: ReportedOutcome::Refused { status: 400, code: Some(CARD.0.to_owned()) },
                retryable: Retryable::Never,
                ambiguous: false,
                result: BTreeMap::from([(CARD.0.to_owned(), json!(CARD.0))]),
                waited_ms: 0,
            })
        })
    }
}

async fn run(subject: &dyn Subject, folder: &Folder, cases: &[Case]) -> Vec<Ran> {
    let stage = contract_stage(folder.root()).expect("a stage");
    let mut ran = Vec::new();
    for case in cases {
        ran.push(run_case(&stage, case, subject).await.expect("it runs"));
    }
    ran
}

fn formats(client: &str, cases: Vec<Case>, ran: Vec<Ran>) -> Vec<String> {
    let contract = inbound().expect("the contract");
    let matrix = Matrix::new(&documented_cells(&contract, Side::Inbound), &cases);
    let report = Report::new(client, matrix, cases, ran).with_contract(Side::Inbound, contract);
    vec![
        report.text(Paint::Plain),
        report.json(),
        report.junit().expect("XML"),
        report.markdown(),
        report.html(),
        report.har("2026-04-22T10:00:00Z"),
    ]
}

#[tokio::test]
async fn what_a_careless_client_sends_and_is_sent_is_in_no_report() {
    let folder = Folder::shared();
    let client = Careless { folder: Arc::clone(&folder), secrets: Mutex::default() };
    let mut cases = built_in_cases().expect("good cases");
    cases.retain(|case| CASES.contains(&case.id.as_str()));
    assert_eq!(cases.len(), CASES.len());
    let ran = run(&client, &folder, &cases).await;
    let requests: usize = ran.iter().map(|one| one.exchanges.len()).sum();
    assert_eq!(requests, 5 * CASES.len(), "all of it reached the server");
    let secrets = client.secrets.lock().expect("a lock").clone();
    assert_eq!(secrets.len(), 8 * CASES.len(), "two of the access token, one JWE sent, two opened");
    for text in formats(client.name(), cases, ran) {
        let parts = secrets.iter().flat_map(|secret| secret.split('.')).filter(|part| part.len() > 4);
        // Five digits of a card number are one too many.
        let five = [CARD.0, "00014", "99999", "eyJ", "00016"];
        for secret in parts.chain(MARKS).chain(five) {
            assert!(!text.contains(secret), "{text}\nin which {secret} stands");
        }
        assert!(text.contains("createTransaction"), "{text}");
    }
}

#[tokio::test]
async fn a_run_of_our_client_shows_no_card_no_key_and_no_token() {
    let folder = Folder::shared();
    let client = OwnClient::new(folder.root());
    let mut cases = built_in_cases().expect("good cases");
    cases.retain(|case| case.id.contains("/20"));
    let ran = run(&client, &folder, &cases).await;
    assert!(ran.iter().all(|one| one.verdict.passed()));
    for text in formats(client.name(), cases, ran) {
        for secret in [CARD.0, "00014", "9999998100000016", "00016", "AAECAwQFBgcICQoLDA0ODxAREhM=", "eyJ"] {
            assert!(!text.contains(secret), "{secret} stands in\n{text}");
        }
    }
}
