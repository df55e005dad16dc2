//! A notification as it arrives (contract 7.2, C22), read tolerantly.

use serde::Deserialize;

use crate::json::{self, JsonFault};
use crate::model::{CorrelationId, GatewayId, MerchantId, NetworkToken, TokenId, TokenState};

/// What has happened to a token (contract C22). Open: D1 may introduce further events (\[D10\]).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EventType {
    /// The token is suspended.
    TokenSuspended,
    /// The token is active again.
    TokenResumed,
    /// The token is gone.
    TokenDeleted,
    /// The token's own data have changed, such as its expiry date.
    TokenUpdated,
    /// The card was renewed or replaced.
    CardUpdated,
    /// An event that this version does not know, as D1 wrote it.
    Other(String),
}

impl EventType {
    /// The value on the wire.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::TokenSuspended => "TOKEN_SUSPENDED",
            Self::TokenResumed => "TOKEN_RESUMED",
            Self::TokenDeleted => "TOKEN_DELETED",
            Self::TokenUpdated => "TOKEN_UPDATED",
            Self::CardUpdated => "CARD_UPDATED",
            Self::Other(text) => text,
        }
    }
}

impl From<String> for EventType {
    fn from(text: String) -> Self {
        match text.as_str() {
            "TOKEN_SUSPENDED" => Self::TokenSuspended,
            "TOKEN_RESUMED" => Self::TokenResumed,
            "TOKEN_DELETED" => Self::TokenDeleted,
            "TOKEN_UPDATED" => Self::TokenUpdated,
            "CARD_UPDATED" => Self::CardUpdated,
            _ => Self::Other(text),
        }
    }
}

impl<'de> Deserialize<'de> for EventType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

/// Whether a notification is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Freshness {
    /// It is the newest known of its token.
    Current,
    /// Something newer is known already, so that the token's state is not what it says (contract C35). The store has
    /// taken from it only what nothing newer says.
    Stale,
}

/// A notification. Every member of the body may be absent; what a gateway cannot do without is for its handler to say.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Notification {
    /// The gateway in the path.
    pub gateway_id: GatewayId,
    /// The merchant in the path.
    pub merchant_id: MerchantId,
    /// The token in the path.
    pub token_id: TokenId,
    /// The value of `x-correlation-id`, if it was there and well formed.
    pub correlation_id: Option<CorrelationId>,
    /// The event's own id.
    pub event_id: Option<String>,
    /// What has happened.
    pub event_type: Option<EventType>,
    /// The token's state after it.
    pub state: Option<TokenState>,
    /// The last four digits of the card.
    pub card_last_digits: Option<String>,
    /// The end of the card's validity, `MMYY`.
    pub card_expiry_date: Option<String>,
    /// The last four digits of the DPAN.
    pub token_last_digits: Option<String>,
    /// The end of the DPAN's validity, `MMYY`.
    pub token_expiry_date: Option<String>,
    /// The number of the event among those of its token, from 1.
    pub sequence: Option<u64>,
    /// When it happened, RFC 3339, as D1 sent it.
    pub last_update_timestamp: Option<String>,
    /// The DPAN and its expiry date, if they have changed.
    pub network_token: Option<NetworkToken>,
}

/// The body of a notification.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Wire {
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) event_id: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) event_type: Option<EventType>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) state: Option<TokenState>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) card_last_digits: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) card_expiry_date: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) token_last_digits: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) token_expiry_date: Option<String>,
    /// A number in whatever way it is written; see [`whole`].
    #[serde(default, deserialize_with = "json::lenient")]
    sequence: Option<f64>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(super) last_update_timestamp: Option<String>,
    /// The one member that nobody can do without where it is sent, and so the one whose type is insisted on.
    #[serde(rename = "encryptedData")]
    pub(super) sealed: Option<String>,
}

impl Wire {
    pub(super) fn read(body: &[u8]) -> Result<Self, JsonFault> {
        json::read(body)
    }

    pub(super) fn sequence(&self) -> Option<u64> {
        self.sequence.and_then(whole)
    }
}

/// `7` and `7.0` are the same number; what is not a whole number that a double holds exactly says nothing.
fn whole(number: f64) -> Option<u64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number.fract() != 0.0 || !(0.0..=EXACT).contains(&number) {
        return None;
    }
    // In range and without a fraction, as was just checked.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Some(number as u64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_sequence_is_a_whole_number_or_nothing() {
        for (text, expected) in [
            ("1", Some(1)),
            ("7.0", Some(7)),
            ("7.5", None),
            ("-1", None),
            ("1e300", None),
            ("1e400", None),
            ("\"7\"", None),
            ("null", None),
        ] {
            let wire = Wire::read(format!("{{\"sequence\":{text}}}").as_bytes()).expect("read");
            assert_eq!(wire.sequence(), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn an_event_type_keeps_its_text(text in "\\PC{0,40}") {
            let kind = EventType::from(text.clone());
            prop_assert_eq!(kind.as_str(), text.as_str());
        }
    }
}
