//! Telling gateways what happened to their tokens: taken from the outbox, sealed, delivered over
//! mutual TLS, tried again where that may help (C22-C27).

mod deliver;
mod failure;
mod forge;
mod gateway_token;
mod receiver;
mod schedule;
mod task;
mod wire;

pub(crate) use failure::ENDED;
pub use receiver::ReceiverError;
pub(crate) use receiver::{OauthSettings, Receiver};
pub(crate) use schedule::Schedule;
pub(crate) use task::Notifier;
