//! Natural cases: a real D1 answers from its state, and the stage stands between it and the client, so that what passes is
//! witnessed as with a script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use rustls::ClientConfig;
use serde_json::Value;

use crate::cases::{Case, Given, Turn};
use crate::jwe::JweKey;
use crate::stage::Exchange;
use crate::subject::{Arguments, BoxFuture};

/// Brings a D1 into a state. The text of a fault says what is missing, and holds no value.
pub type Settle = Arc<dyn Fn(Given) -> BoxFuture<'static, Result<Settled, String>> + Send + Sync>;

/// Where the next request goes, as `HOST:PORT`, once so many access tokens were given out; D1's clock is set right before
/// that.
pub type Way = Arc<dyn Fn(usize) -> BoxFuture<'static, Result<String, String>> + Send + Sync>;

/// A D1 in the state that a case is about.
#[derive(Clone)]
pub struct Settled {
    /// What a call has to be made with.
    pub arguments: Arguments,
    /// Where D1 listens.
    pub way: Way,
    /// The gateway's certificate, and whom it trusts.
    pub tls: Arc<ClientConfig>,
    /// The gateway's key, for the judge alone.
    pub key: JweKey,
}

impl fmt::Debug for Settled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settled").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// What of an answer is wanted only where nobody knows it beforehand.
#[derive(Clone)]
pub struct ByItself {
    /// The headers.
    pub headers: BTreeMap<String, String>,
    /// What is sealed toward the gateway in the body: for the judge alone, never shown.
    pub opened: Option<Vec<u8>>,
}

impl fmt::Debug for ByItself {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByItself").field("headers", &self.headers.keys()).finish_non_exhaustive()
    }
}

/// Whether D1 has answered what a natural case says, as far as it was asked, and nothing against the contract. No value is
/// in the text.
pub(crate) fn answered_as_expected(case: &Case, exchanges: &[Exchange]) -> Result<(), String> {
    if let Some(fault) = exchanges.iter().flat_map(|one| &one.answer_faults).next() {
        return Err(format!("an answer of D1 is against the contract: {fault}"));
    }
    let own = exchanges.iter().filter(|one| one.operation == case.operation());
    own.zip(&case.answers).enumerate().try_for_each(|(place, (one, turn))| {
        matches(one, turn).map_err(|fault| format!("answer {} of D1: {fault}", place + 1))
    })
}

fn matches(one: &Exchange, turn: &Turn) -> Result<(), String> {
    if one.status != turn.status {
        return Err(format!("expected {}, found {}", turn.status, one.status));
    }
    let headers = one.by_itself.as_ref().map(|more| &more.headers);
    for (name, value) in &turn.headers {
        if headers.and_then(|headers| headers.get(name)) != Some(value) {
            return Err(format!("header {name}: expected as the case has it, found another or none"));
        }
    }
    let body: Value = serde_json::from_slice(&one.body).unwrap_or_default();
    let members = turn.body.as_ref().and_then(Value::as_object).into_iter().flatten();
    for (name, value) in members {
        if body.get(name) != Some(value) {
            return Err(format!("{name}: expected as the case has it, found another or none"));
        }
    }
    Ok(())
}

/// What D1 has answered as the member that `{$answered: NAME}` names, a member of a plaintext too: the last answer that has
/// it. Nothing if `expected` names none; an empty value if no answer has it.
pub(crate) fn answered(exchanges: &[Exchange], expected: &Value) -> Option<Value> {
    let name = expected.get("$answered")?.as_str()?;
    let member = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok()?.get(name).cloned();
    let of =
        |one: &Exchange| member(&one.body).or_else(|| member(one.by_itself.as_ref()?.opened.as_deref()?));
    Some(exchanges.iter().rev().find_map(of).unwrap_or_default())
}
