//! The issuer, the network, and what only our own client can be told.

use d1_fixtures::IssuerEvent;

use super::Checker;
use crate::faults;
use crate::scenario::expectation::Notifications;
use crate::scenario::finding::{Place, nearest};
use crate::scenario::hostile::Fault;
use crate::scenario::members::Named;
use crate::scenario::stage::Caller;
use crate::scenario::step::{Forge, Issuer, Target};
use crate::scenario::words::{EventType, Forgery, TokenState, of_card};

/// So the faults of the hostile profile are called.
const PROFILE: &str = "hostile-";

impl Checker<'_> {
    pub(super) fn issuer(&mut self, issuer: &Issuer, place: &Place) {
        self.particulars(issuer, place);
        let concerned: Vec<String> = match &issuer.target {
            Target::Token(token) => {
                if !self.token(token) {
                    return;
                }
                self.judge(issuer.event, token);
                let card = self.world.tokens.get(&token.name).and_then(|known| known.card.clone());
                if of_card(issuer.event) && card.is_some() {
                    self.tokens_of(card.as_deref().unwrap_or_default())
                } else {
                    vec![token.name.clone()]
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
                let concerned = self.tokens_of(&card.name);
                self.any_live(&concerned, card, issuer.event);
                concerned
            }
        };
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

    fn tokens_of(&self, card: &str) -> Vec<String> {
        let of_card = self.world.tokens.iter().filter(|(_, known)| known.card.as_deref() == Some(card));
        of_card.map(|(name, _)| name.clone()).collect()
    }

    fn any_live(&mut self, concerned: &[String], card: &Named, event: IssuerEvent) {
        // The system under test may have made tokens of it that no step names.
        if self.scenario.stage.caller == Caller::Outside {
            return;
        }
        if concerned.is_empty() {
            let reason = format!(
                "no step so far makes a token of the card `{}`, so that {event} changes nothing",
                card.name
            );
            self.findings.sense(&card.place, reason);
        } else if concerned.iter().all(|token| self.world.state_of(token) == Some(TokenState::Deleted)) {
            let reason = format!(
                "all tokens of the card `{}` are DELETED by then, so that {event} changes nothing",
                card.name
            );
            self.findings.sense(&card.place, reason);
        }
    }

    /// Whether the state allows the event (C21, C25).
    fn judge(&mut self, event: IssuerEvent, token: &Named) {
        let Some(state) = self.world.state_of(&token.name) else { return };
        let reason = match (event, state) {
            (_, TokenState::Deleted) => "which is final",
            (IssuerEvent::TokenSuspend, TokenState::Suspended) => "and cannot be suspended twice",
            (IssuerEvent::TokenResume, TokenState::Active) => "and only a suspended token can be resumed",
            _ => return,
        };
        let reason =
            format!("`{}` is {} by then, {reason}: {event} changes nothing", token.name, state.as_str());
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
