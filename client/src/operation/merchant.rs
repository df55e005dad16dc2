//! createMerchant (contract C16).

use bytes::Bytes;
use http::{Method, Request, Response};

use super::{Endpoints, Unclear, Unmade, answer, request};
use crate::model::{CorrelationId, GatewayId, Merchant, MerchantWire, NewMerchant};

pub(crate) fn create_merchant(
    endpoints: &Endpoints,
    gateway: &GatewayId,
    merchant: &NewMerchant,
    correlation: &CorrelationId,
) -> Result<Request<Bytes>, Unmade> {
    let body = serde_json::json!({ "merchantName": merchant.name() });
    request(Method::POST, &endpoints.merchants(gateway), correlation, Some(Bytes::from(body.to_string())))
}

pub(crate) fn read_merchant(response: &Response<Bytes>) -> Result<Merchant, Unclear> {
    answer::body::<MerchantWire>(response)?.into_merchant().ok_or(Unclear::Member("merchantId"))
}
