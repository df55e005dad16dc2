//! Tokens (contract C17, C18, C21).

use serde::Deserialize;

use super::card::{Card, Dpan};
use super::id::TokenId;
use crate::json;

/// Where the card's data come from (contract C17, values from \[S15\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum CardSource {
    /// The cardholder has just entered them.
    Manual,
    /// They were on file already.
    OnFile,
}

impl CardSource {
    /// The value on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "MANUAL",
            Self::OnFile => "ON_FILE",
        }
    }
}

/// A card to be tokenized for a merchant (contract C17).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewToken {
    /// The card.
    pub card: Card,
    /// Where its data come from; not sent when absent.
    pub source: Option<CardSource>,
}

impl NewToken {
    /// A card without a statement of its source.
    #[must_use]
    pub fn new(card: Card) -> Self {
        Self { card, source: None }
    }

    /// States where the card's data come from.
    #[must_use]
    pub fn with_source(mut self, source: CardSource) -> Self {
        self.source = Some(source);
        self
    }
}

/// The state of a token (contract C21). Open: D1 may introduce further states (\[D10\]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenState {
    /// Payments can be made.
    Active,
    /// Payments are refused until the issuer resumes the token.
    Suspended,
    /// Gone for good.
    Deleted,
    /// A state that this version does not know, as D1 wrote it.
    Other(String),
}

impl TokenState {
    /// The value on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "ACTIVE",
            Self::Suspended => "SUSPENDED",
            Self::Deleted => "DELETED",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for TokenState {
    fn from(text: String) -> Self {
        match text.as_str() {
            "ACTIVE" => Self::Active,
            "SUSPENDED" => Self::Suspended,
            "DELETED" => Self::Deleted,
            _ => Self::Other(text),
        }
    }
}

impl<'de> Deserialize<'de> for TokenState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// A token, without its payment credentials (contract C17).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// The token's id.
    pub token_id: TokenId,
    /// Its state.
    pub state: Option<TokenState>,
    /// The last four digits of the card.
    pub card_last_digits: Option<String>,
    /// The end of the card's validity, `MMYY`.
    pub card_expiry_date: Option<String>,
    /// The last four digits of the DPAN.
    pub token_last_digits: Option<String>,
    /// The end of the DPAN's validity, `MMYY`.
    pub token_expiry_date: Option<String>,
    /// The payment account reference, 29 characters.
    pub par: Option<String>,
    /// When the token was made, RFC 3339, as D1 sent it.
    pub creation_timestamp: Option<String>,
}

/// A token with its payment credentials (contract C18).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenDetails {
    /// The token.
    pub token: Token,
    /// Its current DPAN and expiry date.
    pub network_token: NetworkToken,
}

/// What stands for the card in a payment (contract C18). Arrives as a JWE.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub struct NetworkToken {
    /// The number.
    pub dpan: Dpan,
    /// The end of its validity, `MMYY`, as D1 sent it.
    pub exp: String,
}

impl NetworkToken {
    /// One that was read back from one's own storage.
    #[must_use]
    pub fn new(dpan: Dpan, exp: impl Into<String>) -> Self {
        Self { dpan, exp: exp.into() }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenWire {
    token_id: String,
    #[serde(default, deserialize_with = "json::lenient")]
    state: Option<TokenState>,
    #[serde(default, deserialize_with = "json::lenient")]
    card_last_digits: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    card_expiry_date: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    token_last_digits: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    token_expiry_date: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    par: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    creation_timestamp: Option<String>,
}

impl TokenWire {
    pub(crate) fn into_token(self) -> Option<Token> {
        Some(Token {
            token_id: TokenId::from_stored(self.token_id).ok()?,
            state: self.state,
            card_last_digits: self.card_last_digits,
            card_expiry_date: self.card_expiry_date,
            token_last_digits: self.token_last_digits,
            token_expiry_date: self.token_expiry_date,
            par: self.par,
            creation_timestamp: self.creation_timestamp,
        })
    }
}

/// The one member that getToken has beside those of [`TokenWire`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DetailsWire {
    pub(crate) encrypted_data: String,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_state_keeps_its_text(text in "\\PC{0,40}") {
            let state = TokenState::from(text.clone());
            prop_assert_eq!(state.as_str(), text.as_str());
        }
    }

    #[test]
    fn known_states_are_known() {
        assert_eq!(TokenState::from("ACTIVE".to_owned()), TokenState::Active);
        assert_eq!(TokenState::from("active".to_owned()), TokenState::Other("active".to_owned()));
    }
}
