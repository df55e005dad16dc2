//! What is waited for and expected: whether it can come.

use super::Checker;
use crate::scenario::expectation::{
    Calls, Expectation, Expected, NeverWhat, Notifications, TokenExpectation, Wait,
};
use crate::scenario::finding::Place;
use crate::scenario::stage::{Caller, Receiver};
use crate::scenario::words::{Operation, TokenState};

impl Checker<'_> {
    fn calls_known(&mut self, calls: &Calls) {
        self.gateway(calls.gateway.as_ref());
        if let Some(merchant) = &calls.merchant {
            self.merchant(merchant);
        }
        if let Some(token) = &calls.token {
            self.token(token);
        }
    }

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
                    self.call_made(wait.calls.operation, wait.nth, place);
                }
                let Some(made) = &wait.made else { return };
                match wait.calls.operation {
                    Some(Operation::CreateToken) => self.make_token(&made.name, None),
                    Some(Operation::CreateMerchant) => {
                        self.world.merchants.insert(made.name.clone());
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
                }
            }
        }
    }

    /// With our own client, calls come of steps alone.
    fn call_made(&mut self, operation: Option<Operation>, nth: u32, place: &Place) {
        // The client asks for access tokens by itself.
        if operation == Some(Operation::GetAccessToken) {
            return;
        }
        let made =
            self.world.calls.iter().filter(|made| operation.is_none_or(|wanted| wanted == **made)).count();
        let staged = match operation {
            Some(Operation::CreateMerchant) => self.scenario.stage.merchants.len(),
            Some(Operation::CreateToken) => self.scenario.stage.tokens.len(),
            _ => 0,
        };
        let what = operation.map_or("call", Operation::as_str);
        // A call may be made of several attempts.
        if made == 0 && staged == 0 {
            let reason = format!(
                "nobody makes a {what} before: with `caller: own` calls come of steps `call` alone, so that this waits in vain"
            );
            self.findings.sense(place, reason);
        } else if !self.world.troubled() && usize::try_from(nth).is_ok_and(|nth| nth > made + staged) {
            let reason = format!(
                "only {} {what} can have come by then, so that number {nth} is waited for in vain",
                made + staged
            );
            self.findings.hint(place, reason);
        }
    }

    pub(super) fn expect(&mut self, expectation: &Expectation) {
        match &expectation.expected {
            Expected::Calls(expected) => self.calls_known(&expected.calls),
            Expected::Notifications(expected) => self.notifications_known(&expected.notifications),
            Expected::Tokens(tokens) => self.states(tokens, &expectation.place),
            Expected::Receiver(tokens) => {
                for token in tokens {
                    self.token(&token.token);
                    self.unchanged(token);
                }
                self.probed(&expectation.place);
            }
            Expected::InOrder(calls) => calls.iter().for_each(|calls| self.calls_known(calls)),
            Expected::Never(never) => {
                match &never.what {
                    NeverWhat::Call(calls) => self.calls_known(calls),
                    NeverWhat::Notification(notifications) => self.notifications_known(notifications),
                }
                self.world.soon_happens();
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
