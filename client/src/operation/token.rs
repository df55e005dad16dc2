//! createToken, getToken, createTransaction, deleteToken (contract C17 to C20).

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use serde::de::IgnoredAny;

use super::{Endpoints, Unclear, Unmade, answer, request};
use crate::jwk::OwnKey;
use crate::model::{
    CardSource, CorrelationId, DetailsWire, GatewayId, MerchantId, NetworkToken, Payment, PaymentPlaintext,
    PaymentWire, Token, TokenDetails, TokenId, TokenWire, TransactionType,
};

/// `sealed` is the JWE of the card toward D1's key.
pub(crate) fn create_token(
    endpoints: &Endpoints,
    gateway: &GatewayId,
    merchant: &MerchantId,
    sealed: &str,
    source: Option<CardSource>,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let mut body = serde_json::Map::new();
    body.insert("encryptedData".to_owned(), sealed.into());
    if let Some(source) = source {
        body.insert("source".to_owned(), source.as_str().into());
    }
    request(
        Method::POST,
        &endpoints.tokens(gateway, merchant),
        correlation,
        Some(Bytes::from(serde_json::Value::Object(body).to_string())),
    )
}

pub(crate) fn read_token(response: &Response<Bytes>) -> Result<Token, Unclear> {
    answer::body::<TokenWire>(response)?.into_token().ok_or(Unclear::Member("tokenId"))
}

pub(crate) fn get_token(
    endpoints: &Endpoints,
    gateway: &GatewayId,
    merchant: &MerchantId,
    token: &TokenId,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let url = endpoints.token(gateway, merchant, token);
    request(Method::GET, &url, correlation, None)
}

pub(crate) fn read_details(response: &Response<Bytes>, own: &OwnKey) -> Result<TokenDetails, Unclear> {
    let token = read_token(response)?;
    let sealed: DetailsWire = answer::body(response)?;
    let network_token: NetworkToken = answer::opened(&sealed.encrypted_data, own)?;
    Ok(TokenDetails { token, network_token })
}

pub(crate) fn create_transaction(
    endpoints: &Endpoints,
    gateway: &GatewayId,
    merchant: &MerchantId,
    token: &TokenId,
    kind: TransactionType,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let body = serde_json::json!({ "transactionType": kind.as_str() });
    request(
        Method::POST,
        &format!("{}/transactions", endpoints.token(gateway, merchant, token)),
        correlation,
        Some(Bytes::from(body.to_string())),
    )
}

pub(crate) fn read_payment(response: &Response<Bytes>, own: &OwnKey) -> Result<Payment, Unclear> {
    let wire: PaymentWire = answer::body(response)?;
    let plaintext: PaymentPlaintext = answer::opened(&wire.encrypted_data, own)?;
    Ok(Payment {
        transaction_id: wire.transaction_id,
        network_token: NetworkToken::new(plaintext.dpan, plaintext.exp),
        cryptogram: plaintext.cryptogram,
        eci: wire.eci,
        cryptogram_expiry_date: wire.cryptogram_expiry_date,
    })
}

pub(crate) fn delete_token(
    endpoints: &Endpoints,
    gateway: &GatewayId,
    merchant: &MerchantId,
    token: &TokenId,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let url = endpoints.token(gateway, merchant, token);
    request(Method::DELETE, &url, correlation, None)
}

/// 204, or any success with an empty body or JSON, whatever it says. Something else, such as a page of HTML, is not
/// from D1.
pub(crate) fn read_deleted(response: &Response<Bytes>) -> Result<(), Unclear> {
    if response.status() == StatusCode::NO_CONTENT || response.body().trim_ascii().is_empty() {
        return Ok(());
    }
    answer::body::<IgnoredAny>(response).map(drop)
}
