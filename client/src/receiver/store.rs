//! Where tokens are kept between payments: the first of the two ways of contract section 8.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::BoxFuture;
use super::notification::Notification;
use super::order::{Position, is_older};
use crate::model::{GatewayId, MerchantId, NetworkToken, Token, TokenDetails, TokenId, TokenState};

/// Which token a record is of.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TokenKey {
    /// The gateway.
    pub gateway_id: GatewayId,
    /// The merchant.
    pub merchant_id: MerchantId,
    /// The token.
    pub token_id: TokenId,
}

/// What is known of a token. `Debug` shows the last four digits of the DPAN.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenRecord {
    /// The state.
    pub state: Option<TokenState>,
    /// The last four digits of the card.
    pub card_last_digits: Option<String>,
    /// The end of the card's validity, `MMYY`.
    pub card_expiry_date: Option<String>,
    /// The last four digits of the DPAN.
    pub token_last_digits: Option<String>,
    /// The end of the DPAN's validity, `MMYY`.
    pub token_expiry_date: Option<String>,
    /// DPAN and expiry date for the next payment. A real store keeps these encrypted.
    pub network_token: Option<NetworkToken>,
    /// The `sequence` of the newest event that went in; absent before the first.
    pub sequence: Option<u64>,
    /// The timestamp of the newest event that went in.
    pub last_update_timestamp: Option<String>,
}

impl TokenRecord {
    /// Takes in what another record of the same token knows. Where both know something, the newer one is right: by
    /// `sequence`, else by timestamp; a record without either, such as one made from an answer of D1, is the older one.
    /// What only one of them knows is kept, so that it does not matter which of them was written first.
    pub fn absorb(&mut self, other: &Self) {
        let other_is_older = match (self.is_dated(), other.is_dated()) {
            (true, false) => true,
            (false, _) => false,
            (true, true) => is_older(&other.position(), &self.position()),
        };
        let pick = |own: &mut Option<String>, theirs: &Option<String>| {
            if theirs.is_some() && (own.is_none() || !other_is_older) {
                own.clone_from(theirs);
            }
        };
        pick(&mut self.card_last_digits, &other.card_last_digits);
        pick(&mut self.card_expiry_date, &other.card_expiry_date);
        pick(&mut self.token_last_digits, &other.token_last_digits);
        pick(&mut self.token_expiry_date, &other.token_expiry_date);
        pick(&mut self.last_update_timestamp, &other.last_update_timestamp);
        if other.state.is_some() && (self.state.is_none() || !other_is_older) {
            self.state.clone_from(&other.state);
        }
        if other.network_token.is_some() && (self.network_token.is_none() || !other_is_older) {
            self.network_token.clone_from(&other.network_token);
        }
        self.sequence = self.sequence.max(other.sequence);
    }

    pub(super) fn position(&self) -> Position<'_> {
        Position { sequence: self.sequence, timestamp: self.last_update_timestamp.as_deref() }
    }

    fn is_dated(&self) -> bool {
        self.sequence.is_some() || self.last_update_timestamp.is_some()
    }
}

impl From<&Token> for TokenRecord {
    fn from(token: &Token) -> Self {
        Self {
            state: token.state.clone(),
            card_last_digits: token.card_last_digits.clone(),
            card_expiry_date: token.card_expiry_date.clone(),
            token_last_digits: token.token_last_digits.clone(),
            token_expiry_date: token.token_expiry_date.clone(),
            ..Self::default()
        }
    }
}

impl From<&TokenDetails> for TokenRecord {
    fn from(details: &TokenDetails) -> Self {
        Self { network_token: Some(details.network_token.clone()), ..Self::from(&details.token) }
    }
}

impl From<&Notification> for TokenRecord {
    fn from(notification: &Notification) -> Self {
        Self {
            state: notification.state.clone(),
            card_last_digits: notification.card_last_digits.clone(),
            card_expiry_date: notification.card_expiry_date.clone(),
            token_last_digits: notification.token_last_digits.clone(),
            token_expiry_date: notification.token_expiry_date.clone(),
            network_token: notification.network_token.clone(),
            sequence: notification.sequence,
            last_update_timestamp: notification.last_update_timestamp.clone(),
        }
    }
}

/// Why a store did not succeed. It is logged (by its `Display`) and makes D1 deliver again: keep secrets out of it.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Where tokens are kept. Implement it on a database for a gateway that stores and updates.
///
/// The receiver calls both methods on notifications; the gateway itself calls `apply` after it has created or fetched
/// a token, and `get` before a payment.
pub trait TokenStore: Send + Sync + 'static {
    /// The record of a token, if there is one.
    fn get<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Option<TokenRecord>, StoreError>>;

    /// Merges `record` into what is stored, as [`TokenRecord::absorb`] does, in one step.
    fn apply<'a>(
        &'a self,
        key: &'a TokenKey,
        record: &'a TokenRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>>;
}

/// A store in memory: for examples, tests, and gateways that can fetch all again.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Records>,
    capacity: Option<usize>,
}

#[derive(Default)]
struct Records {
    by_key: HashMap<TokenKey, TokenRecord>,
    /// The keys as they came, for a store that is bounded.
    order: VecDeque<TokenKey>,
}

impl MemoryStore {
    /// An empty store, which grows with the number of tokens.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store for `capacity` tokens, at least one: of more, the one that came first is forgotten.
    #[must_use]
    pub fn bounded(capacity: usize) -> Self {
        Self { inner: Mutex::default(), capacity: Some(capacity.max(1)) }
    }

    fn lock(&self) -> MutexGuard<'_, Records> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn merge(&self, key: &TokenKey, record: &TokenRecord) {
        let Records { by_key, order } = &mut *self.lock();
        if let Some(known) = by_key.get_mut(key) {
            known.absorb(record);
            return;
        }
        by_key.insert(key.clone(), record.clone());
        let Some(capacity) = self.capacity else {
            return;
        };
        order.push_back(key.clone());
        if order.len() > capacity
            && let Some(oldest) = order.pop_front()
        {
            by_key.remove(&oldest);
        }
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore").field("tokens", &self.lock().by_key.len()).finish_non_exhaustive()
    }
}

impl TokenStore for MemoryStore {
    fn get<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Option<TokenRecord>, StoreError>> {
        Box::pin(async move { Ok(self.lock().by_key.get(key).cloned()) })
    }

    fn apply<'a>(
        &'a self,
        key: &'a TokenKey,
        record: &'a TokenRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            self.merge(key, record);
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Dpan;

    fn record(sequence: Option<u64>, state: Option<&str>, dpan: Option<u32>) -> TokenRecord {
        TokenRecord {
            sequence,
            state: state.map(|text| TokenState::from(text.to_owned())),
            network_token: dpan
                .map(|number| NetworkToken::new(Dpan::new(format!("99999900{number:08}")), "1131")),
            ..TokenRecord::default()
        }
    }

    #[test]
    fn it_does_not_matter_whether_the_creation_or_the_event_is_written_first() {
        let created = record(None, Some("ACTIVE"), Some(1));
        let suspended = record(Some(1), Some("SUSPENDED"), None);
        let mut one = created.clone();
        one.absorb(&suspended);
        let mut other = suspended;
        other.absorb(&created);
        assert_eq!(one, other);
        assert_eq!(one.state, Some(TokenState::Suspended));
        assert!(one.network_token.is_some());
    }

    #[tokio::test]
    async fn a_bounded_store_forgets_the_token_that_came_first() {
        let store = MemoryStore::bounded(2);
        let key = |token: &str| TokenKey {
            gateway_id: GatewayId::new("MGW_000001").expect("an id"),
            merchant_id: MerchantId::new("10610027312").expect("an id"),
            token_id: TokenId::new(token).expect("an id"),
        };
        for token in ["a", "b", "a", "c"] {
            store.apply(&key(token), &record(Some(1), None, None)).await.expect("applied");
        }
        assert!(store.get(&key("a")).await.expect("read").is_none());
        assert!(store.get(&key("b")).await.expect("read").is_some());
        assert!(store.get(&key("c")).await.expect("read").is_some());
    }

    proptest! {
        #[test]
        fn any_order_of_events_leaves_the_newest_values(order in Just((1_u64..8).collect::<Vec<_>>()).prop_shuffle()) {
            let mut kept = TokenRecord::default();
            for sequence in &order {
                let number = u32::try_from(*sequence).expect("small");
                kept.absorb(&record(Some(*sequence), Some("ACTIVE"), Some(number)));
            }
            prop_assert_eq!(kept, record(Some(7), Some("ACTIVE"), Some(7)));
        }
    }
}
