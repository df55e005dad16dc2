//! The router: checks in order, then the delivery.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, State};
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
/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

struct Shared {
    gateway: GatewayId,
    own_key: OwnKey,
    trusted_proxy: bool,
    issuer: Option<Issuer>,
    deliveries: Arc<Deliveries>,
}

pub(super) fn build(receiver: Receiver) -> Router {
    let issuer = receiver.client_credentials.map(|credentials| Issuer::new(credentials, receiver.clock));
    let issues = issuer.is_some();
    let shared = Arc::new(Shared {
        gateway: receiver.gateway,
        own_key: receiver.own_key,
        trusted_proxy: receiver.trusted_proxy,
        issuer,
        deliveries: Arc::new(Deliveries::new(
            receiver.handler,
            receiver.store,
            receiver.remembered_events,
            receiver.concurrent_deliveries,
            receiver.handler_timeout,
        )),
    });
    let router = Router::new().route(
        "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}/notify-update",
        post(notify),
    );
    let router = if issues { router.route("/oauth2/token", post(token)) } else { router };
    router.with_state(shared)
}

impl Shared {
    fn check_peer(&self, request: &Request<Body>) -> Result<(), Refusal> {
        if self.trusted_proxy || request.extensions().get::<PeerCertificate>().is_some() {
            return Ok(());
        }
        Err(Refusal::NoCertificate)
    }
}

async fn token(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let correlation = correlation(request.headers());
    let answer = async {
        shared.check_peer(&request)?;
        let issuer = shared.issuer.as_ref().ok_or(Refusal::NotFound)?;
        let (head, body) = request.into_parts();
        issuer.issue(&head.headers, &read_body(body).await?)
    }
    .await;
    let response = match answer {
        Ok(answer) => {
            let mut response = (StatusCode::OK, answer.as_str().to_owned()).into_response();
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
            response
        }
        Err(refusal) => refusal.into_response(),
    };
    echoed(response, correlation.as_ref())
}

async fn notify(
    State(shared): State<Arc<Shared>>,
    Path((gateway, merchant, token)): Path<(String, String, String)>,
    request: Request<Body>,
) -> Response {
    let correlation = correlation(request.headers());
    let span = tracing::info_span!(
        "d1_notification",
        correlation_id = correlation.as_ref().map(CorrelationId::as_str),
        event_id = tracing::field::Empty,
        status = tracing::field::Empty,
    );
    let path = Target { gateway, merchant, token };
    let answer = receive(&shared, path, correlation.clone(), request).instrument(span.clone()).await;
    let response = match answer {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(refusal) => refusal.into_response(),
    };
    span.record("status", response.status().as_u16());
    echoed(response, correlation.as_ref())
}

/// The path as it came.
struct Target {
    gateway: String,
    merchant: String,
    token: String,
}

async fn receive(
    shared: &Shared,
    path: Target,
    correlation: Option<CorrelationId>,
    request: Request<Body>,
) -> Result<(), Refusal> {
    shared.check_peer(&request)?;
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
        merchant_id: MerchantId::received(path.merchant).ok_or(Refusal::Format("merchantId"))?,
        token_id: TokenId::received(path.token).ok_or(Refusal::Format("tokenId"))?,
    };
    let body = read_body(request.into_body()).await?;
    let wire = Wire::read(&body).map_err(|fault| {
        tracing::warn!(%fault, "the body cannot be read");
        Refusal::Format("body")
    })?;
    if let Some(id) = &wire.event_id {
        tracing::Span::current().record("event_id", id.as_str());
    }
    let event = EventKey::new(&key, wire.event_id.as_deref(), wire.last_update_timestamp.as_deref(), &body);
    let notification = read(wire, key, correlation, &shared.own_key)?;
    shared.deliveries.deliver(notification, event).await
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

/// The whole body, within its size and its time.
async fn read_body(body: Body) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, MAX_BODY_BYTES);
    match tokio::time::timeout(BODY_TIMEOUT, limited.collect()).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge),
        Ok(Err(_)) | Err(_) => Err(Refusal::Format("body")),
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
