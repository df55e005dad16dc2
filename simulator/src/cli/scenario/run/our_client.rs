//! What our client is asked to send, and what it makes of the answer.

use std::collections::BTreeMap;

use d1_client::{
    Client, CorrelationId, Error, Merchant, MerchantId, NetworkToken, NewMerchant, NewToken, Token, TokenId,
    TokenState, TransactionType,
};
use serde_json::{Value, json};

/// What our client made of a call.
pub(super) struct Done {
    pub(super) members: BTreeMap<&'static str, Value>,
    pub(super) made: Made,
}

/// What there is now that there was not.
#[derive(Clone)]
pub(super) enum Made {
    Nothing,
    Merchant(MerchantId),
    Token(TokenId),
}

/// What is sent.
#[derive(Clone)]
pub(super) enum Send {
    CreateMerchant(NewMerchant),
    CreateToken(MerchantId, Box<NewToken>),
    GetToken(MerchantId, TokenId),
    CreateTransaction(MerchantId, TokenId, TransactionType),
    DeleteToken(MerchantId, TokenId),
}

impl Send {
    pub(super) async fn by(self, client: &Client, correlation: CorrelationId) -> Result<Done, Error> {
        let id = Some(correlation);
        Ok(match self {
            Self::CreateMerchant(new) => {
                let merchant = client.create_merchant(&new, id).await?;
                let members = merchant_members(&merchant);
                Done { members, made: Made::Merchant(merchant.merchant_id) }
            }
            Self::CreateToken(merchant, new) => {
                let token = client.create_token(&merchant, &new, id).await?;
                Done { members: token_members(&token), made: Made::Token(token.token_id) }
            }
            Self::GetToken(merchant, token) => {
                let details = client.get_token(&merchant, &token, id).await?;
                let mut members = token_members(&details.token);
                members.extend(network_token_members(&details.network_token));
                Done { members, made: Made::Nothing }
            }
            Self::CreateTransaction(merchant, token, kind) => {
                let payment = client.create_transaction(&merchant, &token, kind, id).await?;
                let mut members = network_token_members(&payment.network_token);
                members.insert("transactionId", json!(payment.transaction_id));
                members.insert("eci", json!(payment.eci));
                members.insert("cryptogramExpiryDate", json!(payment.cryptogram_expiry_date));
                Done { members, made: Made::Nothing }
            }
            Self::DeleteToken(merchant, token) => {
                client.delete_token(&merchant, &token, id).await?;
                Done { members: BTreeMap::new(), made: Made::Nothing }
            }
        })
    }
}

fn merchant_members(merchant: &Merchant) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("merchantId", json!(merchant.merchant_id.as_str())),
        ("merchantName", json!(merchant.merchant_name)),
        ("creationTimestamp", json!(merchant.creation_timestamp)),
    ])
}

fn token_members(token: &Token) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([
        ("tokenId", json!(token.token_id.as_str())),
        ("state", json!(token.state.as_ref().map(TokenState::as_str))),
        ("cardLastDigits", json!(token.card_last_digits)),
        ("cardExpiryDate", json!(token.card_expiry_date)),
        ("tokenLastDigits", json!(token.token_last_digits)),
        ("tokenExpiryDate", json!(token.token_expiry_date)),
        ("par", json!(token.par)),
        ("creationTimestamp", json!(token.creation_timestamp)),
    ])
}

/// Of what was sealed, no more than its end and its dates.
fn network_token_members(token: &NetworkToken) -> BTreeMap<&'static str, Value> {
    BTreeMap::from([("dpanLastDigits", json!(dpan_end(token))), ("exp", json!(token.exp))])
}

/// The last four digits of a DPAN, never more.
fn dpan_end(token: &NetworkToken) -> &str {
    let dpan = token.dpan.expose();
    dpan.get(dpan.len().saturating_sub(4)..).unwrap_or_default()
}
