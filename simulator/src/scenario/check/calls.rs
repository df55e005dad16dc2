//! The stage, and what our client calls.

use d1_fixtures::{Behaviour, TestCard};

use super::Checker;
use super::world::TokenKnown;
use crate::scenario::finding::Place;
use crate::scenario::members::Named;
use crate::scenario::stage::{Caller, CardGiven};
use crate::scenario::step::{Call, Gives, Request};
use crate::scenario::words::{Operation, TokenState};

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
            let gateway = merchant.gateway.as_ref().map(|gateway| gateway.name.clone());
            self.world.merchants.insert(merchant.name.name.clone(), gateway);
        }
        if stage.retry.max_delay < stage.retry.first_delay
            && let Some(place) = &stage.retry.place
        {
            self.findings
                .hint(place, "`maxDelay` is shorter than `firstDelay`, which then is never waited for");
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
            self.make_token(&token.name.name, Some(&token.merchant.name), Some(&token.card.name));
        }
    }

    fn test_card(&mut self, test: &Named) {
        let cards = self.cards;
        self.known(test, "test card", cards.iter().map(|card| card.name.as_str()));
        if let Some(card) = cards.iter().find(|card| card.name == test.name) {
            self.month(&card.exp, &test.place, "the expiry date of this test card");
        }
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

    pub(super) fn test_card_of(&self, card: &str) -> Option<&TestCard> {
        let card = self.scenario.stage.cards.iter().find(|known| known.name.name == card)?;
        match &card.card {
            CardGiven::Test(test) => self.cards.iter().find(|known| known.name == test.name),
            CardGiven::Number { pan, .. } => self.cards.iter().find(|known| known.pan == *pan),
        }
    }

    fn declines(&self, card: &str) -> bool {
        self.test_card_of(card).is_some_and(|card| card.behaviour == Behaviour::Decline)
    }

    pub(super) fn make_token(&mut self, name: &str, merchant: Option<&str>, card: Option<&str>) {
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
        let known = TokenKnown {
            card: card.map(str::to_owned),
            merchant: merchant.map(str::to_owned),
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
                self.new_name(merchant, "merchant", self.world.merchants.contains_key(&merchant.name));
                if ok {
                    let only = &self.scenario.stage.gateways[0].name;
                    let gateway = gateway.as_ref().unwrap_or(only).name.clone();
                    self.world.merchants.insert(merchant.name.clone(), Some(gateway));
                }
                (Operation::CreateMerchant, &MERCHANT[..])
            }
            Request::CreateToken { merchant, card, token, .. } => {
                self.create_token(merchant, card, token.as_ref(), call);
                (Operation::CreateToken, &TOKEN[..])
            }
            Request::GetToken { token } => {
                self.use_token(token, call, place, false);
                self.state_answered(token, call, place);
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
        self.outcome(call, operation, place, members);
        let token = match &call.request {
            Request::CreateMerchant { .. } => None,
            Request::CreateToken { token, .. } => token.as_ref(),
            Request::GetToken { token }
            | Request::CreateTransaction { token, .. }
            | Request::DeleteToken { token } => Some(token),
        };
        self.world.calls.push((operation, token.map(|token| token.name.clone())));
    }

    fn create_token(&mut self, merchant: &Named, card: &Named, token: Option<&Named>, call: &Call) {
        let known = self.merchant(merchant) & self.card(card);
        let ok = call.gives == Gives::Ok;
        let given = self.scenario.stage.cards.iter().find(|known| known.name.name == card.name);
        if let Some(CardGiven::Number { exp, .. }) = given.map(|given| &given.card)
            && self.world.clock.is_some()
            && ok
        {
            self.month(exp, &card.place, "`exp` of this card");
        }
        if known && ok && self.declines(&card.name) && !self.world.troubled() {
            let reason = "this card is declined; expected `gives: {refused: {status: 403, errorCode: TOKENIZATION_DECLINED}}`";
            self.findings.sense(&card.place, reason);
        }
        let Some(token) = token else { return };
        self.new_name(token, "token", self.world.tokens.contains_key(&token.name));
        if ok {
            self.make_token(&token.name, Some(&merchant.name), Some(&card.name));
        } else {
            let reason =
                "a call that gives no token leaves nothing to be named; expected `gives: ok`, or no `as`";
            self.findings.sense(&token.place, reason);
        }
    }

    fn first_use(&mut self, token: &str) {
        if let Some(known) = self.world.tokens.get_mut(token).filter(|known| known.after_first_use) {
            known.state = None;
        }
    }
}
