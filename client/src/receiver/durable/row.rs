//! What a row of the file holds: a record as JSON, sealed and bound to its token.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::{DurableStoreError, StoreKey};
use crate::model::{Dpan, NetworkToken, TokenState};
use crate::receiver::order::Position;
use crate::receiver::store::{MemberPositions, TokenKey, TokenRecord};

/// Sealed under no token: by it a wrong key is known.
const PROOF: &[u8] = b"proof";

/// Seals and opens rows. A nonce is random, so that one key is good for four thousand million writes.
pub(super) struct Sealer(RandomizedNonceKey);

impl Sealer {
    pub(super) fn new(key: &StoreKey) -> Result<Self, DurableStoreError> {
        RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map(Self).map_err(|_| DurableStoreError::Random)
    }

    /// A row of `record`: nonce, ciphertext, tag.
    pub(super) fn seal(&self, key: &TokenKey, record: &TokenRecord) -> Result<Vec<u8>, DurableStoreError> {
        let row = Row::from(record);
        let unwritable = |_| DurableStoreError::Damaged;
        // Measured before: a buffer that grows leaves what it held behind.
        let mut length = Length(0);
        serde_json::to_writer(&mut length, &row).map_err(unwritable)?;
        let mut plain = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *plain, &row).map_err(unwritable)?;
        self.close(&bound_to(key), plain)
    }

    pub(super) fn open(&self, key: &TokenKey, row: &[u8]) -> Result<TokenRecord, DurableStoreError> {
        let mut sealed = Zeroizing::new(row.to_vec());
        let plain = self.reveal(&bound_to(key), &mut sealed).ok_or(DurableStoreError::Damaged)?;
        let row: Row = serde_json::from_slice(plain).map_err(|_| DurableStoreError::Damaged)?;
        Ok(row.into())
    }

    pub(super) fn proof(&self) -> Result<Vec<u8>, DurableStoreError> {
        self.close(PROOF, Zeroizing::new(PROOF.to_vec()))
    }

    pub(super) fn is_proof(&self, proof: &[u8]) -> bool {
        self.reveal(PROOF, &mut proof.to_vec()).is_some_and(|plain| plain == PROOF)
    }

    /// Seals in place, so that nothing in clear is left behind.
    fn close(&self, bound: &[u8], mut plain: Zeroizing<Vec<u8>>) -> Result<Vec<u8>, DurableStoreError> {
        let (nonce, tag) = self
            .0
            .seal_in_place_separate_tag(Aad::from(bound), plain.as_mut_slice())
            .map_err(|_| DurableStoreError::Random)?;
        Ok([nonce.as_ref().as_slice(), &plain, tag.as_ref()].concat())
    }

    fn reveal<'a>(&self, bound: &[u8], sealed: &'a mut [u8]) -> Option<&'a [u8]> {
        let (nonce, sealed) = sealed.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        self.0.open_in_place(nonce, Aad::from(bound), sealed).ok().map(|plain| &*plain)
    }
}

/// How long a text would be.
struct Length(usize);

impl std::io::Write for Length {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The names hold no slash, so that no two tokens are written alike.
fn bound_to(key: &TokenKey) -> Vec<u8> {
    let TokenKey { gateway_id, merchant_id, token_id } = key;
    [gateway_id.as_str(), merchant_id.as_str(), token_id.as_str()].join("/").into_bytes()
}

/// A record as it is written. Its own form, so that the public types may change.
#[derive(Serialize, Deserialize)]
struct Row {
    state: Member<String>,
    card_last_digits: Member<String>,
    card_expiry_date: Member<String>,
    token_last_digits: Member<String>,
    token_expiry_date: Member<String>,
    dpan: Member<(Zeroizing<String>, String)>,
    position: At,
}

/// A value and how new it is.
#[derive(Serialize, Deserialize)]
struct Member<T> {
    value: Option<T>,
    at: At,
}

impl<T> Member<T> {
    fn new(value: Option<T>, at: &Position) -> Self {
        Self { value, at: at.into() }
    }
}

#[derive(Serialize, Deserialize)]
struct At {
    sequence: Option<u64>,
    timestamp: Option<String>,
    fetched: bool,
}

impl From<&Position> for At {
    fn from(position: &Position) -> Self {
        let Position { sequence, timestamp, fetched } = position.clone();
        Self { sequence, timestamp, fetched }
    }
}

impl From<At> for Position {
    fn from(at: At) -> Self {
        Self { sequence: at.sequence, timestamp: at.timestamp, fetched: at.fetched }
    }
}

impl From<&TokenRecord> for Row {
    fn from(record: &TokenRecord) -> Self {
        let at = &record.member_positions;
        let state = record.state.as_ref().map(|state| state.as_str().to_owned());
        let dpan = record
            .network_token
            .as_ref()
            .map(|token| (Zeroizing::new(token.dpan.expose().to_owned()), token.exp.clone()));
        Self {
            state: Member::new(state, &at.state),
            card_last_digits: Member::new(record.card_last_digits.clone(), &at.card_last_digits),
            card_expiry_date: Member::new(record.card_expiry_date.clone(), &at.card_expiry_date),
            token_last_digits: Member::new(record.token_last_digits.clone(), &at.token_last_digits),
            token_expiry_date: Member::new(record.token_expiry_date.clone(), &at.token_expiry_date),
            dpan: Member::new(dpan, &at.network_token),
            position: (&record.position).into(),
        }
    }
}

impl From<Row> for TokenRecord {
    fn from(row: Row) -> Self {
        let network_token =
            row.dpan.value.map(|(dpan, exp)| NetworkToken::new(Dpan::new(dpan.as_str()), exp));
        Self {
            state: row.state.value.map(TokenState::from),
            card_last_digits: row.card_last_digits.value,
            card_expiry_date: row.card_expiry_date.value,
            token_last_digits: row.token_last_digits.value,
            token_expiry_date: row.token_expiry_date.value,
            network_token,
            position: row.position.into(),
            member_positions: MemberPositions {
                state: row.state.at.into(),
                card_last_digits: row.card_last_digits.at.into(),
                card_expiry_date: row.card_expiry_date.at.into(),
                token_last_digits: row.token_last_digits.at.into(),
                token_expiry_date: row.token_expiry_date.at.into(),
                network_token: row.dpan.at.into(),
            },
        }
    }
}
