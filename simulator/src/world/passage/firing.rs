//! What is planned happens when its moment has come.

use super::super::agenda::Due;
use super::super::fired::Fired;
use super::super::state::State;
use super::World;
use crate::clock::Clock;
use crate::domain::{GatewayId, Moment, Now, Token};
use crate::journal::{Expiry, Fact};

/// So many happen under one lock: with the end of a month the cards of millions of tokens expire, and whoever calls
/// meanwhile is not to wait for all of them.
const AT_ONCE: usize = 1_000;

impl World {
    /// Does what is planned for `clock`'s present moment or before, in order.
    pub(crate) async fn fire_due(&self, clock: &Clock) {
        while self.fire_some(clock) {
            tokio::task::yield_now().await;
        }
    }

    /// Does some of it. `true` if more is left.
    pub(in crate::world) fn fire_some(&self, clock: &Clock) -> bool {
        let mut state = self.lock();
        self.fire(&mut state, clock.now());
        state.firing
    }

    /// Does as much of what is planned for `now` or before as goes at once. What is put off is not for `now`.
    pub(super) fn fire(&self, state: &mut State, now: Now) {
        for _ in 0..AT_ONCE {
            let Some((at, due)) = self.take_planned(state, now.at) else { break };
            let fired = match due {
                Due::Event(scheduled) => {
                    let whose = state.tokens.get(&scheduled.token).map(|token| token.gateway.clone());
                    let outcome = self.happen_or_put_off(state, scheduled, now);
                    let fired = Fired::new(at, "event", self.journal.last());
                    let fired = fired.what(scheduled.event.as_str(), Some(outcome));
                    whose.map(|gateway| fired.of(&gateway, Some(scheduled.token)))
                }
                Due::AccessToken(gateway, correlation) => {
                    Some(self.ended(at, "accessToken", &gateway, Some(&correlation)))
                }
                Due::ReceiverToken(gateway) => Some(self.ended(at, "receiverToken", &gateway, None)),
                Due::FaultEnd(n) => Some(Fired::new(at, "expiry", n).what("fault", None)),
                Due::Card(id) => state.tokens.get(&id).map(|token| self.expired(at, "card", token)),
                Due::Token(id) => state.tokens.get(&id).map(|token| self.expired(at, "token", token)),
            };
            if let (Some(log), Some(fired)) = (&mut state.fired, fired) {
                log.add(fired);
            }
        }
        let left = self.planned(state).is_some_and(|at| at <= now.at);
        let was = std::mem::replace(&mut state.firing, left);
        if was && !state.firing {
            // Who delivers has waited for it.
            self.moved.send_replace(());
        }
    }

    /// The first of what is planned for `now` or before; at one moment the ends of faults come first.
    fn take_planned(&self, state: &mut State, now: Moment) -> Option<(Moment, Due)> {
        let first = self.planned(state).filter(|first| *first <= now)?;
        match self.setting.faults.end_one(first) {
            Some((at, n)) => Some((at, Due::FaultEnd(n))),
            None => state.agenda.take(now),
        }
    }

    fn ended(&self, at: Moment, what: &'static str, gateway: &GatewayId, correlation: Option<&str>) -> Fired {
        let fact = Fact::Expiry(Expiry { what, ..Expiry::default() });
        let n = self.journal.record(at, Some(gateway.as_str()), correlation, &fact);
        Fired::new(at, "expiry", n).what(what, None).of(gateway, None).under(correlation)
    }

    /// A fact alone: no state of C21 is one of being expired, and nothing of what is documented follows.
    fn expired(&self, at: Moment, what: &'static str, token: &Token) -> Fired {
        let (month, digits) = match what {
            "card" => (token.card_expiry, token.card_last_four),
            _ => (token.token_expiry, token.token_last_four()),
        };
        let fact = Fact::Expiry(Expiry {
            what,
            merchant_id: Some(token.merchant.to_string()),
            token_id: Some(token.id.to_string()),
            expiry_date: Some(month.mmyy()),
            last_digits: Some(digits.as_str().to_owned()),
        });
        let n = self.journal.record(at, Some(token.gateway.as_str()), None, &fact);
        Fired::new(at, "expiry", n).what(what, None).of(&token.gateway, Some(token.id))
    }
}
