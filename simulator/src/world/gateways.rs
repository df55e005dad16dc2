//! Gateways that come and go while the world goes on, and those that begin anew by themselves.

use std::collections::HashMap;
use std::sync::PoisonError;

use super::World;
use crate::domain::{GatewayId, Moment};
use crate::journal::Fact;

/// The gateways that do not share their cards with all others, by the circle in which they do.
#[derive(Debug, Default)]
pub(super) struct Apart {
    circles: HashMap<GatewayId, u64>,
    made: u64,
}

impl Apart {
    pub(super) fn circle_of(&self, gateway: &GatewayId) -> Option<u64> {
        self.circles.get(gateway).copied()
    }

    /// Joins the circle of another one, or a new one. No number comes back, even if a name does.
    fn join(&mut self, gateway: &GatewayId, other: Option<&GatewayId>) {
        let circle = other.and_then(|other| self.circle_of(other)).unwrap_or_else(|| {
            self.made += 1;
            self.made
        });
        self.circles.insert(gateway.clone(), circle);
    }
}

impl World {
    /// A gateway comes, with cards of its own or those of another one that came. It is `told` what happens if it has a
    /// receiver.
    pub(crate) fn admit(&self, gateway: &GatewayId, cards_of: Option<&GatewayId>, told: bool, now: Moment) {
        let mut state = self.lock();
        // A request of one of the same name, deleted meanwhile, may have left something.
        state.forget(gateway);
        self.apart.write().unwrap_or_else(PoisonError::into_inner).join(gateway, cards_of);
        if told {
            state.outbox.tell(gateway.clone());
        }
        self.journal.record(now, Some(gateway.as_str()), None, &Fact::Gateway { outcome: "made" });
    }

    /// A gateway goes, and all that it had.
    pub(crate) fn dismiss(&self, gateway: &GatewayId, now: Moment) {
        let mut state = self.lock();
        state.forget(gateway);
        state.outbox.dismiss(gateway);
        self.setting.faults.lift_of(gateway.as_str(), now);
        self.apart.write().unwrap_or_else(PoisonError::into_inner).circles.remove(gateway);
        self.journal.record(now, Some(gateway.as_str()), None, &Fact::Gateway { outcome: "deleted" });
        self.moved.send_replace(());
    }

    /// Forgets merchants, tokens, notifications and faults of one gateway, also those that are being delivered.
    pub(crate) fn reset_gateway(&self, gateway: &GatewayId, now: Moment) {
        let mut state = self.lock();
        state.forget(gateway);
        self.setting.faults.lift_of(gateway.as_str(), now);
        self.journal.record(now, Some(gateway.as_str()), None, &Fact::Reset);
        self.moved.send_replace(());
    }
}

#[cfg(test)]
mod tests;
