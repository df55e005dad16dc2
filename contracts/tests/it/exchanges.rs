//! Literal messages that the tests share.

use d1_contracts::{Contract, inbound, outbound};

pub(crate) const JWE: &str =
    "eyJhbGciOiJFQ0RILUVTIiwiZW5jIjoiQTI1NkdDTSJ9..AAAAAAAAAAAAAAAA.YWJj.BBBBBBBBBBBBBBBBBBBBBB";
pub(crate) const TOKEN_PATH: &str =
    "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens/01fb32ff-5ed0-497f-8835-6af0916f29c0";
pub(crate) const TOKENS_PATH: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants/10610027312/tokens";
pub(crate) const MERCHANTS_PATH: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants";
pub(crate) const OAUTH_PATH: &str = "/authz/v1/oauth2/token";
pub(crate) const NOTIFY_PATH: &str = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/01fb32ff-5ed0-497f-8835-6af0916f29c0/notify-update";

pub(crate) const ASSERTION: &str =
    r#"{"grant_type":"urn:ietf:params:oauth:grant-type:jwt-bearer","assertion":"aa.bb.cc"}"#;
const TOKEN: &str = r#""tokenId":"t-1","state":"ACTIVE","cardLastDigits":"1012","cardExpiryDate":"0829","tokenLastDigits":"0016","tokenExpiryDate":"0730","par":"Q1J4AwSWD4Dx6q1DTo0MB21XDAV76","creationTimestamp":"2026-04-22T09:31:00.000Z""#;

pub(crate) fn token() -> String {
    format!("{{{TOKEN}}}")
}

pub(crate) fn token_details() -> String {
    format!(r#"{{{TOKEN},"encryptedData":"{JWE}"}}"#)
}

pub(crate) fn transaction() -> String {
    format!(
        r#"{{"transactionId":"tx-1","encryptedData":"{JWE}","eci":"07","cryptogramExpiryDate":"2026-04-23T09:31:00.000Z"}}"#
    )
}

pub(crate) fn notification() -> String {
    format!(
        r#"{{"eventId":"0c1a35d8-7d55-4c8e-9d27-6f3b5f5c2d10","eventType":"CARD_UPDATED","state":"ACTIVE","cardLastDigits":"1012","cardExpiryDate":"0829","tokenLastDigits":"0016","tokenExpiryDate":"0730","sequence":2,"lastUpdateTimestamp":"2026-04-22T10:05:00.000Z","encryptedData":"{JWE}"}}"#
    )
}

pub(crate) fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

pub(crate) fn json_headers() -> Vec<(String, String)> {
    headers(&[
        ("Authorization", "Bearer eyJ.a-b_c.~d"),
        ("X-Correlation-Id", "checkout-42"),
        ("Content-Type", "application/json; charset=utf-8"),
    ])
}

pub(crate) fn form_headers() -> Vec<(String, String)> {
    headers(&[
        ("authorization", "Basic aXNfdGJhbmswMToxMjM="),
        ("content-type", "application/x-www-form-urlencoded"),
    ])
}

pub(crate) fn inbound_contract() -> Contract {
    inbound().expect("it loads")
}

pub(crate) fn outbound_contract() -> Contract {
    outbound().expect("it loads")
}
