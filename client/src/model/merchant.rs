//! Merchants (contract C16).

use serde::Deserialize;

use super::id::{InvalidValue, MerchantId};
use crate::json;

/// A merchant to be registered (contract C16).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMerchant {
    name: String,
}

impl NewMerchant {
    /// A merchant by its name, 1 to 128 characters.
    ///
    /// # Errors
    /// The name is empty or longer.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidValue> {
        let name = name.into();
        if (1..=128).contains(&name.chars().count()) {
            return Ok(Self { name });
        }
        Err(InvalidValue::new("the merchant name", "1 to 128 characters"))
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// A merchant that D1 has registered (contract C16).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Merchant {
    /// The merchant's id, also its Token Requestor ID (\[D5\]).
    pub merchant_id: MerchantId,
    /// The name, as D1 keeps it.
    pub merchant_name: Option<String>,
    /// When it was registered, RFC 3339, as D1 sent it.
    pub creation_timestamp: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MerchantWire {
    merchant_id: String,
    #[serde(default, deserialize_with = "json::lenient")]
    merchant_name: Option<String>,
    #[serde(default, deserialize_with = "json::lenient")]
    creation_timestamp: Option<String>,
}

impl MerchantWire {
    pub(crate) fn into_merchant(self) -> Option<Merchant> {
        Some(Merchant {
            merchant_id: MerchantId::from_stored(self.merchant_id).ok()?,
            merchant_name: self.merchant_name,
            creation_timestamp: self.creation_timestamp,
        })
    }
}
