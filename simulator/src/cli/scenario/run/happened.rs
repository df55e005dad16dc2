//! What happened, as the journal of the sandbox tells it: which entries fit, and how they are told.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::miss::Broken;
use super::names::Names;
use crate::notify::ENDED;
use crate::scenario::{Calls, Notifications, counted};

/// An entry of the journal.
#[derive(Debug, Clone)]
pub(in crate::cli::scenario) struct Entry {
    pub(in crate::cli::scenario) n: u64,
    pub(in crate::cli::scenario) at: Timestamp,
    pub(in crate::cli::scenario) line: Value,
}

impl Entry {
    pub(super) fn read(line: &[u8]) -> Result<Self, Broken> {
        let strange = || Broken("the journal has a line that is no entry: is it that of a d1sim?".to_owned());
        let line: Value = serde_json::from_slice(line).map_err(|_| strange())?;
        if line["kind"] == "gap" {
            let lost = "the journal has lost entries: the scenario makes more than it holds; make it shorter";
            return Err(Broken(lost.to_owned()));
        }
        let n = line["n"].as_u64().ok_or_else(strange)?;
        let at = line["at"].as_str().and_then(|at| at.parse().ok()).ok_or_else(strange)?;
        Ok(Self { n, at, line })
    }

    pub(in crate::cli::scenario) fn text(&self, member: &str) -> Option<&str> {
        self.line.get(member).and_then(Value::as_str)
    }

    pub(in crate::cli::scenario) fn is(&self, kind: &str) -> bool {
        self.text("kind") == Some(kind)
    }

    pub(in crate::cli::scenario) fn status(&self) -> Option<u64> {
        self.line.get("status").and_then(Value::as_u64)
    }

    pub(in crate::cli::scenario) fn attempt(&self) -> u64 {
        self.line.get("attempt").and_then(Value::as_u64).unwrap_or_default()
    }

    /// Of a delivery or a call for a token: the status, or why there is none, as far as that is no chance.
    pub(super) fn came(&self) -> String {
        if self.status().is_some() {
            return answered(self.status());
        }
        match self.text("failure") {
            // That its connection ends is what a forgery is for, by an alert or without.
            None => answered(None),
            Some(_) if self.text("forged").is_some() => answered(None),
            Some(failure) if failure.starts_with(ENDED) => ENDED.to_owned(),
            Some(failure) if self.text("call") == Some("getAccessToken") && self.is("delivery") => {
                format!("no access token: {failure}")
            }
            Some(failure) => failure.to_owned(),
        }
    }

    /// When the request came; `at` is when the exchange was over.
    pub(super) fn arrived(&self) -> Timestamp {
        self.text("arrived").and_then(|at| at.parse().ok()).unwrap_or(self.at)
    }

    /// Of a delivery without an answer: whether TLS or an end of the connection may be why. Who does not listen, or does
    /// not answer in time, has judged nothing.
    pub(super) fn ended(&self) -> bool {
        self.status().is_none()
            && self.text("failure").is_some_and(|why| why.starts_with(ENDED) || why.contains("alert"))
    }

    /// A member of the body that came, as far as the journal shows it.
    pub(in crate::cli::scenario) fn of_request(&self, member: &str) -> Option<&Value> {
        self.line.get("request")?.get("shown")?.get(member)
    }

    /// A member of the body that was answered.
    pub(in crate::cli::scenario) fn of_answer(&self, member: &str) -> Option<&str> {
        self.line.get("answer")?.get("shown")?.get(member)?.as_str()
    }

    /// The part of the path behind this one.
    fn behind(&self, part: &str) -> Option<&str> {
        let mut parts = self.text("path")?.split('/').skip_while(|word| *word != part);
        parts.nth(1).filter(|id| !id.is_empty())
    }

    /// The merchant of a request, whether it is in the path or was made by it.
    pub(in crate::cli::scenario) fn merchant(&self) -> Option<&str> {
        self.behind("merchants").or_else(|| self.of_answer("merchantId"))
    }

    /// The token of a request.
    pub(in crate::cli::scenario) fn token(&self) -> Option<&str> {
        self.behind("tokens").or_else(|| self.of_answer("tokenId"))
    }

    /// Whether it is a call of a gateway that has all of this.
    pub(super) fn fits_call(&self, wanted: &Calls, names: &Names) -> bool {
        let Some(operation) = self.text("operation").filter(|_| self.is("request")) else { return false };
        wanted.operation.is_none_or(|wanted| wanted.as_str() == operation)
            && wanted.gateway.as_ref().is_none_or(|name| names.is_gateway(&name.name, self.text("gateway")))
            && wanted.merchant.as_ref().is_none_or(|name| names.is_merchant(&name.name, self.merchant()))
            && wanted.token.as_ref().is_none_or(|name| names.is_token(&name.name, self.token()))
            && wanted.answered.is_none_or(|status| self.status() == Some(u64::from(status)))
    }
}

/// A notification with all attempts so far.
#[derive(Debug)]
pub(in crate::cli::scenario) struct Told<'e> {
    /// Where it was queued; what was queued before the scenario began has none.
    pub(in crate::cli::scenario) queued: &'e Entry,
    pub(in crate::cli::scenario) attempts: Vec<&'e Entry>,
    /// A fault has dropped it: it never goes out.
    pub(in crate::cli::scenario) dropped: bool,
}

impl Told<'_> {
    fn event(&self) -> Option<&str> {
        self.queued.line.get("queued")?.get("eventType")?.as_str()
    }

    /// As the last attempt left it; `waiting` before the first.
    pub(in crate::cli::scenario) fn outcome(&self) -> &str {
        if self.dropped {
            return "dropped";
        }
        match self.attempts.last().and_then(|attempt| attempt.text("outcome")) {
            None | Some("retry") => "waiting",
            Some(outcome) => outcome,
        }
    }

    /// The attempts, of each the first: a duplicate is none.
    pub(super) fn tries(&self) -> Vec<&Entry> {
        let mut tries: Vec<&Entry> = Vec::new();
        for attempt in &self.attempts {
            if tries.iter().all(|known| known.attempt() != attempt.attempt()) {
                tries.push(attempt);
            }
        }
        tries
    }

    pub(super) fn fits(&self, wanted: &Notifications, names: &Names) -> bool {
        self.is_about(wanted, names)
            && (wanted.answered.is_none() || self.attempts.iter().any(|one| is_answered(one, wanted)))
    }

    /// The same, whatever was answered.
    pub(super) fn is_about(&self, wanted: &Notifications, names: &Names) -> bool {
        let queued = self.queued;
        wanted.event.is_none_or(|event| self.event() == Some(event.as_str()))
            && wanted.gateway.as_ref().is_none_or(|name| names.is_gateway(&name.name, queued.text("gateway")))
            && wanted.token.as_ref().is_none_or(|name| names.is_token(&name.name, queued.text("tokenId")))
    }

    pub(super) fn told(&self, names: &Names) -> String {
        let token = names.token_called(self.queued.text("tokenId").unwrap_or_default());
        let tries = counted(u32::try_from(self.tries().len()).unwrap_or(u32::MAX), "attempt");
        let (event, outcome) = (self.event().unwrap_or("an event"), self.outcome());
        let last = self.attempts.last().map(|last| format!(", the last one: {}", last.came()));
        let n = self.attempts.last().map_or(self.queued.n, |last| last.n);
        let (last, n) = (last.unwrap_or_default(), names.in_journal(n));
        format!("{event} of {token}: {outcome} after {tries}{last}{n}")
    }
}

/// Whether an attempt was answered as it says, if it says how.
pub(super) fn is_answered(attempt: &Entry, wanted: &Notifications) -> bool {
    wanted.answered.is_none_or(|status| attempt.status() == Some(u64::from(status)))
}

/// The notifications that these entries tell of, in the order in which they were queued.
pub(in crate::cli::scenario) fn notifications(entries: &[Entry]) -> Vec<Told<'_>> {
    let mut all: Vec<Told<'_>> = Vec::new();
    let (mut by_event, mut last_of) = (HashMap::<&str, usize>::new(), HashMap::<&str, usize>::new());
    for entry in entries {
        if entry.text("cause") == Some("notification.forged") {
            // D1 did not tell it.
        } else if let Some(queued) = entry.line.get("queued") {
            by_event.extend(queued["eventId"].as_str().map(|event| (event, all.len())));
            last_of.extend(entry.text("tokenId").map(|token| (token, all.len())));
            all.push(Told { queued: entry, attempts: Vec::new(), dropped: false });
        } else if entry.is("delivery") {
            if let Some(whose) = entry.text("eventId").and_then(|event| by_event.get(event)) {
                all[*whose].attempts.push(entry);
            }
        } else if entry.is("fault")
            && entry.text("what") == Some("struck")
            && entry.text("effect") == Some("drop")
        {
            // It is struck within the commit that queues it.
            if let Some(whose) = entry.text("tokenId").and_then(|token| last_of.get(token)) {
                all[*whose].dropped = true;
            }
        }
    }
    all
}

/// A status, or that there was none.
pub(super) fn answered(status: Option<u64>) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entry(n: u64, line: Value) -> Entry {
        Entry { n, at: Timestamp::UNIX_EPOCH, line }
    }

    #[test]
    fn ten_thousand_events_have_their_own_attempts_each_and_what_a_fault_dropped_is_told() {
        const EVENTS: u64 = 10_000;
        let event = |n: u64| format!("event-{n}");
        let queued = (0..EVENTS).map(|n| {
            let line = json!({"kind": "transition", "tokenId": format!("token-{n}"), "queued": {"eventId": event(n)}});
            entry(n, line)
        });
        let delivered = (0..EVENTS).filter(|n| n % 2 == 0).map(|n| {
            let line = json!({"kind": "delivery", "eventId": event(n), "attempt": 1, "outcome": "delivered"});
            entry(EVENTS + n, line)
        });
        let dropped = [entry(
            3 * EVENTS,
            json!({"kind": "fault", "what": "struck", "effect": "drop", "tokenId": "token-1"}),
        )];
        let entries: Vec<Entry> = queued.chain(delivered).chain(dropped).collect();
        // Once for each would take minutes.
        let all = notifications(&entries);
        for (n, told) in (0..EVENTS).zip(&all) {
            let outcome = match n {
                1 => "dropped",
                _ if n % 2 == 0 => "delivered",
                _ => "waiting",
            };
            assert_eq!((told.queued.n, told.outcome()), (n, outcome));
            assert_eq!(told.attempts.len() as u64, 1 - n % 2);
        }
    }

    #[test]
    fn a_connection_that_nobody_takes_or_that_trusts_nobody_is_no_judgement_of_a_certificate() {
        for (failure, ended) in [
            ("TLS: received fatal alert: AccessDenied", true),
            ("the connection ended without an answer (Broken pipe)", true),
            ("connection refused: nobody listens there", false),
            ("no answer within 10 s (time-out)", false),
            ("no connection: no route to host", false),
            ("TLS: invalid peer certificate: UnknownIssuer", false),
        ] {
            assert_eq!(entry(1, json!({"kind": "delivery", "failure": failure})).ended(), ended, "{failure}");
        }
        assert!(!entry(1, json!({"kind": "delivery", "status": 403})).ended());
    }
}
