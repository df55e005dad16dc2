//! Where tokens are kept between payments: the first of the two ways of contract section 8.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::BoxFuture;
use super::notification::Notification;
use super::order::Position;
use crate::model::{GatewayId, MerchantId, NetworkToken, Payment, Token, TokenDetails, TokenId, TokenState};

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
    /// How new the newest of all this is: by it, a late event is known.
    pub position: Position,
    /// How new each member is: an event need not carry all of them (contract C22).
    pub member_positions: MemberPositions,
}

/// How new each member of a [`TokenRecord`] is: the position of what it was taken from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MemberPositions {
    /// Of the state.
    pub state: Position,
    /// Of the last four digits of the card.
    pub card_last_digits: Position,
    /// Of the end of the card's validity.
    pub card_expiry_date: Position,
    /// Of the last four digits of the DPAN.
    pub token_last_digits: Position,
    /// Of the end of the DPAN's validity.
    pub token_expiry_date: Position,
    /// Of DPAN and expiry date.
    pub network_token: Position,
}

impl MemberPositions {
    /// All of them are from one event or one answer.
    fn all(position: &Position) -> Self {
        Self {
            state: position.clone(),
            card_last_digits: position.clone(),
            card_expiry_date: position.clone(),
            token_last_digits: position.clone(),
            token_expiry_date: position.clone(),
            network_token: position.clone(),
        }
    }
}

/// One member of a record, and how new it is.
struct Member<'a, T> {
    value: &'a mut Option<T>,
    position: &'a mut Position,
}

impl<T: Clone> Member<'_, T> {
    /// Takes what the other record says, if it says something and that is not older.
    fn absorb(self, value: Option<&T>, position: &Position) {
        if value.is_some() && (self.value.is_none() || !position.is_older_than(self.position)) {
            *self.value = value.cloned();
            self.position.clone_from(position);
        }
    }
}

impl TokenRecord {
    /// Takes in what another record of the same token knows. Where both know something, the newer one is right, see
    /// [`Position`], member by member, since a late event may be the only one that carries it. What only one of them
    /// knows is kept, so that it does not matter which of them was written first.
    pub fn absorb(&mut self, other: &Self) {
        let (own, theirs) = (&mut self.member_positions, &other.member_positions);
        Member { value: &mut self.state, position: &mut own.state }
            .absorb(other.state.as_ref(), &theirs.state);
        Member { value: &mut self.card_last_digits, position: &mut own.card_last_digits }
            .absorb(other.card_last_digits.as_ref(), &theirs.card_last_digits);
        Member { value: &mut self.card_expiry_date, position: &mut own.card_expiry_date }
            .absorb(other.card_expiry_date.as_ref(), &theirs.card_expiry_date);
        Member { value: &mut self.token_last_digits, position: &mut own.token_last_digits }
            .absorb(other.token_last_digits.as_ref(), &theirs.token_last_digits);
        Member { value: &mut self.token_expiry_date, position: &mut own.token_expiry_date }
            .absorb(other.token_expiry_date.as_ref(), &theirs.token_expiry_date);
        Member { value: &mut self.network_token, position: &mut own.network_token }
            .absorb(other.network_token.as_ref(), &theirs.network_token);
        let other_is_older = other.position.is_older_than(&self.position);
        self.position.absorb(&other.position, other_is_older);
    }

    /// Dates a record that was made from an answer of D1 by what was in the store *before* D1 was asked. It is then
    /// right against all that was known, even where notifications were lost, and yields to what has arrived since.
    ///
    /// ```
    /// # use d1_client::{Client, Error, receiver::{StoreError, TokenKey, TokenRecord, TokenStore}};
    /// # async fn refetch(client: &Client, store: &dyn TokenStore, key: &TokenKey) -> Result<(), StoreError> {
    /// let known = store.get(key).await?;
    /// let details = client.get_token(&key.merchant_id, &key.token_id, None).await?;
    /// store.apply(key, &TokenRecord::from(&details).as_of(known.as_ref())).await?;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn as_of(mut self, known: Option<&Self>) -> Self {
        let known = known.map(|known| known.position.clone()).unwrap_or_default();
        self.position = Position { fetched: true, ..known };
        self.member_positions = MemberPositions::all(&self.position);
        self
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

impl From<&Payment> for TokenRecord {
    fn from(payment: &Payment) -> Self {
        Self { network_token: Some(payment.network_token.clone()), ..Self::default() }
    }
}

impl From<&Notification> for TokenRecord {
    fn from(notification: &Notification) -> Self {
        let position = Position {
            sequence: notification.sequence,
            timestamp: notification.last_update_timestamp.clone(),
            fetched: false,
        };
        Self {
            state: notification.state.clone(),
            card_last_digits: notification.card_last_digits.clone(),
            card_expiry_date: notification.card_expiry_date.clone(),
            token_last_digits: notification.token_last_digits.clone(),
            token_expiry_date: notification.token_expiry_date.clone(),
            network_token: notification.network_token.clone(),
            member_positions: MemberPositions::all(&position),
            position,
        }
    }
}

/// Why a store did not succeed. It is logged (by its `Display`) and makes D1 deliver again: keep secrets out of it.
pub type StoreError = Box<dyn std::error::Error + Send + Sync>;

/// Where tokens are kept. Implement it on a database for a gateway that stores and updates.
///
/// The receiver calls both methods on notifications; the gateway itself calls `apply` after it has created a token, a
/// payment or fetched a token (see [`TokenRecord::as_of`]), and `get` before a payment. Every member of a record has to
/// be stored, its positions too: they say which of two writers is right.
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
mod tests;
