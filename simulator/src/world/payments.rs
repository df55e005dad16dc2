//! Transactions: DPAN, expiry and a cryptogram for an authorization request.

use std::time::Duration;

use crate::chance::Stream;
use crate::domain::{MerchantId, Moment, Month, Now, Refusal, TokenId};
use crate::journal::Transition;

use super::agenda::Scheduled;
use super::{Asker, World};

/// A cryptogram may be used for so long (our choice; they are short-lived [S18]).
const CRYPTOGRAM_LIFE: Duration = Duration::from_secs(15 * 60);

/// What a transaction is made for (C19).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TransactionKind {
    Single,
    Recurring,
    Split,
}

/// What an authorization request needs. The DPAN and the cryptogram leave sealed only.
pub(crate) struct Payment {
    pub(crate) id: u128,
    pub(crate) dpan: u64,
    pub(crate) token_expiry: Month,
    pub(crate) cryptogram: [u8; 20],
    pub(crate) cryptogram_expiry: Moment,
}

impl TransactionKind {
    const fn cause(self) -> &'static str {
        match self {
            Self::Single => "transaction.single",
            Self::Recurring => "transaction.recurring",
            Self::Split => "transaction.split",
        }
    }
}

impl World {
    /// Makes a cryptogram for an active token. Two calls make two transactions (C19).
    pub(crate) fn create_transaction(
        &self,
        asker: Asker<'_>,
        (merchant, id): (MerchantId, TokenId),
        kind: TransactionKind,
        now: Now,
    ) -> Result<Payment, Refusal> {
        let mut state = self.lock();
        let token = state.live_token(asker.gateway, merchant, id)?;
        token.may_pay()?;
        let first_use = token.first_use.take();
        let (dpan, token_expiry) = (token.dpan, token.token_expiry);
        state.counters.transactions += 1;
        let number = state.counters.transactions;
        let mut cryptogram = [0_u8; 20];
        cryptogram.copy_from_slice(&self.setting.chance.bytes(Stream::Cryptogram, number)[..20]);
        let made = Transition {
            cause: kind.cause(),
            merchant_id: merchant.to_string(),
            token_id: Some(id.to_string()),
            ..Transition::default()
        };
        self.note(asker, now.at, made);
        if let Some(event) = first_use {
            self.happen_or_put_off(&mut state, Scheduled { token: id, event }, now);
        }
        Ok(Payment {
            id: self.setting.chance.uuid(Stream::Transaction, number),
            dpan,
            token_expiry,
            cryptogram,
            cryptogram_expiry: now.at.after(CRYPTOGRAM_LIFE),
        })
    }
}
