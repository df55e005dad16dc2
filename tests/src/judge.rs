//! One exchange, held against the contract: request, answer, and what is sealed in them.

use std::sync::LazyLock;

use bytes::Bytes;
use d1_contracts::{Contract, Fault, inbound, outbound};
use http::HeaderMap;
use serde_json::Value;

use crate::folder::Folder;
use crate::jose::{self, JweKey};

/// Who calls whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The gateway calls D1.
    Inbound,
    /// D1 calls the gateway.
    Outbound,
}

impl Side {
    /// The contract for it, which is read once for all tests.
    #[must_use]
    pub fn contract(self) -> Contract {
        static INBOUND: LazyLock<Contract> = LazyLock::new(|| inbound().expect("the contract"));
        static OUTBOUND: LazyLock<Contract> = LazyLock::new(|| outbound().expect("the contract"));
        match self {
            Self::Inbound => INBOUND.clone(),
            Self::Outbound => OUTBOUND.clone(),
        }
    }
}

/// The private keys of both parties.
#[derive(Debug, Clone)]
pub(crate) struct Keys {
    pub(crate) d1: JweKey,
    pub(crate) gateway: JweKey,
}

impl Keys {
    pub(crate) fn of(folder: &Folder) -> Self {
        let key = |name: &str| JweKey::read(&folder.text(name));
        Self { d1: key("d1/jwe.private.jwk"), gateway: key("gateway/jwe.jwk") }
    }

    /// The key that the JWE of a message is sealed to.
    pub(crate) fn of_message(&self, side: Side, answer: bool) -> &JweKey {
        if side == Side::Inbound && !answer { &self.d1 } else { &self.gateway }
    }
}

/// Request and answer as they arrived.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// Who called whom.
    pub side: Side,
    /// The method.
    pub method: String,
    /// The path with its query.
    pub path: String,
    /// The headers of the request.
    pub request_headers: Vec<(String, String)>,
    /// The body of the request.
    pub request: Bytes,
    /// The status of the answer.
    pub status: u16,
    /// The headers of the answer.
    pub answer_headers: Vec<(String, String)>,
    /// The body of the answer.
    pub answer: Bytes,
    /// The plaintext of the request's JWE.
    pub request_plaintext: Option<Vec<u8>>,
    /// The plaintext of the answer's JWE.
    pub answer_plaintext: Option<Vec<u8>>,
}

/// The schema of the plaintext that a message of an operation holds.
#[must_use]
pub fn plaintext_schema(operation: &str, answer: bool) -> Option<&'static str> {
    match (operation, answer) {
        ("createToken", false) => Some("CardCredentials"),
        ("getToken", true) | ("notifyTokenUpdate", false) => Some("NetworkToken"),
        ("createTransaction", true) => Some("PaymentData"),
        _ => None,
    }
}

impl Exchange {
    /// The operation, if it is one of the contract.
    #[must_use]
    pub fn operation<'c>(&self, contract: &'c Contract) -> Option<&'c str> {
        contract.operation(&self.method, &self.path).map(|matched| matched.operation.id())
    }

    /// Everything in which the exchange differs from the contract.
    #[must_use]
    pub fn faults(&self, contract: &Contract) -> Vec<String> {
        let Some(operation) = self.operation(contract) else {
            let judged = contract.judge_outside_answer(self.status, &self.answer_headers, &self.answer);
            return told("no operation", judged);
        };
        let request = contract
            .judge_request(&self.method, &self.path, &self.request_headers, &self.request)
            .map(|_| ());
        let answer = contract.judge_answer(operation, self.status, &self.answer_headers, &self.answer);
        let mut faults = told(operation, request);
        faults.extend(told(operation, answer));
        faults.extend(self.sealed_faults(contract, operation));
        if operation == "getAccessToken" && self.side == Side::Inbound {
            faults.extend(self.assertion_faults(contract));
        }
        if self.side == Side::Inbound && header(&self.answer_headers) != header(&self.request_headers) {
            faults.push(format!("{operation}: x-correlation-id is not echoed (C7)"));
        }
        faults
    }

    fn sealed_faults(&self, contract: &Contract, operation: &str) -> Vec<String> {
        let mut faults = Vec::new();
        let messages =
            [(false, &self.request, &self.request_plaintext), (true, &self.answer, &self.answer_plaintext)];
        for (is_answer, body, plaintext) in messages {
            let Some(jwe) = sealed_in(body) else { continue };
            let Some(plaintext) = plaintext else {
                faults.push(format!("{operation}: a JWE that its receiver cannot open"));
                continue;
            };
            let schema = plaintext_schema(operation, is_answer).unwrap_or("a JWE has no place here");
            faults.extend(told(operation, contract.judge_plaintext(schema, plaintext)));
            // Only the inbound document describes the header; it is the same both ways (C28).
            if self.side == Side::Inbound {
                let header = jwe.split('.').next().and_then(jose::decode).unwrap_or_default();
                faults.extend(told(operation, contract.judge_plaintext("JweHeader", &header)));
            }
        }
        faults
    }

    fn assertion_faults(&self, contract: &Contract) -> Vec<String> {
        let body: Value = serde_json::from_slice(&self.request).unwrap_or_default();
        let assertion = body["assertion"].as_str().unwrap_or_default();
        let parts: Vec<Vec<u8>> = assertion.split('.').filter_map(jose::decode).collect();
        let [header, claims, _] = &parts[..] else {
            return vec!["getAccessToken: the assertion is not a JWT".to_owned()];
        };
        let mut faults = told("getAccessToken", contract.judge_plaintext("AssertionHeader", header));
        faults.extend(told("getAccessToken", contract.judge_plaintext("AssertionClaims", claims)));
        faults
    }
}

/// The JWE in a JSON body.
pub(crate) fn sealed_in(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    Some(body.get("encryptedData")?.as_str()?.to_owned())
}

/// Headers as the contract takes them; a value that is not text is kept as far as it is.
pub(crate) fn pairs(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value))).collect()
}

fn header(headers: &[(String, String)]) -> Option<&str> {
    headers.iter().find(|(name, _)| name == "x-correlation-id").map(|(_, value)| value.as_str())
}

fn told(operation: &str, judged: Result<(), Vec<Fault>>) -> Vec<String> {
    let faults = judged.err().unwrap_or_default();
    faults.iter().map(|fault| format!("{operation}: {fault}")).collect()
}
