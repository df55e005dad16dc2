//! The doings of the issuer and the TSP, applied to every token they concern (C25).

use std::time::Duration;

use crate::chance::Stream;
use crate::domain::{
    Cause, Fingerprint, GatewayId, IssuerEvent, Month, Now, Pan, Refusal, Token, TokenId, TokenState, Update,
    uuid_text,
};
use crate::faults;
use crate::journal::{Queued, Transition};

use super::agenda::Scheduled;
use super::state::{Card, State};
use super::tokens::new_pan;
use super::{Asker, World};

/// A renewed card and an extended token live for so many months more, unless told otherwise.
const MORE_MONTHS: u16 = 36;
/// A planned event that finds the outbox full tries again after this.
const PUT_OFF: Duration = Duration::from_secs(1);

/// What the teller of an event may fix; the rest is drawn.
#[derive(Debug, Default)]
pub(crate) struct Particulars {
    pub(crate) expiry: Option<Month>,
    pub(crate) pan: Option<Pan>,
}

impl World {
    /// Lets the issuer or the TSP do something to a token, or to its card and so to all its tokens.
    /// Returns the number of the first journal entry.
    pub(crate) fn issuer_event(
        &self,
        gateway: &GatewayId,
        token: TokenId,
        event: IssuerEvent,
        particulars: &Particulars,
        now: Now,
    ) -> Result<u64, Refusal> {
        let mut state = self.lock();
        let known = state.tokens.get(&token).is_some_and(|token| token.gateway == *gateway);
        if !known {
            return Err(Refusal::UnknownToken);
        }
        self.happen(&mut state, Scheduled { token, event }, particulars, now)
    }

    /// Lets happen what is planned, and says what came of it.
    pub(super) fn happen_or_put_off(
        &self,
        state: &mut State,
        scheduled: Scheduled,
        now: Now,
    ) -> &'static str {
        let outcome = match self.happen(state, scheduled, &Particulars::default(), now) {
            Ok(_) => "done",
            Err(Refusal::Full { .. }) => {
                state.agenda.plan(now.at.after(PUT_OFF), scheduled);
                "putOff"
            }
            // The state forbids it by now, which changes nothing.
            Err(_) => "forbidden",
        };
        self.moved.send_replace(());
        outcome
    }

    fn happen(
        &self,
        state: &mut State,
        Scheduled { token, event }: Scheduled,
        particulars: &Particulars,
        now: Now,
    ) -> Result<u64, Refusal> {
        let named = state.tokens.get(&token).cloned().ok_or(Refusal::UnknownToken)?;
        let plan = self.plan(state, &named, event, particulars)?;
        // Judged on a copy first: a cause that is forbidden for the named token changes no other.
        named.clone().apply(&plan)?;
        let concerned = if event.concerns_card() { state.live_tokens_of_card(&named) } else { vec![token] };
        self.check_room(state, &concerned)?;
        let mut first = None;
        for id in concerned {
            let cause = self.own_share(state, id, &named, &plan);
            let n = self.change(state, id, event, &cause, now);
            first = first.or(n);
        }
        if let Cause::Replace { card, .. } = plan {
            state.move_card(&named, card);
        }
        self.moved.send_replace(());
        first.ok_or(Refusal::UnknownToken)
    }

    fn plan(
        &self,
        state: &mut State,
        token: &Token,
        event: IssuerEvent,
        given: &Particulars,
    ) -> Result<Cause, Refusal> {
        let later = |present: Month| {
            let expiry = given.expiry.unwrap_or(present.plus_months(MORE_MONTHS));
            (expiry > present).then_some(expiry).ok_or(Refusal::DateNotLater)
        };
        Ok(match event {
            IssuerEvent::TokenSuspend => Cause::Suspend,
            IssuerEvent::TokenResume => Cause::Resume,
            IssuerEvent::TokenDelete => Cause::Delete,
            IssuerEvent::CardDelete => Cause::CardDelete,
            IssuerEvent::TokenExtend => Cause::Extend { token_expiry: later(token.token_expiry)? },
            IssuerEvent::CardRenew => Cause::Renew { card_expiry: later(token.card_expiry)? },
            IssuerEvent::CardReplace => {
                let card_expiry = later(token.card_expiry)?;
                let drawn = || {
                    state.counters.pans += 1;
                    new_pan(self.setting.chance, state.counters.pans)
                };
                let pan = given.pan.clone().or_else(drawn).ok_or(Refusal::SamePan)?;
                let card = self.fingerprint(&token.gateway, &pan);
                if card == token.card {
                    return Err(Refusal::SamePan);
                }
                Cause::Replace {
                    card,
                    last_four: pan.last_four(),
                    card_expiry,
                    dpan: state.new_dpan(self.setting.chance),
                }
            }
        })
    }

    /// Each token of a replaced card gets a DPAN of its own.
    fn own_share(&self, state: &mut State, id: TokenId, named: &Token, plan: &Cause) -> Cause {
        let mut cause = plan.clone();
        if let Cause::Replace { dpan, .. } = &mut cause
            && id != named.id
        {
            *dpan = state.new_dpan(self.setting.chance);
        }
        cause
    }

    fn check_room(&self, state: &State, concerned: &[TokenId]) -> Result<(), Refusal> {
        let limit = self.setting.limits.outbox;
        let told =
            |id: &&TokenId| state.tokens.get(id).is_some_and(|token| state.outbox.is_told(&token.gateway));
        let more = concerned.iter().filter(told).count();
        // Who is not told needs no room: a receiver that is down holds up no other gateway's events.
        let room = more == 0 || state.outbox.len().saturating_add(more) <= limit;
        room.then_some(()).ok_or(Refusal::Full { what: "notifications", limit })
    }

    fn change(
        &self,
        state: &mut State,
        id: TokenId,
        event: IssuerEvent,
        cause: &Cause,
        now: Now,
    ) -> Option<u64> {
        let State { tokens, outbox, counters, agenda, .. } = state;
        let token = tokens.get_mut(&id)?;
        let before = token.clone();
        let changed = token.apply(cause).ok()?;
        agenda.forget(&before);
        agenda.expect(token, now.at);
        counters.events += 1;
        let update = Update {
            id: self.setting.chance.uuid(Stream::Event, counters.events),
            kind: changed.kind,
            state: token.state,
            card_last_four: token.card_last_four,
            card_expiry: token.card_expiry,
            token_last_four: token.token_last_four(),
            token_expiry: token.token_expiry,
            sequence: token.sequence,
            at: now.at,
            dpan: changed.credentials.then_some(token.dpan),
        };
        let told = outbox.is_told(&token.gateway);
        let queued = Queued {
            event_id: uuid_text(update.id),
            event_type: update.kind.as_str(),
            sequence: update.sequence,
        };
        let transition = Transition {
            cause: event.as_str(),
            merchant_id: token.merchant.to_string(),
            token_id: Some(id.to_string()),
            from: Some(changed.from.as_str()),
            to: Some(token.state.as_str()),
            card_last_digits: Some(token.card_last_four.as_str().to_owned()),
            token_last_digits: Some(token.token_last_four().as_str().to_owned()),
            queued: told.then_some(queued),
        };
        let n = self.note(Asker { gateway: &token.gateway, correlation: None }, now.at, transition);
        if told {
            let (merchant, token_text) = (token.merchant.to_string(), id.to_string());
            let queued =
                faults::Queued { gateway: token.gateway.as_str(), merchant: &merchant, token: &token_text };
            // Under the lock that the change is made under: one commit, whatever befalls the notification.
            let struck = self.setting.faults.strike_notification(&queued, now.at);
            let struck = struck.map(|struck| (struck.number, struck.act));
            outbox.push((token.gateway.clone(), token.merchant, id), update, now.at, struck);
        }
        Some(n)
    }
}

impl State {
    fn live_tokens_of_card(&self, token: &Token) -> Vec<TokenId> {
        let of_card = self.cards.get(&token.card).map(|card| card.tokens.as_slice()).unwrap_or_default();
        let live =
            |id: &&TokenId| self.tokens.get(id).is_some_and(|token| token.state != TokenState::Deleted);
        of_card.iter().filter(live).copied().collect()
    }

    /// The tokens of a replaced card belong to the new card from now on.
    fn move_card(&mut self, token: &Token, new: Fingerprint) {
        let Some(old) = self.cards.remove(&token.card) else { return };
        let card = self.cards.entry(new).or_insert(Card { number: old.number, tokens: Vec::new() });
        card.tokens.extend(old.tokens);
    }
}

#[cfg(test)]
mod tests;
