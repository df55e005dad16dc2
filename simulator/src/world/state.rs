//! What is held, and how it is found.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::mem;
use std::sync::Arc;

use crate::domain::{Fingerprint, GatewayId, MerchantId, Moment, Month, Pan, Refusal, Token, TokenId};

use super::Limits;
use super::agenda::Agenda;
use super::fired::Log;
use super::outbox::Outbox;

/// At most so many merchants and so many tokens are shown by a view.
pub(super) const SHOWN: usize = 10_000;

/// The first merchants and tokens of a gateway, in the order of their making.
#[derive(Debug, Default)]
pub(super) struct First {
    pub(super) merchants: Vec<MerchantId>,
    pub(super) tokens: Vec<TokenId>,
    /// There are others.
    pub(super) more: bool,
}

/// A merchant of a gateway.
#[derive(Debug, Clone)]
pub(crate) struct Merchant {
    pub(crate) name: Arc<str>,
    pub(crate) created: Moment,
}

/// A card as a gateway presents it for tokenization.
#[derive(Debug)]
pub(crate) struct PresentedCard {
    pub(crate) pan: Pan,
    pub(crate) expiry: Month,
}

/// A card that was tokenized at least once.
#[derive(Debug, Default)]
pub(super) struct Card {
    /// Its place among all cards: what its PAR is drawn from.
    pub(super) number: u64,
    /// In the order of their making, deleted ones included.
    pub(super) tokens: Vec<TokenId>,
}

/// How many of each thing were ever made; seeded draws are numbered by it.
#[derive(Debug, Default)]
pub(super) struct Counters {
    merchants: u64,
    pub(super) tokens: u64,
    pub(super) cards: u64,
    pub(super) dpans: u64,
    pub(super) pans: u64,
    pub(super) transactions: u64,
    pub(super) events: u64,
}

#[derive(Default)]
pub(super) struct State {
    merchants: HashMap<MerchantId, (GatewayId, Merchant)>,
    pub(super) tokens: HashMap<TokenId, Token>,
    pub(super) cards: HashMap<Fingerprint, Card>,
    /// What a view shows of each gateway.
    pub(super) first: BTreeMap<GatewayId, First>,
    /// Answers 503 still to give, by card and merchant.
    pub(super) unavailable: HashMap<(Fingerprint, MerchantId), u32>,
    pub(super) outbox: Outbox,
    pub(super) agenda: Agenda,
    /// What fell due since somebody began to move the clock.
    pub(super) fired: Option<Log>,
    /// Of what is planned for by now some has still to happen: who delivers one by one waits for it.
    pub(super) firing: bool,
    pub(super) counters: Counters,
}

impl State {
    pub(super) fn room_for_merchant(&self, limits: Limits) -> Result<(), Refusal> {
        let room = self.merchants.len() < limits.merchants;
        room.then_some(()).ok_or(Refusal::Full { what: "merchants", limit: limits.merchants })
    }

    pub(super) fn next_merchant(&mut self) -> u64 {
        self.counters.merchants += 1;
        self.counters.merchants
    }

    pub(super) fn add_merchant(&mut self, gateway: &GatewayId, id: MerchantId, merchant: Merchant) {
        self.merchants.insert(id, (gateway.clone(), merchant));
        let first = self.first.entry(gateway.clone()).or_default();
        if first.merchants.len() < SHOWN {
            first.merchants.push(id);
        } else {
            first.more = true;
        }
    }

    pub(super) fn add_token(&mut self, token: Token, now: Moment) {
        self.agenda.expect(&token, now);
        if let Some(first) = self.first.get_mut(&token.gateway) {
            if first.tokens.len() < SHOWN {
                first.tokens.push(token.id);
            } else {
                first.more = true;
            }
        }
        self.tokens.insert(token.id, token);
    }

    pub(super) fn merchant(&self, id: MerchantId) -> Option<&(GatewayId, Merchant)> {
        self.merchants.get(&id)
    }

    /// The merchant must be of this gateway; another's is as unknown as none (C12).
    pub(super) fn check_merchant(&self, gateway: &GatewayId, id: MerchantId) -> Result<(), Refusal> {
        match self.merchants.get(&id) {
            Some((owner, _)) if owner == gateway => Ok(()),
            _ => Err(Refusal::UnknownMerchant),
        }
    }

    /// A token that is there and not deleted (C12).
    pub(super) fn live_token(
        &mut self,
        gateway: &GatewayId,
        merchant: MerchantId,
        id: TokenId,
    ) -> Result<&mut Token, Refusal> {
        self.check_merchant(gateway, merchant)?;
        let ours = |token: &&mut Token| token.gateway == *gateway && token.merchant == merchant;
        let token = self.tokens.get_mut(&id).filter(ours).ok_or(Refusal::UnknownToken)?;
        match token.state {
            crate::domain::TokenState::Deleted => Err(Refusal::UnknownToken),
            _ => Ok(token),
        }
    }

    /// Forgets all of one gateway but the counters. What others hold of the same card stays.
    pub(super) fn forget(&mut self, gateway: &GatewayId) {
        let theirs: HashSet<MerchantId> =
            self.merchants.extract_if(|_, (owner, _)| owner == gateway).map(|(id, _)| id).collect();
        let gone: HashMap<TokenId, Token> =
            self.tokens.extract_if(|_, token| token.gateway == *gateway).collect();
        for token in gone.values() {
            self.agenda.forget(token);
        }
        let cards: HashSet<Fingerprint> = gone.values().map(|token| token.card).collect();
        for fingerprint in cards {
            if let Some(card) = self.cards.get_mut(&fingerprint) {
                card.tokens.retain(|id| !gone.contains_key(id));
                if card.tokens.is_empty() {
                    self.cards.remove(&fingerprint);
                }
            }
        }
        self.unavailable.retain(|(_, merchant), _| !theirs.contains(merchant));
        self.first.remove(gateway);
        self.agenda.forget_gateway(gateway, |token| gone.contains_key(&token));
        self.outbox.forget(gateway);
    }

    /// Forgets everything but the counters: no identifier that was given out comes back.
    pub(super) fn reset(&mut self) {
        let (outbox, counters) = (self.outbox.emptied(), mem::take(&mut self.counters));
        *self = Self { outbox, counters, fired: self.fired.take(), ..Self::default() };
    }
}
