//! Of steps `call`: what came of it, against what must.

use d1_client::Error;
use serde_json::Value;

use super::miss::Miss;
use super::our_client::Done;
use super::player::Player;
use crate::scenario::{Call, Gives, Scalar, Step, counted};

impl Player<'_> {
    pub(super) fn judge(
        &mut self,
        step: &Step,
        call: &Call,
        result: &Result<Done, Error>,
        attempts: u32,
        correlation: &str,
    ) {
        let mut misses = Vec::new();
        if !gives(&call.gives, result) {
            misses.push(Miss::of(step, wanted(&call.gives), told(result)));
        }
        if let (Some(wanted), Err(error)) = (call.ambiguous, result)
            && error.is_ambiguous() != wanted
        {
            let word =
                |yes: bool| if yes { "it may have been carried out" } else { "it was not carried out" };
            misses.push(Miss::of(step, format!("the client to say that {}", word(wanted)), word(!wanted)));
        }
        if let Some(wanted) = call.attempts.filter(|wanted| *wanted != attempts) {
            misses.push(Miss::of(step, counted(wanted, "attempt"), attempts.to_string()));
        }
        if let Ok(done) = result {
            for (member, wanted) in &call.answer {
                let found = done.members.get(member.as_str()).unwrap_or(&Value::Null);
                if !is(wanted, found) {
                    let expected = format!("`{member}` of the answer to be {}", wanted.told());
                    misses.push(Miss::of(step, expected, shown(found)));
                }
            }
        }
        for miss in misses {
            let nearest = self.of_correlation(correlation);
            let look = "D1's side of the call: the check that failed stands in brackets behind its status";
            self.misses.push(miss.nearest(nearest).look(look));
        }
    }

    /// D1's side of a call, a line an exchange.
    fn of_correlation(&self, correlation: &str) -> Vec<String> {
        let of_it = self.entries.iter().filter(|entry| entry.text("correlationId") == Some(correlation));
        let lines = of_it.filter_map(|entry| {
            let line = super::transcript::line_of(entry, self.step, &self.names)?;
            Some(format!("{}{}", line.text, self.names.in_journal(entry.n)))
        });
        lines.collect()
    }
}

/// Whether a value is as it must be.
pub(super) fn is(wanted: &Scalar, found: &Value) -> bool {
    match wanted {
        Scalar::Text(text) => found.as_str() == Some(text),
        Scalar::Whole(number) => found.as_i64() == Some(*number),
        Scalar::Truth(truth) => found.as_bool() == Some(*truth),
        Scalar::Absent => found.is_null(),
    }
}

/// A value as it is told.
pub(super) fn shown(found: &Value) -> String {
    match found {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn gives(wanted: &Gives, result: &Result<Done, Error>) -> bool {
    match (wanted, result) {
        (Gives::Ok, Ok(_))
        | (Gives::NoAnswer, Err(Error::NoAnswer { .. }))
        | (Gives::Unreadable, Err(Error::Unreadable { .. }))
        | (Gives::NotSent, Err(Error::Prepare { .. })) => true,
        (Gives::Refused { status: wanted, error_code }, Err(Error::Refused { status, code, .. })) => {
            wanted.is_none_or(|wanted| wanted == u32::from(*status))
                && error_code
                    .as_ref()
                    .is_none_or(|wanted| code.as_ref().is_some_and(|code| code.as_str() == wanted))
        }
        _ => false,
    }
}

fn wanted(gives: &Gives) -> String {
    match gives {
        Gives::Ok => "the call to come out well".to_owned(),
        Gives::Refused { status, error_code } => {
            let status = status.map_or("a refusal".to_owned(), |status| format!("a refusal with {status}"));
            let code = error_code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            format!("{status}{code}")
        }
        Gives::NoAnswer => "no answer".to_owned(),
        Gives::Unreadable => "an answer that cannot be read".to_owned(),
        Gives::NotSent => "nothing to be sent".to_owned(),
    }
}

/// What came, without what only this run has.
pub(super) fn told(result: &Result<Done, Error>) -> String {
    match result {
        Ok(_) => "it came out well".to_owned(),
        Err(Error::Prepare { reason, .. }) => format!("nothing was sent: {reason}"),
        Err(Error::NoAnswer { loss, .. }) => format!("no answer: {loss}"),
        Err(Error::Unreadable { status, reason, .. }) => format!("{status}, unreadable: {reason}"),
        Err(Error::Refused { status, code, error, .. }) => {
            let code = code.as_ref().map(|code| format!(" {code}")).unwrap_or_default();
            let error = error.as_ref().map(|error| format!(" ({error})")).unwrap_or_default();
            format!("refused with {status}{code}{error}")
        }
        Err(other) => other.to_string(),
    }
}
