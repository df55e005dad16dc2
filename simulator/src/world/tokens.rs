//! Tokenization and deletion.

use std::time::Duration;

use crate::chance::{Chance, Stream};
use crate::domain::{
    Behaviour, Fingerprint, GatewayId, MerchantId, Now, Pan, Refusal, Token, TokenId, TokenState,
    with_check_digit,
};
use crate::journal::Transition;

use super::agenda::Scheduled;
use super::state::{Card, PresentedCard, State};
use super::{Asker, World};

/// A new token lives for so many months beyond the present one (our choice).
const TOKEN_MONTHS: u16 = 48;
/// Major industry identifier 9, country 999: DPANs that no scheme can ever have given out.
const DPAN_RANGE: u64 = 999_998;
/// The same for the PANs of replacement cards.
const PAN_RANGE: u64 = 999_997;
/// What a PAR is written with.
const PAR_ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

impl World {
    /// How long the issuer takes to answer for this card, on the sandbox clock.
    pub(crate) fn issuer_delay(
        &self,
        gateway: &GatewayId,
        merchant: MerchantId,
        pan: &Pan,
    ) -> Result<Option<Duration>, Refusal> {
        self.lock().check_merchant(gateway, merchant)?;
        Ok(match self.behaviour(pan) {
            Behaviour::Slow { seconds } => Some(Duration::from_secs(seconds.into())),
            _ => None,
        })
    }

    /// Tokenizes a card for a merchant. Two calls make two tokens (C17).
    pub(crate) fn create_token(
        &self,
        asker: Asker<'_>,
        merchant: MerchantId,
        card: &PresentedCard,
        now: Now,
    ) -> Result<Token, Refusal> {
        let behaviour = self.behaviour(&card.pan);
        let fingerprint = self.fingerprint(asker.gateway, &card.pan);
        let limits = self.setting.limits;
        let mut state = self.lock();
        state.check_merchant(asker.gateway, merchant)?;
        if state.tokens.len() >= limits.tokens {
            return Err(Refusal::Full { what: "tokens", limit: limits.tokens });
        }
        state.ask_issuer(behaviour, fingerprint, merchant)?;
        let mut token =
            state.new_token(self.setting.chance, (asker.gateway, merchant), card, fingerprint, now);
        if let Behaviour::AfterFirstUse { event } = behaviour {
            token.first_use = Some(event);
        }
        let next = state.agenda.next();
        state.add_token(token.clone(), now.at);
        if let Behaviour::Soon { seconds, event } = behaviour {
            let at = now.at.after(Duration::from_secs(seconds.into()));
            state.agenda.plan(at, Scheduled { token: token.id, event });
        }
        self.tell_if_sooner(&state, next);
        let made = Transition {
            cause: "token.created",
            merchant_id: merchant.to_string(),
            token_id: Some(token.id.to_string()),
            to: Some(token.state.as_str()),
            card_last_digits: Some(token.card_last_four.as_str().to_owned()),
            token_last_digits: Some(token.token_last_four().as_str().to_owned()),
            ..Transition::default()
        };
        self.note(asker, now.at, made);
        Ok(token)
    }

    /// The token as it stands.
    pub(crate) fn token(
        &self,
        gateway: &GatewayId,
        merchant: MerchantId,
        id: TokenId,
    ) -> Result<Token, Refusal> {
        self.lock().live_token(gateway, merchant, id).map(|token| token.clone())
    }

    /// Deletes a token at its merchant's wish: the issuer is told, the gateway is not (C20).
    pub(crate) fn delete_token(
        &self,
        asker: Asker<'_>,
        merchant: MerchantId,
        id: TokenId,
        now: Now,
    ) -> Result<(), Refusal> {
        let mut state = self.lock();
        let token = state.live_token(asker.gateway, merchant, id)?;
        let before = token.clone();
        let from = token.state;
        token.state = TokenState::Deleted;
        state.agenda.forget(&before);
        let gone = Transition {
            cause: "token.deletedByGateway",
            merchant_id: merchant.to_string(),
            token_id: Some(id.to_string()),
            from: Some(from.as_str()),
            to: Some(TokenState::Deleted.as_str()),
            ..Transition::default()
        };
        self.note(asker, now.at, gone);
        Ok(())
    }

    pub(super) fn behaviour(&self, pan: &Pan) -> Behaviour {
        self.setting.cards.get(pan).copied().unwrap_or(Behaviour::Approve)
    }
}

impl State {
    fn ask_issuer(
        &mut self,
        behaviour: Behaviour,
        card: Fingerprint,
        merchant: MerchantId,
    ) -> Result<(), Refusal> {
        match behaviour {
            Behaviour::Decline => Err(Refusal::Declined),
            Behaviour::Unavailable { times } => {
                let given = self.unavailable.entry((card, merchant)).or_default();
                if *given < times {
                    *given += 1;
                    return Err(Refusal::IssuerUnavailable);
                }
                Ok(())
            }
            Behaviour::Approve
            | Behaviour::Slow { .. }
            | Behaviour::AfterFirstUse { .. }
            | Behaviour::Soon { .. } => Ok(()),
        }
    }

    fn new_token(
        &mut self,
        chance: Chance,
        (gateway, merchant): (&GatewayId, MerchantId),
        presented: &PresentedCard,
        fingerprint: Fingerprint,
        now: Now,
    ) -> Token {
        self.counters.tokens += 1;
        let id = TokenId::from_number(chance.uuid(Stream::Token, self.counters.tokens));
        let cards = &mut self.counters.cards;
        let card = self.cards.entry(fingerprint).or_insert_with(|| {
            *cards += 1;
            Card { number: *cards, tokens: Vec::new() }
        });
        card.tokens.push(id);
        let par = par(chance, card.number);
        Token {
            id,
            gateway: gateway.clone(),
            merchant,
            state: TokenState::Active,
            card: fingerprint,
            card_last_four: presented.pan.last_four(),
            card_expiry: presented.expiry,
            dpan: self.new_dpan(chance),
            token_expiry: now.month.plus_months(TOKEN_MONTHS),
            par,
            created: now.at,
            sequence: 0,
            first_use: None,
        }
    }

    /// A DPAN that was never given out before: 16 digits, Luhn-valid (C19).
    pub(super) fn new_dpan(&mut self, chance: Chance) -> u64 {
        self.counters.dpans += 1;
        let body = chance.distinct(Stream::Dpan, self.counters.dpans, 9);
        with_check_digit(DPAN_RANGE * 1_000_000_000 + body)
    }
}

/// The payment account reference of the `number`-th card: 29 upper-case letters and digits.
fn par(chance: Chance, number: u64) -> [u8; 29] {
    let drawn = chance.bytes(Stream::Par, number);
    let mut par = [b'0'; 29];
    par[..4].copy_from_slice(b"D1SB");
    for (slot, byte) in par[4..].iter_mut().zip(drawn) {
        *slot = PAR_ALPHABET[usize::from(byte % 32)];
    }
    par
}

/// The number of a card that replaces another: in a range of its own, so never a test card.
pub(super) fn new_pan(chance: Chance, n: u64) -> Option<Pan> {
    let body = chance.distinct(Stream::Pan, n, 9);
    Pan::parse(&with_check_digit(PAN_RANGE * 1_000_000_000 + body).to_string())
}
