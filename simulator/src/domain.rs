//! What a token is and what may happen to it. No async, serde, IO, clock or chance in here.

mod card;
mod event;
mod id;
mod moment;
mod refusal;
mod token;

pub(crate) use card::{Behaviour, Fingerprint, Pan, with_check_digit};
pub(crate) use event::{Cause, EventType, IssuerEvent, Update};
pub(crate) use id::{GatewayId, MerchantId, TokenId, uuid_text};
pub(crate) use moment::{Moment, Month, Now};
pub(crate) use refusal::Refusal;
pub(crate) use token::{Token, TokenState};

#[cfg(test)]
pub(crate) use card::LastFour;
