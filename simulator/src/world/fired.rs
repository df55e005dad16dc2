//! What fell due while the clock was moved, in order, for whoever moved it.

use serde::Serialize;

use super::Job;
use crate::clock::{Waiter, rfc3339};
use crate::domain::{GatewayId, Moment, TokenId};
use crate::journal::redacted;

/// At most so many are listed; the rest is counted and stands in the journal.
const LISTED: usize = 1_000;

/// One thing that fell due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fired {
    at: String,
    /// `event` of the issuer, attempt at a `delivery`, `answer` that waited for the clock, or `expiry`.
    kind: &'static str,
    /// Of an event what the issuer does, of an expiry what expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    what: Option<&'static str>,
    /// Of a delivery as in the journal; of an event `done`, `forbidden` by the state, or `putOff`.
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gateway: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    /// The last entry of the journal when it was over; of an answer, when it was let go.
    journal: u64,
}

impl Fired {
    pub(super) fn new(at: Moment, kind: &'static str, journal: u64) -> Self {
        Self {
            at: rfc3339(at),
            kind,
            what: None,
            outcome: None,
            gateway: None,
            token_id: None,
            correlation_id: None,
            sequence: None,
            attempt: None,
            journal,
        }
    }

    pub(super) fn delivery(job: &Job, outcome: &'static str, correlation: &str, journal: u64) -> Self {
        Self {
            outcome: Some(outcome),
            sequence: Some(job.update.sequence),
            attempt: Some(job.attempt),
            ..Self::new(job.taken_at, "delivery", journal)
                .under(Some(correlation))
                .of(&job.gateway, Some(job.token))
        }
    }

    pub(super) fn answer(at: Moment, who: Waiter, journal: u64) -> Self {
        Self {
            gateway: who.gateway.map(|gateway| gateway.to_string()),
            ..Self::new(at, "answer", journal).under(who.correlation.as_deref())
        }
    }

    pub(super) fn under(self, correlation: Option<&str>) -> Self {
        Self { correlation_id: correlation.map(|correlation| redacted(correlation).into_owned()), ..self }
    }

    pub(super) fn what(self, what: &'static str, outcome: Option<&'static str>) -> Self {
        Self { what: Some(what), outcome, ..self }
    }

    #[cfg(test)]
    pub(super) fn kind_and_outcome(&self) -> (&'static str, Option<&'static str>) {
        (self.kind, self.outcome)
    }

    #[cfg(test)]
    pub(super) fn correlation(&self) -> Option<&str> {
        self.correlation_id.as_deref()
    }

    pub(super) fn of(self, gateway: &GatewayId, token: Option<TokenId>) -> Self {
        Self { gateway: Some(gateway.to_string()), token_id: token.map(|token| token.to_string()), ..self }
    }
}

/// What somebody waits for while the clock is moved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// A kind, a kind with what or how it was (`expiry.card`, `delivery.givenUp`), or an issuer's event.
    pub(crate) name: String,
    pub(crate) gateway: Option<GatewayId>,
    pub(crate) token: Option<TokenId>,
}

/// The kinds with what may stand behind their dot; an issuer's events have names of their own.
pub(crate) const NAMES: [&str; 14] = [
    "event",
    "answer",
    "delivery",
    "delivery.delivered",
    "delivery.retry",
    "delivery.refused",
    "delivery.givenUp",
    "delivery.forgotten",
    "expiry",
    "expiry.accessToken",
    "expiry.receiverToken",
    "expiry.card",
    "expiry.token",
    "expiry.fault",
];

impl Wanted {
    fn is(&self, fired: &Fired) -> bool {
        let gateway = self.gateway.as_ref().map(ToString::to_string);
        let token = self.token.map(|token| token.to_string());
        let whose =
            (gateway.is_none() || gateway == fired.gateway) && (token.is_none() || token == fired.token_id);
        let detail = match fired.kind {
            "delivery" => fired.outcome,
            _ => fired.what,
        };
        let named = match self.name.split_once('.') {
            _ if self.name == fired.kind => true,
            // What the issuer was kept from did not happen.
            _ if fired.kind == "event" => fired.what == Some(&*self.name) && fired.outcome == Some("done"),
            Some((kind, wanted)) => kind == fired.kind && detail == Some(wanted),
            None => false,
        };
        named && whose
    }
}

/// What fired so far.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) listed: Vec<Fired>,
    pub(super) left_out: u64,
    wanted: Option<Wanted>,
    /// The wanted one was among them.
    pub(super) found: bool,
}

impl Log {
    pub(super) fn awaiting(wanted: Option<Wanted>) -> Self {
        Self { wanted, ..Self::default() }
    }

    pub(super) fn add(&mut self, fired: Fired) {
        self.found |= self.wanted.as_ref().is_some_and(|wanted| wanted.is(&fired));
        if self.listed.len() < LISTED {
            self.listed.push(fired);
        } else {
            self.left_out += 1;
        }
    }

    /// After which number of the journal the rest stands, if some was left out.
    pub(super) fn read_on(&self) -> Option<u64> {
        let last = self.listed.last().map(|fired| fired.journal);
        last.filter(|_| self.left_out > 0)
    }
}
