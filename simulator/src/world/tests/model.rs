//! What the world is to do, told a second time and as plainly as can be (contract C17 to C25).

use std::collections::HashSet;

use super::{DECLINED, SOON, SOON_SECONDS};
use crate::domain::IssuerEvent;

/// The month in which every scenario takes place, counted from the year 0: April 2026.
const PRESENT: i32 = 2026 * 12 + 3;
/// Cards are presented with December 2030.
const PRESENTED: i32 = 2030 * 12 + 11;
/// No date lies after December 2099.
const LAST: i32 = 2099 * 12 + 11;

/// A notification, for all that matters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Told {
    pub(super) token: usize,
    pub(super) sequence: u32,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) card_expiry: String,
    pub(super) token_expiry: String,
    pub(super) credentials: bool,
}

/// Which card a token is of: one of the scenario's, or the so-many-th whose number was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Card {
    Known(usize),
    Drawn(usize),
}

struct Token {
    merchant: usize,
    card: Card,
    state: &'static str,
    card_expiry: i32,
    token_expiry: i32,
    sequence: u32,
    dpan: Option<u64>,
}

#[derive(Default)]
pub(super) struct Model {
    tokens: Vec<Token>,
    told: Vec<Told>,
    drawn: usize,
    seconds: u64,
    /// Tokens that are suspended by themselves, and when.
    soon: Vec<(u64, usize)>,
    dpans: HashSet<u64>,
    /// A wrong rule, to see that it is found.
    suspended_tokens_pay: bool,
}

fn mmyy(months: i32) -> String {
    format!("{:02}{:02}", months % 12 + 1, months / 12 % 100)
}

impl Model {
    pub(super) fn new() -> Self {
        Self::default()
    }

    /// One that holds that a suspended token pays.
    pub(super) fn told_wrongly() -> Self {
        Self { suspended_tokens_pay: true, ..Self::default() }
    }

    fn live(&self, token: usize) -> Option<&Token> {
        self.tokens.get(token).filter(|token| token.state != "DELETED")
    }

    pub(super) fn tokenize(&mut self, merchant: usize, card: usize) -> Result<(), &'static str> {
        if card == DECLINED {
            return Err("declined");
        }
        if card == SOON {
            self.soon.push((self.seconds + u64::from(SOON_SECONDS), self.tokens.len()));
        }
        self.tokens.push(Token {
            merchant,
            card: Card::Known(card),
            state: "ACTIVE",
            card_expiry: PRESENTED,
            token_expiry: PRESENT + 48,
            sequence: 0,
            dpan: None,
        });
        Ok(())
    }

    pub(super) fn get(&self, token: usize, gateway: usize) -> bool {
        self.live(token).is_some_and(|token| token.merchant == gateway)
    }

    pub(super) fn pay(&self, token: usize) -> Result<(), &'static str> {
        match self.live(token).map(|token| token.state) {
            None => Err("unknown"),
            Some("SUSPENDED") if !self.suspended_tokens_pay => Err("forbidden state"),
            Some(_) => Ok(()),
        }
    }

    pub(super) fn delete(&mut self, token: usize) -> Result<(), &'static str> {
        self.live(token).ok_or("unknown")?;
        self.tokens[token].state = "DELETED";
        Ok(())
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.seconds += seconds;
        let now = self.seconds;
        let (due, later): (Vec<_>, Vec<_>) = self.soon.drain(..).partition(|(at, _)| *at <= now);
        self.soon = later;
        for (_, token) in due {
            self.event(token, IssuerEvent::TokenSuspend, None, None);
        }
    }

    /// The new date that is given with an event, in months: so many after the card's, so that some are not later than the
    /// date they are to replace. None lies beyond what can be written.
    pub(super) fn given_date(&self, token: usize, months: Option<i16>) -> Option<i32> {
        Some(self.tokens.get(token)?.card_expiry + i32::from(months?)).filter(|date| *date <= LAST)
    }

    /// `true` if it is done.
    pub(super) fn event(
        &mut self,
        token: usize,
        event: IssuerEvent,
        months: Option<i16>,
        pan: Option<usize>,
    ) -> bool {
        let Some(named) = self.live(token) else { return false };
        let given = self.given_date(token, months);
        let later =
            |present: i32| Some(given.unwrap_or((present + 36).min(LAST))).filter(|date| *date > present);
        let (card, state) = (named.card, named.state);
        match event {
            IssuerEvent::TokenSuspend if state == "ACTIVE" => {
                self.change(token, "TOKEN_SUSPENDED", false, |token| token.state = "SUSPENDED");
            }
            IssuerEvent::TokenResume if state == "SUSPENDED" => {
                self.change(token, "TOKEN_RESUMED", false, |token| token.state = "ACTIVE");
            }
            IssuerEvent::TokenSuspend | IssuerEvent::TokenResume => return false,
            IssuerEvent::TokenDelete => {
                self.change(token, "TOKEN_DELETED", false, |token| token.state = "DELETED")
            }
            IssuerEvent::CardDelete => {
                self.change_card(card, "TOKEN_DELETED", false, |token| token.state = "DELETED");
            }
            IssuerEvent::TokenExtend => {
                let Some(date) = later(named.token_expiry) else { return false };
                self.change(token, "TOKEN_UPDATED", true, |token| token.token_expiry = date);
            }
            IssuerEvent::CardRenew => {
                let Some(date) = later(named.card_expiry) else { return false };
                self.change_card(card, "CARD_UPDATED", false, |token| token.card_expiry = date);
            }
            IssuerEvent::CardReplace => {
                let Some(date) = later(named.card_expiry) else { return false };
                let new = pan.map_or(Card::Drawn(self.drawn), Card::Known);
                if new == card {
                    return false;
                }
                self.drawn += 1;
                self.change_card(card, "CARD_UPDATED", true, |token| {
                    (token.card, token.card_expiry, token.dpan) = (new, date, None);
                });
            }
        }
        true
    }

    fn change_card(
        &mut self,
        card: Card,
        kind: &'static str,
        credentials: bool,
        change: impl Fn(&mut Token),
    ) {
        let of_card = |index: &usize| self.live(*index).is_some_and(|token| token.card == card);
        let concerned: Vec<usize> = (0..self.tokens.len()).filter(of_card).collect();
        for index in concerned {
            self.change(index, kind, credentials, &change);
        }
    }

    fn change(&mut self, index: usize, kind: &'static str, credentials: bool, change: impl Fn(&mut Token)) {
        let token = &mut self.tokens[index];
        change(token);
        token.sequence += 1;
        // The third merchant's gateway has no receiver.
        if token.merchant < 2 {
            self.told.push(Told {
                token: index,
                sequence: token.sequence,
                kind,
                state: token.state,
                card_expiry: mmyy(token.card_expiry),
                token_expiry: mmyy(token.token_expiry),
                credentials,
            });
        }
    }

    pub(super) fn take_told(&mut self) -> Vec<Told> {
        std::mem::take(&mut self.told)
    }

    pub(super) fn state(&self, token: usize) -> &'static str {
        self.tokens[token].state
    }

    pub(super) fn dates(&self, token: usize) -> (String, String) {
        (mmyy(self.tokens[token].card_expiry), mmyy(self.tokens[token].token_expiry))
    }

    pub(super) fn sequence(&self, token: usize) -> u32 {
        self.tokens[token].sequence
    }

    /// The card, if its number is one of the scenario's.
    pub(super) fn known_card(&self, token: usize) -> Option<usize> {
        match self.tokens[token].card {
            Card::Known(card) => Some(card),
            Card::Drawn(_) => None,
        }
    }

    /// A DPAN stays as it is until the card is replaced, and none comes twice.
    pub(super) fn check_dpan(&mut self, token: usize, dpan: u64) -> Result<(), String> {
        match self.tokens[token].dpan {
            Some(known) if known == dpan => Ok(()),
            Some(_) => Err("the DPAN has changed for no reason".to_owned()),
            None if self.dpans.insert(dpan) => {
                self.tokens[token].dpan = Some(dpan);
                Ok(())
            }
            None => Err("the DPAN was given out before".to_owned()),
        }
    }
}
