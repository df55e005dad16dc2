//! The operations as pure functions: input to HTTP request, HTTP response to output. Wire names stand here and in
//! `model` alone.

mod access_token;
mod answer;
mod merchant;
mod token;

use std::fmt;

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Uri};

pub(crate) use access_token::{access_token_request, read_access_token};
#[cfg(feature = "receiver")]
pub(crate) use answer::opened;
pub(crate) use answer::{Unclear, error_object};
pub(crate) use merchant::{create_merchant, read_merchant};
pub(crate) use token::{
    create_token, create_transaction, delete_token, get_token, read_deleted, read_details, read_payment,
    read_token,
};

use crate::model::{CorrelationId, GatewayId, MerchantId, TokenId};

/// The header that carries the correlation id (\[D1\] \[D3\]).
pub(crate) const CORRELATION_HEADER: &str = "x-correlation-id";

/// An operation of D1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// Get Access Token (\[D2\]).
    GetAccessToken,
    /// Create merchant (\[D6\], contract C16).
    CreateMerchant,
    /// Create token (\[D6\], contract C17).
    CreateToken,
    /// Get token (contract C18).
    GetToken,
    /// Create transaction (contract C19).
    CreateTransaction,
    /// Delete token (contract C20).
    DeleteToken,
}

impl Operation {
    /// The operation's name, for logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GetAccessToken => "getAccessToken",
            Self::CreateMerchant => "createMerchant",
            Self::CreateToken => "createToken",
            Self::GetToken => "getToken",
            Self::CreateTransaction => "createTransaction",
            Self::DeleteToken => "deleteToken",
        }
    }

    /// True for what makes something new each time it is carried out (contract C16, C17, C19).
    #[must_use]
    pub fn is_creation(self) -> bool {
        match self {
            Self::CreateMerchant | Self::CreateToken | Self::CreateTransaction => true,
            Self::GetAccessToken | Self::GetToken | Self::DeleteToken => false,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where D1 is: checked text without a trailing slash.
#[derive(Debug, Clone)]
pub(crate) struct Endpoints {
    /// For example `https://127.0.0.1:8443/authz/v1`.
    pub(crate) oauth: String,
    /// For example `https://127.0.0.1:8443/ecom/v1`.
    pub(crate) ecom: String,
}

impl Endpoints {
    fn merchants(&self, gateway: &GatewayId) -> String {
        format!("{}/merchant-gateways/{gateway}/merchants", self.ecom)
    }

    fn tokens(&self, gateway: &GatewayId, merchant: &MerchantId) -> String {
        format!("{}/{merchant}/tokens", self.merchants(gateway))
    }

    fn token(&self, gateway: &GatewayId, merchant: &MerchantId, token: &TokenId) -> String {
        format!("{}/{token}", self.tokens(gateway, merchant))
    }
}

/// Why a request could not be made. Never holds a secret.
#[derive(Debug, Clone)]
pub(crate) struct Unmade(pub(crate) String);

fn request(
    method: Method,
    url: &str,
    correlation: &CorrelationId,
    body: Option<Bytes>,
) -> Result<Request<Bytes>, Unmade> {
    let uri: Uri =
        url.parse().map_err(|_| Unmade("the base URL and the path prefix do not make a URL".to_owned()))?;
    let mut builder = Request::builder()
        .method(method)
        .uri(uri)
        .header(ACCEPT, HeaderValue::from_static("application/json"))
        .header(CORRELATION_HEADER, correlation.as_str());
    if body.is_some() {
        builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    builder
        .body(body.unwrap_or_default())
        .map_err(|error| Unmade(format!("the request is not valid HTTP: {error}")))
}

#[cfg(test)]
mod tests;
