//! Refusals that no document lists, and what can become of the error object.

use serde_json::{Map, Value, json};

use super::members::in_other_order;
use super::values::{breaches, edges};
use super::{About, REFUSAL, SOME, Variant};
use crate::cases::{Count, Ending, Outcome, Retryable, Turn};

/// How much of a code that is too long our client keeps; others may keep all of it, or nothing.
const CODE_KEPT: usize = 128;

impl About<'_> {
    pub(super) fn of_failure(&self) -> Vec<Variant> {
        let new_code = json!({"errorCode": "ADDED_LATER", "error": "A text for people"});
        let never = |rule: &str, why: &str, status, body: Value, code: Option<&str>| {
            self.refused(rule.to_owned(), why, status, body, code)
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
        variants.extend(self.of_error_object());
        variants.extend([502, 504].map(|status| self.in_doubt(status, None)));
        variants.push(self.in_doubt(503, Some("without-object")));
        variants
    }

    /// Nothing was done, and asking again is useless.
    fn refused(&self, rule: String, why: &str, status: u16, body: Value, code: Option<&str>) -> Variant {
        let outcome = Outcome::Refused { status, code: code.map(str::to_owned) };
        Variant {
            rule,
            why: why.to_owned(),
            source: &["D10", "C34"],
            turn: self.turn(status, body),
            expect: self.expectation(outcome, Retryable::Never, false, Count::Exactly(1)),
            judged: false,
        }
    }

    /// The error object of one refusal with another value in each member, and none.
    fn of_error_object(&self) -> Vec<Variant> {
        let known = self.errors.iter().find(|one| one.name == "errorCode");
        let known = known.and_then(|one| one.keywords.get("enum")?.get(0)?.as_str().map(str::to_owned));
        let Some(known) = known else { return Vec::new() };
        let mut good = Map::new();
        good.insert("errorCode".to_owned(), known.clone().into());
        good.insert("error".to_owned(), "A text for people".into());
        let order = "The members of an object have no order, those of a refusal neither.";
        let reordered = in_other_order(&good);
        let mut variants = vec![Variant {
            judged: true,
            ..self.refused("reordered.refusal".to_owned(), order, REFUSAL, reordered, Some(&known))
        }];
        for described in self.errors.iter().filter(|one| good.contains_key(&one.name)) {
            let name = &described.name;
            let mut schema = described.keywords.clone();
            // That there are other codes, and none, is shown by itself.
            schema.remove("enum");
            let mut changes = vec![("null".to_owned(), Some(Value::Null))];
            changes.extend((name != "errorCode").then(|| ("absent".to_owned(), None)));
            changes.extend(edges(&schema, &good[name]).into_iter().map(|(rule, value)| (rule, Some(value))));
            let breaches = breaches(&schema, &good[name]).into_iter();
            changes.extend(breaches.map(|(rule, value, _)| (rule.to_owned(), Some(value))));
            for (rule, value) in changes {
                let allowed = ["lowest", "highest"].contains(&rule.as_str()) && name != "errorCode";
                let mut object = good.clone();
                match value {
                    Some(value) => drop(object.insert(name.clone(), value)),
                    None => drop(object.remove(name)),
                }
                variants.push(Variant {
                    judged: allowed,
                    ..self.strange_refusal(format!("{rule}.refusal.{name}"), object)
                });
            }
        }
        variants
    }

    fn strange_refusal(&self, rule: String, object: Map<String, Value>) -> Variant {
        let code = object.get("errorCode").and_then(Value::as_str).filter(|code| !code.is_empty());
        let code = code.map(str::to_owned);
        let why = "D1 said no, however strangely: the status stands, and so does a code that is one; the text is for people alone.";
        let mut variant = self.refused(rule, why, REFUSAL, object.into(), code.as_deref());
        let others =
            code.filter(|code| code.len() > CODE_KEPT).map(|code| [Some(code[..CODE_KEPT].to_owned()), None]);
        variant.expect.or = others.into_iter().flatten().map(not_done).collect();
        variant
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
            judged: false,
        }
    }
}

/// The refusal with as much of its code as a client has kept.
fn not_done(code: Option<String>) -> Ending {
    Ending {
        outcome: Outcome::Refused { status: REFUSAL, code },
        retryable: Retryable::Never,
        ambiguous: false,
        attempts: None,
    }
}
