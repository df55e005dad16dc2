//! What every request goes through, whatever its route: intake, the certificate's verdict, the
//! echo of the correlation id, the record.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, HttpBody};
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use http::{Method, Version};
use hyper::body::{Frame, SizeHint};
use tokio::sync::{Semaphore, oneshot};

use crate::auth::AuthError;
use crate::clock::{Clock, Open, Waiter, rfc3339};
use crate::faults::{Call, Faults};
use crate::journal::{self, Fact, Journal, Why};
use crate::stop::Stop;
use crate::tls::Peer;

use super::answer::Left;
use super::extract::{CORRELATION, correlation};
use super::intake::Intake;
use super::mishap::{self, Met, RevokeBearer};
use super::problem::Problem;
use super::router;

/// At most so many requests at once, those counted whose callers have gone.
const MOST: usize = 16_384;

/// Answering requests to their end.
#[derive(Clone)]
pub(super) struct Exchanges {
    journal: Arc<Journal>,
    faults: Arc<Faults>,
    clock: Clock,
    room: Arc<Semaphore>,
    stop: Stop,
}

impl Exchanges {
    pub(super) fn new(journal: Arc<Journal>, faults: Arc<Faults>, clock: Clock, stop: Stop) -> Self {
        Self { journal, faults, clock, room: Arc::new(Semaphore::new(MOST)), stop }
    }
}

/// Takes the request in, lets it be answered, and writes down both. What is not done at once goes on in
/// a task of its own: a caller who gives up must neither stop half way what he asked for nor leave no
/// trace of it.
pub(super) async fn exchange(State(mut all): State<Exchanges>, request: Request, next: Next) -> Response {
    // Dropped once the last byte of the answer has been handed over.
    let open = all.clock.open();
    let permit = Arc::clone(&all.room).try_acquire_owned().ok();
    let room = permit.is_some();
    let mut work = Box::pin({
        let all = all.clone();
        async move { all.recorded(request, next, room).await }
    });
    // Nearly every request is done here: a task and a channel would cost more than it does.
    let first = poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await;
    if let Poll::Ready(response) = first {
        return held(response, open);
    }
    let (answered, answer) = oneshot::channel();
    tokio::spawn(async move {
        let mut answered = answered;
        let abandoned = async {
            all.stop.told().await;
            answered.closed().await;
        };
        let response = tokio::select! {
            biased;
            response = work => response,
            // On a clock that stands still there may be nothing else to wait for.
            () = abandoned => return,
        };
        drop(permit);
        // A caller who has gone needs no answer.
        let _ = answered.send(held(response, open));
    });
    answer.await.unwrap_or_else(|_| Problem::internal().into_response())
}

/// The answer, whose exchange is open until it was given whole.
fn held(response: Response, open: Open) -> Response {
    match open.is_counted() {
        true => response.map(|body| Body::new(Held { body, _open: open })),
        false => response,
    }
}

/// A body whose exchange is open.
struct Held {
    body: Body,
    _open: Open,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Exchanges {
    async fn recorded(&self, request: Request, next: Next, room: bool) -> Response {
        let arrived = self.clock.now().at;
        let (mut parts, body) = request.into_parts();
        let intake = Intake::read(&parts.headers, body).await;
        let peer = parts.extensions.get::<Arc<Peer>>().cloned();
        let matched = parts.extensions.get::<MatchedPath>().cloned();
        let operation = matched.as_ref().and_then(|path| router::operation(&parts.method, path.as_str()));
        let correlation = correlation(&parts.headers).ok();
        let headers = journal::Headers::of(&parts.headers);
        let (method, uri, version) = (parts.method.clone(), parts.uri.clone(), parts.version);

        let mut response = match (peer.as_deref().map(|peer| &peer.verdict), matched) {
            (None, _) => Problem::internal().into_response(),
            (Some(Err(why)), _) => Problem::from(AuthError::Certificate(why.clone())).into_response(),
            _ if !room => Problem::unavailable("service unavailable").because(no_room()).into_response(),
            // Axum would answer HEAD wherever there is GET; the contract knows no HEAD.
            (_, Some(path)) if method == Method::HEAD => {
                router::other_method(&method, path.as_str()).into_response()
            }
            (Some(Ok(gateway)), _) => {
                let who = Waiter {
                    gateway: Some(gateway.clone()),
                    correlation: correlation.as_deref().map(Arc::from),
                };
                let gateway = gateway.as_str();
                let call = operation.map(|operation| Call {
                    operation,
                    gateway,
                    path: uri.path(),
                    correlation: correlation.as_deref(),
                    card: None,
                });
                parts.extensions.insert(intake.clone());
                self.answered((call, who), parts, next).await
            }
        };

        if let Some(value) = correlation.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
            response.headers_mut().insert(CORRELATION, value);
        }
        let mut met = response.extensions_mut().remove::<Met>();
        if let Some(met) = &mut met {
            response = mishap::finished(met, response, |struck, befell| {
                let gateway = peer.as_deref().and_then(|peer| peer.verdict.as_ref().ok());
                if let (Some(operation), Some(gateway)) = (operation, gateway) {
                    let (path, correlation) = (uri.path(), correlation.as_deref());
                    let call = Call { operation, gateway: gateway.as_str(), path, correlation, card: None };
                    self.faults.settle(struck, befell, &call, self.clock.now().at);
                }
            });
        }
        let left = response.extensions_mut().remove::<Left>();
        if !matches!(intake, Intake::Whole(_)) && version < Version::HTTP_2 {
            // What was not read of the body would be taken for the next request.
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let unanswered = met.as_ref().is_some_and(|met| met.unanswered);
        let refused = response.extensions_mut().remove::<Why>();
        let request = journal::Request {
            arrived: rfc3339(arrived),
            operation,
            method: method.as_str(),
            path: uri.path(),
            peer: peer.as_deref().map_or("", |peer| &peer.name),
            headers,
            status: (!unanswered).then(|| response.status().as_u16()),
            media_type: response
                .headers()
                .get(CONTENT_TYPE)
                .filter(|_| !unanswered)
                .and_then(|value| value.to_str().ok()),
            faults: &met.as_ref().map(Met::names).unwrap_or_default(),
            forced: met.as_ref().is_some_and(|met| met.forced),
            refused,
            request: match &intake {
                Intake::Whole(body) => journal::Body::of(body),
                Intake::TooLarge | Intake::Broken => None,
            },
            answer: left.as_ref().filter(|_| !unanswered).and_then(|Left(body)| journal::Body::of(body)),
        };
        let gateway = peer.as_deref().and_then(|peer| peer.verdict.as_ref().ok());
        let gateway = gateway.map(crate::domain::GatewayId::as_str);
        self.journal.record(self.clock.now().at, gateway, correlation.as_deref(), &Fact::Request(request));
        response
    }

    /// Faults come before all that follows certificate and route.
    async fn answered(
        &self,
        (call, who): (Option<Call<'_>>, Waiter),
        mut parts: Parts,
        next: Next,
    ) -> Response {
        let now = self.clock.now().at;
        let struck = call.map(|call| self.faults.strike_call(&call, now)).unwrap_or_default();
        if mishap::revokes(&struck) {
            parts.extensions.insert(RevokeBearer);
        }
        let work = next.run(Request::from_parts(parts, Body::empty()));
        if struck.is_empty() {
            return work.await;
        }
        let scene = mishap::Scene { faults: &self.faults, clock: &self.clock, who };
        mishap::around(struck, scene, work).await
    }
}

fn no_room() -> Why {
    let expected = format!("fewer than {MOST} requests that are being answered");
    Why { check: "room in the sandbox", expected: expected.into(), actual: "more".into() }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn_with_state;
    use axum::routing::post;
    use tokio::sync::{Notify, watch};
    use tower::ServiceExt as _;

    use super::*;
    use crate::chance::Chance;
    use crate::clock::ClockMode;
    use crate::domain::GatewayId;
    use crate::faults::Known;

    /// A route that begins, waits and ends when told.
    struct Stage {
        begun: Arc<Notify>,
        go_on: Arc<Notify>,
        journal: Arc<Journal>,
        router: Router,
        stop: watch::Sender<bool>,
    }

    fn stage(room: usize) -> Stage {
        let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (journal, (stop, stopped)) = (Arc::new(Journal::new()), Stop::pair());
        let faults = Faults::new(Chance::new(1), Known::default(), Arc::clone(&journal));
        let exchanges = Exchanges {
            room: Arc::new(Semaphore::new(room)),
            ..Exchanges::new(
                Arc::clone(&journal),
                faults,
                Clock::new(ClockMode::Manual { start_ms: 0 }),
                stopped,
            )
        };
        let (begins, goes_on) = (Arc::clone(&begun), Arc::clone(&go_on));
        let handler = post(async move || {
            begins.notify_one();
            goes_on.notified().await;
        });
        let router = Router::new().route("/", handler).layer(from_fn_with_state(exchanges, exchange));
        Stage { begun, go_on, journal, router, stop }
    }

    fn request() -> Request {
        let verdict = Ok(GatewayId::parse("MGW_000001").expect("an id"));
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::POST;
        request.extensions_mut().insert(Arc::new(Peer { name: "a peer".into(), verdict }));
        request
    }

    /// Asks and gives up once the handler is at it.
    async fn give_up(stage: &Stage) {
        let call = tokio::spawn(stage.router.clone().oneshot(request()));
        stage.begun.notified().await;
        call.abort();
        assert!(call.await.is_err(), "given up");
    }

    #[tokio::test]
    async fn what_was_begun_is_done_and_written_down_though_its_caller_gave_up() {
        let stage = stage(1);
        give_up(&stage).await;
        stage.go_on.notify_one();
        stage.journal.wait_beyond(0).await;
        let entry = String::from_utf8(stage.journal.page(0)).expect("text");
        assert!(entry.contains(r#""status":200"#), "{entry}");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_ends_when_the_sandbox_stops() {
        let stage = stage(1);
        give_up(&stage).await;
        stage.stop.send_replace(true);
        let Stage { go_on, router, .. } = stage;
        drop(router);
        while Arc::strong_count(&go_on) > 1 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn beyond_the_bound_a_request_is_refused_with_the_reason() {
        let stage = stage(0);
        let response = stage.router.oneshot(request()).await.expect("an answer");
        assert_eq!(response.status(), 503);
        let entry = String::from_utf8(stage.journal.page(0)).expect("text");
        assert!(entry.contains("room in the sandbox"), "{entry}");
    }
}
