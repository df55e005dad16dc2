//! Why the domain says no.

use super::token::TokenState;

/// A command that the state of the world does not allow. Nothing was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such merchant at this gateway.
    UnknownMerchant,
    /// No such token at this merchant, or it is deleted.
    UnknownToken,
    /// The token's state forbids the action.
    ForbiddenState { state: TokenState, wanted: &'static str },
    /// The issuer declines the tokenization.
    Declined,
    /// The issuer cannot be reached at the moment.
    IssuerUnavailable,
    /// A new date does not come after the one it replaces.
    DateNotLater,
    /// A replacement card has the number of the card it replaces.
    SamePan,
    /// The gateway has no receiver that could be told.
    NoReceiver,
    /// The sandbox holds as many merchants, tokens or events as it may.
    Full { what: &'static str, limit: usize },
}
