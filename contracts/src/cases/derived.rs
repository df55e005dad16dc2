//! Cases that are derived from the good answers and from what the document says of their members: what a client must put up
//! with because D1 may add and leave out without notice (contract section 9, \[D10\]). Made at run time, so that a new member
//! brings its cases along.

mod members;
mod refusals;
#[cfg(test)]
mod tests;
mod values;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Case, Count, Ending, Expectation, GoodAnswers, Outcome, Retryable, Turn};
use crate::described::{Described, described};
use crate::judge::Contract;
use crate::operation::Operation;

/// Members without which a call has no result: the bearer, an identifier that nothing else tells, what is sealed.
const ESSENTIAL: [(&str, &str); 5] = [
    ("getAccessToken", "access_token"),
    ("createMerchant", "merchantId"),
    ("createToken", "tokenId"),
    ("getToken", "encryptedData"),
    ("createTransaction", "encryptedData"),
];
/// The member without which an answer of an operation is of no use.
pub(crate) fn essential_of(operation: &str) -> Option<&'static str> {
    ESSENTIAL.iter().find(|(of, _)| *of == operation).map(|(_, name)| *name)
}

/// Identifiers of which it can be argued either way whether a result is of use without them.
const UNDECIDED: [(&str, &str); 2] = [("getToken", "tokenId"), ("createTransaction", "transactionId")];
/// The bounds of attempts where a client may repeat, and need not.
const SOME: Count = Count::Between { min: 1, max: 10 };
/// The refusal whose error object is changed.
const REFUSAL: u16 = 400;

/// One way of changing the good answer of an operation, or of refusing it.
struct Variant {
    rule: String,
    why: String,
    source: &'static [&'static str],
    turn: Turn,
    expect: Expectation,
    /// The contract allows it, and it is held against it.
    judged: bool,
}

/// What an operation's variants have in common.
struct About<'a> {
    operation: &'a str,
    good: &'a Turn,
    creates: bool,
    /// What the document says of the members of the good answer, and of those of the error object.
    members: Vec<Described>,
    errors: Vec<Described>,
}

/// A good answer, with what is sealed in it apart.
#[derive(Clone)]
struct Good {
    members: Map<String, Value>,
    /// The member that is a JWE, and its plaintext.
    sealed: Option<(String, Map<String, Value>)>,
}

/// The derived cases of every inbound operation, in the order of their ids. `good` holds the answers that are changed.
#[must_use]
pub fn derived_cases(contract: &Contract, good: &GoodAnswers) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in contract.operations() {
        let Some(answer) = good.of(operation.id()) else { continue };
        let about = About {
            operation: operation.id(),
            good: answer,
            creates: ["createMerchant", "createToken", "createTransaction"].contains(&operation.id()),
            members: of_answer(contract, operation, answer.status),
            errors: of_answer(contract, operation, REFUSAL),
        };
        let variants = about.of_success().into_iter().chain(about.of_failure());
        cases.extend(variants.map(|variant| about.case(variant)));
    }
    cases.sort_by(|one: &Case, other| one.id.cmp(&other.id));
    cases
}

/// What the document says of the members of an answer.
fn of_answer(contract: &Contract, operation: &Operation, status: u16) -> Vec<Described> {
    let check = operation.answer(status).and_then(|answer| answer.media.get("application/json")?.as_ref());
    let schema = check.and_then(|check| contract.document().at(check.pointer()));
    schema.map(|schema| described(contract.document(), schema)).unwrap_or_default()
}

impl Good {
    /// Nothing of an answer without a body.
    fn of(turn: &Turn) -> Option<Self> {
        let Some(Value::Object(members)) = &turn.body else { return None };
        let mut members = members.clone();
        let sealed = members.iter().find_map(|(name, value)| match value.get("$sealed") {
            Some(Value::Object(plaintext)) => Some((name.clone(), plaintext.clone())),
            _ => None,
        });
        if let Some((name, _)) = &sealed {
            members.remove(name);
        }
        Some(Self { members, sealed })
    }

    fn body(&self) -> Value {
        let mut members = self.members.clone();
        if let Some((name, plaintext)) = &self.sealed {
            members.insert(name.clone(), json!({"$sealed": plaintext}));
        }
        Value::Object(members)
    }
}

impl About<'_> {
    fn case(&self, variant: Variant) -> Case {
        Case {
            id: format!("inbound/{}/derived/{}/generated", self.operation, variant.rule),
            why: variant.why,
            source: variant.source.iter().map(|&source| source.to_owned()).collect(),
            given: None,
            answers: vec![variant.turn],
            judged: variant.judged,
            attempt_timeout_ms: None,
            expect: variant.expect,
        }
    }

    /// The call succeeds, whatever is changed, and what it was made for is understood.
    fn tolerated(&self, rule: String, shown: &Good) -> Variant {
        let mut expect = self.expectation(Outcome::Ok, Retryable::Never, false, Count::Exactly(1));
        expect.result = self.result(shown);
        Variant {
            rule,
            why: "A client must not validate strictly what D1 sends: only what a call is useless without may be demanded."
                .to_owned(),
            source: &["D10"],
            turn: self.turn(self.good.status, shown.body()),
            expect,
            judged: false,
        }
    }

    /// What a client has understood that took an answer for good.
    fn result(&self, shown: &Good) -> BTreeMap<String, Value> {
        let essential = essential_of(self.operation);
        match &shown.sealed {
            Some((name, plaintext)) if essential == Some(name) => {
                let known = self.members.iter().find(|one| one.name == *name);
                let known: Vec<&str> =
                    known.iter().flat_map(|one| &one.sealed).map(|one| one.name.as_str()).collect();
                let of_contract = plaintext.iter().filter(|(name, _)| known.contains(&name.as_str()));
                of_contract.map(|(name, value)| (name.clone(), value.clone())).collect()
            }
            // An access token stays with the client: it shows in the call that is made with it.
            _ => essential
                .filter(|&name| name != "access_token")
                .and_then(|name| Some((name.to_owned(), shown.members.get(name)?.clone())))
                .into_iter()
                .collect(),
        }
    }

    /// Success by its status, and of no use: a creation may have been carried out, everything else may be asked again.
    fn unusable(&self, rule: String, body: Value) -> Variant {
        let (retryable, attempts) =
            if self.creates { (Retryable::Never, Count::Exactly(1)) } else { (Retryable::Safe, SOME) };
        Variant {
            rule,
            why: "Success by its status, but the one thing is missing that the call was made for: neither a result nor a refusal."
                .to_owned(),
            source: &["C34", "D10"],
            turn: Turn { always: true, ..self.turn(self.good.status, body) },
            expect: self.expectation(Outcome::Unreadable, retryable, self.creates, attempts),
            judged: false,
        }
    }

    /// It may be argued either way: the answer does for some uses, and not for others.
    fn either(&self, rule: String, shown: &Good) -> Variant {
        let other = self.unusable(String::new(), Value::Null).expect;
        let mut variant = self.tolerated(rule, shown);
        // A client that takes such an answer for no answer may ask again, and gets it again.
        variant.turn.always = true;
        variant.source = &["D10", "C34"];
        variant.expect.or = vec![Ending {
            outcome: other.outcome,
            retryable: other.retryable,
            ambiguous: other.ambiguous,
            attempts: Some(other.attempts),
        }];
        variant.why =
            "Strange, and no reason to fall over: a client may use what it got, or say that it cannot; \
                       but a creation that it cannot use is in doubt, and never made again."
                .to_owned();
        variant
    }

    fn turn(&self, status: u16, body: Value) -> Turn {
        Turn { status, headers: BTreeMap::new(), body: Some(body), fault: None, always: false }
    }

    fn expectation(
        &self,
        outcome: Outcome,
        retryable: Retryable,
        ambiguous: bool,
        attempts: Count,
    ) -> Expectation {
        let own_call = self.operation != "getAccessToken";
        Expectation {
            outcome,
            retryable,
            ambiguous,
            or: Vec::new(),
            attempts,
            access_tokens: own_call.then_some(Count::Exactly(1)),
            waits_at_least_ms: 0,
            result: BTreeMap::new(),
        }
    }
}
