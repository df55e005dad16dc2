//! The router: checks in order, then the delivery.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tracing::Instrument as _;

use super::Receiver;
use super::answer::Refusal;
use super::deliver::Deliveries;
use super::memory::EventKey;
use super::notification::{Notification, Wire};
use super::oauth::Issuer;
use super::peer::PeerCertificate;
use super::store::TokenKey;
use crate::jwk::OwnKey;
use crate::model::{CorrelationId, GatewayId, MerchantId, NetworkToken, TokenId};
use crate::operation::{CORRELATION_HEADER, opened};

const MAX_BODY_BYTES: usize = 64 * 1024;

struct Shared {
    gateway: GatewayId,
    own_key: OwnKey,
    issuer: Option<Arc<Issuer>>,
    deliveries: Arc<Deliveries>,
}

/// What the token endpoint needs.
#[derive(Clone)]
struct TokenEndpoint {
    issuer: Arc<Issuer>,
    timeout: Duration,
}

pub(super) fn build(receiver: Receiver) -> Router {
    let issuer =
        receiver.client_credentials.map(|credentials| Arc::new(Issuer::new(credentials, receiver.clock)));
    let timeout = receiver.handler_timeout;
    let shared = Shared {
        gateway: receiver.gateway,
        own_key: receiver.own_key,
        issuer: issuer.clone(),
        deliveries: Arc::new(Deliveries::new(
            receiver.handler,
            receiver.store,
            receiver.remembered_events,
            receiver.concurrent_deliveries,
            timeout,
        )),
    };
    let mut router = Router::new().route(
        "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}/notify-update",
        post(notify).with_state(Arc::new(shared)),
    );
    if let Some(issuer) = issuer {
        router = router.route("/oauth2/token", post(token).with_state(TokenEndpoint { issuer, timeout }));
    }
    router.route_layer(middleware::from_fn_with_state(receiver.trusted_proxy, admit))
}

/// Who has shown no certificate learns nothing else, not even whether the path is well formed.
async fn admit(State(trusted_proxy): State<bool>, request: Request<Body>, next: Next) -> Response {
    let correlation = correlation(request.headers());
    let response = if trusted_proxy || request.extensions().get::<PeerCertificate>().is_some() {
        next.run(request).await
    } else {
        Refusal::NoCertificate.into_response()
    };
    echoed(response, correlation.as_ref())
}

async fn token(State(endpoint): State<TokenEndpoint>, request: Request<Body>) -> Response {
    let answer = async {
        let (head, body) = request.into_parts();
        let body = tokio::time::timeout(endpoint.timeout, read_body(body));
        endpoint.issuer.issue(&head.headers, &body.await.unwrap_or(Err(Refusal::Unavailable))?)
    }
    .await;
    match answer {
        Ok(answer) => {
            let mut response = (StatusCode::OK, answer.as_str().to_owned()).into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}

async fn notify(
    State(shared): State<Arc<Shared>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    request: Request<Body>,
) -> Response {
    let correlation = correlation(request.headers());
    let span = tracing::info_span!(
        "d1_notification",
        correlation_id = correlation.as_ref().map(CorrelationId::as_str),
        event_id = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    let answer = async {
        let Path((gateway, merchant, token)) = path.map_err(|_| Refusal::Format("path"))?;
        receive(shared, Target { gateway, merchant, token }, correlation, request).await
    };
    let response = match answer.instrument(span.clone()).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    span.record("status", response.status().as_u16());
    response
}

/// The path as it came.
struct Target {
    gateway: String,
    merchant: String,
    token: String,
}

async fn receive(
    shared: Arc<Shared>,
    path: Target,
    correlation: Option<CorrelationId>,
    request: Request<Body>,
) -> Result<(), Refusal> {
    if let Some(issuer) = &shared.issuer
        && !issuer.admits(request.headers())
    {
        return Err(Refusal::Bearer);
    }
    if path.gateway != shared.gateway.as_str() {
        return Err(Refusal::NotFound);
    }
    let key = TokenKey {
        gateway_id: shared.gateway.clone(),
        merchant_id: MerchantId::from_stored(path.merchant).map_err(|_| Refusal::Format("merchantId"))?,
        token_id: TokenId::from_stored(path.token).map_err(|_| Refusal::Format("tokenId"))?,
    };
    let deliveries = Arc::clone(&shared.deliveries);
    let read = async move {
        let body = read_body(request.into_body()).await?;
        notification(&body, key, correlation, &shared.own_key)
    };
    deliveries.deliver(read).await
}

fn notification(
    body: &[u8],
    key: TokenKey,
    correlation: Option<CorrelationId>,
    own_key: &OwnKey,
) -> Result<(Notification, EventKey), Refusal> {
    let wire = Wire::read(body).map_err(|fault| {
        tracing::warn!(%fault, "the body cannot be read");
        Refusal::Format("body")
    })?;
    if let Some(id) = &wire.event_id {
        tracing::Span::current().record("event_id", id.as_str());
    }
    let event = EventKey::new(&key, wire.event_id.as_deref(), wire.last_update_timestamp.as_deref(), body);
    Ok((read(wire, key, correlation, own_key)?, event))
}

fn read(
    wire: Wire,
    key: TokenKey,
    correlation_id: Option<CorrelationId>,
    own_key: &OwnKey,
) -> Result<Notification, Refusal> {
    let network_token: Option<NetworkToken> = match &wire.sealed {
        None => None,
        Some(sealed) => Some(opened(sealed, own_key).map_err(|fault| {
            tracing::warn!(%fault, "encryptedData is of no use");
            Refusal::Format("encryptedData")
        })?),
    };
    Ok(Notification {
        gateway_id: key.gateway_id,
        merchant_id: key.merchant_id,
        token_id: key.token_id,
        correlation_id,
        sequence: wire.sequence(),
        event_id: wire.event_id,
        event_type: wire.event_type,
        state: wire.state,
        card_last_digits: wire.card_last_digits,
        card_expiry_date: wire.card_expiry_date,
        token_last_digits: wire.token_last_digits,
        token_expiry_date: wire.token_expiry_date,
        last_update_timestamp: wire.last_update_timestamp,
        network_token,
    })
}

/// The whole body, within its size. A body that breaks off is the network's fault, not D1's: it may come again.
async fn read_body(body: Body) -> Result<Bytes, Refusal> {
    match Limited::new(body, MAX_BODY_BYTES).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Err(_) => Err(Refusal::Unavailable),
    }
}

/// The correlation id, if there is one that is well formed: it is for logs, so that nothing is refused for it.
fn correlation(headers: &HeaderMap) -> Option<CorrelationId> {
    let value = headers.get(CORRELATION_HEADER)?.to_str().ok()?;
    CorrelationId::new(value).ok()
}

fn echoed(mut response: Response, correlation: Option<&CorrelationId>) -> Response {
    if let Some(value) = correlation.and_then(|correlation| HeaderValue::from_str(correlation.as_str()).ok())
    {
        response.headers_mut().insert(CORRELATION_HEADER, value);
    }
    response
}
