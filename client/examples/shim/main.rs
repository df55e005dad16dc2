//! This client as `d1sim contract run --exec target/debug/examples/shim` wants it: see contracts/shims/PROTOCOL.md.

mod calls;

use std::io::{Write as _, stdin, stdout};

use d1_client::{Clock, Error, Retry};
use serde_json::{Value, json};

fn main() -> Result<(), calls::Failure> {
    let runtime = tokio::runtime::Runtime::new()?;
    for line in stdin().lines() {
        let mut message: Value = serde_json::from_str(&line?)?;
        if message.get("hello").is_some() {
            let client = concat!("d1-client ", env!("CARGO_PKG_VERSION"), " behind a shim");
            say(&json!({"hello": {"protocol": 1, "client": client, "features": ["parallel", "http2"]}}));
        } else if message.get("call").is_some() {
            runtime.spawn(answer(message["call"].take()));
        } else {
            break;
        }
    }
    Ok(())
}

fn say(message: &Value) {
    // A suite that does not listen any more is gone.
    let _ = writeln!(stdout().lock(), "{message}");
}

async fn answer(call: Value) {
    // Pauses take no time, and are told all the same.
    let start = Clock::system().now();
    let clock = Clock::skipping(start);
    let mut told = match calls::make(&call, clock.clone()).await {
        Ok(result) => json!({"outcome": "ok", "retryable": "never", "ambiguous": false, "result": result}),
        Err(failure) => match failure.downcast_ref::<Error>() {
            Some(error) => failed(error),
            None => json!({"outcome": "not_sent", "retryable": "never", "ambiguous": false}),
        },
    };
    told["id"] = call["id"].clone();
    told["waited_ms"] = json!(clock.now().duration_since(start).unwrap_or_default().as_millis());
    say(&json!({"told": told}));
}

fn failed(error: &Error) -> Value {
    let outcome = match error {
        Error::Refused { status, code, .. } => {
            json!({"refused": {"status": status, "code": code.as_ref().map(|code| code.as_str())}})
        }
        Error::Unreadable { .. } => json!("unreadable"),
        Error::NoAnswer { .. } => json!("no_answer"),
        _ => json!("not_sent"),
    };
    let retryable = match error.retry() {
        Retry::Never => "never",
        Retry::Safe => "safe",
        Retry::After(_) => "after",
    };
    json!({"outcome": outcome, "retryable": retryable, "ambiguous": error.is_ambiguous()})
}
