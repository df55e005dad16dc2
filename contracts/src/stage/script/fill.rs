//! Bodies with what cannot stand in a file, and requests that hold such bodies.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Script;
use crate::cases::{Fault, Turn};
use crate::jwe::{Care, Forgery};
use crate::stage::body::Filling;
use crate::stage::http::Request;

impl Script {
    pub(super) fn body(&self, turn: &Turn, number: usize) -> Option<Vec<u8>> {
        let body = turn.body.as_ref()?;
        let seal = |plaintext: String| {
            self.stage.gateway.seal(&match turn.fault {
                Some(Fault::Sealed(disguise)) => Forgery::disguised(plaintext, disguise),
                _ => Forgery::none(plaintext),
            })
        };
        Some(Filling { number, seal: &seal }.written(body).into_bytes())
    }

    /// The request against the contract, and the card inside it.
    pub(super) fn request_faults(&self, request: &Request) -> Vec<String> {
        let contract = &self.stage.contract;
        let judged = contract.judge_request(&request.method, &request.path, &request.headers, &request.body);
        let operation = judged.as_ref().map_or("", |operation| operation).to_owned();
        let mut faults = judged.err().unwrap_or_default();
        if operation == "createToken" {
            let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
            let jwe = body.get("encryptedData").and_then(Value::as_str).unwrap_or_default();
            match self.stage.own.open(jwe, Care::Whole) {
                Some(card) => {
                    faults
                        .extend(contract.judge_plaintext("CardCredentials", &card).err().unwrap_or_default());
                }
                None => return vec!["request encryptedData: expected a JWE that D1's key opens".to_owned()],
            }
        }
        faults.iter().map(ToString::to_string).collect()
    }
}

/// The answer to a request of no operation (contract C32).
pub(super) fn no_route() -> Turn {
    let body = serde_json::json!({"errorCode": "RESOURCE_NOT_FOUND", "error": "No such resource"});
    Turn { status: 404, headers: BTreeMap::new(), body: Some(body), fault: None, always: false }
}

pub(super) fn headers(turn: &Turn, has_body: bool) -> BTreeMap<String, String> {
    let mut headers = turn.headers.clone();
    if has_body {
        headers.entry("content-type".to_owned()).or_insert_with(|| "application/json".to_owned());
    }
    headers
}
