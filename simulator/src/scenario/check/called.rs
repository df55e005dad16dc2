//! Calls that are waited for and expected: whether anybody makes them.

use super::Checker;
use crate::journal;
use crate::scenario::expectation::{Calls, ExpectCalls, Header};
use crate::scenario::explain::told_calls;
use crate::scenario::finding::{Place, nearest};
use crate::scenario::scalar::Scalar;
use crate::scenario::stage::Caller;
use crate::scenario::words::Operation;

impl Checker<'_> {
    pub(super) fn calls_known(&mut self, calls: &Calls) {
        self.gateway(calls.gateway.as_ref());
        if let Some(merchant) = &calls.merchant {
            self.merchant(merchant);
        }
        if let Some(token) = &calls.token {
            self.token(token);
        }
        self.fit_together(calls);
        let well = calls.answered.filter(|status| (200..300).contains(status));
        if let (Some(operation), Some(found)) = (calls.operation, well)
            && found != operation.status()
            && !self.world.answered
        {
            let (name, status) = (operation.as_str(), operation.status());
            let reason = format!(
                "D1 answers a {name} that comes out well with {status}; expected `answered: {status}`, found {found}"
            );
            self.findings.sense(&calls.place, reason);
        }
    }

    /// Whose merchant and whose token it is.
    fn fit_together(&mut self, calls: &Calls) {
        let of_token =
            calls.token.as_ref().and_then(|token| self.world.tokens.get(&token.name)?.merchant.clone());
        if let (Some(merchant), Some(of)) = (&calls.merchant, &of_token)
            && merchant.name != *of
        {
            let reason =
                format!("the token is one of the merchant `{of}`, so that no call has both; take one away");
            self.findings.sense(&merchant.place, reason);
        }
        let merchant = calls.merchant.as_ref().map(|merchant| &merchant.name).or(of_token.as_ref());
        let of_merchant = merchant.and_then(|merchant| self.world.merchants.get(merchant).cloned().flatten());
        if let (Some(gateway), Some(of)) = (&calls.gateway, &of_merchant)
            && gateway.name != *of
        {
            let reason =
                format!("the merchant is one of the gateway `{of}`, so that no call has both; take one away");
            self.findings.sense(&gateway.place, reason);
        }
    }

    pub(super) fn pauses(&mut self, pauses: usize, most: u32, what: &str, place: &Place) {
        let between = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(1);
        if pauses > between {
            let reason = format!(
                "`spacing` has {pauses} pauses, but between {most} {what} there are {between}; expected no more"
            );
            self.findings.sense(place, reason);
        }
    }

    pub(super) fn called(&mut self, expected: &ExpectCalls, place: &Place) {
        self.calls_known(&expected.calls);
        if let Some(most) = expected.number.most() {
            self.pauses(expected.spacing.len(), most, "calls", place);
        }
        for (name, wanted) in &expected.headers {
            self.header(name, wanted, place);
        }
        let bodiless =
            [Some(Operation::GetToken), Some(Operation::DeleteToken)].contains(&expected.calls.operation);
        for (member, _) in expected.members.iter().filter(|(_, wanted)| *wanted != Scalar::Absent) {
            let shown = journal::SHOWN;
            if bodiless {
                let reason = format!(
                    "this call has no body, so that it has no member `{member}`; expected another operation"
                );
                self.findings.sense(place, reason);
            } else if !shown.contains(&member.as_str()) {
                let near = nearest(member, shown.iter().copied());
                let reason = format!(
                    "the journal shows no value of a member `{member}`, be it unknown or secret; expected null, or a member that is shown{near}"
                );
                self.findings.sense(place, reason);
            }
        }
        let least = usize::try_from(expected.number.least()).unwrap_or(usize::MAX);
        let Some(operation) =
            expected.calls.operation.filter(|operation| *operation != Operation::GetAccessToken)
        else {
            return;
        };
        if self.scenario.stage.caller == Caller::Outside || self.world.unsure {
            return;
        }
        let made = self.made(&expected.calls);
        let name = counted(&expected.calls);
        if least > 0 && made == 0 {
            let reason =
                format!("nobody makes a {name} before: with `caller: own` calls come of steps `call` alone");
            self.findings.sense(place, reason);
        } else if least > made && self.is_calm() && operation != Operation::CreateToken {
            let reason =
                format!("the steps before make {made} {name}, and nothing makes the client repeat one");
            self.findings.hint(place, reason);
        }
    }

    fn header(&mut self, name: &str, wanted: &Header, place: &Place) {
        let Header::Is(text) = wanted else { return };
        let name = name.to_ascii_lowercase();
        let known = journal::Headers::shown();
        if name == "authorization" && !journal::Headers::schemes().contains(&text.as_str()) {
            let schemes = journal::Headers::schemes().join(", ");
            let reason = format!(
                "of `authorization` the journal shows the kind alone; expected one of {schemes}, true or null"
            );
            self.findings.sense(place, reason);
        } else if !["authorization", "x-correlation-id"].contains(&name.as_str())
            && !known.contains(&name.as_str())
        {
            let near = nearest(&name, known.iter().copied());
            let reason = format!(
                "the journal shows no value of the header `{name}`; expected true (it is there), null (it is not), or one of {}{near}",
                known.join(", ")
            );
            self.findings.sense(place, reason);
        }
    }

    /// How many calls the steps and the stage have made so far, repetitions not counted.
    fn made(&self, calls: &Calls) -> usize {
        let stage = &self.scenario.stage;
        let token = calls.token.as_ref().map(|token| token.name.as_str());
        let merchants = stage.merchants.iter().map(|_| (Operation::CreateMerchant, None));
        let tokens =
            stage.tokens.iter().map(|token| (Operation::CreateToken, Some(token.name.name.as_str())));
        let steps = self.world.calls.iter().map(|(operation, token)| (*operation, token.as_deref()));
        let fits = |(operation, of): &(Operation, Option<&str>)| {
            let whose = match (token, of) {
                (Some(wanted), Some(of)) => wanted == *of,
                // One that no step has named may be it, if it was a token at all.
                (Some(_), None) => *operation == Operation::CreateToken,
                (None, _) => true,
            };
            whose && calls.operation.is_none_or(|wanted| wanted == *operation)
        };
        merchants.chain(tokens).chain(steps).filter(fits).count()
    }

    pub(super) fn in_order(&mut self, all: &[Calls], place: &Place) {
        all.iter().for_each(|calls| self.calls_known(calls));
        let bearers = all.iter().any(|calls| calls.operation == Some(Operation::GetAccessToken));
        if self.scenario.stage.caller == Caller::Outside || self.world.unsure || bearers || !self.is_calm() {
            return;
        }
        let stage = &self.scenario.stage;
        let staged = stage.merchants.iter().map(|_| Operation::CreateMerchant);
        let staged = staged.chain(stage.tokens.iter().map(|_| Operation::CreateToken));
        let mut made = staged.chain(self.world.calls.iter().map(|(operation, _)| *operation));
        let never = all.iter().position(|wanted| {
            !made.any(|operation| wanted.operation.is_none_or(|wanted| wanted == operation))
        });
        if let Some(at) = never {
            let what = all[at].operation.map_or("call", Operation::as_str);
            let reason = format!("the steps before make no {what} as number {} of this order", at + 1);
            self.findings.sense(place, reason);
        }
    }

    /// With our own client, calls come of steps alone.
    pub(super) fn call_made(&mut self, calls: &Calls, nth: u32, place: &Place) {
        // The client asks for access tokens by itself.
        if calls.operation == Some(Operation::GetAccessToken) || self.world.unsure {
            return;
        }
        let made = self.made(calls);
        let what = counted(calls);
        // A call may be made of several attempts.
        if made == 0 {
            let reason = format!(
                "nobody makes a {what} before: with `caller: own` calls come of steps `call` alone, so that this waits in vain"
            );
            self.findings.sense(place, reason);
        } else if !self.world.troubled() && usize::try_from(nth).is_ok_and(|nth| nth > made) {
            let reason = format!(
                "only {made} {what} can have come by then, so that number {nth} is waited for in vain"
            );
            self.findings.hint(place, reason);
        }
    }
}

/// What is counted of calls, for messages.
fn counted(calls: &Calls) -> String {
    told_calls(&Calls { gateway: None, merchant: None, answered: None, ..calls.clone() })
}
