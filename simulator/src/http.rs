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
use crate::domain::GatewayId;
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

impl App {
    /// Forgets everything but the journal and the gateways themselves.
    fn reset_all(&self) {
        self.tokens.reset();
        self.seen.reset();
        self.clock.let_go_of(None);
        self.world.reset(self.clock.now().at);
    }

    /// Forgets all of one gateway that it had from the sandbox.
    fn reset(&self, gateway: &GatewayId) {
        self.forget(gateway);
        self.world.reset_gateway(gateway, self.clock.now().at);
    }

    /// Forgets its bearers, and that it waits for the clock.
    fn forget(&self, gateway: &GatewayId) {
        self.tokens.forget(gateway);
        self.seen.forget(gateway);
        self.clock.let_go_of(Some(gateway));
    }
}
