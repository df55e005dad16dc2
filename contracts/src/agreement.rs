//! Literal cases against the documents: what a case expects must follow from the retry class and the outcome that the
//! document gives the answers of its script. Otherwise a case could demand of every client what no document says.

use std::fmt;

use serde_json::Value;

use crate::cases::{Case, Count, Outcome, Retryable, Turn};
use crate::judge::Contract;
use crate::operation::{self, Operation, Retry};

/// A case that expects something else than the document says of its answers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disagreement {
    /// The id of the case.
    pub case: String,
    /// Which expectation, what follows from the document, and what stands there.
    pub reason: String,
}

impl fmt::Display for Disagreement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "case {}: {}; correct the case, or the document", self.case, self.reason)
    }
}

/// What follows from a script, if a client does what the document says of each of its answers (contract C34).
#[derive(Debug)]
struct Conclusion {
    outcome: Outcome,
    retryable: Retryable,
    ambiguous: bool,
    /// Requests of the operation; the smallest number where a client may give up when it likes.
    attempts: u32,
    open_ended: bool,
    access_tokens: u32,
    /// The pauses that D1 asks for between the attempts.
    pause_ms: u64,
}

/// The literal cases that expect something else than what the document says of their answers. A case whose answers the
/// document does not list is no affair of this check: it has no cell.
#[must_use]
pub fn disagreements(contract: &Contract, cases: &[Case]) -> Vec<Disagreement> {
    let mut found = Vec::new();
    // Of a clock that is off more than one ending may be right.
    let has_class = |case: &&Case| case.judged && !case.cell().contains("/transport/");
    for case in cases.iter().filter(has_class) {
        let operation = contract.operations().find(|operation| operation.id() == case.operation());
        let Some(concluded) = operation.and_then(|operation| conclude(operation, &case.answers)) else {
            continue;
        };
        let reasons = concluded.against(case);
        found.extend(reasons.into_iter().map(|reason| Disagreement { case: case.id.clone(), reason }));
    }
    found
}

/// Walks through a script. Nothing if an answer is not listed, or says nothing of its class.
fn conclude(operation: &Operation, script: &[Turn]) -> Option<Conclusion> {
    // After the script comes the good answer.
    let mut so_far = Conclusion {
        outcome: Outcome::Ok,
        retryable: Retryable::Never,
        ambiguous: false,
        attempts: 1,
        open_ended: false,
        access_tokens: 1,
        pause_ms: 0,
    };
    for turn in script {
        // What may be concluded from a fault stands in no document.
        let answer = operation.answer(turn.status).filter(|_| turn.fault.is_none())?;
        if (200..300).contains(&turn.status) {
            return Some(so_far);
        }
        let code = turn.body.as_ref().and_then(|body| body.get("errorCode")).and_then(Value::as_str);
        let known = answer.error_codes().find(|known| known.code == code.unwrap_or("none"))?;
        let outcome = Outcome::Refused { status: turn.status, code: code.map(str::to_owned) };
        let ambiguous = known.outcome? == operation::Outcome::Ambiguous;
        match known.retry? {
            // One refresh and one replay, and no more.
            Retry::AfterRefresh if so_far.access_tokens == 1 => {
                so_far.access_tokens += 1;
                so_far.attempts += 1;
                if turn.always {
                    return Some(Conclusion { outcome, ambiguous, ..so_far });
                }
            }
            Retry::Never | Retry::AfterRefresh => return Some(Conclusion { outcome, ambiguous, ..so_far }),
            Retry::AfterDelay => {
                so_far.attempts += 1;
                let asked: Option<u64> = turn.headers.get("retry-after").and_then(|text| text.parse().ok());
                if turn.always {
                    let retryable = if asked.is_some() { Retryable::After } else { Retryable::Safe };
                    return Some(Conclusion { outcome, retryable, ambiguous, open_ended: true, ..so_far });
                }
                so_far.pause_ms += asked.unwrap_or(0).saturating_mul(1000);
            }
        }
    }
    Some(so_far)
}

impl Conclusion {
    /// In what a case expects something else.
    fn against(&self, case: &Case) -> Vec<String> {
        let expect = &case.expect;
        let mut reasons = Vec::new();
        let mut differs = |what: &str, follows: String, found: String| {
            reasons.push(format!(
                "`{what}`: from what the document says of its answers follows {follows}, found {found}"
            ));
        };
        if expect.outcome != self.outcome {
            differs("outcome", format!("{:?}", self.outcome), format!("{:?}", expect.outcome));
        }
        if expect.retryable != self.retryable {
            differs("retryable", format!("{:?}", self.retryable), format!("{:?}", expect.retryable));
        }
        if expect.ambiguous != self.ambiguous {
            differs("ambiguous", self.ambiguous.to_string(), expect.ambiguous.to_string());
        }
        // A refusal for good ends the attempts; a success may be looked at less closely, which the fourth witness notices.
        let attempts = match expect.attempts {
            Count::Exactly(number) => number == self.attempts && !self.open_ended,
            Count::Between { min, .. } if self.open_ended => min == self.attempts,
            between @ Count::Between { .. } => self.outcome == Outcome::Ok && between.holds(self.attempts),
        };
        if !attempts {
            let follows = if self.open_ended {
                format!("{{min: {}, max: ...}}", self.attempts)
            } else {
                self.attempts.to_string()
            };
            differs("attempts", follows, expect.attempts.to_string());
        }
        if let Some(count) = expect.access_tokens.filter(|count| !count.holds(self.access_tokens)) {
            differs("access_tokens", self.access_tokens.to_string(), count.to_string());
        }
        if expect.waits_at_least_ms < self.pause_ms {
            let follows = format!("{} at least", self.pause_ms);
            differs("waits_at_least_ms", follows, expect.waits_at_least_ms.to_string());
        }
        reasons
    }
}
