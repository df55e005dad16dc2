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
    use axum::body::Body;
    use axum::response::Response;
    use http::{Request, StatusCode};
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
