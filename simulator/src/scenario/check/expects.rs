//! What is waited for and expected: whether it can come.

use super::Checker;
use crate::scenario::expectation::{
    ExpectNotifications, Expectation, Expected, NeverWhat, Notifications, TokenExpectation, Wait,
};
use crate::scenario::finding::Place;
use crate::scenario::stage::{Caller, Receiver};
use crate::scenario::words::{EventType, Operation, TokenState};

impl Checker<'_> {
    fn notifications_known(&mut self, notifications: &Notifications) {
        self.gateway(notifications.gateway.as_ref());
        if let Some(token) = &notifications.token {
            self.token(token);
        }
    }

    pub(super) fn wait(&mut self, wait: &Wait, place: &Place) {
        let outside = self.scenario.stage.caller == Caller::Outside;
        match wait {
            Wait::Quiet => {}
            Wait::Call(wait) => {
                self.calls_known(&wait.calls);
                if !outside {
                    self.call_made(&wait.calls, wait.nth, place);
                }
                let Some(made) = &wait.made else { return };
                match wait.calls.operation {
                    Some(Operation::CreateToken) => {
                        let merchant = wait.calls.merchant.as_ref().map(|merchant| merchant.name.as_str());
                        self.make_token(&made.name, merchant, None);
                    }
                    Some(Operation::CreateMerchant) => {
                        let gateway = wait.calls.gateway.as_ref().map(|gateway| gateway.name.clone());
                        self.world.merchants.insert(made.name.clone(), gateway);
                    }
                    _ => {
                        let reason = "only createMerchant and createToken make something that could have a name; expected one of them as `operation`, or no `as`";
                        self.findings.sense(&made.place, reason);
                    }
                }
            }
            Wait::Notification(wait) => {
                self.notifications_known(&wait.notifications);
                if !outside && !self.world.told {
                    let reason = "no step before does anything of which D1 tells a receiver, so that this waits in vain";
                    self.findings.sense(place, reason);
                } else if let Some(most) = self.foretold(&wait.notifications)
                    && usize::try_from(wait.nth).is_ok_and(|nth| nth > most)
                {
                    let reason = format!(
                        "the steps before let D1 tell {most} of this at most, so that number {} is waited for in vain; expected a step `issuer` before, or another token or event",
                        wait.nth
                    );
                    self.findings.sense(place, reason);
                }
            }
        }
    }

    /// How many notifications of this kind D1 can have to tell by now; `None` where that is not known.
    pub(super) fn foretold(&self, notifications: &Notifications) -> Option<usize> {
        let outside = self.scenario.stage.caller == Caller::Outside;
        if outside || self.world.unsure || !self.world.planned.is_empty() {
            return None;
        }
        let fits = |(token, event): &&(String, EventType)| {
            notifications.token.as_ref().is_none_or(|wanted| wanted.name == *token)
                && notifications.event.is_none_or(|wanted| wanted == *event)
        };
        Some(self.world.events.iter().filter(fits).count())
    }

    fn notified(&mut self, expected: &ExpectNotifications, place: &Place) {
        self.notifications_known(&expected.notifications);
        if let Some(most) = self.foretold(&expected.notifications)
            && usize::try_from(expected.number.least()).is_ok_and(|least| least > most)
        {
            let reason = format!(
                "the steps before let D1 tell {most} of this at most; expected a step `issuer` before, or another token, event or `count`"
            );
            self.findings.sense(place, reason);
        }
        let attempts = self.scenario.stage.retry.attempts;
        if let Some(wanted) = expected.attempts.filter(|wanted| *wanted > attempts) {
            let reason = format!(
                "D1 makes {attempts} attempts at most (`retry` of the stage), so that {wanted} cannot be"
            );
            self.findings.sense(place, reason);
        }
        if let Some(wanted) = expected.attempts {
            self.pauses(expected.spacing.len(), wanted, "attempts", place);
        }
    }

    pub(super) fn expect(&mut self, expectation: &Expectation) {
        match &expectation.expected {
            Expected::Calls(expected) => self.called(expected, &expectation.place),
            Expected::Notifications(expected) => self.notified(expected, &expectation.place),
            Expected::Tokens(tokens) => self.states(tokens, &expectation.place),
            Expected::Receiver(tokens) => {
                for token in tokens {
                    self.token(&token.token);
                    self.unchanged(token);
                }
                self.probed(&expectation.place);
            }
            Expected::InOrder(calls) => self.in_order(calls, &expectation.place),
            Expected::Never(never) => {
                match &never.what {
                    NeverWhat::Call(calls) => self.calls_known(calls),
                    NeverWhat::Notification(notifications) => self.notifications_known(notifications),
                }
                self.world.soon_happens();
                let clock = self.world.clock.unwrap_or(self.scenario.stage.clock);
                let later = jiff::SignedDuration::try_from(never.within).ok();
                self.world.clock = later.and_then(|within| clock.checked_add(within).ok()).or(Some(clock));
            }
        }
    }

    fn states(&mut self, tokens: &[TokenExpectation], place: &Place) {
        for expected in tokens {
            if !self.token(&expected.token) {
                continue;
            }
            self.unchanged(expected);
            let name = &expected.token.name;
            if expected.state.is_none() && expected.members.is_empty() && expected.unchanged.is_empty() {
                self.findings
                    .sense(place, format!("nothing is expected of `{name}`; expected a state or members"));
            }
            let (Some(known), Some(wanted)) = (self.world.state_of(name), expected.state) else { continue };
            if known != wanted {
                let by_us = known == TokenState::Deleted || wanted == TokenState::Deleted;
                let hint = if by_us { "" } else { "; is a step `issuer` missing?" };
                let reason = format!(
                    "`{name}` is {} by then, and cannot be {}{hint}",
                    known.as_str(),
                    wanted.as_str()
                );
                self.findings.sense(&expected.token.place, reason);
            }
        }
    }

    fn unchanged(&mut self, expected: &TokenExpectation) {
        if !expected.unchanged.is_empty() && !self.world.issued {
            let reason = "`unchanged` is what it was before the last step `issuer`, and there is none before this; expected digits";
            self.findings.sense(&expected.token.place, reason);
        }
    }

    fn probed(&mut self, place: &Place) {
        let blind = |receiver: &Receiver| matches!(receiver, Receiver::At(at) if at.probe.is_none());
        if self.scenario.stage.gateways.iter().any(|gateway| blind(&gateway.receiver)) {
            let reason = "what a receiver of yours keeps can be asked through a `probe` alone; give it one on the stage, or with --probe";
            self.findings.hint(place, reason);
        }
    }
}
