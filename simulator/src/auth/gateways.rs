//! The gateways that the sandbox knows at this moment, with their public keys.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use crate::domain::GatewayId;
use crate::jose::PublicKey;

/// The public keys of a gateway.
#[derive(Debug)]
pub(crate) struct GatewayKeys {
    pub(crate) assertion: Vec<PublicKey>,
    pub(crate) encryption: PublicKey,
}

/// Who is known. Everybody shares one: looked into with each request, changed only when a gateway comes or goes, and
/// never held longer than one look takes.
#[derive(Debug, Default)]
pub(crate) struct Gateways(RwLock<HashMap<GatewayId, Arc<GatewayKeys>>>);

impl Gateways {
    pub(crate) fn keys(&self, gateway: &GatewayId) -> Option<Arc<GatewayKeys>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(gateway).cloned()
    }

    pub(crate) fn knows(&self, gateway: &GatewayId) -> bool {
        self.0.read().unwrap_or_else(PoisonError::into_inner).contains_key(gateway)
    }

    pub(crate) fn add(&self, gateway: GatewayId, keys: GatewayKeys) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(gateway, Arc::new(keys));
    }

    pub(crate) fn remove(&self, gateway: &GatewayId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).remove(gateway);
    }
}

impl FromIterator<(GatewayId, GatewayKeys)> for Gateways {
    fn from_iter<I: IntoIterator<Item = (GatewayId, GatewayKeys)>>(known: I) -> Self {
        let known = known.into_iter().map(|(id, keys)| (id, Arc::new(keys)));
        Self(RwLock::new(known.collect()))
    }
}
