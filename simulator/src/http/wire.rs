//! What travels between gateway and D1: strict requests, and answers. The names stand here alone.

mod answers;
mod requests;

pub(crate) use answers::{AccessTokenAnswer, MerchantAnswer, TokenAnswer, TransactionAnswer};
pub(crate) use requests::{AccessTokenRequest, NewMerchant, NewToken, NewTransaction, card_of};
