//! The way of a request: layers, router, strict reading, handlers, and the one place where a
//! refusal becomes an answer.

pub(crate) mod admin;
mod answer;
mod extract;
mod handlers;
mod intake;
mod layers;
mod mishap;
mod problem;
mod router;
mod strict_json;
mod wire;

pub(crate) use router::router;

use std::sync::Arc;

use crate::auth::{AccessTokens, Gateways, Policy, Seen};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::jose::OwnKey;
use crate::journal::Journal;
use crate::world::World;

/// What every handler may use.
pub(crate) struct App {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Clock,
    pub(crate) journal: Arc<Journal>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) tokens: AccessTokens,
    pub(crate) seen: Seen,
    pub(crate) policy: Policy,
    /// The clock that assertions are judged by.
    pub(crate) auth_clock: Clock,
    pub(crate) own_key: OwnKey,
    pub(crate) gateways: Arc<Gateways>,
}
