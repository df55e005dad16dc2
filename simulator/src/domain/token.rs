//! The token and its state machine (C21, C25).

use super::card::{Fingerprint, LastFour};
use super::event::{Cause, EventType, IssuerEvent};
use super::id::{GatewayId, MerchantId, TokenId};
use super::moment::{Moment, Month};
use super::refusal::Refusal;

/// The states of a token (C21).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenState {
    Active,
    Suspended,
    Deleted,
}

/// A card, tokenized for one merchant.
#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) id: TokenId,
    pub(crate) gateway: GatewayId,
    pub(crate) merchant: MerchantId,
    pub(crate) state: TokenState,
    pub(crate) card: Fingerprint,
    pub(crate) card_last_four: LastFour,
    pub(crate) card_expiry: Month,
    pub(crate) dpan: u64,
    pub(crate) token_expiry: Month,
    pub(crate) par: [u8; 29],
    pub(crate) created: Moment,
    /// Counts the notifications of this token.
    pub(crate) sequence: u32,
    /// What the issuer does once the token was used for the first time.
    pub(crate) first_use: Option<IssuerEvent>,
}

/// What a cause did to a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Changed {
    pub(crate) from: TokenState,
    pub(crate) kind: EventType,
    /// The DPAN or its expiry is another one now.
    pub(crate) credentials: bool,
}

impl TokenState {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deleted => "DELETED",
        }
    }
}

impl Token {
    pub(crate) fn token_last_four(&self) -> LastFour {
        LastFour::of_dpan(self.dpan)
    }

    pub(crate) fn par(&self) -> &str {
        std::str::from_utf8(&self.par).unwrap_or_default()
    }

    /// Applies what the issuer or the TSP did; a cause that the state forbids changes nothing.
    pub(crate) fn apply(&mut self, cause: &Cause) -> Result<Changed, Refusal> {
        let from = self.state;
        let changed = |kind, credentials| Changed { from, kind, credentials };
        let done = match (cause, from) {
            (_, TokenState::Deleted) => return Err(self.forbidden("ACTIVE or SUSPENDED")),
            (Cause::Suspend, TokenState::Active) => {
                self.state = TokenState::Suspended;
                changed(EventType::TokenSuspended, false)
            }
            (Cause::Suspend, TokenState::Suspended) => return Err(self.forbidden("ACTIVE")),
            (Cause::Resume, TokenState::Suspended) => {
                self.state = TokenState::Active;
                changed(EventType::TokenResumed, false)
            }
            (Cause::Resume, TokenState::Active) => return Err(self.forbidden("SUSPENDED")),
            (Cause::Delete | Cause::CardDelete, TokenState::Active | TokenState::Suspended) => {
                self.state = TokenState::Deleted;
                changed(EventType::TokenDeleted, false)
            }
            (Cause::Extend { token_expiry }, TokenState::Active | TokenState::Suspended) => {
                if *token_expiry <= self.token_expiry {
                    return Err(Refusal::DateNotLater);
                }
                self.token_expiry = *token_expiry;
                changed(EventType::TokenUpdated, true)
            }
            (Cause::Renew { card_expiry }, TokenState::Active | TokenState::Suspended) => {
                self.card_expiry = *card_expiry;
                changed(EventType::CardUpdated, false)
            }
            (
                Cause::Replace { card, last_four, card_expiry, dpan },
                TokenState::Active | TokenState::Suspended,
            ) => {
                self.card = *card;
                self.card_last_four = *last_four;
                self.card_expiry = *card_expiry;
                self.dpan = *dpan;
                changed(EventType::CardUpdated, true)
            }
        };
        self.sequence = self.sequence.saturating_add(1);
        Ok(done)
    }

    /// A transaction needs an active token (C19).
    pub(crate) fn may_pay(&self) -> Result<(), Refusal> {
        match self.state {
            TokenState::Active => Ok(()),
            TokenState::Suspended => Err(self.forbidden("ACTIVE")),
            TokenState::Deleted => Err(Refusal::UnknownToken),
        }
    }

    fn forbidden(&self, wanted: &'static str) -> Refusal {
        Refusal::ForbiddenState { state: self.state, wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(state: TokenState) -> Token {
        Token {
            id: TokenId::from_number(1),
            gateway: GatewayId::parse("MGW_000001").expect("an id"),
            merchant: MerchantId::from_number(1),
            state,
            card: Fingerprint([0; 32]),
            card_last_four: LastFour::of_dpan(1234),
            card_expiry: month("1230"),
            dpan: 9_999_990_000_000_010,
            token_expiry: month("1230"),
            par: [b'A'; 29],
            created: Moment::from_ms(0),
            sequence: 0,
            first_use: None,
        }
    }

    fn month(text: &str) -> Month {
        Month::from_mmyy(text).expect("a month")
    }

    fn check(from: TokenState, cause: &Cause, wanted: Option<TokenState>) {
        let mut token = token(from);
        let done = token.apply(cause);
        assert_eq!(done.is_ok(), wanted.is_some(), "{from:?} {cause:?}");
        assert_eq!(token.state, wanted.unwrap_or(from), "{from:?} {cause:?}");
        assert_eq!(token.sequence, u32::from(wanted.is_some()), "{from:?} {cause:?}");
    }

    #[test]
    fn every_cause_leads_from_every_state_where_it_should() {
        use TokenState::{Active, Deleted, Suspended};
        let replace = Cause::Replace {
            card: Fingerprint([1; 32]),
            last_four: LastFour::of_dpan(4321),
            card_expiry: month("1233"),
            dpan: 2,
        };
        let extend = Cause::Extend { token_expiry: month("1233") };
        let renew = Cause::Renew { card_expiry: month("1233") };
        let table = [
            (Cause::Suspend, Some(Suspended), None),
            (Cause::Resume, None, Some(Active)),
            (Cause::Delete, Some(Deleted), Some(Deleted)),
            (Cause::CardDelete, Some(Deleted), Some(Deleted)),
            (extend, Some(Active), Some(Suspended)),
            (renew, Some(Active), Some(Suspended)),
            (replace, Some(Active), Some(Suspended)),
        ];
        for (cause, from_active, from_suspended) in table {
            check(Active, &cause, from_active);
            check(Suspended, &cause, from_suspended);
            check(Deleted, &cause, None);
        }
    }

    #[test]
    fn a_renewal_changes_the_card_date_alone() {
        let mut token = token(TokenState::Active);
        let done = token.apply(&Cause::Renew { card_expiry: month("0135") }).expect("allowed");
        assert!(!done.credentials);
        assert_eq!((token.card_expiry.mmyy(), token.token_expiry.mmyy()), ("0135".into(), "1230".into()));
        assert_eq!(token.dpan, 9_999_990_000_000_010);
    }

    #[test]
    fn an_extension_must_be_later_than_the_present_date() {
        let mut token = token(TokenState::Active);
        let same = Cause::Extend { token_expiry: token.token_expiry };
        assert_eq!(token.apply(&same), Err(Refusal::DateNotLater));
        assert_eq!(token.sequence, 0);
    }

    #[test]
    fn only_an_active_token_pays() {
        assert!(token(TokenState::Active).may_pay().is_ok());
        assert!(matches!(token(TokenState::Suspended).may_pay(), Err(Refusal::ForbiddenState { .. })));
        assert_eq!(token(TokenState::Deleted).may_pay(), Err(Refusal::UnknownToken));
    }
}
