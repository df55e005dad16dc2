//! Nothing secret is traced or printed.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Instrument as _;
use tracing::instrument::WithSubscriber as _;
use tracing_subscriber::fmt::MakeWriter;

use super::script::{BEARER, CRYPTOGRAM, DPAN, PAN, Script, Step, World};

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic").extend_from_slice(bytes);
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

impl Sink {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("no panic")).into_owned()
    }
}

#[tokio::test]
async fn no_secret_is_in_any_trace_or_debug_text() {
    // A subscriber that is alone is asked only by its own thread about spans that are new, so that a test beside this one
    // could have them called of no interest; two are both asked by all.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let sink = Sink::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_span_events(tracing_subscriber::fmt::format::FmtSpan::FULL)
        .with_writer(sink.clone())
        .finish();
    let (printed, secrets) = async {
        let mut printed = String::new();
        let mut secrets = vec![PAN.to_owned(), DPAN.to_owned(), CRYPTOGRAM.to_owned(), BEARER.to_owned()];
        for operation in super::ALL {
            for steps in [
                &[Step::Answer(401, ""), Step::Good][..],
                &[Step::RetryAfter("1"), Step::Lost, Step::Answer(500, "")],
                &[Step::Answer(201, "{\"dpan\":\"9999991234567893\"}")],
            ] {
                let world = World::new().await;
                world.script(operation, Script::new(steps)).await;
                let result = world.call(operation).await;
                printed.push_str(&format!("{result:?} {:?}", world.client));
                if let Err(error) = result {
                    printed.push_str(&error.to_string());
                }
                for request in world.server.received_requests().await.expect("recorded") {
                    let Ok(body) = serde_json::from_slice::<serde_json::Value>(&request.body) else {
                        continue;
                    };
                    for member in ["assertion", "encryptedData"] {
                        secrets.extend(body[member].as_str().map(str::to_owned));
                    }
                }
            }
        }
        (printed, secrets)
    }
    .instrument(tracing::info_span!("test"))
    .with_subscriber(subscriber)
    .await;
    let traced = sink.text();
    assert!(
        traced.contains("d1_call") && traced.contains("corr-1") && traced.contains("createToken"),
        "{traced}"
    );
    assert!(secrets.len() > 10, "assertions and JWEs were planted too");
    for secret in secrets {
        let inner = secret.get(secret.len() / 2..).unwrap_or(&secret);
        assert!(!traced.contains(inner), "a trace holds a secret");
        assert!(!printed.contains(inner), "a debug text holds a secret");
    }
}
