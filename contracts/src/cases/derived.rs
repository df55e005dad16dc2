//! Cases that are derived from the good answers: what a client must put up with because D1 may add and leave out without
//! notice (contract section 9, \[D10\]). Made at run time, so that a new member brings its cases along.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Case, Count, Expectation, GoodAnswers, Outcome, Retryable, Turn};
use crate::judge::Contract;

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

/// Members of which it can be argued either way: no case is made of their absence.
const UNDECIDED: [(&str, &str); 2] = [("getToken", "tokenId"), ("createTransaction", "transactionId")];
/// The bounds of attempts where a client may repeat, and need not.
const SOME: Count = Count::Between { min: 1, max: 10 };

/// One way of changing the good answer of an operation, or of refusing it.
struct Variant {
    rule: String,
    why: String,
    source: &'static [&'static str],
    turn: Turn,
    expect: Expectation,
}

/// What an operation's variants have in common.
struct About<'a> {
    operation: &'a str,
    good: &'a Turn,
    creates: bool,
}

/// The derived cases of every inbound operation, in the order of their ids. `good` holds the answers that are changed.
#[must_use]
pub fn derived_cases(contract: &Contract, good: &GoodAnswers) -> Vec<Case> {
    let mut cases = Vec::new();
    for operation in contract.operations() {
        let Some(answer) = good.of(operation.id()) else { continue };
        let creates = ["createMerchant", "createToken", "createTransaction"].contains(&operation.id());
        let about = About { operation: operation.id(), good: answer, creates };
        let variants = about.of_success().into_iter().chain(about.of_failure());
        cases.extend(variants.map(|variant| about.case(variant)));
    }
    cases.sort_by(|one: &Case, other| one.id.cmp(&other.id));
    cases
}

impl About<'_> {
    fn case(&self, variant: Variant) -> Case {
        Case {
            id: format!("inbound/{}/derived/{}/generated", self.operation, variant.rule),
            why: variant.why,
            source: variant.source.iter().map(|&source| source.to_owned()).collect(),
            given: None,
            answers: vec![variant.turn],
            judged: false,
            attempt_timeout_ms: None,
            expect: variant.expect,
        }
    }

    /// The good answer, changed.
    fn of_success(&self) -> Vec<Variant> {
        // An answer without a body has nothing to change.
        let Some(Value::Object(members)) = &self.good.body else { return Vec::new() };
        let mut variants = vec![self.unknown_member(members)];
        for name in members.keys() {
            let this = (self.operation, name.as_str());
            if UNDECIDED.contains(&this) {
                continue;
            }
            let without = members.iter().filter(|(other, _)| *other != name);
            let absent: Map<_, _> = without.map(|(name, value)| (name.clone(), value.clone())).collect();
            let mut null = members.clone();
            null.insert(name.clone(), Value::Null);
            for (rule, body) in [("absent", absent), ("null", null)] {
                let rule = format!("{rule}.{name}");
                variants.push(if ESSENTIAL.contains(&this) {
                    self.unusable(rule, body)
                } else {
                    self.tolerated(rule, body)
                });
            }
        }
        if members.contains_key("state") {
            let mut new = members.clone();
            new.insert("state".to_owned(), "HIBERNATING".into());
            let mut variant = self.tolerated("unknown-value.state".to_owned(), new);
            variant.expect.result.insert("state".to_owned(), "HIBERNATING".into());
            variants.push(variant);
        }
        variants
    }

    fn unknown_member(&self, members: &Map<String, Value>) -> Variant {
        let mut more = members.clone();
        more.insert("addedLater".to_owned(), json!({"deep": [1.5, null, {"more": "é"}]}));
        Variant {
            why:
                "D1 adds members without notice; a client that refuses them stops on the day of D1's release."
                    .to_owned(),
            ..self.tolerated("unknown-member".to_owned(), more)
        }
    }

    /// The call succeeds, whatever is missing, and what it was made for is understood.
    fn tolerated(&self, rule: String, body: Map<String, Value>) -> Variant {
        let mut expect = self.expectation(Outcome::Ok, Retryable::Never, false, Count::Exactly(1));
        if let Some(name) = essential_of(self.operation) {
            match body.get(name).and_then(|value| value.get("$sealed")) {
                Some(Value::Object(plaintext)) => expect.result.extend(plaintext.clone()),
                // An access token stays with the client: it shows in the call that is made with it.
                _ if name == "access_token" => {}
                _ => expect.result.extend(body.get(name).map(|value| (name.to_owned(), value.clone()))),
            }
        }
        Variant {
            rule,
            why: "A client must not validate strictly what D1 sends: only what a call is useless without may be demanded."
                .to_owned(),
            source: &["D10"],
            turn: self.turn(self.good.status, body.into()),
            expect,
        }
    }

    /// Success by its status, and of no use: a creation may have been carried out, everything else may be asked again.
    fn unusable(&self, rule: String, body: Map<String, Value>) -> Variant {
        let (retryable, attempts) =
            if self.creates { (Retryable::Never, Count::Exactly(1)) } else { (Retryable::Safe, SOME) };
        Variant {
            rule,
            why: "Success by its status, but the one thing is missing that the call was made for: neither a result nor a refusal."
                .to_owned(),
            source: &["C34", "D10"],
            turn: Turn { always: true, ..self.turn(self.good.status, body.into()) },
            expect: self.expectation(Outcome::Unreadable, retryable, self.creates, attempts),
        }
    }

    /// Refusals that no document lists.
    fn of_failure(&self) -> Vec<Variant> {
        let new_code = json!({"errorCode": "ADDED_LATER", "error": "A text for people"});
        let refused = |status, code: Option<&str>| Outcome::Refused { status, code: code.map(str::to_owned) };
        let never = |rule: &str, why: &str, status, body: Value, code| Variant {
            rule: rule.to_owned(),
            why: why.to_owned(),
            source: &["D10", "C34"],
            turn: self.turn(status, body),
            expect: self.expectation(refused(status, code), Retryable::Never, false, Count::Exactly(1)),
        };
        let mut variants = vec![
            never(
                "unknown-code",
                "New codes come without notice; they must reach the caller as they are, and not as a crash.",
                400,
                new_code.clone(),
                Some("ADDED_LATER"),
            ),
            never(
                "unknown-status",
                "New statuses come without notice; every 4xx means that nothing was done and repeating is useless.",
                422,
                new_code,
                Some("ADDED_LATER"),
            ),
            never(
                "unknown-member-of-error",
                "The error object may grow like any other; its code must still be found.",
                403,
                json!({"addedLater": [1], "errorCode": "FORBIDDEN", "error": "no"}),
                Some("FORBIDDEN"),
            ),
            never(
                "error-without-code",
                "Somebody between may answer for D1; without a code the status alone tells, and the text is not to be read.",
                403,
                json!({"error": "retry this at once"}),
                None,
            ),
        ];
        variants.extend([502, 504].map(|status| self.in_doubt(status, None)));
        variants.push(self.in_doubt(503, Some("without-object")));
        variants
    }

    /// D1, or somebody before it, failed without a word of D1's own: whether the request was carried out is unknown.
    fn in_doubt(&self, status: u16, name: Option<&str>) -> Variant {
        let body = json!({"message": "upstream"});
        let (retryable, attempts) =
            if self.creates { (Retryable::Never, Count::Exactly(1)) } else { (Retryable::Safe, SOME) };
        Variant {
            rule: name.map_or_else(|| format!("status-{status}"), |name| format!("status-{status}-{name}")),
            why: "Whether the request was carried out is unknown: a creation must be reported as in doubt and not be repeated."
                .to_owned(),
            source: &["C34"],
            turn: Turn { always: true, ..self.turn(status, body) },
            expect: self.expectation(
                Outcome::Refused { status, code: None },
                retryable,
                self.creates,
                attempts,
            ),
        }
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
