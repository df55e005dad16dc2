//! Judging one case: what the server saw and what the client told, against what the case expects. Pure.

use std::ops::RangeInclusive;

use crate::cases::{Case, Count, Ending, Expectation, Outcome, Retryable};
use crate::natural::{answered, answered_as_expected};
use crate::stage::Exchange;
use crate::subject::Told;

/// Connections that a client may try in vain.
const CONNECTIONS: usize = 10;

/// What a case has shown. A witness is `Ok` or says what is wrong; no secret is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The server's side: the scripted bytes left, and they are what the contract allows.
    pub served: Result<(), String>,
    /// The client told what the case expects.
    pub reported: Result<(), String>,
    /// The client did on the wire what the case expects.
    pub behaved: Result<(), String>,
}

impl Verdict {
    /// What a case shows whose client could not tell what came of the call.
    #[must_use]
    pub fn without_report(case: &Case, exchanges: &[Exchange], fault: &str) -> Self {
        let unknown = "not judged: there is no report".to_owned();
        Self { served: served(case, exchanges), reported: Err(fault.to_owned()), behaved: Err(unknown) }
    }

    /// Whether all three agree.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.faults().next().is_none()
    }

    /// Everything that is wrong, by witness.
    pub fn faults(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let witnesses = [("served", &self.served), ("reported", &self.reported), ("behaved", &self.behaved)];
        witnesses.into_iter().filter_map(|(name, one)| one.as_ref().err().map(|fault| (name, fault.as_str())))
    }
}

/// Judges a case.
#[must_use]
pub fn judge_case(case: &Case, exchanges: &[Exchange], told: &Told) -> Verdict {
    Verdict {
        served: served(case, exchanges),
        reported: reported(case, exchanges, told),
        behaved: behaved(case, exchanges, told),
    }
}

/// The two witnesses that need no report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WireVerdict {
    /// As in [`Verdict`].
    pub served: Result<(), String>,
    /// As in [`Verdict`], for any of the endings that are right, and without the pauses: those are the client's to tell.
    pub behaved: Result<(), String>,
}

/// Judges what can be judged of a case when nobody reports what the client made of it.
#[must_use]
pub fn judge_wire(case: &Case, exchanges: &[Exchange]) -> WireVerdict {
    let expect = &case.expect;
    let attempts: Vec<Count> =
        expect.endings().map(|ending| ending.attempts.unwrap_or(expect.attempts)).collect();
    let others = 0..=usize::from(case.operation() == "getAccessToken");
    WireVerdict { served: served(case, exchanges), behaved: on_the_wire(case, exchanges, others, &attempts) }
}

fn served(case: &Case, exchanges: &[Exchange]) -> Result<(), String> {
    let mut parts = case.cell().split('/').skip(2);
    let (status, code) = (parts.next(), parts.next());
    let of_cell = |one: &&Exchange| {
        let body: serde_json::Value = serde_json::from_slice(&one.body).unwrap_or_default();
        let shown = body.get("errorCode").and_then(serde_json::Value::as_str).unwrap_or("none");
        let is_it = match status {
            // The script of a derived case begins with what it is about.
            Some("derived") => true,
            Some("transport") => one.fault.is_some(),
            _ => status == Some(one.status.to_string().as_str()) && code == Some(shown),
        };
        one.operation == case.operation() && is_it
    };
    if case.given.is_some() {
        answered_as_expected(case, exchanges)?;
    }
    let shown = exchanges.iter().find(of_cell).ok_or("the answer of the cell was never asked for")?;
    if !shown.written {
        return Err("the answer of the cell could not be written to its end".to_owned());
    }
    // What a derived case says differs from the contract on purpose; all else that was answered must not.
    let of_case = |one: &&Exchange| !case.judged && one.operation == case.operation();
    let scripted =
        |place: usize| place < case.answers.len() || case.answers.last().is_some_and(|turn| turn.always);
    let meant = exchanges.iter().filter(of_case).enumerate().filter(|(place, _)| scripted(*place)).count();
    let own = exchanges.iter().filter(of_case).skip(meant);
    let others = exchanges.iter().filter(|one| !of_case(one));
    match own.chain(others).flat_map(|one| &one.answer_faults).next() {
        Some(fault) => Err(format!("an answer of the script is against the contract: {fault}")),
        None => Ok(()),
    }
}

fn reported(case: &Case, exchanges: &[Exchange], told: &Told) -> Result<(), String> {
    let expect = &case.expect;
    let endings: Vec<Ending> = expect.endings().collect();
    let of_outcome: Vec<&Ending> = endings.iter().filter(|one| one.outcome == told.outcome).collect();
    if of_outcome.is_empty() {
        let mut right: Vec<String> = endings.iter().map(|one| one.outcome.to_string()).collect();
        right.dedup();
        return Err(format!("expected {}, told {}", right.join(" or "), told.outcome));
    }
    // `safe` and `after` differ in who chooses the pause; a case that has D1 ask for one says `after`.
    let fits = |one: &&&Ending| one.retryable == told.retryable && one.ambiguous == told.ambiguous;
    if !of_outcome.iter().any(|one| fits(&one)) {
        let pair = |retryable: Retryable, ambiguous| {
            let doubt = if ambiguous { "ambiguous" } else { "not ambiguous" };
            format!("retryable {retryable}, {doubt}")
        };
        let right: Vec<String> = of_outcome.iter().map(|one| pair(one.retryable, one.ambiguous)).collect();
        return Err(format!(
            "expected {}, told {}",
            right.join(" or "),
            pair(told.retryable, told.ambiguous)
        ));
    }
    // What is understood is asked of a call that succeeded.
    let wanted = expect.result.iter().filter(|_| told.outcome == Outcome::Ok);
    for (name, wanted) in wanted {
        let answered = answered(exchanges, wanted);
        match told.result.get(name) {
            Some(_) if answered.as_ref().is_some_and(serde_json::Value::is_null) => {
                return Err(format!("{name}: no answer has the member that it is expected to be"));
            }
            Some(found) if found == answered.as_ref().unwrap_or(wanted) => {}
            // Values may be card data: they are not shown.
            Some(_) => return Err(format!("{name}: understood another value than was sent")),
            None => return Err(format!("{name}: not understood")),
        }
    }
    Ok(())
}

/// How many requests go with the ending that was told.
fn attempts_of(expect: &Expectation, told: &Told) -> Count {
    let is_it = |one: &Ending| {
        one.outcome == told.outcome && one.retryable == told.retryable && one.ambiguous == told.ambiguous
    };
    expect.endings().find(is_it).and_then(|ending| ending.attempts).unwrap_or(expect.attempts)
}

fn behaved(case: &Case, exchanges: &[Exchange], told: &Told) -> Result<(), String> {
    let expect = &case.expect;
    let others = usize::from(case.operation() == "getAccessToken" && told.outcome == Outcome::Ok);
    on_the_wire(case, exchanges, others..=others, &[attempts_of(expect, told)])?;
    if told.waited_ms < expect.waits_at_least_ms {
        let (wanted, waited) = (expect.waits_at_least_ms, told.waited_ms);
        return Err(format!("expected a pause of {wanted} ms at least, waited {waited} ms"));
    }
    Ok(())
}

/// What the requests say by themselves. `others`: how many there may be of operations that the case is not about;
/// `attempts`: how many of its own, any of these.
fn on_the_wire(
    case: &Case,
    exchanges: &[Exchange],
    others: RangeInclusive<usize>,
    attempts: &[Count],
) -> Result<(), String> {
    let count = |operation: &str| {
        let of = exchanges.iter().filter(|one| one.operation == operation && !one.is_connection()).count();
        u32::try_from(of).unwrap_or(u32::MAX)
    };
    if let Some(fault) = exchanges.iter().flat_map(|one| &one.request_faults).next() {
        return Err(format!("a request is against the contract: {fault}"));
    }
    // Of other operations there is the call that an access token was wanted for, and nothing else.
    let own = [case.operation(), "getAccessToken"];
    let strange = exchanges.iter().filter(|one| !own.contains(&one.operation.as_str())).count();
    if !others.contains(&strange) {
        return Err(format!("expected {} requests of other operations, saw {strange}", others.end()));
    }
    let connections = exchanges.iter().filter(|one| one.is_connection()).count();
    if connections > CONNECTIONS {
        return Err(format!(
            "expected at most {CONNECTIONS} connections that come to nothing, saw {connections}"
        ));
    }
    let made = count(case.operation());
    if !attempts.iter().any(|wanted| wanted.holds(made)) {
        let mut wanted: Vec<String> = attempts.iter().map(ToString::to_string).collect();
        wanted.dedup();
        let wanted = wanted.join(" or ");
        return Err(format!("expected {wanted} requests of {}, saw {made}", case.operation()));
    }
    if let Some(wanted) = case.expect.access_tokens {
        let asked = count("getAccessToken");
        if !wanted.holds(asked) {
            return Err(format!("expected {wanted} requests for an access token, saw {asked}"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::cases::{GoodAnswers, built_in_cases, derived_cases};

    fn exchange(operation: &str, status: u16, body: &str, answer_faults: &[&str]) -> Exchange {
        Exchange {
            operation: operation.to_owned(),
            method: "POST".to_owned(),
            request_faults: Vec::new(),
            status,
            body: body.as_bytes().to_vec(),
            by_itself: None,
            answer_faults: answer_faults.iter().map(|&fault| fault.to_owned()).collect(),
            fault: None,
            written: true,
            shown: crate::stage::ShownExchange::default(),
        }
    }

    fn told(outcome: Outcome) -> Told {
        Told { outcome, retryable: Retryable::Never, ambiguous: false, result: BTreeMap::new(), waited_ms: 0 }
    }

    fn literal(id: &str) -> Case {
        built_in_cases().expect("good cases").into_iter().find(|case| case.id == id).expect("a case")
    }

    #[test]
    fn a_call_that_nobody_asked_for_is_seen() {
        let case = literal("inbound/createToken/403/FORBIDDEN/not-ours");
        let refused = Outcome::Refused { status: 403, code: Some("FORBIDDEN".to_owned()) };
        let mut seen = vec![
            exchange("getAccessToken", 200, "{}", &[]),
            exchange("createToken", 403, r#"{"errorCode": "FORBIDDEN"}"#, &[]),
        ];
        assert!(judge_case(&case, &seen, &told(refused.clone())).passed());
        for stray in ["createMerchant", ""] {
            seen.push(exchange(stray, 404, "{}", &[]));
            let verdict = judge_case(&case, &seen, &told(refused.clone()));
            assert!(verdict.behaved.is_err_and(|fault| fault.contains("other operations")), "{stray}");
            seen.pop();
        }
    }

    #[test]
    fn a_derived_case_may_differ_from_the_contract_where_it_says_so_and_nowhere_else() {
        let contract = crate::inbound().expect("the contract");
        let cases = derived_cases(&contract, &GoodAnswers::built_in().expect("good answers"));
        let id = "inbound/createMerchant/derived/unknown-member/generated";
        let case = cases.into_iter().find(|case| case.id == id).expect("a case");
        let with = |token: &[&str], own: &[&str], next: &[&str]| {
            let seen = [
                exchange("getAccessToken", 200, "{}", token),
                exchange("createMerchant", 201, "{}", own),
                exchange("createMerchant", 201, "{}", next),
            ];
            judge_case(&case, &seen, &told(Outcome::Ok)).served
        };
        assert_eq!(with(&[], &["an unknown member"], &[]), Ok(()));
        assert!(with(&["a fault"], &[], &[]).is_err());
        assert!(with(&[], &[], &["a fault"]).is_err());
        assert!(judge_case(&case, &[], &told(Outcome::Ok)).served.is_err());
    }

    #[test]
    fn without_a_report_any_number_of_requests_is_right_that_goes_with_a_right_ending() {
        let mut case = literal("inbound/createToken/403/FORBIDDEN/not-ours");
        let mut seen = vec![exchange("getAccessToken", 200, "{}", &[])];
        let verdict = judge_wire(&case, &seen);
        assert!(verdict.served.is_err_and(|fault| fault.contains("never asked for")));
        assert!(verdict.behaved.is_err_and(|fault| fault.contains("saw 0")));
        seen.push(exchange("createToken", 403, r#"{"errorCode": "FORBIDDEN"}"#, &[]));
        assert_eq!(judge_wire(&case, &seen), WireVerdict { served: Ok(()), behaved: Ok(()) });
        seen.push(exchange("createToken", 403, r#"{"errorCode": "FORBIDDEN"}"#, &[]));
        let again = judge_wire(&case, &seen).behaved;
        assert_eq!(again, Err("expected 1 requests of createToken, saw 2".to_owned()));
        let other = Ending {
            outcome: Outcome::NoAnswer,
            retryable: Retryable::Never,
            ambiguous: true,
            attempts: Some(Count::Exactly(2)),
        };
        case.expect.or.push(other);
        assert_eq!(judge_wire(&case, &seen).behaved, Ok(()));
        seen[2].request_faults.push("a fault".to_owned());
        assert!(judge_wire(&case, &seen).behaved.is_err_and(|fault| fault.ends_with("a fault")));
    }

    #[test]
    fn a_code_that_is_none_in_form_is_not_shown() {
        for code in ["9999990000000014", "9999990000000014 is no good", "forbidden", &"A".repeat(65)] {
            let strange = Outcome::Refused { status: 400, code: Some(code.to_owned()) };
            assert_eq!(strange.to_string(), "refused with 400 and (a code that is none in form)");
        }
        let known = Outcome::Refused { status: 403, code: Some("FORBIDDEN_STATE".to_owned()) };
        assert_eq!(known.to_string(), "refused with 403 and FORBIDDEN_STATE");
    }
}
