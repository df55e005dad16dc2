//! What happened, as the journal of the sandbox tells it: which entries fit, and how they are told.

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
}

impl Told<'_> {
    fn event(&self) -> Option<&str> {
        self.queued.line.get("queued")?.get("eventType")?.as_str()
    }

    /// As the last attempt left it; `waiting` before the first.
    pub(in crate::cli::scenario) fn outcome(&self) -> &str {
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
        let queued = self.queued;
        let answered = |status: u32| self.attempts.iter().any(|one| one.status() == Some(u64::from(status)));
        wanted.event.is_none_or(|event| self.event() == Some(event.as_str()))
            && wanted.gateway.as_ref().is_none_or(|name| names.is_gateway(&name.name, queued.text("gateway")))
            && wanted.token.as_ref().is_none_or(|name| names.is_token(&name.name, queued.text("tokenId")))
            && wanted.answered.is_none_or(answered)
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

/// The notifications that these entries tell of, in the order in which they were queued.
pub(in crate::cli::scenario) fn notifications(entries: &[Entry]) -> Vec<Told<'_>> {
    let mut all: Vec<Told<'_>> = Vec::new();
    for entry in entries {
        if entry.text("cause") == Some("notification.forged") {
            // D1 did not tell it.
        } else if entry.line.get("queued").is_some() {
            all.push(Told { queued: entry, attempts: Vec::new() });
        } else if entry.is("delivery") {
            let event = entry.text("eventId");
            let whose = all.iter_mut().find(|told| told.queued.line["queued"]["eventId"].as_str() == event);
            if let Some(told) = whose {
                told.attempts.push(entry);
            }
        }
    }
    all
}

/// A status, or that there was none.
pub(super) fn answered(status: Option<u64>) -> String {
    status.map_or_else(|| "no answer".to_owned(), |status| status.to_string())
}
