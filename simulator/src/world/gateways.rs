//! Gateways that come and go while the world goes on, and those that begin anew by themselves.

use std::sync::PoisonError;

use super::World;
use crate::domain::{GatewayId, Moment};
use crate::journal::Fact;

impl World {
    /// A gateway comes, with cards of its own. It is `told` what happens if it has a receiver.
    pub(crate) fn admit(&self, gateway: &GatewayId, told: bool, now: Moment) {
        let mut state = self.lock();
        // A request of one of the same name, deleted meanwhile, may have left something.
        state.forget(gateway);
        self.apart.write().unwrap_or_else(PoisonError::into_inner).insert(gateway.clone());
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
        self.apart.write().unwrap_or_else(PoisonError::into_inner).remove(gateway);
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
