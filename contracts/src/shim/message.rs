//! The lines of the shim protocol. What a shim writes is read strictly, and no value of it stands in a fault: it may be
//! card data.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::ShimFiles;
use crate::cases::Outcome;
use crate::subject::{Arguments, Call, Task, Told};

/// The version that both sides must speak.
pub(super) const PROTOCOL: u64 = 1;

/// The gateway whose papers the files are.
const GATEWAY: &str = "MGW_000001";

/// The longest text of a shim that is shown, in characters.
const LONGEST_TEXT: usize = 256;

/// What a shim says of itself.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) client: String,
    pub(super) features: Vec<String>,
}

/// A line of a shim.
#[derive(Debug)]
pub(super) enum Message {
    Hello(Result<Hello, String>),
    /// An answer whose id can be read at least; a fault in the rest is the fault of that call.
    Told {
        id: u64,
        told: Result<Told, String>,
    },
}

/// The suite's first line.
pub(super) fn hello() -> String {
    let suite = concat!(env!("CARGO_PKG_NAME"), " ", env!("CARGO_PKG_VERSION"));
    line(&json!({"hello": {"protocol": PROTOCOL, "suite": suite}}))
}

/// The suite's last line.
pub(super) fn bye() -> String {
    line(&json!({"bye": {}}))
}

/// A call as a line.
pub(super) fn call(id: u64, task: Task<'_>, files: &ShimFiles, deadline_ms: u64) -> String {
    let Task { case, base_url, call, arguments: with, attempt_timeout } = task;
    let attempt_timeout_ms = u64::try_from(attempt_timeout.as_millis()).unwrap_or(u64::MAX);
    line(&json!({"call": {
        "id": id,
        "case": case,
        "base_url": base_url,
        "operation": call.operation(),
        "arguments": arguments(call, with),
        "files": files,
        "gateway": GATEWAY,
        "attempt_timeout_ms": attempt_timeout_ms,
        "deadline_ms": deadline_ms,
    }}))
}

fn arguments(call: Call, with: &Arguments) -> Value {
    let Arguments { merchant_name, merchant_id, token_id, card: (pan, exp) } = with;
    match call {
        Call::CreateMerchant => json!({"merchantName": merchant_name}),
        Call::CreateToken => json!({"merchantId": merchant_id, "pan": pan, "exp": exp}),
        Call::GetToken | Call::DeleteToken => json!({"merchantId": merchant_id, "tokenId": token_id}),
        Call::CreateTransaction => {
            json!({"merchantId": merchant_id, "tokenId": token_id, "transactionType": "SINGLE"})
        }
    }
}

fn line(message: &impl Serialize) -> String {
    let mut text = json!(message).to_string();
    text.push('\n');
    text
}

/// Reads a line of a shim.
pub(super) fn read(line: &[u8]) -> Result<Message, String> {
    let Ok(Value::Object(mut message)) = serde_json::from_slice(line) else {
        return Err("expected a JSON object".to_owned());
    };
    let kind = message.keys().next().filter(|_| message.len() == 1).cloned();
    let content = kind.as_deref().and_then(|kind| message.remove(kind));
    match (kind.as_deref(), content) {
        (Some("hello"), Some(Value::Object(hello))) => Ok(Message::Hello(read_hello(hello))),
        (Some("told"), Some(Value::Object(mut told))) => {
            let id = member(&mut told, "told", "id")?;
            Ok(Message::Told { id, told: read_told(told) })
        }
        _ => Err("expected one member, `hello` or `told`, that holds an object".to_owned()),
    }
}

fn read_hello(mut hello: Map<String, Value>) -> Result<Hello, String> {
    let protocol: u64 = member(&mut hello, "hello", "protocol")?;
    // Before all else: the members of another version may be others.
    if protocol != PROTOCOL {
        return Err(format!("it speaks version {protocol} of the protocol, this suite version {PROTOCOL}"));
    }
    let client: String = member(&mut hello, "hello", "client")?;
    let features = member(&mut hello, "hello", "features")?;
    nothing_else(&hello, "hello")?;
    printable(&client, "hello.client")?;
    Ok(Hello { client, features })
}

fn read_told(mut told: Map<String, Value>) -> Result<Told, String> {
    let read = Told {
        outcome: member(&mut told, "told", "outcome")?,
        retryable: member(&mut told, "told", "retryable")?,
        ambiguous: member(&mut told, "told", "ambiguous")?,
        result: optional(&mut told, "told", "result")?,
        waited_ms: optional(&mut told, "told", "waited_ms")?,
    };
    nothing_else(&told, "told")?;
    // Reports show the code.
    if let Outcome::Refused { code: Some(code), .. } = &read.outcome {
        printable(code, "told.outcome")?;
    }
    Ok(read)
}

fn printable(text: &str, path: &str) -> Result<(), String> {
    if text.is_empty() || text.chars().count() > LONGEST_TEXT || text.chars().any(char::is_control) {
        let wanted = format!("1 to {LONGEST_TEXT} characters, none of them a control character");
        return Err(format!("{path}: expected a text of {wanted}"));
    }
    Ok(())
}

fn member<T: DeserializeOwned>(of: &mut Map<String, Value>, path: &str, name: &str) -> Result<T, String> {
    let value = of.remove(name).ok_or_else(|| format!("{path}.{name}: missing"))?;
    serde_json::from_value(value).map_err(|_| format!("{path}.{name}: not as the protocol has it"))
}

fn optional<T: DeserializeOwned + Default>(
    of: &mut Map<String, Value>,
    path: &str,
    name: &str,
) -> Result<T, String> {
    if of.contains_key(name) { member(of, path, name) } else { Ok(T::default()) }
}

/// A misspelled member would otherwise pass for one that was left out.
fn nothing_else(rest: &Map<String, Value>, path: &str) -> Result<(), String> {
    match rest.len() {
        0 => Ok(()),
        count => Err(format!("{path}: {count} members that the protocol does not know")),
    }
}
