//! THE table: method, path, operation id, handler.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::Method;

use super::handlers::{
    create_merchant, create_token, create_transaction, delete_token, get_access_token, get_token,
};
use super::problem::Problem;
use super::{App, layers};

/// Where the token endpoint lives [D2].
const TOKEN: &str = "/authz/v1/oauth2/token";
/// Below the configured base path (C1) [D6].
const MERCHANTS: &str = "/merchant-gateways/{gateway}/merchants";
const TOKENS: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens";
const ONE_TOKEN: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}";
const TRANSACTIONS: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}/transactions";

/// Everything that D1 answers to gateways.
pub(crate) fn router(app: Arc<App>, base: &str) -> Router {
    let below = |path: &str| format!("{base}{path}");
    Router::new()
        .route(TOKEN, post(get_access_token))
        .route(&below(MERCHANTS), post(create_merchant))
        .route(&below(TOKENS), post(create_token))
        .route(&below(ONE_TOKEN), get(get_token).delete(delete_token))
        .route(&below(TRANSACTIONS), post(create_transaction))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("no such resource"))
        .layer(from_fn_with_state(Arc::clone(&app), layers::exchange))
        .with_state(app)
}

/// The operation id of a route, for the journal.
pub(crate) fn operation(method: &Method, route: &str) -> Option<&'static str> {
    let ends = |path: &str| route.ends_with(path);
    match *method {
        Method::POST if route == TOKEN => Some("getAccessToken"),
        Method::POST if ends(TRANSACTIONS) => Some("createTransaction"),
        Method::POST if ends(TOKENS) => Some("createToken"),
        Method::POST if ends(MERCHANTS) => Some("createMerchant"),
        Method::GET if ends(ONE_TOKEN) => Some("getToken"),
        Method::DELETE if ends(ONE_TOKEN) => Some("deleteToken"),
        _ => None,
    }
}
