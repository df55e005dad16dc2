//! The admin port: watching and steering a running sandbox over plain HTTP on loopback.
//! `openapi/d1sim-admin.yaml` describes it.

mod facts;
mod guard;
mod handlers;
mod wire;

pub(crate) use facts::Facts;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use zeroize::Zeroizing;

use super::App;
use super::problem::Problem;

/// What the admin port may use.
pub(crate) struct Admin {
    app: Arc<App>,
    facts: Facts,
    token: Option<Zeroizing<String>>,
}

impl Admin {
    pub(crate) fn new(app: Arc<App>, facts: Facts, token: Option<Zeroizing<String>>) -> Arc<Self> {
        Arc::new(Self { app, facts, token })
    }
}

/// Everything that the admin port answers.
pub(crate) fn router(admin: Arc<Admin>) -> Router {
    Router::new()
        .route("/healthz", get(handlers::health))
        .route("/info", get(handlers::info))
        .route("/journal", get(handlers::journal))
        .route("/state", get(handlers::state))
        .route("/events", post(handlers::event))
        .route("/clock/advance", post(handlers::advance))
        .route("/reset", post(handlers::reset))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("no such path"))
        .layer(from_fn_with_state(Arc::clone(&admin), guard::guard))
        .with_state(admin)
}
