//! Who is calling: the assertion that buys a bearer, the bearer, and the caller whom both must name.

mod access_tokens;
mod assertion;
mod caller;
mod gateways;

pub(crate) use access_tokens::{AccessTokens, LIFE_SECONDS, SCOPE, TooManyTokens};
pub(crate) use assertion::{Policy, Seen, check as check_assertion};
pub(crate) use caller::{AuthError, Caller, bearer_of};
pub(crate) use gateways::{GatewayKeys, Gateways};
