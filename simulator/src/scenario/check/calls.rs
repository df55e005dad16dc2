//! The stage, and what our client calls.

use d1_fixtures::{Behaviour, TestCard};

use super::Checker;
use super::world::TokenKnown;
use crate::scenario::finding::{Place, nearest};
use crate::scenario::members::Named;
use crate::scenario::stage::{Caller, CardGiven};
use crate::scenario::step::{Call, Gives, Request};
use crate::scenario::words::{ERROR_CODES, Operation, TokenState};

/// The members of answers (C16-C19).
const MERCHANT: [&str; 3] = ["merchantId", "merchantName", "creationTimestamp"];
const TOKEN: [&str; 8] = [
    "tokenId",
    "state",
    "cardLastDigits",
    "cardExpiryDate",
    "tokenLastDigits",
    "tokenExpiryDate",
    "par",
    "creationTimestamp",
];
const TRANSACTION: [&str; 3] = ["transactionId", "eci", "cryptogramExpiryDate"];

impl Checker<'_> {
    pub(super) fn stage(&mut self) {
        let stage = &self.scenario.stage;
        for merchant in &stage.merchants {
            self.gateway(merchant.gateway.as_ref());
            self.world.merchants.insert(merchant.name.name.clone());
        }
        for card in &stage.cards {
            match &card.card {
                CardGiven::Test(test) => self.test_card(test),
                CardGiven::Number { pan, exp } => self.number(pan, exp, &card.name.place),
            }
        }
        for token in &stage.tokens {
            let known = self.merchant(&token.merchant) & self.card(&token.card);
            if known && self.declines(&token.card.name) {
                let reason = "this card is declined, so that no token can be made before the first step; make it by a \
                              `call` that `gives: {refused: {status: 403, errorCode: TOKENIZATION_DECLINED}}`";
                self.findings.sense(&token.card.place, reason);
            }
            self.make_token(&token.name.name, Some(&token.card.name));
        }
    }

    fn test_card(&mut self, test: &Named) {
        let cards = self.cards;
        self.known(test, "test card", cards.iter().map(|card| card.name.as_str()));
    }

    fn number(&mut self, pan: &str, exp: &str, place: &Place) {
        if !d1_fixtures::luhn_valid(pan) {
            self.findings.sense(
                place,
                "`pan`: the last digit is no check digit of the others (Luhn); D1 refuses such a number",
            );
        }
        self.month(exp, place, "`exp`");
    }

    /// MMYY, not in the past.
    pub(super) fn month(&mut self, exp: &str, place: &Place, what: &str) {
        let (Ok(month), Ok(year)) = (exp[..2].parse::<i8>(), exp[2..].parse::<i16>()) else { return };
        let clock = self.world.clock.unwrap_or(self.scenario.stage.clock);
        let today = jiff::tz::TimeZone::UTC.to_datetime(clock);
        if !(1..=12).contains(&month) {
            self.findings.sense(place, format!("{what}: expected MMYY with a month from 01 to 12"));
        } else if (year + 2000, month) < (today.year(), today.month()) {
            self.findings.sense(
                place,
                format!(
                    "{what}: the month is past on the scenario's clock, which stands at {clock} or later"
                ),
            );
        }
    }

    fn test_card_of(&self, card: &str) -> Option<&TestCard> {
        let card = self.scenario.stage.cards.iter().find(|known| known.name.name == card)?;
        match &card.card {
            CardGiven::Test(test) => self.cards.iter().find(|known| known.name == test.name),
            CardGiven::Number { pan, .. } => self.cards.iter().find(|known| known.pan == *pan),
        }
    }

    fn declines(&self, card: &str) -> bool {
        self.test_card_of(card).is_some_and(|card| card.behaviour == Behaviour::Decline)
    }

    pub(super) fn make_token(&mut self, name: &str, card: Option<&str>) {
        let behaviour = card.and_then(|card| self.test_card_of(card)).map(|card| card.behaviour);
        let (soon, after_first_use) = match behaviour {
            Some(Behaviour::Soon { event, .. }) => (Some(event), None),
            Some(Behaviour::AfterFirstUse { event }) => (None, Some(event)),
            _ => (None, None),
        };
        self.world.planned.extend(soon.or(after_first_use));
        self.world.told |= soon.or(after_first_use).is_some();
        let outside = self.scenario.stage.caller == Caller::Outside;
        let state = (!outside).then_some(TokenState::Active);
        let card = card.map(str::to_owned);
        let known = TokenKnown {
            card,
            number: 0,
            state,
            soon: soon.is_some(),
            after_first_use: after_first_use.is_some(),
        };
        self.world.tokens.insert(name.to_owned(), known);
    }

    fn new_name(&mut self, named: &Named, kind: &str, taken: bool) {
        if taken {
            let reason = format!("a {kind} is called `{}` already; give this one another name", named.name);
            self.findings.sense(&named.place, reason);
        }
    }

    pub(super) fn call(&mut self, call: &Call, place: &Place) {
        if self.scenario.stage.caller == Caller::Outside {
            let reason = "the caller is outside, so that our client makes no call; expected `caller: own` on the stage, or a \
                          step `wait` for the call of the system under test";
            self.findings.sense(place, reason);
        }
        let ok = call.gives == Gives::Ok;
        let (operation, members) = match &call.request {
            Request::CreateMerchant { gateway, merchant, .. } => {
                self.one_gateway(gateway.as_ref(), place);
                self.new_name(merchant, "merchant", self.world.merchants.contains(&merchant.name));
                if ok {
                    self.world.merchants.insert(merchant.name.clone());
                }
                (Operation::CreateMerchant, &MERCHANT[..])
            }
            Request::CreateToken { merchant, card, token, .. } => {
                self.create_token(merchant, card, token.as_ref(), call);
                (Operation::CreateToken, &TOKEN[..])
            }
            Request::GetToken { token } => {
                self.use_token(token, call, place, false);
                (Operation::GetToken, &TOKEN[..])
            }
            Request::CreateTransaction { token, .. } => {
                self.use_token(token, call, place, true);
                if ok {
                    self.first_use(&token.name);
                }
                (Operation::CreateTransaction, &TRANSACTION[..])
            }
            Request::DeleteToken { token } => {
                self.use_token(token, call, place, false);
                match call.gives {
                    Gives::Ok => self.world.set_state(&token.name, Some(TokenState::Deleted)),
                    Gives::Refused { .. } | Gives::NotSent => {}
                    Gives::NoAnswer | Gives::Unreadable => self.world.set_state(&token.name, None),
                }
                (Operation::DeleteToken, &[][..])
            }
        };
        self.outcome(call, place, members);
        self.world.calls.push(operation);
    }

    fn outcome(&mut self, call: &Call, place: &Place, members: &[&str]) {
        if call.gives == Gives::Ok && call.ambiguous == Some(true) {
            self.findings.sense(
                place,
                "what came out well is not ambiguous; expected another `gives`, or no `ambiguous`",
            );
        }
        if call.gives != Gives::Ok && !call.answer.is_empty() {
            self.findings
                .sense(place, "`answer` is what D1 gives when all is well; expected `gives: ok` beside it");
        }
        for (member, _) in &call.answer {
            if !members.contains(&member.as_str()) {
                let near = nearest(member, members.iter().copied());
                let reason = format!(
                    "`answer`: no member of this answer is called `{member}`; expected one of {}{near}",
                    members.join(", ")
                );
                self.findings.sense(place, reason);
            }
        }
        if let Gives::Refused { error_code: Some(code), .. } = &call.gives
            && !ERROR_CODES.contains(&code.as_str())
            && !self.world.codes.contains(code)
        {
            let near = nearest(code, ERROR_CODES);
            self.findings.sense(
                place,
                format!("neither the contract nor a fault of this scenario answers `{code}`{near}"),
            );
        }
    }

    fn create_token(&mut self, merchant: &Named, card: &Named, token: Option<&Named>, call: &Call) {
        let known = self.merchant(merchant) & self.card(card);
        let ok = call.gives == Gives::Ok;
        if known && ok && self.declines(&card.name) && !self.world.troubled() {
            let reason = "this card is declined; expected `gives: {refused: {status: 403, errorCode: TOKENIZATION_DECLINED}}`";
            self.findings.sense(&card.place, reason);
        }
        let Some(token) = token else { return };
        self.new_name(token, "token", self.world.tokens.contains_key(&token.name));
        if ok {
            self.make_token(&token.name, Some(&card.name));
        } else {
            let reason =
                "a call that gives no token leaves nothing to be named; expected `gives: ok`, or no `as`";
            self.findings.sense(&token.place, reason);
        }
    }

    /// A call for a token, whose state allows it or not.
    fn use_token(&mut self, token: &Named, call: &Call, place: &Place, pays: bool) {
        if !self.token(token) || self.world.troubled() {
            return;
        }
        let Some(state) = self.world.state_of(&token.name) else { return };
        let wanted = match state {
            TokenState::Deleted => Some((404, "RESOURCE_NOT_FOUND")),
            TokenState::Suspended if pays => Some((403, "FORBIDDEN_STATE")),
            _ => None,
        };
        let name = &token.name;
        match (&call.gives, wanted) {
            (Gives::Ok, Some((status, code))) => {
                let reason = format!(
                    "`{name}` is {} by then, so that this cannot come out well; expected `gives: {{refused: {{status: {status}, errorCode: {code}}}}}`",
                    state.as_str()
                );
                self.findings.sense(place, reason);
            }
            (Gives::Refused { error_code: Some(code), .. }, _)
                if ["FORBIDDEN_STATE", "RESOURCE_NOT_FOUND"].contains(&code.as_str())
                    && wanted.is_none_or(|(_, wanted)| wanted != code) =>
            {
                let reason =
                    format!("`{name}` is {} by then, so that D1 has no reason for {code}", state.as_str());
                self.findings.sense(place, reason);
            }
            _ => {}
        }
    }

    fn first_use(&mut self, token: &str) {
        if let Some(known) = self.world.tokens.get_mut(token).filter(|known| known.after_first_use) {
            known.state = None;
        }
    }
}
