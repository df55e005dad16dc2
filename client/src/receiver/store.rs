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
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Dpan;

    fn network_token(number: u32) -> NetworkToken {
        NetworkToken::new(Dpan::new(format!("99999900{number:08}")), "1131")
    }

    fn record(sequence: Option<u64>, state: Option<&str>, dpan: Option<u32>) -> TokenRecord {
        let position = Position { sequence, ..Position::default() };
        TokenRecord {
            state: state.map(|text| TokenState::from(text.to_owned())),
            network_token: dpan.map(network_token),
            member_positions: MemberPositions {
                state: state.map(|_| position.clone()).unwrap_or_default(),
                network_token: dpan.map(|_| position.clone()).unwrap_or_default(),
                ..MemberPositions::default()
            },
            position,
            ..TokenRecord::default()
        }
    }

    fn key(token: &str) -> TokenKey {
        TokenKey {
            gateway_id: GatewayId::new("MGW_000001").expect("an id"),
            merchant_id: MerchantId::new("10610027312").expect("an id"),
            token_id: TokenId::new(token).expect("an id"),
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

    #[test]
    fn a_late_event_brings_the_dpan_that_no_other_one_carries() {
        let mut kept = record(None, Some("ACTIVE"), Some(1));
        kept.absorb(&record(Some(2), Some("SUSPENDED"), None));
        kept.absorb(&record(Some(1), Some("ACTIVE"), Some(2)));
        assert_eq!(kept.state, Some(TokenState::Suspended));
        assert_eq!(kept.network_token, Some(network_token(2)));
    }

    #[test]
    fn a_late_event_brings_what_the_newest_one_does_not_tell_of() {
        let event = |sequence, digits: Option<&str>| {
            let mut event = record(Some(sequence), Some("ACTIVE"), None);
            event.card_last_digits = digits.map(str::to_owned);
            event.member_positions.card_last_digits = event.position.clone();
            event
        };
        let mut kept = event(1, Some("0001"));
        kept.absorb(&event(3, None));
        kept.absorb(&event(2, Some("0002")));
        assert_eq!((kept.card_last_digits.as_deref(), kept.position.sequence), (Some("0002"), Some(3)));
    }

    #[test]
    fn what_was_fetched_repairs_the_store_and_yields_to_what_came_meanwhile() {
        let known = record(Some(5), Some("SUSPENDED"), Some(5));
        let fetched = record(None, Some("ACTIVE"), Some(7)).as_of(Some(&known));
        let mut kept = known.clone();
        kept.absorb(&fetched);
        assert_eq!(
            (kept.state.clone(), kept.network_token.clone()),
            (fetched.state.clone(), Some(network_token(7)))
        );
        // An event from before the call that is delivered again changes nothing; the next one does.
        kept.absorb(&known);
        assert_eq!(kept.state, Some(TokenState::Active));
        kept.absorb(&record(Some(6), Some("DELETED"), None));
        assert_eq!((kept.state, kept.network_token), (Some(TokenState::Deleted), Some(network_token(7))));

        let mut overtaken = known.clone();
        overtaken.absorb(&record(Some(6), Some("DELETED"), None));
        overtaken.absorb(&fetched);
        assert_eq!(overtaken.state, Some(TokenState::Deleted));
        assert_eq!(overtaken.network_token, Some(network_token(7)));
    }

    #[test]
    fn a_payment_makes_its_dpan_known() {
        let payment = Payment {
            transaction_id: "tx-1".to_owned(),
            network_token: network_token(3),
            cryptogram: serde_json::from_str("\"AAECAw==\"").expect("a cryptogram"),
            eci: None,
            cryptogram_expiry_date: None,
        };
        let mut kept = record(None, Some("ACTIVE"), None);
        kept.absorb(&TokenRecord::from(&payment));
        assert_eq!((kept.state, kept.network_token), (Some(TokenState::Active), Some(network_token(3))));
    }

    #[tokio::test]
    async fn a_bounded_store_forgets_the_token_that_came_first() {
        let store = MemoryStore::bounded(2);
        for token in ["a", "b", "a", "c"] {
            store.apply(&key(token), &record(Some(1), None, None)).await.expect("applied");
        }
        assert!(store.get(&key("a")).await.expect("read").is_none());
        assert!(store.get(&key("b")).await.expect("read").is_some());
        assert!(store.get(&key("c")).await.expect("read").is_some());
    }

    /// A legal history: events in the order of their numbers, of which some carry a DPAN, and the creation before all.
    fn history() -> impl Strategy<Value = Vec<TokenRecord>> {
        let event = (prop_oneof![Just("ACTIVE"), Just("SUSPENDED"), Just("NEW")], any::<bool>());
        (any::<bool>(), proptest::collection::vec(event, 1..8)).prop_map(|(dpan, events)| {
            let created = record(None, Some("ACTIVE"), dpan.then_some(0));
            let numbered = events.into_iter().zip(1_u32..);
            let events = numbered.map(|((state, dpan), number)| {
                record(Some(u64::from(number)), Some(state), dpan.then_some(number))
            });
            std::iter::once(created).chain(events).collect()
        })
    }

    proptest! {
        #[test]
        fn any_order_repetition_and_redelivery_of_a_history_converges(
            (history, arrivals) in history().prop_flat_map(|history| {
                let all: Vec<usize> = (0..history.len()).collect();
                let again = proptest::collection::vec(0..history.len(), 0..8);
                let arrivals = again.prop_map(move |again| [all.clone(), again].concat()).prop_shuffle();
                (Just(history), arrivals)
            }),
        ) {
            let mut kept = TokenRecord::default();
            for index in arrivals {
                kept.absorb(&history[index]);
            }
            let newest = history.last().expect("the creation at least");
            prop_assert_eq!(&kept.state, &newest.state);
            prop_assert_eq!(kept.position.sequence, newest.position.sequence);
            let last_with_dpan = history.iter().rev().find(|record| record.network_token.is_some());
            prop_assert_eq!(kept.network_token, last_with_dpan.and_then(|record| record.network_token.clone()));
        }
    }
}
