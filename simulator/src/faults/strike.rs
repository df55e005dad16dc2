//! Who is struck: calls, connections, notifications.

use std::sync::Arc;

use super::fault::{Act, Effect, Fault, Notice};
use super::form::HandshakeFault;
use super::{CALLS, CARDS, CONNECTIONS, Call, Faults, NOTIFICATIONS, Queued, Struck};
use crate::domain::Moment;
use crate::journal;

impl Faults {
    /// What befalls a call, in order. Nothing comes after an answer, or a reset before anything is done.
    pub(crate) fn strike_call(&self, call: &Call<'_>, now: Moment) -> Vec<Struck<Act>> {
        let wanted = if call.card.is_some() { CARDS } else { CALLS };
        if !self.is_armed(wanted) {
            return Vec::new();
        }
        // The path of the token endpoint names no gateway.
        let stream = format!("{} {} {}", call.operation, call.gateway, call.path);
        let mut struck = Vec::new();
        for one in &mut self.lock().standing {
            let fault = Arc::clone(&one.fault);
            let Effect::Call(effect) = &fault.effect else { continue };
            if !fault.matches_call(call) {
                continue;
            }
            let Some(strike) = one.meet(self.chance, &stream, now) else { continue };
            let Some(act) = one.act(effect, strike, (self.chance, &stream, now)) else { continue };
            if act.needs_body() {
                one.awaited = one.awaited.saturating_add(1);
            } else {
                one.applied = one.applied.saturating_add(1);
                self.note_strike(call, (&fault.name, fault.effect.name()), now);
            }
            let ends = act.ends_it();
            struck.push(one.struck(act));
            if ends {
                break;
            }
        }
        struck
    }

    /// Ends what was to befall the body of an answer: whether it did, for want of a body perhaps.
    pub(crate) fn settle(&self, struck: &Struck<Act>, befell: bool, call: &Call<'_>, now: Moment) {
        let mut state = self.lock();
        if let Some(one) = state.standing.iter_mut().find(|one| one.number == struck.number) {
            one.awaited = one.awaited.saturating_sub(1);
            one.applied = one.applied.saturating_add(u64::from(befell));
        }
        if befell {
            self.note_strike(call, (&struck.name, struck.act.name()), now);
        }
    }

    fn note_strike(&self, call: &Call<'_>, (name, effect): (&str, &'static str), now: Moment) {
        let fact = journal::Fault {
            operation: Some(call.operation),
            gateway: Some(call.gateway),
            ..journal::Fault::new(name, "struck", effect)
        };
        self.note(now, call.correlation, fact);
    }

    /// What befalls a connection: the first fault that strikes.
    pub(crate) fn strike_connection(&self, now: Moment) -> Option<Struck<HandshakeFault>> {
        if !self.is_armed(CONNECTIONS) {
            return None;
        }
        self.lock().standing.iter_mut().find_map(|one| {
            let Effect::Connection(act) = one.fault.effect else { return None };
            one.meet(self.chance, "connections", now)?;
            one.applied = one.applied.saturating_add(1);
            let name = Arc::clone(&one.fault.name);
            self.note(now, None, journal::Fault::new(&name, "struck", one.fault.effect.name()));
            Some(one.struck(act))
        })
    }

    /// What befalls a notification that is being queued: the first fault that strikes.
    pub(crate) fn strike_notification(&self, queued: &Queued<'_>, now: Moment) -> Option<Struck<Notice>> {
        if !self.is_armed(NOTIFICATIONS) {
            return None;
        }
        self.lock().standing.iter_mut().find_map(|one| {
            let Effect::Notification(act) = one.fault.effect else { return None };
            if !one.fault.matches(queued.gateway, Some(queued.merchant), Some(queued.token)) {
                return None;
            }
            one.meet(self.chance, queued.token, now)?;
            one.applied = one.applied.saturating_add(1);
            let name = Arc::clone(&one.fault.name);
            let fact = journal::Fault {
                gateway: Some(queued.gateway),
                token_id: Some(queued.token),
                ..journal::Fault::new(&name, "struck", one.fault.effect.name())
            };
            self.note(now, None, fact);
            Some(one.struck(act))
        })
    }
}

impl Fault {
    fn matches_call(&self, call: &Call<'_>) -> bool {
        let (merchant, token) = (behind(call.path, "merchants"), behind(call.path, "tokens"));
        self.operations.contains(&call.operation)
            && self.card.as_ref() == call.card
            && self.matches(call.gateway, merchant, token)
    }

    fn matches(&self, gateway: &str, merchant: Option<&str>, token: Option<&str>) -> bool {
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        (self.gateways.is_empty() || self.gateways.iter().any(|id| id == gateway))
            && fits(&self.merchant, merchant)
            && fits(&self.token, token)
    }
}

/// The part of a path that follows the part with this name.
fn behind<'a>(path: &'a str, name: &str) -> Option<&'a str> {
    path.split('/').skip_while(|part| *part != name).nth(1)
}
