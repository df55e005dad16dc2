//! What the baseline client asks of the members of an answer, and what careless ones ask beyond it.

use std::panic::resume_unwind;

use serde_json::{Map, Value};

use super::BrokenClient;
use super::breaks::Break;
use super::wire::Reply;
use crate::judge::{Contract, inbound};

/// The members of a token.
const TOKEN: [&str; 8] = [
    "tokenId",
    "state",
    "cardLastDigits",
    "cardExpiryDate",
    "tokenLastDigits",
    "tokenExpiryDate",
    "par",
    "creationTimestamp",
];

/// The lengths of texts in the vendor's examples, and of the shortest bearer that anyone has seen.
const LENGTHS: [(&str, usize, usize); 7] = [
    ("access_token", 20, usize::MAX),
    ("merchantId", 11, 11),
    ("merchantName", 4, 64),
    ("tokenId", 36, 36),
    ("par", 29, 29),
    ("transactionId", 36, 36),
    ("dpan", 16, 16),
];

/// The document, for a client that holds all answers against it.
pub(super) fn document(broken: Option<Break>) -> Option<Contract> {
    if broken == Some(Break::ValidateAnswers) { inbound().ok() } else { None }
}

impl BrokenClient {
    /// Whether the members of a good answer, those of its plaintext among them, are those that the client wants.
    pub(super) fn wants(&self, operation: &str, members: &Map<String, Value>) -> bool {
        let (needed, others) = model(operation);
        let there = |name: &&str| members.get(*name).is_some_and(|value| !value.is_null());
        let text =
            |name: &&str| members.get(*name).and_then(Value::as_str).is_some_and(|text| !text.is_empty());
        let texts = || members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        let careless = match self.broken {
            Some(Break::TakeAnything) => return true,
            Some(Break::CoerceMembers) => return needed.iter().all(there),
            Some(Break::WantEveryMember) => others.iter().all(there),
            Some(Break::StrictMembers) => {
                members.keys().all(|name| needed.iter().chain(others).any(|known| known == name))
            }
            Some(Break::PanicUnknownValue) => {
                let state = members.get("state").and_then(Value::as_str);
                if state.is_some_and(|state| !["ACTIVE", "SUSPENDED", "DELETED"].contains(&state)) {
                    // Without the message of a panic that nobody meant.
                    resume_unwind(Box::new("broken on purpose"));
                }
                true
            }
            Some(Break::TypedMembers) => {
                let known = |name: &str| others.contains(&name);
                members.iter().all(|(name, value)| {
                    !known(name)
                        || value.is_null()
                        || value.is_string()
                        || (name == "expires_in" && value.is_number())
                })
            }
            Some(Break::IntegerOnly) => {
                members.get("expires_in").is_none_or(|life| !life.is_number() || life.is_u64())
            }
            Some(Break::FixedLengths) => texts().all(|(name, text)| {
                let bounds = LENGTHS.iter().find(|(known, _, _)| *known == name);
                bounds.is_none_or(|(_, least, most)| (*least..=*most).contains(&text.len()))
            }),
            Some(Break::ShortDates) => texts().all(|(name, text)| {
                let year = text.get(..4).and_then(|year| year.parse::<u32>().ok());
                let is_date = ["creationTimestamp", "cryptogramExpiryDate"].contains(&name);
                !is_date || year.is_some_and(|year| (1970..2038).contains(&year))
            }),
            _ => true,
        };
        careless && needed.iter().all(text)
    }

    /// Whether an answer is what the document says; of all others it is not asked.
    pub(super) fn is_as_documented(&self, operation: &str, reply: &Reply) -> bool {
        let Some(document) = &self.document else { return true };
        document.judge_answer(operation, reply.status, &reply.headers, &reply.body).is_ok()
    }

    /// The same of a plaintext.
    pub(super) fn is_documented_plaintext(&self, plaintext: &[u8]) -> bool {
        let Some(document) = &self.document else { return true };
        ["NetworkToken", "PaymentData"]
            .iter()
            .any(|schema| document.judge_plaintext(schema, plaintext).is_ok())
    }

    /// Whether the members of an error object are of the types that the client has for them.
    pub(super) fn takes_types_of(&self, object: &Value) -> bool {
        let plain = |name: &str| object.get(name).is_none_or(|value| value.is_null() || value.is_string());
        self.broken != Some(Break::TypedMembers) || ["errorCode", "error"].into_iter().all(plain)
    }

    /// Whether the members come in the order in which they have always come.
    pub(super) fn takes_order_of(&self, body: &[u8]) -> bool {
        if self.broken != Some(Break::OrderedMembers) {
            return true;
        }
        let (text, read) =
            (String::from_utf8_lossy(body), serde_json::from_slice::<Map<String, Value>>(body));
        // A map has them in the order of their names.
        let places = read.unwrap_or_default().into_iter().map(|(name, _)| text.find(&format!("\"{name}\":")));
        places.collect::<Vec<_>>().is_sorted()
    }
}

/// The members of an operation's good answer, plaintext included: those without which it is of no use, and the others.
fn model(operation: &str) -> (&'static [&'static str], &'static [&'static str]) {
    match operation {
        "getAccessToken" => (&["access_token"], &["expires_in", "token_type", "scope"]),
        "createMerchant" => (&["merchantId"], &["merchantName", "creationTimestamp"]),
        "createToken" => (&["tokenId"], &TOKEN),
        "getToken" => (&["dpan", "exp"], &TOKEN),
        "createTransaction" => {
            (&["dpan", "exp", "cryptogram"], &["transactionId", "eci", "cryptogramExpiryDate"])
        }
        _ => (&["tokenId"], &[]),
    }
}
