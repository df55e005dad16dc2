//! Secrets are planted wherever one can stand, and sought in everything that comes out (journal, admin port, traces,
//! debug and error texts).

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use d1_client::Clock;
use d1_client::receiver::ClientCredentials;
use http::Method;
use serde_json::{Value, json};
use system_tests::{Exchange, Folder, GatewayReceiver, Papers, Port, Sandbox, Setup, Tap};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::flow::{LifeCycle, first_payment};

/// A card outside the table of test cards.
const UNLISTED: &str = "5100000000000008";
/// What a caller sends in headers that nobody asks for.
const HEADED: &str = "a-word-that-nobody-may-read";
/// The secret of the receiver's token endpoint.
const CLIENT_SECRET: &str = "open-sesame-12345";

/// Where the traces go.
#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Everything secret that passed, by what it is.
#[derive(Default)]
struct Secrets(BTreeSet<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, text: &str) {
        // Whoever prints a part of a secret prints a secret: its second half is sought.
        let half = text.get(text.len() / 2..).unwrap_or(text);
        let part = if text.len() > 40 { half } else { text };
        self.0.insert((what, part.to_owned()));
    }

    fn of_exchanges(&mut self, exchanges: &[Exchange]) {
        for exchange in exchanges {
            for body in [&exchange.request, &exchange.answer] {
                let body: Value = serde_json::from_slice(body).unwrap_or_default();
                for member in ["assertion", "access_token", "encryptedData"] {
                    if let Some(text) = body[member].as_str() {
                        self.add(member_name(member), text);
                    }
                }
            }
            for plaintext in [&exchange.request_plaintext, &exchange.answer_plaintext].into_iter().flatten() {
                let plaintext: Value = serde_json::from_slice(plaintext).unwrap_or_default();
                for member in ["pan", "dpan", "cryptogram"] {
                    if let Some(text) = plaintext[member].as_str() {
                        self.add(member_name(member), text);
                    }
                }
            }
            for (name, value) in &exchange.request_headers {
                if name == "authorization" {
                    self.add("a header authorization", value.split(' ').next_back().unwrap_or(value));
                }
            }
        }
    }

    fn of_folder(&mut self, folder: &Folder) {
        for name in ["gateway/assertion.key", "gateway/client.key", "d1/client.key", "d1/server.key"] {
            let pem = folder.text(name);
            let lines: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
            self.add("a private key", &lines);
        }
        for name in ["gateway/jwe.jwk", "d1/jwe.private.jwk"] {
            let jwk: Value = serde_json::from_str(&folder.text(name)).expect("a JWK");
            self.add("a private JWK", jwk["d"].as_str().expect("private"));
        }
    }

    /// The kinds that are in the set.
    fn kinds(&self) -> BTreeSet<&'static str> {
        self.0.iter().map(|(what, _)| *what).collect()
    }

    fn assert_absent(&self, place: &str, text: &str) {
        assert!(!text.is_empty(), "{place} is empty: nothing was searched");
        for (what, secret) in &self.0 {
            assert!(!text.contains(secret.as_str()), "{place} holds {what}");
        }
    }
}

fn member_name(member: &str) -> &'static str {
    match member {
        "assertion" => "an assertion",
        "access_token" => "a bearer",
        "encryptedData" => "a JWE",
        "pan" => "a PAN",
        "dpan" => "a DPAN",
        _ => "a cryptogram",
    }
}

/// Calls that carry a card number where none belongs.
async fn misplace_a_card(sandbox: &Sandbox) {
    let caller = sandbox.caller(Papers::good());
    let bearer = caller.bearer().await;
    let spaced = "5100 0000 0000 0008";
    for text in [UNLISTED, spaced, "5100-0000-0000-0008", "Table 7 5100000000000008", "51000000000000085"] {
        let named = json!({"merchantName": text});
        caller.call(Method::POST, &caller.path(""), &bearer, named).await;
        let unknown = json!({"merchantName": "A", text: text});
        caller.call(Method::POST, &caller.path(""), &bearer, unknown).await;
    }
    let merchant = caller.merchant(&bearer).await;
    let answer = caller.tokenize(&bearer, &merchant, UNLISTED, "1239").await;
    assert_eq!(answer.status, 201, "any valid card is approved");
    let path = caller.path(&format!("/{merchant}/tokens/{UNLISTED}"));
    caller.call(Method::GET, &path, &bearer, Value::Null).await;
    caller.call(Method::POST, &path, UNLISTED, json!({"pan": UNLISTED})).await;
    let headers = [("x-correlation-id", UNLISTED), ("authorization", UNLISTED)];
    caller.send(Method::GET, &path, &headers, "").await;
    let basic = format!("Basic {HEADED}");
    let headers = [
        ("authorization", basic.as_str()),
        ("cookie", HEADED),
        ("proxy-authorization", HEADED),
        ("x-api-key", HEADED),
        ("user-agent", UNLISTED),
        (UNLISTED, "x"),
    ];
    caller.send(Method::GET, &path, &headers, "").await;
    caller.send(Method::GET, &path, &[("authorization", HEADED)], "").await;
    let event =
        json!({"gateway": "MGW_000001", "tokenId": UNLISTED, "event": "card.replace", "pan": UNLISTED});
    sandbox.admin.post("/events", event).await;
}

// One thread, so that the subscriber of this thread hears everything that happens here, spawned tasks included.
#[tokio::test]
async fn no_secret_that_passes_is_in_anything_that_comes_out() {
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_span_events(FmtSpan::FULL)
        .with_writer(sink.clone())
        .finish();
    let _heard = tracing_subscriber::util::SubscriberInitExt::set_default(subscriber);

    let folder = Folder::shared();
    let credentials = ClientCredentials::new("d1-sandbox", CLIENT_SECRET).expect("credentials");
    let debug = format!("{credentials:?}");
    let receiver = GatewayReceiver::start(&folder, Port::take(), Some(credentials), Clock::system());
    let outbound = Tap::outbound(&folder, receiver.url.clone());
    let file = crate::delivery::with_oauth(&folder, "secrets", &outbound.url());
    let setup = Setup { receiver: Some(outbound.url()), file, ..Setup::default() };
    let sandbox = Sandbox::with(folder.clone(), setup).await;
    let inbound = Tap::inbound(&folder, sandbox.api_url());
    let (client, now) = (sandbox.client(&inbound.url()), sandbox.admin.now().await);
    assert_eq!(first_payment(&client, &now).await, Ok(()));
    let life = LifeCycle { client: &client, admin: &sandbox.admin, receiver: &receiver, now: &now };
    assert_eq!(life.whole().await, Ok(()));
    misplace_a_card(&sandbox).await;

    let mut secrets = Secrets::default();
    secrets.of_exchanges(&inbound.exchanges());
    secrets.of_exchanges(&outbound.exchanges());
    secrets.of_folder(&folder);
    secrets.add("a client secret", CLIENT_SECRET);
    secrets.add("a secret header", HEADED);
    secrets.add("a misplaced PAN", UNLISTED);
    secrets.add("a misplaced PAN", "5100 0000 0000 0008");
    secrets.add("a misplaced PAN", "5100-0000-0000-0008");
    assert_eq!(secrets.kinds().len(), 12, "every kind was planted: {:?}", secrets.kinds());

    let journal = sandbox.admin.journal_text().await;
    for told in ["\"authorization\":\"Bearer\"", "\"authorization\":\"Basic\"", "\"cookie\":\"[redacted]\""] {
        assert!(journal.contains(told), "the headers were told of: {told}");
    }
    secrets.assert_absent("the journal", &journal);
    secrets.assert_absent("/state", &sandbox.admin.get("/state").await);
    secrets.assert_absent("/info", &sandbox.admin.get("/info").await);
    let handled = format!("{:?} {:?} {client:?} {debug}", receiver.seen.all(), receiver.store);
    secrets.assert_absent("what the gateway's code can print", &handled);
    let traced = sink.text();
    assert!(traced.contains("d1_call") && traced.contains("handled"), "client and receiver were heard");
    let ours: String = traced.lines().filter(|line| line.contains("d1_")).collect();
    secrets.assert_absent("the traces of our packages", &ours);
}
