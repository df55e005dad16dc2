//! The admin port: watching and steering a running sandbox over plain HTTP on loopback.
//! `openapi/d1sim-admin.yaml` describes it.

mod facts;
mod faults;
mod gateways;
mod guard;
mod handlers;
mod lease;
mod passage;
mod whole;
mod wire;

pub(crate) use facts::Facts;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, post};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use super::App;
use super::problem::Problem;
use crate::onboarding::Onboarding;
use crate::stop::Stop;

/// What the admin port may use.
pub(crate) struct Admin {
    app: Arc<App>,
    facts: Facts,
    token: Option<Zeroizing<String>>,
    /// Places for who waits for a journal entry.
    readers: Semaphore,
    /// Places for who waits to move the clock.
    movers: Semaphore,
    lease: lease::Desk,
    onboarding: Arc<Onboarding>,
    stop: Stop,
}

/// So many may wait for a journal entry at once; the connections beyond them are for who steers.
const READERS: usize = 128;

impl Admin {
    pub(crate) fn new(
        app: Arc<App>,
        facts: Facts,
        token: Option<Zeroizing<String>>,
        onboarding: Arc<Onboarding>,
        stop: Stop,
    ) -> Arc<Self> {
        Arc::new(Self {
            app,
            facts,
            token,
            readers: Semaphore::new(READERS),
            movers: Semaphore::new(passage::MOST_WAITING),
            lease: lease::Desk::new(),
            onboarding,
            stop,
        })
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
        .route("/clock", get(passage::clock))
        .route("/gateways", get(gateways::list).post(gateways::add))
        .route("/gateways/{gateway}", delete(gateways::delete))
        .route("/clock/advance", post(passage::advance))
        .route("/clock/lease", post(lease::ask))
        .route("/clock/lease/{lease}", delete(lease::give_back))
        .route("/faults", get(faults::list).post(faults::set).delete(faults::lift_all))
        .route("/faults/{name}", delete(faults::lift))
        .route("/notifications/forged", post(handlers::forge))
        .route("/reset", post(handlers::reset))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .fallback(async || Problem::not_found("no such path"))
        .layer(from_fn_with_state(Arc::clone(&admin), guard::guard))
        .with_state(admin)
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::response::Response;
    use http::{Method, Request, StatusCode};
    use serde_json::Value;
    use tokio::sync::watch;
    use tokio::time::Instant;
    use tower::ServiceExt as _;

    use super::*;
    use crate::chance::Chance;
    use crate::clock::{Clock, ClockMode};
    use crate::journal::Journal;
    use crate::onboarding::Surroundings;
    use crate::world::World;

    /// Without its folder, which is gone when this returns.
    pub(super) fn admin() -> (Arc<Admin>, watch::Sender<bool>) {
        admin_on(ClockMode::Real)
    }

    pub(super) fn admin_on(clock: ClockMode) -> (Arc<Admin>, watch::Sender<bool>) {
        let folder = tempfile::tempdir().expect("a folder");
        let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
        d1_fixtures::write_sandbox(folder.path(), &d1_fixtures::Plan::new(now), false).expect("written");
        let config = crate::Config::read(&folder.path().join("sandbox.yaml")).expect("a configuration");
        let (clock, journal) = (Clock::new(clock), Arc::new(Journal::new()));
        let faults = crate::simulator::faults(&config, Chance::new(1), &journal).expect("cards");
        let setting = crate::simulator::setting(&config, Chance::new(1), &faults).expect("cards");
        let world = Arc::new(World::new(setting, Arc::clone(&journal)).expect("randomness"));
        let facts = Facts::of(&config, 1);
        let (gateways, (stop, stopped)) = (Arc::new(config.known()), Stop::pair());
        let around = Surroundings {
            gateways: Arc::clone(&gateways),
            world: Arc::clone(&world),
            journal: Arc::clone(&journal),
            clock: clock.clone(),
            chance: Chance::new(1),
            stop: stopped.clone(),
        };
        let onboarding = Onboarding::new(&config, around);
        let app =
            crate::simulator::app(config, gateways, world, &clock, journal, faults).expect("randomness");
        (Admin::new(Arc::new(app), facts, None, onboarding, stopped), stop)
    }

    pub(super) async fn ask(admin: &Arc<Admin>, method: Method, path: &str, body: &str) -> (u16, Value) {
        let request = Request::builder().method(method).uri(path).header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Body::from(body.to_owned()));
        let answer = router(Arc::clone(admin)).oneshot(request.expect("a request")).await.expect("an answer");
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    /// A refusal in the form that all of them have.
    pub(super) async fn refusal(
        admin: &Arc<Admin>,
        method: Method,
        path: &str,
        body: &str,
    ) -> (u16, String, String) {
        let (status, answer) = ask(admin, method, path, body).await;
        let text = |name: &str| answer[name].as_str().unwrap_or_default().to_owned();
        (status, text("errorCode"), text("error"))
    }

    #[tokio::test]
    async fn a_name_that_is_no_text_is_a_name_that_nothing_has() {
        let (admin, _stop) = admin();
        for path in ["/faults/%ff%fe", "/gateways/%ff%fe", "/clock/lease/%ff%fe"] {
            let (status, code, error) = refusal(&admin, Method::DELETE, path, "").await;
            assert_eq!((status, code.as_str()), (404, "RESOURCE_NOT_FOUND"), "{path}: {error}");
        }
    }

    #[tokio::test]
    async fn how_far_the_clock_is_to_go_is_refused_with_the_units_and_what_was_found() {
        let (admin, _stop) = admin();
        for (body, told) in [
            (
                r#"{"by":"10y"}"#,
                "by: expected a duration in ms, s, m, h or d from 1ms to 3660d, like 90s, 2h or 30d, found `10y`",
            ),
            (r#"{"by":"1ns"}"#, "by: expected a duration in ms, s, m, h or d from 1ms"),
            (
                r#"{"to":"4000000000000002"}"#,
                "to: expected a moment like 2026-04-22T10:00:00Z, found `…0002`",
            ),
            (r#"{"until":{"event":"token.gone"}}"#, "until.event: expected one of "),
        ] {
            let (status, code, error) = refusal(&admin, Method::POST, "/clock/advance", body).await;
            assert_eq!((status, code.as_str()), (400, "INVALID_FIELD"), "{body}: {error}");
            assert!(error.starts_with(told) && error.chars().count() <= 512, "{body}: {error}");
        }
    }

    async fn wait_for_an_entry(admin: &Arc<Admin>) -> Response {
        let request = Request::get("/journal?after=0&wait_ms=60000").header("host", "localhost");
        let request = request.body(Body::empty()).expect("a request");
        router(Arc::clone(admin)).oneshot(request).await.expect("an answer")
    }

    /// Paused time passes by itself once nobody has anything else to do.
    #[tokio::test(start_paused = true)]
    async fn who_waits_for_an_entry_is_answered_when_the_sandbox_stops() {
        let (admin, stop) = admin();
        let before = Instant::now();
        let (answer, ()) = tokio::join!(wait_for_an_entry(&admin), async {
            tokio::task::yield_now().await;
            stop.send_replace(true);
        });
        assert_eq!((answer.status(), before.elapsed().as_secs()), (StatusCode::OK, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn one_reader_too_many_is_told_so() {
        let (admin, _stop) = admin();
        let places = admin.readers.try_acquire_many(u32::try_from(READERS).expect("a number")).expect("free");
        assert_eq!(wait_for_an_entry(&admin).await.status(), StatusCode::SERVICE_UNAVAILABLE);
        drop(places);
        assert_eq!(wait_for_an_entry(&admin).await.status(), StatusCode::OK);
    }
}
