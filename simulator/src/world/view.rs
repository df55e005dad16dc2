//! What the admin port shows of the state: nothing secret.

use std::collections::BTreeMap;

use serde::Serialize;

use super::World;
use crate::domain::{GatewayId, MerchantId, Token};

/// The state as JSON.
#[derive(Debug, Serialize)]
pub(crate) struct View {
    outbox: usize,
    /// Events of the issuer that are still to come.
    planned: usize,
    /// More is held than is shown.
    truncated: bool,
    gateways: Vec<GatewayView>,
}

#[derive(Debug, Serialize)]
struct GatewayView {
    gateway: String,
    merchants: Vec<MerchantView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct MerchantView {
    merchant_id: String,
    merchant_name: String,
    tokens: Vec<TokenView>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenView {
    token_id: String,
    state: &'static str,
    sequence: u32,
    card_last_digits: String,
    card_expiry_date: String,
    token_last_digits: String,
    token_expiry_date: String,
}

impl World {
    /// The state in the order of gateways, merchants and creation; of a large one what was made first.
    pub(crate) fn view(&self) -> View {
        let state = self.lock();
        let mut by_merchant: BTreeMap<MerchantId, Vec<TokenView>> = BTreeMap::new();
        for token in state.first_tokens.iter().filter_map(|id| state.tokens.get(id)) {
            by_merchant.entry(token.merchant).or_default().push(TokenView::of(token));
        }
        let mut merchants = state.first_merchants.clone();
        merchants.sort_unstable();
        let mut gateways: BTreeMap<GatewayId, Vec<MerchantView>> = BTreeMap::new();
        for id in merchants {
            let Some((gateway, merchant)) = state.merchant(id) else { continue };
            gateways.entry(gateway.clone()).or_default().push(MerchantView {
                merchant_id: id.to_string(),
                merchant_name: crate::journal::redacted(&merchant.name).into_owned(),
                tokens: by_merchant.remove(&id).unwrap_or_default(),
            });
        }
        let gateway =
            |(gateway, merchants): (GatewayId, _)| GatewayView { gateway: gateway.to_string(), merchants };
        View {
            outbox: state.outbox.len(),
            planned: state.agenda.events(),
            truncated: state.tokens.len() > state.first_tokens.len()
                || state.merchant_count() > state.first_merchants.len(),
            gateways: gateways.into_iter().map(gateway).collect(),
        }
    }
}

impl TokenView {
    fn of(token: &Token) -> Self {
        Self {
            token_id: token.id.to_string(),
            state: token.state.as_str(),
            sequence: token.sequence,
            card_last_digits: token.card_last_four.as_str().to_owned(),
            card_expiry_date: token.card_expiry.mmyy(),
            token_last_digits: token.token_last_four().as_str().to_owned(),
            token_expiry_date: token.token_expiry.mmyy(),
        }
    }
}
