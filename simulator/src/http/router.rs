//! THE table: method, path, operation id, handler.

mod astray;

use std::sync::Arc;

use axum::Router;
use axum::extract::MatchedPath;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::{Method, Uri};

use super::handlers::{
    create_merchant, create_token, create_transaction, delete_token, get_access_token, get_token,
};
use super::problem::Problem;
use super::{App, layers};
use crate::journal::Why;
use crate::stop::Stop;

/// Where the token endpoint lives [D2].
const TOKEN: &str = "/authz/v1/oauth2/token";
/// Below the configured base path (C1) [D6].
const MERCHANTS: &str = "/merchant-gateways/{gateway}/merchants";
const TOKENS: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens";
const ONE_TOKEN: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}";
const TRANSACTIONS: &str = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}/transactions";

/// Everything that D1 answers to gateways.
pub(crate) fn router(app: Arc<App>, base: &str, stop: Stop) -> Router {
    let below = |path: &str| format!("{base}{path}");
    let exchanges =
        layers::Exchanges::new(Arc::clone(&app.journal), Arc::clone(&app.faults), app.clock.clone(), stop);
    Router::new()
        .route(TOKEN, post(get_access_token))
        .route(&below(MERCHANTS), post(create_merchant))
        .route(&below(TOKENS), post(create_token))
        .route(&below(ONE_TOKEN), get(get_token).delete(delete_token))
        .route(&below(TRANSACTIONS), post(create_transaction))
        .method_not_allowed_fallback(async |method: Method, path: MatchedPath| {
            other_method(&method, path.as_str())
        })
        .fallback({
            let base = base.to_owned();
            async move |uri: Uri| Problem::not_found("no such resource").because(no_route(&base, uri.path()))
        })
        .layer(from_fn_with_state(exchanges, layers::exchange))
        .with_state(app)
}

/// A method that a route does not have.
pub(super) fn other_method(method: &Method, route: &str) -> Problem {
    let has = [Method::GET, Method::POST, Method::DELETE]
        .into_iter()
        .filter(|method| operation(method, route).is_some());
    let has = has.map(|method| method.to_string()).collect::<Vec<_>>().join(" or ");
    let actual = method.as_str().to_owned().into();
    Problem::method_not_allowed().because(Why { check: "method", expected: has.into(), actual })
}

fn no_route(base: &str, path: &str) -> Why {
    let expected = "a path of the contract, below basePath or at /authz/v1/oauth2/token".into();
    Why { check: "path", expected, actual: astray::astray(base, path).into() }
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

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Request;
    use axum::response::IntoResponse as _;
    use http::StatusCode;
    use serde_json::Value;
    use tower::ServiceExt as _;

    use super::*;
    use crate::chance::Chance;
    use crate::clock::{Clock, ClockMode};
    use crate::domain::GatewayId;
    use crate::journal::Journal;
    use crate::simulator;
    use crate::tls::Peer;
    use crate::world::World;

    const OURS: &str = "/ecom/v1/merchant-gateways/MGW_000001/merchants";

    /// The gateway's own sandbox, without its doors.
    struct Sandbox {
        app: Arc<App>,
        router: Router,
        bearer: String,
    }

    impl Sandbox {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let now = time::OffsetDateTime::from_unix_timestamp(1_776_852_000).expect("a time");
            d1_fixtures::write_sandbox(folder.path(), &d1_fixtures::Plan::new(now), false).expect("written");
            let config = crate::Config::read(&folder.path().join("sandbox.yaml")).expect("a configuration");
            let (clock, journal) = (Clock::new(ClockMode::Manual { start_ms: 0 }), Arc::new(Journal::new()));
            let faults = simulator::faults(&config, Chance::new(1), &journal).expect("cards");
            let setting = simulator::setting(&config, Chance::new(1), &faults).expect("cards");
            let world = Arc::new(World::new(setting, Arc::clone(&journal)).expect("randomness"));
            let gateways = Arc::new(config.known());
            let app = Arc::new(
                simulator::app(config, gateways, world, &clock, journal, faults).expect("randomness"),
            );
            let (_stop, stopped) = Stop::pair();
            let router = router(Arc::clone(&app), "/ecom/v1", stopped);
            let bearer = app.tokens.issue(&gateway(), &"c".into(), clock.now().at).expect("a bearer").0;
            Self { app, router, bearer }
        }

        /// The status, and the check that failed.
        async fn ask(&self, method: &str, path: &str, correlation: &str, body: Body) -> (StatusCode, String) {
            let mut request = Request::builder()
                .method(method)
                .uri(path)
                .extension(Arc::new(Peer { name: String::new(), verdict: Ok(gateway()) }));
            if !correlation.is_empty() {
                request = request.header("x-correlation-id", correlation);
            }
            let request = request.header("authorization", format!("Bearer {}", self.bearer));
            let before = self.app.journal.last();
            let answer = self.router.clone().oneshot(request.body(body).expect("a request")).await;
            let entry: Value = serde_json::from_slice(&self.app.journal.page(before)).expect("one entry");
            let check = entry["refused"]["check"].as_str().unwrap_or("no reason");
            (answer.expect("an answer").status(), check.to_owned())
        }
    }

    fn gateway() -> GatewayId {
        GatewayId::parse("MGW_000001").expect("an id")
    }

    #[tokio::test]
    async fn every_refusal_gives_its_reason_to_the_journal() {
        let sandbox = Sandbox::new();
        let token = format!("{OURS}/10000000000/tokens/01fb32ff-5ed0-497f-8835-6af0916f29c0");
        for (method, path, correlation, status, check) in [
            ("GET", token.as_str(), "", 400, "x-correlation-id"),
            ("GET", "/nowhere", "a", 404, "path"),
            ("PUT", &token, "a", 405, "method"),
            ("HEAD", &token, "a", 405, "method"),
            ("GET", &token, "a", 404, "merchant in the path"),
            ("GET", &format!("{OURS}/x/tokens/y"), "a", 404, "merchant in the path"),
            ("GET", &format!("{OURS}/10000000000/tokens/y"), "a", 404, "token in the path"),
        ] {
            let asked = sandbox.ask(method, path, correlation, Body::empty()).await;
            assert_eq!((asked.0.as_u16(), asked.1.as_str()), (status, check), "{method} {path}");
        }
        let refused = other_method(&Method::PUT, ONE_TOKEN).into_response();
        assert_eq!(refused.extensions().get::<Why>().expect("a reason").expected, "GET or DELETE");
    }

    #[tokio::test]
    async fn a_body_that_nobody_reads_has_to_keep_to_its_size() {
        let sandbox = Sandbox::new();
        let token = format!("{OURS}/10000000000/tokens/01fb32ff-5ed0-497f-8835-6af0916f29c0");
        for method in ["GET", "DELETE"] {
            let (status, check) = sandbox.ask(method, &token, "a", vec![b' '; 65 * 1024].into()).await;
            assert_eq!((status.as_u16(), check.as_str()), (413, "request body"), "{method}");
        }
    }
}
