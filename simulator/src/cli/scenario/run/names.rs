//! Which ids the scenario's names stand for.

use std::collections::BTreeMap;

use d1_client::{MerchantId, TokenId};

use super::happened::Entry;

/// A merchant that was made.
#[derive(Debug, Clone)]
pub(super) struct MerchantOf {
    pub(super) gateway: String,
    pub(super) id: MerchantId,
}

/// A token that was made.
#[derive(Debug, Clone)]
pub(super) struct TokenOf {
    pub(super) gateway: String,
    pub(super) merchant: MerchantId,
    pub(super) id: TokenId,
    /// The name of its card, if the scenario tokenized it.
    pub(super) card: Option<String>,
}

/// What there is, by the names of the scenario.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// The ids of gateways.
    pub(super) gateways: BTreeMap<String, String>,
    pub(super) merchants: BTreeMap<String, MerchantOf>,
    pub(super) tokens: BTreeMap<String, TokenOf>,
    /// Numbers of the journal are not told: connections have some too, and on a hostile stage real time has a say in how
    /// many there are.
    pub(super) numberless: bool,
}

impl Names {
    pub(super) fn is_gateway(&self, name: &str, id: Option<&str>) -> bool {
        id.is_some() && self.gateways.get(name).map(String::as_str) == id
    }

    pub(super) fn is_merchant(&self, name: &str, id: Option<&str>) -> bool {
        id.is_some() && self.merchants.get(name).map(|merchant| merchant.id.as_str()) == id
    }

    pub(super) fn is_token(&self, name: &str, id: Option<&str>) -> bool {
        id.is_some() && self.tokens.get(name).map(|token| token.id.as_str()) == id
    }

    /// A fault as the scenario calls it: on somebody else's sandbox it has the gateway's id before its name.
    pub(super) fn fault_called<'n>(&self, name: &'n str) -> &'n str {
        let own = |id: &String| name.strip_prefix(id.as_str())?.strip_prefix('-');
        self.gateways.values().find_map(own).unwrap_or(name)
    }

    /// Whether an entry tells of a fault that has an id of these gateways before its name.
    pub(super) fn has_fault(&self, entry: &Entry) -> bool {
        let name = entry.text("name").filter(|_| entry.is("fault"));
        name.is_some_and(|name| self.fault_called(name) != name)
    }

    /// The number of an entry, in brackets; nothing where that is not told.
    pub(super) fn in_journal(&self, n: u64) -> String {
        if self.numberless { String::new() } else { format!(" (journal {n})") }
    }

    pub(super) fn merchant_called(&self, id: &str) -> String {
        called(self.merchants.iter().find(|(_, known)| known.id.as_str() == id).map(|(name, _)| name), id)
    }

    pub(super) fn token_called(&self, id: &str) -> String {
        called(self.tokens.iter().find(|(_, known)| known.id.as_str() == id).map(|(name, _)| name), id)
    }
}

/// The name, or the id of what the scenario has no name for.
fn called(name: Option<&String>, id: &str) -> String {
    name.map_or_else(|| id.to_owned(), |name| format!("`{name}`"))
}
