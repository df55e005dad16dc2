//! `d1sim errors`: every error of the contract, and how to get it from the sandbox.

mod ways;

pub use ways::Natural;

use d1_contracts::{ErrorCode, LoadError, Outcome, Retry, Shown, Side, documented_cells, inbound};
use serde::Serialize;
use serde_json::{Value, json};

use super::args;
use super::exit::Failure;
use super::print;

/// Above the list.
const HEAD: &str = "Every error that D1 may answer, by the documents of this project, and how to get it here:
  natural   what to send or to do, so that it comes by itself
  admin     the body of one `POST /faults` on the admin port, for the next call of the operation
  scenario  a step of a scenario file
";

/// An error of the contract with the ways to get it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ErrorWays {
    /// The `operationId`.
    pub operation: String,
    /// The status.
    pub status: u16,
    /// The `errorCode`; nothing for an answer that has none.
    pub error_code: Option<String>,
    /// How well it is known: `documented`, `sibling`, `inferred` or `choice`.
    pub standing: &'static str,
    /// What the document says of it.
    pub meaning: String,
    /// Whether the request may be sent again: `never`, `afterRefresh` or `afterDelay`.
    pub retry: Option<&'static str>,
    /// What became of the request: `refused`, or `ambiguous` where it may have been carried out.
    pub outcome: Option<&'static str>,
    /// What brings it about without any fault, if anything does.
    pub natural: Option<Natural>,
    /// A body of `POST /faults`.
    pub admin: Value,
    /// A step of a scenario, YAML.
    pub scenario: String,
}

/// Every error of the inbound contract, in the order of operations, statuses and codes.
///
/// # Errors
/// [`LoadError`] if the document cannot be read, which the tests of `d1-contracts` rule out.
pub fn error_ways() -> Result<Vec<ErrorWays>, LoadError> {
    let contract = inbound()?;
    let cells = documented_cells(&contract, Side::Inbound);
    let ways = cells.into_iter().filter_map(|cell| {
        let Shown::Answer { status, code } = cell.shown else { return None };
        let operation = contract.operations().find(|operation| operation.id() == cell.operation)?;
        let listed = code.as_deref().unwrap_or("none");
        let told = operation.answer(status)?.error_codes().find(|told| told.code == listed).cloned();
        let error = (cell.operation.as_str(), status, code.as_deref());
        (status >= 400).then(|| ErrorWays {
            status,
            standing: cell.standing.word(),
            meaning: told.as_ref().map(|told| told.meaning.clone()).unwrap_or_default(),
            retry: told.as_ref().and_then(retry),
            outcome: told.as_ref().and_then(outcome),
            natural: Natural::of(error),
            admin: fault(error),
            scenario: step(error),
            operation: cell.operation.clone(),
            error_code: code.clone(),
        })
    });
    Ok(ways.collect())
}

pub(super) fn run(args: &args::Errors) -> Result<(), Failure> {
    let mut all = error_ways().map_err(Failure::internal)?;
    if let Some(part) = &args.part {
        let part = part.to_lowercase();
        all.retain(|one| one.id().to_lowercase().contains(&part));
        if all.is_empty() {
            let hint = "no error has this in OPERATION/STATUS/CODE; `d1sim errors` prints all";
            return Err(Failure::usage(format!("{part}: {hint}")));
        }
    }
    if args.json {
        print(&serde_json::to_string_pretty(&all).map_err(Failure::internal)?);
        return Ok(());
    }
    print(HEAD);
    for one in &all {
        print(&one.text());
    }
    Ok(())
}

impl ErrorWays {
    /// `OPERATION/STATUS/CODE`.
    fn id(&self) -> String {
        format!("{}/{}/{}", self.operation, self.status, self.error_code.as_deref().unwrap_or("none"))
    }

    fn text(&self) -> String {
        let retry = match self.retry {
            Some("afterRefresh") => "; may be sent again with a new access token",
            Some("afterDelay") => "; may be sent again later",
            _ => "; not to be sent again as it is",
        };
        let outcome = if self.outcome == Some("ambiguous") { "; may have been carried out" } else { "" };
        let natural = self.natural.map_or_else(
            || "(none: only a fault brings it about)".to_owned(),
            |natural| natural.told(&self.operation),
        );
        format!(
            "{}  ({}{retry}{outcome})\n  means     {}\n  natural   {natural}\n  admin     {}\n  scenario  {}\n",
            self.id(),
            self.standing,
            self.meaning,
            self.admin,
            self.scenario,
        )
    }
}

const fn retry(told: &ErrorCode) -> Option<&'static str> {
    match told.retry {
        Some(Retry::Never) => Some("never"),
        Some(Retry::AfterRefresh) => Some("afterRefresh"),
        Some(Retry::AfterDelay) => Some("afterDelay"),
        _ => None,
    }
}

const fn outcome(told: &ErrorCode) -> Option<&'static str> {
    match told.outcome {
        Some(Outcome::Refused) => Some("refused"),
        Some(Outcome::Ambiguous) => Some("ambiguous"),
        _ => None,
    }
}

/// D1 says how long to wait where it says to wait (C13).
const fn waits(status: u16) -> bool {
    matches!(status, 429 | 503)
}

/// A name that scenarios take too.
fn name((operation, status, code): (&str, u16, Option<&str>)) -> String {
    let code = code.map(|code| format!("-{code}")).unwrap_or_default();
    format!("{operation}-{status}{code}").to_lowercase().replace('_', "-")
}

fn fault(error: (&str, u16, Option<&str>)) -> Value {
    let (operation, status, code) = error;
    let mut answer = json!({"status": status});
    if let Some(code) = code {
        answer["errorCode"] = json!(code);
    }
    if waits(status) {
        answer["retryAfter"] = json!("1s");
    }
    json!({"name": name(error), "on": [operation], "times": 1, "answer": answer})
}

fn step(error: (&str, u16, Option<&str>)) -> String {
    let (operation, status, code) = error;
    let code = code.map(|code| format!(", errorCode: {code}")).unwrap_or_default();
    let after = if waits(status) { ", retryAfter: 1s" } else { "" };
    let name = name(error);
    format!(
        "- fault: {{name: {name}, on: [{operation}], times: 1, answer: {{status: {status}{code}{after}}}}}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::load;

    fn all() -> Vec<ErrorWays> {
        error_ways().expect("the contract")
    }

    #[test]
    fn every_error_has_an_admin_call_and_a_step_that_say_the_same() {
        let all = all();
        assert!(all.len() > 50, "{}", all.len());
        for one in &all {
            let (id, admin) = (one.id(), one.admin.as_object().expect("an object"));
            assert_eq!(crate::faults::check(admin), Ok(()), "{id}");
            let step: Value = serde_saphyr::from_str(&one.scenario).expect("YAML");
            assert_eq!(step[0]["fault"], one.admin, "{id}");
            assert!(!one.meaning.is_empty() && one.retry.is_some(), "{id}");
        }
    }

    #[test]
    fn the_steps_are_a_scenario() {
        let steps: Vec<String> = all().iter().map(|one| format!("  {}\n", one.scenario)).collect();
        // A fault of createToken is of use only where a token is made.
        let text = format!(
            "scenario: 1\nname: a\ntitle: A.\nwhy: B.\nstage:\n  merchants: {{books: {{}}}}\n  cards: {{visa: approve}}\n  \
             tokens: {{sub: {{merchant: books, card: visa}}}}\nsteps:\n{}  - expect: {{calls: {{}}}}\n",
            steps.concat()
        );
        let loaded = load("a.yaml", &[], &|_| Ok(text.clone()));
        let told: Vec<String> = loaded.findings.all().map(ToString::to_string).collect();
        assert_eq!(told, [""; 0]);
    }

    #[test]
    fn what_has_no_body_is_not_told_to_leave_a_part_of_it_out() {
        for one in all() {
            let has_body = !matches!(one.operation.as_str(), "getToken" | "deleteToken");
            let told = one.natural.map(|natural| natural.told(&one.operation)).unwrap_or_default();
            assert!(has_body || one.status == 413 || !told.contains("body"), "{}: {told}", one.id());
        }
    }

    #[test]
    fn the_text_names_all_three_ways() {
        let one = all().into_iter().find(|one| one.id() == "createToken/403/TOKENIZATION_DECLINED");
        let text = one.expect("it is listed").text();
        for word in ["card decline", "\"errorCode\":\"TOKENIZATION_DECLINED\"", "- fault: {name: ", "choice"]
        {
            assert!(text.contains(word), "{word}: {text}");
        }
    }
}
