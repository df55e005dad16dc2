//! Transactions (contract C19).

use serde::Deserialize;

use super::card::{Cryptogram, Dpan};
use super::token::NetworkToken;
use crate::json;

/// What kind of payment is made (contract C19).
///
/// `Recurring` and `Split` mark the first authorization of a series. Later ones need no call: they use the stored DPAN
/// and expiry date (\[D14\]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionType {
    /// One payment.
    Single,
    /// The first of a series of recurring payments.
    Recurring,
    /// The first part of a split payment.
    Split,
}

impl TransactionType {
    /// The value on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Single => "SINGLE",
            Self::Recurring => "RECURRING",
            Self::Split => "SPLIT",
        }
    }
}

/// What an authorization request needs (contract C19).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Payment {
    /// The transaction's id at D1.
    pub transaction_id: String,
    /// DPAN and expiry date. These may be stored.
    pub network_token: NetworkToken,
    /// The cryptogram. This must not be stored.
    pub cryptogram: Cryptogram,
    /// The electronic commerce indicator, two digits.
    pub eci: Option<String>,
    /// Until when the cryptogram can be used, RFC 3339, as D1 sent it.
    pub cryptogram_expiry_date: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentWire {
    pub(crate) transaction_id: String,
    pub(crate) encrypted_data: String,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(crate) eci: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    pub(crate) cryptogram_expiry_date: Option<String>,
}

/// What the JWE of a transaction holds.
#[derive(Deserialize)]
pub(crate) struct PaymentPlaintext {
    pub(crate) dpan: Dpan,
    pub(crate) exp: String,
    pub(crate) cryptogram: Cryptogram,
}
