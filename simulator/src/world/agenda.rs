//! What is to happen by itself, in the order in which it falls due: the issuer's doings, and ends that
//! are facts alone. Notifications have their own queues; see `outbox.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::{GatewayId, IssuerEvent, Moment, Month, Token, TokenId, TokenState};

/// A doing of the issuer that is still to come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scheduled {
    pub(super) token: TokenId,
    pub(super) event: IssuerEvent,
}

/// What falls due.
#[derive(Debug)]
pub(super) enum Due {
    Event(Scheduled),
    /// A bearer ends; it was asked for under this correlation id.
    AccessToken(GatewayId, Arc<str>),
    /// The bearer that a receiver's token endpoint gave is used no more.
    ReceiverToken(GatewayId),
    /// The card of this token expires.
    Card(TokenId),
    Token(TokenId),
    /// The time of a fault is over, with the number of its journal entry. Faults keep these moments themselves.
    FaultEnd(u64),
}

/// The moment and the order in which things were planned.
type Place = (Moment, u64);

#[derive(Default)]
pub(super) struct Agenda {
    items: BTreeMap<Place, Due>,
    /// Of millions of tokens, so one set a month rather than a place each.
    expiries: BTreeMap<Month, Expiring>,
    receiver_tokens: HashMap<GatewayId, Place>,
    events: usize,
    number: u64,
}

/// The tokens whose card, or which themselves, expire with a month.
#[derive(Default)]
struct Expiring {
    cards: BTreeSet<TokenId>,
    tokens: BTreeSet<TokenId>,
}

impl Agenda {
    pub(super) fn plan(&mut self, at: Moment, scheduled: Scheduled) {
        self.events += 1;
        self.add(at, Due::Event(scheduled));
    }

    pub(super) fn access_token_ends(&mut self, at: Moment, gateway: GatewayId, correlation: Arc<str>) {
        self.add(at, Due::AccessToken(gateway, correlation));
    }

    /// Takes back the end of a bearer.
    pub(super) fn access_token_revoked(&mut self, at: Moment, gateway: &GatewayId, correlation: &Arc<str>) {
        let is_it = |due: &Due| matches!(due, Due::AccessToken(whose, under) if whose == gateway && under == correlation);
        let place =
            self.items.range((at, 0)..=(at, u64::MAX)).find(|(_, due)| is_it(due)).map(|(place, _)| *place);
        if let Some(place) = place {
            self.items.remove(&place);
        }
    }

    /// At most one a gateway: a new one takes the place of the old one, and nothing that of a refused one.
    pub(super) fn receiver_token_ends(&mut self, gateway: &GatewayId, at: Option<Moment>) {
        if self.receiver_tokens.get(gateway).map(|(at, _)| *at) == at {
            return;
        }
        if let Some(old) = self.receiver_tokens.remove(gateway) {
            self.items.remove(&old);
        }
        if let Some(at) = at {
            let place = self.add(at, Due::ReceiverToken(gateway.clone()));
            self.receiver_tokens.insert(gateway.clone(), place);
        }
    }

    /// The expiries of a token that are still to come. Those of a deleted token concern nobody.
    pub(super) fn expect(&mut self, token: &Token, now: Moment) {
        if token.state == TokenState::Deleted {
            return;
        }
        if token.card_expiry.end() > now {
            self.expiries.entry(token.card_expiry).or_default().cards.insert(token.id);
        }
        if token.token_expiry.end() > now {
            self.expiries.entry(token.token_expiry).or_default().tokens.insert(token.id);
        }
    }

    /// Takes back what is expected of a token, before it changes.
    pub(super) fn forget(&mut self, token: &Token) {
        for month in [token.card_expiry, token.token_expiry] {
            let Some(expiring) = self.expiries.get_mut(&month) else { continue };
            if month == token.card_expiry {
                expiring.cards.remove(&token.id);
            }
            if month == token.token_expiry {
                expiring.tokens.remove(&token.id);
            }
            if expiring.is_empty() {
                self.expiries.remove(&month);
            }
        }
    }

    /// The earliest moment at which anything falls due.
    pub(super) fn next(&self) -> Option<Moment> {
        let item = self.items.first_key_value().map(|((at, _), _)| *at);
        let month = self.expiries.first_key_value().map(|(month, _)| month.end());
        item.into_iter().chain(month).min()
    }

    /// The first of what is due by now; the expiries of a month come after all else of their moment.
    pub(super) fn take(&mut self, now: Moment) -> Option<(Moment, Due)> {
        let at = self.next().filter(|at| *at <= now)?;
        if let Some(item) = self.items.first_entry().filter(|item| item.key().0 == at) {
            let (_, due) = item.remove_entry();
            match &due {
                Due::Event(_) => self.events -= 1,
                Due::ReceiverToken(gateway) => {
                    self.receiver_tokens.remove(gateway);
                }
                Due::AccessToken(..) | Due::Card(_) | Due::Token(_) | Due::FaultEnd(_) => {}
            }
            return Some((at, due));
        }
        let mut month = self.expiries.first_entry()?;
        let expiring = month.get_mut();
        let card = expiring.cards.pop_first().map(Due::Card);
        let due = card.or_else(|| expiring.tokens.pop_first().map(Due::Token));
        if expiring.is_empty() {
            month.remove();
        }
        due.map(|due| (at, due))
    }

    /// Events of the issuer that are still to come.
    pub(super) fn events(&self) -> usize {
        self.events
    }

    /// Those of them that are to happen to certain tokens.
    pub(super) fn events_of(&self, theirs: impl Fn(TokenId) -> bool) -> usize {
        let of = |due: &&Due| matches!(due, Due::Event(scheduled) if theirs(scheduled.token));
        self.items.values().filter(of).count()
    }

    /// Takes out what is to happen to certain tokens of a gateway, and the ends of its bearers and its
    /// receiver's. What is expected of each token by itself is taken back with [`Self::forget`].
    pub(super) fn forget_gateway(&mut self, gateway: &GatewayId, theirs: impl Fn(TokenId) -> bool) {
        self.items.retain(|_, due| match due {
            Due::Event(scheduled) => !theirs(scheduled.token),
            Due::AccessToken(whose, _) | Due::ReceiverToken(whose) => whose != gateway,
            Due::Card(_) | Due::Token(_) | Due::FaultEnd(_) => true,
        });
        self.receiver_tokens.remove(gateway);
        self.events = self.items.values().filter(|due| matches!(due, Due::Event(_))).count();
    }

    fn add(&mut self, at: Moment, due: Due) -> Place {
        self.number += 1;
        let place = (at, self.number);
        self.items.insert(place, due);
        place
    }
}

impl Expiring {
    fn is_empty(&self) -> bool {
        self.cards.is_empty() && self.tokens.is_empty()
    }
}

#[cfg(test)]
mod tests;
