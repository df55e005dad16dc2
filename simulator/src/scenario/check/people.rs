//! The issuer, the network, and what only our own client can be told.

use std::collections::BTreeMap;

use d1_fixtures::{Behaviour, IssuerEvent, TestCard};

use super::Checker;
use super::world::TokenKnown;
use crate::faults;
use crate::scenario::expectation::Notifications;
use crate::scenario::finding::{Place, nearest};
use crate::scenario::hostile::Fault;
use crate::scenario::members::Named;
use crate::scenario::stage::{Caller, CardGiven};
use crate::scenario::step::{Forge, Issuer, Target};
use crate::scenario::words::{EventType, Forgery, TokenState, of_card};

/// MMYY in months.
fn months(date: &str) -> Option<u32> {
    let (month, year) = (date.get(..2)?.parse::<u32>().ok()?, date.get(2..)?.parse::<u32>().ok()?);
    Some(year * 12 + month.checked_sub(1)?)
}

/// So the faults of the hostile profile are called.
const PROFILE: &str = "hostile-";
/// What to do about an event that changes nothing.
const FORBIDDEN: &str = "; expected `gives: forbidden`, if that is what is to be shown";

impl Checker<'_> {
    pub(super) fn issuer(&mut self, issuer: &Issuer, place: &Place) {
        self.particulars(issuer, place);
        self.world.issued = true;
        let concerned: Vec<String> = match &issuer.target {
            Target::Token(token) => {
                if !self.token(token) {
                    return;
                }
                self.judge(issuer, token);
                let known = self.world.tokens.get(&token.name);
                match known.and_then(|known| known.card.clone().zip(Some(known.number))) {
                    Some((card, number)) if of_card(issuer.event) => self.tokens_of(&card, Some(number)),
                    _ => vec![token.name.clone()],
                }
            }
            Target::Card(card) => {
                if !of_card(issuer.event) {
                    let reason =
                        format!("{} concerns one token; expected `token` in place of `card`", issuer.event);
                    self.findings.sense(&card.place, reason);
                    return;
                }
                if !self.card(card) {
                    return;
                }
                let Some(concerned) = self.of_one_number(card) else { return };
                self.any_live(&concerned, card, issuer);
                concerned
            }
        };
        if issuer.forbidden {
            return;
        }
        self.dated(issuer, &concerned, place);
        if issuer.event == IssuerEvent::CardReplace {
            self.world.replacements += 1;
            let number = self.world.replacements;
            for token in &concerned {
                self.world.tokens.entry(token.clone()).and_modify(|known| known.number = number);
            }
        }
        self.world.told = true;
        let tells = EventType::of(issuer.event);
        for token in concerned {
            self.world.events.push((token.clone(), tells));
            let state = match (issuer.event, self.world.state_of(&token)) {
                (_, Some(TokenState::Deleted)) | (IssuerEvent::TokenDelete | IssuerEvent::CardDelete, _) => {
                    Some(TokenState::Deleted)
                }
                (IssuerEvent::TokenSuspend, _) => Some(TokenState::Suspended),
                (IssuerEvent::TokenResume, _) => Some(TokenState::Active),
                (_, state) => state,
            };
            let outside = self.scenario.stage.caller == Caller::Outside && state != Some(TokenState::Deleted);
            // Somebody outside may delete it at any time.
            self.world.set_state(&token, if outside { None } else { state });
        }
    }

    fn particulars(&mut self, issuer: &Issuer, place: &Place) {
        if let Some(expiry) = &issuer.expiry {
            let dated = [IssuerEvent::CardRenew, IssuerEvent::CardReplace, IssuerEvent::TokenExtend];
            if dated.contains(&issuer.event) {
                self.month(expiry, place, "`expiry`");
            } else {
                self.findings.sense(place, format!("{} sets no date; expected no `expiry`", issuer.event));
            }
        }
        if let Some(pan) = &issuer.pan {
            if issuer.event != IssuerEvent::CardReplace {
                self.findings
                    .sense(place, format!("{} gives no new number; expected no `pan`", issuer.event));
            } else if !d1_fixtures::luhn_valid(pan) {
                self.findings.sense(place, "`pan`: the last digit is no check digit of the others (Luhn)");
            }
        }
    }

    /// The new expiry date of a card comes after the one that it has.
    fn dated(&mut self, issuer: &Issuer, concerned: &[String], place: &Place) {
        let replaced = issuer.event == IssuerEvent::CardReplace;
        if !replaced && issuer.event != IssuerEvent::CardRenew {
            return;
        }
        let known = concerned.first().and_then(|token| self.world.tokens.get(token));
        let Some((card, number)) = known.and_then(|known| Some((known.card.clone()?, known.number))) else {
            return;
        };
        let said = self.world.good_until.get(&(card.clone(), number)).copied();
        let present = said.unwrap_or_else(|| self.good_until(&card));
        let new = issuer.expiry.as_deref().and_then(months);
        if let (Some(new), Some(present)) = (new, present)
            && new <= present
        {
            let (month, year) = (present % 12 + 1, present / 12 % 100);
            let reason = format!(
                "`expiry`: the card `{card}` is good until {month:02}{year:02} by then; expected a later month, or none"
            );
            self.findings.sense(place, reason);
        }
        let number = if replaced { self.world.replacements + 1 } else { number };
        self.world.good_until.insert((card, number), new);
    }

    /// Until when a card of the stage is good, if nothing that it plans can change that.
    fn good_until(&self, card: &str) -> Option<u32> {
        let given = self.scenario.stage.cards.iter().find(|known| known.name.name == card)?;
        let planned = |test: &TestCard| {
            matches!(test.behaviour, Behaviour::Soon { .. } | Behaviour::AfterFirstUse { .. })
        };
        match &given.card {
            CardGiven::Number { exp, .. } => months(exp),
            CardGiven::Test(named) => {
                let test = self.cards.iter().find(|test| test.name == named.name)?;
                months(&test.exp).filter(|_| !planned(test))
            }
        }
    }

    /// The tokens of a card, or of one of its numbers.
    fn tokens_of(&self, card: &str, number: Option<u32>) -> Vec<String> {
        let fits = |known: &TokenKnown| {
            known.card.as_deref() == Some(card) && number.is_none_or(|number| number == known.number)
        };
        self.world.tokens.iter().filter(|(_, known)| fits(known)).map(|(name, _)| name.clone()).collect()
    }

    /// The tokens of a card, unless some that live are of its new number and some of an old one: D1 has two cards then.
    fn of_one_number(&mut self, card: &Named) -> Option<Vec<String>> {
        let all = self.tokens_of(&card.name, None);
        let mut numbers: BTreeMap<u32, Vec<String>> = BTreeMap::new();
        for name in &all {
            let Some(known) = self.world.tokens.get(name) else { continue };
            if known.state != Some(TokenState::Deleted) {
                numbers.entry(known.number).or_default().push(format!("`{name}`"));
            }
        }
        if numbers.len() < 2 {
            let live = numbers.keys().next().copied();
            return Some(if live.is_some() { self.tokens_of(&card.name, live) } else { all });
        }
        let groups: Vec<String> = numbers.into_values().map(|names| names.join(", ")).collect();
        let reason = format!(
            "`{}` was replaced, and tokenized by its old number too, so that D1 has several cards by then: that of {}; expected \
             `token` to tell which",
            card.name,
            groups.join(", that of ")
        );
        self.findings.sense(&card.place, reason);
        None
    }

    fn any_live(&mut self, concerned: &[String], card: &Named, issuer: &Issuer) {
        // The system under test may have made tokens of it that no step names.
        if self.scenario.stage.caller == Caller::Outside {
            return;
        }
        let (event, name) = (issuer.event, &card.name);
        let gone = concerned.iter().all(|token| self.world.state_of(token) == Some(TokenState::Deleted));
        let reason = match (concerned.is_empty(), gone, issuer.forbidden) {
            (true, ..) => {
                format!("no step so far makes a token of the card `{name}`, so that {event} changes nothing")
            }
            (false, true, false) => {
                format!(
                    "all tokens of the card `{name}` are DELETED by then, so that {event} changes nothing{FORBIDDEN}"
                )
            }
            (false, false, true) if concerned.iter().all(|token| self.world.state_of(token).is_some()) => {
                format!(
                    "the card `{name}` has tokens that live by then, so that {event} is done; expected no `gives`"
                )
            }
            _ => return,
        };
        self.findings.sense(&card.place, reason);
    }

    /// Whether the state allows the event (C21, C25).
    fn judge(&mut self, issuer: &Issuer, token: &Named) {
        let Some(state) = self.world.state_of(&token.name) else { return };
        let (event, name, is) = (issuer.event, &token.name, state.as_str());
        let forbids = match (event, state) {
            (_, TokenState::Deleted) => Some("which is final"),
            (IssuerEvent::TokenSuspend, TokenState::Suspended) => Some("and cannot be suspended twice"),
            (IssuerEvent::TokenResume, TokenState::Active) => {
                Some("and only a suspended token can be resumed")
            }
            _ => None,
        };
        let reason = match (forbids, issuer.forbidden) {
            (Some(why), false) => {
                format!("`{name}` is {is} by then, {why}: {event} changes nothing{FORBIDDEN}")
            }
            (None, true) => format!("`{name}` is {is} by then, so that {event} is done; expected no `gives`"),
            _ => return,
        };
        self.findings.sense(&token.place, reason);
    }

    pub(super) fn fault(&mut self, fault: &Fault) {
        self.gateway(fault.gateway.as_ref());
        if let Some(merchant) = &fault.merchant {
            self.merchant(merchant);
        }
        if let Some(card) = &fault.card
            && self.card(card)
            && self.test_card_of(&card.name).is_none()
        {
            let reason = "a fault can name test cards alone, and this is another number; expected `merchant` or `nth` to tell which \
                          calls are meant";
            self.findings.sense(&card.place, reason);
        }
        if let Some(token) = &fault.token {
            self.token(token);
        }
        self.world.codes.extend(fault.error_code.clone());
        self.world.answered |= fault.effect == "answer";
        if self.scenario.stage.hostile && fault.name.name.starts_with(PROFILE) {
            let reason = format!(
                "on a hostile stage the names that begin with `{PROFILE}` are those of its faults; give this one another"
            );
            self.findings.sense(&fault.name.place, reason);
        }
        if let Some(first) = self.world.faults.get(&fault.name.name) {
            let reason = format!(
                "a fault `{}` is set already, in {first}; lift it before, or give this one another name",
                fault.name.name
            );
            self.findings.sense(&fault.name.place, reason);
        }
        self.world.faults.insert(fault.name.name.clone(), fault.name.place.clone());
        self.world.ever.insert(fault.name.name.clone());
        if !fault.body.contains_key("times") && !fault.body.contains_key("for") {
            self.world.lasting.insert(fault.name.name.clone());
        }
        if self.world.lasting.len() > faults::MOST {
            let reason = format!(
                "expected at most {} faults at once, here is one more; lift one before, or give some `times` or `for`",
                faults::MOST
            );
            self.findings.sense(&fault.name.place, reason);
        }
    }

    pub(super) fn forge(&mut self, forge: &Forge) {
        let known = self.token(&forge.token);
        self.world.told = true;
        let about =
            Notifications { gateway: None, token: Some(forge.token.clone()), event: None, answered: None };
        if known
            && forge.forgery == Forgery::OldSequence
            && self.foretold(&about).is_some_and(|most| most < 2)
        {
            let reason = "oldSequence tells an event anew that is long past, so that the token must have had two; expected two \
                          steps `issuer` for it before";
            self.findings.sense(&forge.token.place, reason);
        }
    }

    pub(super) fn lift(&mut self, named: &Named) {
        self.world.lasting.remove(&named.name);
        if self.world.faults.remove(&named.name).is_some() || self.broken.may_have_made(&named.name) {
            return;
        }
        let reason = if self.world.ever.contains(&named.name) {
            format!("the fault `{}` is lifted already; take this step away", named.name)
        } else {
            let near = nearest(&named.name, self.world.faults.keys().map(String::as_str));
            format!("no step before sets a fault `{}`{near}", named.name)
        };
        self.findings.sense(&named.place, reason);
    }

    pub(super) fn only_our_client(&mut self, gateway: Option<&Named>, place: &Place) {
        self.one_gateway(gateway, place);
        self.world.client_troubled = true;
        if self.scenario.stage.caller == Caller::Outside {
            self.findings
                .sense(place, "only our own client can be told this; expected `caller: own` on the stage");
        }
    }
}
