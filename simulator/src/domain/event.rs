//! What happens on the issuer's and the TSP's side, and what the gateway is told of it.

use super::card::{Fingerprint, LastFour};
use super::moment::{Moment, Month};
use super::token::TokenState;

/// A doing of the issuer or the TSP, as the test cards and the admin port name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IssuerEvent {
    TokenSuspend,
    TokenResume,
    TokenDelete,
    TokenExtend,
    CardRenew,
    CardReplace,
    CardDelete,
}

impl IssuerEvent {
    pub(crate) const ALL: [Self; 7] = [
        Self::TokenSuspend,
        Self::TokenResume,
        Self::TokenDelete,
        Self::TokenExtend,
        Self::CardRenew,
        Self::CardReplace,
        Self::CardDelete,
    ];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TokenSuspend => "token.suspend",
            Self::TokenResume => "token.resume",
            Self::TokenDelete => "token.delete",
            Self::TokenExtend => "token.extend",
            Self::CardRenew => "card.renew",
            Self::CardReplace => "card.replace",
            Self::CardDelete => "card.delete",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.as_str() == text)
    }

    /// `true` if the event concerns the card, and so every token of it.
    pub(crate) const fn concerns_card(self) -> bool {
        matches!(self, Self::CardRenew | Self::CardReplace | Self::CardDelete)
    }
}

/// A doing with all its particulars, ready to be applied to one token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    Suspend,
    Resume,
    Delete,
    /// The TSP extends the token: only its expiry changes.
    Extend {
        token_expiry: Month,
    },
    /// The card lives longer: only its expiry changes.
    Renew {
        card_expiry: Month,
    },
    /// The card has a new number: the DPAN changes with it.
    Replace {
        card: Fingerprint,
        last_four: LastFour,
        card_expiry: Month,
        dpan: u64,
    },
    CardDelete,
}

/// The kinds of notification (C22).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    TokenSuspended,
    TokenResumed,
    TokenDeleted,
    TokenUpdated,
    CardUpdated,
}

/// What a notification tells: the token as it stood right after the change.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Update {
    pub(crate) id: u128,
    pub(crate) kind: EventType,
    pub(crate) state: TokenState,
    pub(crate) card_last_four: LastFour,
    pub(crate) card_expiry: Month,
    pub(crate) token_last_four: LastFour,
    pub(crate) token_expiry: Month,
    pub(crate) sequence: u32,
    pub(crate) at: Moment,
    /// The DPAN, if it or its expiry changed.
    pub(crate) dpan: Option<u64>,
}

impl EventType {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::TokenSuspended => "TOKEN_SUSPENDED",
            Self::TokenResumed => "TOKEN_RESUMED",
            Self::TokenDeleted => "TOKEN_DELETED",
            Self::TokenUpdated => "TOKEN_UPDATED",
            Self::CardUpdated => "CARD_UPDATED",
        }
    }
}
