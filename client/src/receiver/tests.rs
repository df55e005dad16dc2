//! The receiver through its router.

mod any_body;
mod histories;
mod oauth;

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use axum::Router;
use axum::body::Body;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt as _;

use super::*;
use crate::jwe;
use crate::jwk::RecipientKey;
use crate::jwk::testing::jwk_pair;
use crate::model::{MerchantId, TokenId, TokenState};

const PATH: &str = "/merchant-gateways/MGW_000001/merchants/10610027312/tokens/tok-1/notify-update";

/// Writes down what it is told; can be made to fail, to hang or to panic.
#[derive(Default)]
struct Recorder {
    seen: Mutex<Vec<(Option<String>, Freshness)>>,
    fails: AtomicBool,
    panics: AtomicBool,
    hangs: AtomicBool,
    gate: Option<tokio::sync::Semaphore>,
}

impl Recorder {
    fn seen(&self) -> Vec<(Option<String>, Freshness)> {
        self.seen.lock().expect("no panic").clone()
    }
}

impl NotificationHandler for Recorder {
    fn handle<'a>(
        &'a self,
        notification: &'a Notification,
        freshness: Freshness,
    ) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            assert!(!self.panics.load(Ordering::SeqCst), "told to panic");
            if self.hangs.load(Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if let Some(gate) = &self.gate {
                gate.acquire().await.expect("open").forget();
            }
            self.seen.lock().expect("no panic").push((notification.event_id.clone(), freshness));
            if self.fails.load(Ordering::SeqCst) {
                return Err("told to fail".into());
            }
            Ok(())
        })
    }
}

struct World {
    router: Router,
    handler: Arc<Recorder>,
    store: Arc<MemoryStore>,
    d1: RecipientKey,
}

fn world_with(handler: Recorder, change: impl FnOnce(Receiver) -> Receiver) -> World {
    let (public, private) = jwk_pair("own");
    let handler = Arc::new(handler);
    let store = Arc::new(MemoryStore::new());
    let receiver = Receiver::new(
        GatewayId::new("MGW_000001").expect("an id"),
        OwnKey::from_jwk(private.as_bytes()).expect("a key"),
        Arc::clone(&handler) as Arc<dyn NotificationHandler>,
    )
    .store(Arc::clone(&store) as Arc<dyn TokenStore>);
    World {
        router: change(receiver).router(),
        handler,
        store,
        d1: RecipientKey::from_jwk(public.as_bytes()).expect("a key"),
    }
}

fn world() -> World {
    world_with(Recorder::default(), |receiver| receiver)
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::post(path).body(body.into()).expect("a request");
    request.extensions_mut().insert(PeerCertificate::new(&b"certificate"[..]));
    request
}

async fn send(world: &World, request: Request<Body>) -> (StatusCode, String) {
    let response = world.router.clone().oneshot(request).await.expect("infallible");
    let status = response.status();
    let body = response.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(body.to_vec()).expect("UTF-8"))
}

fn key() -> TokenKey {
    TokenKey {
        gateway_id: GatewayId::new("MGW_000001").expect("an id"),
        merchant_id: MerchantId::new("10610027312").expect("an id"),
        token_id: TokenId::new("tok-1").expect("an id"),
    }
}

async fn record(world: &World) -> Option<TokenRecord> {
    world.store.get(&key()).await.expect("the store works")
}

fn event(id: &str, sequence: u64, state: &str) -> String {
    format!(
        r#"{{"eventId":"{id}","eventType":"TOKEN_SUSPENDED","state":"{state}","sequence":{sequence},"lastUpdateTimestamp":"2026-01-01T00:00:00.000Z","new":{{"x":[1]}}}}"#
    )
}

#[tokio::test]
async fn a_notification_is_opened_stored_handled_and_answered_204() {
    let world = world();
    let sealed = jwe::seal(br#"{"dpan":"9999991234567893","exp":"1131"}"#, &world.d1).expect("sealed");
    let body = format!(
        r#"{{"eventId":"e1","eventType":"CARD_UPDATED","state":"ACTIVE","cardLastDigits":"0022","cardExpiryDate":"1230",
            "tokenLastDigits":"7893","tokenExpiryDate":"1131","sequence":1,"encryptedData":"{sealed}"}}"#
    );
    let mut request = post(PATH, body);
    request.headers_mut().insert("x-correlation-id", "c-1".parse().expect("a value"));
    let response = world.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(response.headers()["x-correlation-id"], "c-1");
    assert_eq!(world.handler.seen(), [(Some("e1".to_owned()), Freshness::Current)]);
    let record = record(&world).await.expect("stored");
    assert_eq!(record.network_token.expect("credentials").dpan.expose(), "9999991234567893");
    assert_eq!(record.card_last_digits.as_deref(), Some("0022"));
    assert_eq!(record.card_expiry_date.as_deref(), Some("1230"));
    assert_eq!(record.token_last_digits.as_deref(), Some("7893"));
    assert_eq!(record.token_expiry_date.as_deref(), Some("1131"));
    assert_eq!(record.position.sequence, Some(1));
}

#[tokio::test]
async fn a_repeated_event_reaches_the_handler_once() {
    let world = world();
    for _ in 0..3 {
        let (status, _) = send(&world, post(PATH, event("e1", 1, "SUSPENDED"))).await;
        assert_eq!(status, StatusCode::NO_CONTENT);
    }
    assert_eq!(world.handler.seen().len(), 1);
}

#[tokio::test]
async fn two_deliveries_at_once_of_one_event_reach_the_handler_once() {
    let recorder = Recorder { gate: Some(tokio::sync::Semaphore::new(0)), ..Recorder::default() };
    let world = Arc::new(world_with(recorder, |receiver| receiver));
    let deliveries: Vec<_> = (0..2)
        .map(|_| {
            let world = Arc::clone(&world);
            tokio::spawn(async move { send(&world, post(PATH, event("e1", 1, "SUSPENDED"))).await.0 })
        })
        .collect();
    tokio::task::yield_now().await;
    world.handler.gate.as_ref().expect("a gate").add_permits(2);
    for delivery in deliveries {
        assert_eq!(delivery.await.expect("no panic"), StatusCode::NO_CONTENT);
    }
    assert_eq!(world.handler.seen().len(), 1);
}

#[tokio::test]
async fn an_older_event_is_handed_over_as_stale_and_not_applied() {
    let world = world();
    send(&world, post(PATH, event("e2", 2, "ACTIVE"))).await;
    let (status, _) = send(&world, post(PATH, event("e1", 1, "SUSPENDED"))).await;
    assert_eq!(status, StatusCode::NO_CONTENT);
    assert_eq!(
        world.handler.seen(),
        [(Some("e2".to_owned()), Freshness::Current), (Some("e1".to_owned()), Freshness::Stale)]
    );
    let record = record(&world).await.expect("stored");
    assert_eq!((record.state, record.position.sequence), (Some(TokenState::Active), Some(2)));
}

#[tokio::test]
async fn a_late_event_brings_the_dpan_that_the_newer_one_did_not_carry() {
    let world = world();
    let sealed = jwe::seal(br#"{"dpan":"9999991234567893","exp":"1131"}"#, &world.d1).expect("sealed");
    let late = format!(
        r#"{{"eventId":"e1","eventType":"CARD_UPDATED","state":"ACTIVE","sequence":1,"encryptedData":"{sealed}"}}"#
    );
    for body in [event("e2", 2, "SUSPENDED"), late] {
        assert_eq!(send(&world, post(PATH, body)).await.0, StatusCode::NO_CONTENT);
    }
    let record = record(&world).await.expect("stored");
    assert_eq!((record.state, record.position.sequence), (Some(TokenState::Suspended), Some(2)));
    assert_eq!(record.network_token.expect("credentials").dpan.expose(), "9999991234567893");
    assert_eq!(record.member_positions.network_token.sequence, Some(1));
}

#[tokio::test]
async fn an_event_that_cannot_be_placed_is_called_stale_where_the_store_keeps_what_it_has() {
    let world = world();
    for body in [event("e2", 2, "ACTIVE"), r#"{"eventId":"e3","state":"SUSPENDED"}"#.to_owned()] {
        assert_eq!(send(&world, post(PATH, body)).await.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(world.handler.seen()[1], (Some("e3".to_owned()), Freshness::Stale));
    assert_eq!(record(&world).await.expect("stored").state, Some(TokenState::Active));
}

#[tokio::test]
async fn a_member_of_another_type_costs_only_itself() {
    let world = world();
    let body = r#"{"eventId":["e1"],"eventType":1,"state":"SUSPENDED","cardLastDigits":14,"sequence":"7",
        "lastUpdateTimestamp":1e400,"tokenExpiryDate":{}}"#;
    assert_eq!(send(&world, post(PATH, body)).await.0, StatusCode::NO_CONTENT);
    let record = record(&world).await.expect("stored");
    assert_eq!((record.state, record.card_last_digits), (Some(TokenState::Suspended), None));
    assert_eq!(record.position, Position::default());
}

#[tokio::test]
async fn an_event_without_id_and_sequence_is_known_by_its_body_and_ordered_by_its_timestamp() {
    let world = world();
    let body = |state: &str, second: u8| {
        format!(r#"{{"state":"{state}","lastUpdateTimestamp":"2026-01-01T00:00:0{second}Z"}}"#)
    };
    for body in [body("ACTIVE", 2), body("ACTIVE", 2), body("SUSPENDED", 1)] {
        assert_eq!(send(&world, post(PATH, body)).await.0, StatusCode::NO_CONTENT);
    }
    assert_eq!(world.handler.seen(), [(None, Freshness::Current), (None, Freshness::Stale)]);
    assert_eq!(record(&world).await.expect("stored").state, Some(TokenState::Active));
}

#[tokio::test]
async fn a_handler_that_fails_is_called_again_and_then_no_more() {
    let world = world();
    world.handler.fails.store(true, Ordering::SeqCst);
    let request = || post(PATH, event("e1", 1, "SUSPENDED"));
    let (status, body) = send(&world, request()).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("SERVICE_UNAVAILABLE") && !body.contains("told"), "{body}");
    world.handler.fails.store(false, Ordering::SeqCst);
    assert_eq!(send(&world, request()).await.0, StatusCode::NO_CONTENT);
    assert_eq!(send(&world, request()).await.0, StatusCode::NO_CONTENT);
    // The repetition is no older than what its first delivery left in the store.
    assert_eq!(world.handler.seen(), vec![(Some("e1".to_owned()), Freshness::Current); 2]);
}

#[tokio::test]
async fn a_handler_that_hangs_or_panics_makes_503_and_blocks_nobody() {
    let world =
        world_with(Recorder::default(), |receiver| receiver.handler_timeout(Duration::from_millis(20)));
    let request = || post(PATH, event("e1", 1, "SUSPENDED"));
    world.handler.hangs.store(true, Ordering::SeqCst);
    assert_eq!(send(&world, request()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.handler.hangs.store(false, Ordering::SeqCst);
    world.handler.panics.store(true, Ordering::SeqCst);
    assert_eq!(send(&world, request()).await.0, StatusCode::SERVICE_UNAVAILABLE);
    world.handler.panics.store(false, Ordering::SeqCst);
    assert_eq!(send(&world, request()).await.0, StatusCode::NO_CONTENT);
}

/// Takes down the span in which it is called.
#[derive(Default)]
struct InSpan(Mutex<Option<&'static str>>);

impl NotificationHandler for InSpan {
    fn handle<'a>(&'a self, _: &'a Notification, _: Freshness) -> BoxFuture<'a, Result<(), HandlerError>> {
        Box::pin(async move {
            *self.0.lock().expect("no panic") = tracing::Span::current().metadata().map(|span| span.name());
            Ok(())
        })
    }
}

#[tokio::test]
async fn the_handler_is_called_within_the_span_of_its_notification() {
    // A subscriber that is alone is asked only by its own thread about spans that are new, so that a test beside this one
    // could have them called of no interest; two are both asked by all.
    let _another = tracing::Dispatch::new(tracing_subscriber::registry());
    let subscriber = tracing_subscriber::fmt().with_writer(std::io::sink).finish();
    let _default = tracing::subscriber::set_default(subscriber);
    let (_, private) = jwk_pair("own");
    let handler = Arc::new(InSpan::default());
    let receiver = Receiver::new(
        GatewayId::new("MGW_000001").expect("an id"),
        OwnKey::from_jwk(private.as_bytes()).expect("a key"),
        Arc::clone(&handler) as Arc<dyn NotificationHandler>,
    );
    let response = receiver.router().oneshot(post(PATH, "{}")).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert_eq!(*handler.0.lock().expect("no panic"), Some("d1_notification"));
}

#[tokio::test]
async fn deliveries_over_the_bound_are_asked_to_come_again() {
    let recorder = Recorder { gate: Some(tokio::sync::Semaphore::new(0)), ..Recorder::default() };
    let world = Arc::new(world_with(recorder, |receiver| receiver.concurrent_deliveries(1)));
    let first = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { send(&world, post(PATH, event("e1", 1, "SUSPENDED"))).await.0 })
    };
    let other = PATH.replace("tok-1", "tok-2");
    // On this single-threaded runtime the first delivery runs until it waits in its handler, place in hand.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let (status, _) = send(&world, post(&other, event("e2", 1, "SUSPENDED"))).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    world.handler.gate.as_ref().expect("a gate").add_permits(1);
    assert_eq!(first.await.expect("no panic"), StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let world = world();
    let (stranger, _) = jwk_pair("own");
    let stranger = RecipientKey::from_jwk(stranger.as_bytes()).expect("a key");
    let foreign = jwe::seal(b"{\"dpan\":\"1\",\"exp\":\"1\"}", &stranger).expect("sealed");
    let empty = jwe::seal(b"{}", &world.d1).expect("sealed");
    let sealed = |jwe: &str| format!("{{\"encryptedData\":\"{jwe}\"}}").into_bytes();
    for (path, body, status, named) in [
        (PATH.to_owned(), b"{".to_vec(), 400, "body"),
        (PATH.to_owned(), b"[]".to_vec(), 400, "body"),
        (PATH.to_owned(), b"\xEF\xBB\xBF{}".to_vec(), 400, "body"),
        (PATH.to_owned(), b"{\"state\":\"A\",\"state\":\"B\"}".to_vec(), 400, "body"),
        (PATH.to_owned(), b"{\"eventId\":\"\xff\"}".to_vec(), 400, "body"),
        (PATH.to_owned(), sealed("rubbish"), 400, "encryptedData"),
        (PATH.to_owned(), sealed(&foreign), 400, "encryptedData"),
        (PATH.to_owned(), sealed(&empty), 400, "encryptedData"),
        (PATH.to_owned(), vec![b' '; 64 * 1024 + 1], 413, "body"),
        (PATH.replace("MGW_000001", "MGW_000002"), b"{}".to_vec(), 404, "merchantGatewayId"),
        (PATH.replace("tok-1", "tok%2F1"), b"{}".to_vec(), 400, "tokenId"),
        (PATH.replace("10610027312", "a.b"), b"{}".to_vec(), 400, "merchantId"),
    ] {
        let (found, answer) = send(&world, post(&path, body)).await;
        assert_eq!(found.as_u16(), status, "{path} {answer}");
        let answer: serde_json::Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(answer["error"], named, "{path}");
    }
    assert!(world.handler.seen().is_empty());
}

/// A body that yields `Some(error)` or never yields.
struct Broken(Option<&'static str>);

impl axum::body::HttpBody for Broken {
    type Data = bytes::Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, std::io::Error>>> {
        match self.0 {
            Some(text) => std::task::Poll::Ready(Some(Err(std::io::Error::other(text)))),
            None => std::task::Poll::Pending,
        }
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_or_does_not_come_may_come_again() {
    let credentials = ClientCredentials::new("id", "secret").expect("credentials");
    let open = |receiver: Receiver| receiver.handler_timeout(Duration::from_millis(20));
    let world = world_with(Recorder::default(), open);
    let guarded = world_with(Recorder::default(), |receiver| open(receiver).client_credentials(credentials));
    for text in [Some("reset"), None] {
        let (status, _) = send(&world, post(PATH, Body::new(Broken(text)))).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text:?}");
        let (status, _) = send(&guarded, post("/oauth2/token", Body::new(Broken(text)))).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{text:?}");
    }
}

#[tokio::test]
async fn a_delivery_has_its_place_before_its_body_is_read() {
    let world = Arc::new(world_with(Recorder::default(), |receiver| receiver.concurrent_deliveries(1)));
    let slow = {
        let world = Arc::clone(&world);
        tokio::spawn(async move { send(&world, post(PATH, Body::new(Broken(None)))).await })
    };
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    // Without a place nothing is read of it, so that it is not found to be rubbish.
    assert_eq!(send(&world, post(PATH, "{")).await.0, StatusCode::SERVICE_UNAVAILABLE);
    slow.abort();
}

#[tokio::test]
async fn a_correlation_id_that_is_malformed_is_tolerated_and_not_echoed() {
    let world = world();
    let mut request = post(PATH, "{}");
    request.headers_mut().insert("x-correlation-id", "not ok".parse().expect("a value"));
    let response = world.router.clone().oneshot(request).await.expect("infallible");
    assert_eq!(response.status(), StatusCode::NO_CONTENT);
    assert!(response.headers().get("x-correlation-id").is_none());
}

#[tokio::test]
async fn without_a_client_certificate_nothing_is_done_unless_a_proxy_is_trusted() {
    let bare = || Request::post(PATH).body(Body::from("{}")).expect("a request");
    assert_eq!(send(&world(), bare()).await.0, StatusCode::FORBIDDEN);
    // Not even that a path is malformed is told.
    let malformed = PATH.replace("tok-1", "%FF");
    let stranger = Request::post(&malformed).body(Body::from("{}")).expect("a request");
    assert_eq!(send(&world(), stranger).await.0, StatusCode::FORBIDDEN);
    assert_eq!(send(&world(), post(&malformed, "{}")).await.0, StatusCode::BAD_REQUEST);
    let behind = world_with(Recorder::default(), Receiver::behind_trusted_proxy);
    assert_eq!(send(&behind, bare()).await.0, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn several_gateways_are_mounted_below_a_prefix_each() {
    let (one, other) = (world(), world());
    let both = Router::new().nest("/one", one.router.clone()).nest("/other", other.router.clone());
    let request = post(&format!("/other{PATH}"), event("e1", 1, "SUSPENDED"));
    assert_eq!(both.oneshot(request).await.expect("infallible").status(), StatusCode::NO_CONTENT);
    assert_eq!((one.handler.seen().len(), other.handler.seen().len()), (0, 1));
}
