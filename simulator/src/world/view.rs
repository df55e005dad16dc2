//! What the admin port shows of the state: nothing secret.

use std::collections::BTreeMap;

use serde::Serialize;

use super::World;
use super::state::{First, SHOWN, State};
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
    /// Of one gateway alone if one is named.
    pub(crate) fn view(&self, of: Option<&GatewayId>) -> View {
        let state = self.lock();
        let mut room = Room { merchants: SHOWN, tokens: SHOWN, cut: false };
        let shown = state.first.iter().filter(|(gateway, _)| of.is_none_or(|of| of == *gateway));
        let gateways = shown.map(|(gateway, first)| GatewayView::of(gateway, first, &state, &mut room));
        let gateways = gateways.collect();
        let theirs = |gateway: &GatewayId| {
            let of = |token| state.tokens.get(&token).is_some_and(|token| token.gateway == *gateway);
            (state.outbox.len_of(gateway), state.agenda.events_of(of))
        };
        let (outbox, planned) = of.map_or((state.outbox.len(), state.agenda.events()), theirs);
        View { outbox, planned, truncated: room.cut, gateways }
    }
}

/// How much more a view may show.
struct Room {
    merchants: usize,
    tokens: usize,
    cut: bool,
}

impl GatewayView {
    fn of(gateway: &GatewayId, first: &First, state: &State, room: &mut Room) -> Self {
        let (most_merchants, most_tokens) =
            (first.merchants.len().min(room.merchants), first.tokens.len().min(room.tokens));
        room.cut |= first.more || most_merchants < first.merchants.len() || most_tokens < first.tokens.len();
        (room.merchants, room.tokens) = (room.merchants - most_merchants, room.tokens - most_tokens);
        let mut by_merchant: BTreeMap<MerchantId, Vec<TokenView>> = BTreeMap::new();
        for token in first.tokens[..most_tokens].iter().filter_map(|id| state.tokens.get(id)) {
            by_merchant.entry(token.merchant).or_default().push(TokenView::of(token));
        }
        let mut merchants = first.merchants[..most_merchants].to_vec();
        merchants.sort_unstable();
        let merchant = |id: MerchantId| {
            let (_, merchant) = state.merchant(id)?;
            Some(MerchantView {
                merchant_id: id.to_string(),
                merchant_name: crate::journal::redacted(&merchant.name).into_owned(),
                tokens: by_merchant.remove(&id).unwrap_or_default(),
            })
        };
        Self { gateway: gateway.to_string(), merchants: merchants.into_iter().filter_map(merchant).collect() }
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
