//! Judging one case: what the server saw and what the client told, against what the case expects. Pure.

use crate::cases::Case;
use crate::stage::Exchange;
use crate::subject::Told;

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
    pub fn without_report(fault: &str) -> Self {
        let unknown = "not judged: there is no report".to_owned();
        Self { served: Ok(()), reported: Err(fault.to_owned()), behaved: Err(unknown) }
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
        reported: reported(case, told),
        behaved: behaved(case, exchanges, told),
    }
}

fn served(case: &Case, exchanges: &[Exchange]) -> Result<(), String> {
    let mut parts = case.cell().split('/').skip(2);
    let (status, code) = (parts.next(), parts.next());
    let derived = status == Some("derived");
    let of_cell = |one: &&Exchange| {
        let body: serde_json::Value = serde_json::from_slice(&one.body).unwrap_or_default();
        let shown = body.get("errorCode").and_then(serde_json::Value::as_str).unwrap_or("none");
        // The script of a derived case begins with what it is about.
        let is_it = derived || (status == Some(one.status.to_string().as_str()) && code == Some(shown));
        one.operation == case.operation() && is_it
    };
    let shown = exchanges.iter().find(of_cell).ok_or("the answer of the cell was never asked for")?;
    if !shown.written {
        return Err("the answer of the cell could not be written to its end".to_owned());
    }
    match exchanges.iter().flat_map(|one| &one.answer_faults).next() {
        Some(_) if !case.judged => Ok(()),
        Some(fault) => Err(format!("an answer of the script is against the contract: {fault}")),
        None => Ok(()),
    }
}

fn reported(case: &Case, told: &Told) -> Result<(), String> {
    let expect = &case.expect;
    if told.outcome != expect.outcome {
        return Err(format!("expected {:?}, told {:?}", expect.outcome, told.outcome));
    }
    // `safe` and `after` differ in who chooses the pause; a case that has D1 ask for one says `after`.
    if told.retryable != expect.retryable {
        return Err(format!("expected retryable {:?}, told {:?}", expect.retryable, told.retryable));
    }
    if told.ambiguous != expect.ambiguous {
        return Err(format!("expected ambiguous {}, told {}", expect.ambiguous, told.ambiguous));
    }
    for (name, wanted) in &expect.result {
        match told.result.get(name) {
            Some(found) if found == wanted => {}
            // Values may be card data: they are not shown.
            Some(_) => return Err(format!("{name}: understood another value than was sent")),
            None => return Err(format!("{name}: not understood")),
        }
    }
    Ok(())
}

fn behaved(case: &Case, exchanges: &[Exchange], told: &Told) -> Result<(), String> {
    let count = |operation: &str| {
        let of = exchanges.iter().filter(|one| one.operation == operation).count();
        u32::try_from(of).unwrap_or(u32::MAX)
    };
    let expect = &case.expect;
    if let Some(fault) = exchanges.iter().flat_map(|one| &one.request_faults).next() {
        return Err(format!("a request is against the contract: {fault}"));
    }
    let attempts = count(case.operation());
    if !expect.attempts.holds(attempts) {
        return Err(format!("expected {} requests of {}, saw {attempts}", expect.attempts, case.operation()));
    }
    if let Some(wanted) = expect.access_tokens {
        let asked = count("getAccessToken");
        if !wanted.holds(asked) {
            return Err(format!("expected {wanted} requests for an access token, saw {asked}"));
        }
    }
    if told.waited_ms < expect.waits_at_least_ms {
        let (wanted, waited) = (expect.waits_at_least_ms, told.waited_ms);
        return Err(format!("expected a pause of {wanted} ms at least, waited {waited} ms"));
    }
    Ok(())
}
