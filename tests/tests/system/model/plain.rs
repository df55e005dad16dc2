//! What D1 is to do, told as plainly as can be (contract C16 to C25, C34): knows neither the client nor the simulator.

use std::collections::HashSet;

use super::scenario::{EVENTS, GOOD_CARDS};

/// Cards are presented with December 2039.
const PRESENTED: i32 = 2039 * 12 + 11;
/// Tokens live for so many months.
const LIFE: i32 = 48;
/// What is extended or renewed lives for so many more, unless told otherwise.
const MORE: i32 = 36;
/// No date lies after December 2099.
const LAST: i32 = 2099 * 12 + 11;

/// Status and code of a refusal.
pub(super) type Refusal = (u16, &'static str);

const UNKNOWN: Refusal = (404, "RESOURCE_NOT_FOUND");
const DECLINED: Refusal = (403, "TOKENIZATION_DECLINED");
const FORBIDDEN_STATE: Refusal = (403, "FORBIDDEN_STATE");

/// Why the issuer's doing is refused on the admin port.
const BAD_EVENT: u16 = 400;
const NO_TOKEN: u16 = 404;
const WRONG_STATE: u16 = 409;

/// What a gateway is told, for all that matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) token: usize,
    pub(super) sequence: u64,
    pub(super) kind: &'static str,
    pub(super) state: &'static str,
    pub(super) card_expiry: String,
    pub(super) token_expiry: String,
    /// The card, if its number is one of the scenario's.
    pub(super) card: Option<usize>,
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
    sequence: u64,
    dpan: Option<String>,
    /// The newest that its gateway was told of it, and whether it was ever told the present credentials.
    told: Option<Told>,
    told_credentials: bool,
}

#[derive(Default)]
pub(super) struct Model {
    merchants: usize,
    tokens: Vec<Token>,
    drawn: usize,
    dpans: HashSet<String>,
    /// A wrong rule, to see that it is found.
    suspended_tokens_pay: bool,
}

fn mmyy(months: i32) -> String {
    format!("{:02}{:02}", months % 12 + 1, months / 12 % 100)
}

impl Model {
    /// One that holds that a suspended token pays.
    pub(super) fn told_wrongly() -> Self {
        Self { suspended_tokens_pay: true, ..Self::default() }
    }

    fn live(&self, token: usize) -> Result<&Token, Refusal> {
        self.tokens.get(token).filter(|token| token.state != "DELETED").ok_or(UNKNOWN)
    }

    pub(super) fn register(&mut self) {
        self.merchants += 1;
    }

    /// `month`: the present one, counted from the year 0.
    pub(super) fn tokenize(&mut self, merchant: usize, card: usize, month: i32) -> Result<(), Refusal> {
        if merchant >= self.merchants {
            return Err(UNKNOWN);
        }
        if card == GOOD_CARDS {
            return Err(DECLINED);
        }
        self.tokens.push(Token {
            merchant,
            card: Card::Known(card),
            state: "ACTIVE",
            card_expiry: PRESENTED,
            token_expiry: month + LIFE,
            sequence: 0,
            dpan: None,
            told: None,
            told_credentials: false,
        });
        Ok(())
    }

    pub(super) fn get(&self, token: usize, merchant: usize) -> Result<(), Refusal> {
        if self.live(token)?.merchant == merchant { Ok(()) } else { Err(UNKNOWN) }
    }

    pub(super) fn pay(&self, token: usize) -> Result<(), Refusal> {
        let suspended = self.live(token)?.state == "SUSPENDED";
        if suspended && !self.suspended_tokens_pay { Err(FORBIDDEN_STATE) } else { Ok(()) }
    }

    /// Its own deletion is no news to a gateway.
    pub(super) fn delete(&mut self, token: usize) -> Result<(), Refusal> {
        self.live(token)?;
        self.tokens[token].state = "DELETED";
        Ok(())
    }

    fn given(&self, token: usize, months: Option<i16>) -> Option<i32> {
        Some(self.tokens.get(token)?.card_expiry + i32::from(months?)).filter(|date| *date <= LAST)
    }

    /// The date that is given with an event; none lies beyond what can be written.
    pub(super) fn given_date(&self, token: usize, months: Option<i16>) -> Option<String> {
        self.given(token, months).map(mmyy)
    }

    /// What the gateways are told of a doing of the issuer, or the status of its refusal.
    pub(super) fn event(
        &mut self,
        token: usize,
        event: &str,
        months: Option<i16>,
        pan: Option<usize>,
    ) -> Result<Vec<Told>, u16> {
        let given = self.given(token, months);
        let takes = EVENTS.iter().find(|(name, ..)| *name == event);
        let takes = takes
            .is_some_and(|(_, dated, numbered)| (*dated || given.is_none()) && (*numbered || pan.is_none()));
        if !takes {
            return Err(BAD_EVENT);
        }
        let named = self.tokens.get(token).ok_or(NO_TOKEN)?;
        let (card, state) = (named.card, named.state);
        let later = |present: i32| {
            let date = given.unwrap_or((present + MORE).min(LAST));
            if date > present { Ok(date) } else { Err(BAD_EVENT) }
        };
        let live = if state == "DELETED" { Err(WRONG_STATE) } else { Ok(()) };
        let must_be = |wanted: &str| if state == wanted { Ok(()) } else { Err(WRONG_STATE) };
        match event {
            "token.suspend" => {
                must_be("ACTIVE")?;
                Ok(self.change(&[token], "TOKEN_SUSPENDED", |token| token.state = "SUSPENDED"))
            }
            "token.resume" => {
                must_be("SUSPENDED")?;
                Ok(self.change(&[token], "TOKEN_RESUMED", |token| token.state = "ACTIVE"))
            }
            "token.delete" => {
                live?;
                Ok(self.change(&[token], "TOKEN_DELETED", |token| token.state = "DELETED"))
            }
            "card.delete" => {
                live?;
                Ok(self.change(&self.of_card(card), "TOKEN_DELETED", |token| token.state = "DELETED"))
            }
            "token.extend" => {
                let date = later(named.token_expiry)?;
                live?;
                Ok(self.change(&[token], "TOKEN_UPDATED", |token| token.token_expiry = date))
            }
            "card.renew" => {
                let date = later(named.card_expiry)?;
                live?;
                Ok(self.change(&self.of_card(card), "CARD_UPDATED", |token| token.card_expiry = date))
            }
            _ => {
                let date = later(named.card_expiry)?;
                let new = pan.map_or(Card::Drawn(self.drawn), Card::Known);
                if new == card {
                    return Err(BAD_EVENT);
                }
                live?;
                self.drawn += 1;
                Ok(self.change(&self.of_card(card), "CARD_UPDATED", |token| {
                    (token.card, token.card_expiry, token.dpan) = (new, date, None);
                }))
            }
        }
    }

    fn of_card(&self, card: Card) -> Vec<usize> {
        let concerned = |index: &usize| self.live(*index).is_ok_and(|token| token.card == card);
        (0..self.tokens.len()).filter(concerned).collect()
    }

    /// Credentials are told when they change: the token's date, or the DPAN because the card is another one.
    fn change(&mut self, concerned: &[usize], kind: &'static str, change: impl Fn(&mut Token)) -> Vec<Told> {
        let mut told = Vec::new();
        for &index in concerned {
            let token = &mut self.tokens[index];
            let before = (token.token_expiry, token.card);
            change(token);
            token.sequence += 1;
            let credentials = before != (token.token_expiry, token.card);
            token.told_credentials |= credentials;
            let news = Told {
                token: index,
                sequence: token.sequence,
                kind,
                state: token.state,
                card_expiry: mmyy(token.card_expiry),
                token_expiry: mmyy(token.token_expiry),
                card: known(token.card),
                credentials,
            };
            token.told = Some(news.clone());
            told.push(news);
        }
        told
    }

    pub(super) fn state(&self, token: usize) -> &'static str {
        self.tokens[token].state
    }

    pub(super) fn merchant(&self, token: usize) -> usize {
        self.tokens[token].merchant
    }

    /// The ends of card and token.
    pub(super) fn dates(&self, token: usize) -> (String, String) {
        (mmyy(self.tokens[token].card_expiry), mmyy(self.tokens[token].token_expiry))
    }

    pub(super) fn known_card(&self, token: usize) -> Option<usize> {
        known(self.tokens[token].card)
    }

    /// The newest that the gateway was told of a token, and whether it was told credentials.
    pub(super) fn told(&self, token: usize) -> (Option<&Told>, bool) {
        (self.tokens[token].told.as_ref(), self.tokens[token].told_credentials)
    }

    /// A DPAN stays as it is until the card is replaced, and none comes twice.
    pub(super) fn check_dpan(&mut self, token: usize, dpan: &str) -> Result<(), String> {
        match &self.tokens[token].dpan {
            Some(known) if known == dpan => Ok(()),
            Some(_) => Err("the DPAN has changed for no reason".to_owned()),
            None if self.dpans.insert(dpan.to_owned()) => {
                self.tokens[token].dpan = Some(dpan.to_owned());
                Ok(())
            }
            None => Err("the DPAN was given out before".to_owned()),
        }
    }
}

fn known(card: Card) -> Option<usize> {
    match card {
        Card::Known(card) => Some(card),
        Card::Drawn(_) => None,
    }
}
