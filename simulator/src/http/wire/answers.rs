//! Answers.

use serde::Serialize;

use crate::auth::{LIFE_SECONDS, SCOPE};
use crate::clock::rfc3339;
use crate::domain::{MerchantId, Token, uuid_text};
use crate::world::{Merchant, Payment};

/// 200 of getAccessToken [D1].
#[derive(Serialize)]
pub(crate) struct AccessTokenAnswer {
    access_token: String,
    expires_in: u32,
    token_type: &'static str,
    scope: &'static str,
}

/// 201 of createMerchant (C16).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MerchantAnswer {
    merchant_id: String,
    merchant_name: String,
    creation_timestamp: String,
}

/// 201 of createToken (C17) and, with `encryptedData`, 200 of getToken (C18).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TokenAnswer {
    token_id: String,
    state: &'static str,
    card_last_digits: String,
    card_expiry_date: String,
    token_last_digits: String,
    token_expiry_date: String,
    par: String,
    creation_timestamp: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    encrypted_data: Option<String>,
}

/// 201 of createTransaction (C19).
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransactionAnswer {
    transaction_id: String,
    encrypted_data: String,
    eci: &'static str,
    cryptogram_expiry_date: String,
}

impl AccessTokenAnswer {
    pub(crate) fn new(bearer: String) -> Self {
        Self { access_token: bearer, expires_in: LIFE_SECONDS, token_type: "Bearer", scope: SCOPE }
    }
}

impl MerchantAnswer {
    pub(crate) fn new(id: MerchantId, merchant: &Merchant) -> Self {
        Self {
            merchant_id: id.to_string(),
            merchant_name: merchant.name.to_string(),
            creation_timestamp: rfc3339(merchant.created),
        }
    }
}

impl TokenAnswer {
    pub(crate) fn new(token: &Token, encrypted_data: Option<String>) -> Self {
        Self {
            token_id: token.id.to_string(),
            state: token.state.as_str(),
            card_last_digits: token.card_last_four.as_str().to_owned(),
            card_expiry_date: token.card_expiry.mmyy(),
            token_last_digits: token.token_last_four().as_str().to_owned(),
            token_expiry_date: token.token_expiry.mmyy(),
            par: token.par().to_owned(),
            creation_timestamp: rfc3339(token.created),
            encrypted_data,
        }
    }
}

impl TransactionAnswer {
    pub(crate) fn new(payment: &Payment, encrypted_data: String) -> Self {
        Self {
            transaction_id: uuid_text(payment.id),
            encrypted_data,
            // A card-on-file payment without cardholder authentication (our choice within C19).
            eci: "07",
            cryptogram_expiry_date: rfc3339(payment.cryptogram_expiry),
        }
    }
}
