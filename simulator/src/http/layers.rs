//! What every request goes through, whatever its route: intake, the certificate's verdict, the
//! echo of the correlation id, the record.

use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONNECTION, HeaderValue};
use http::{Method, Version};

use crate::auth::AuthError;
use crate::journal::{self, Body, Fact, Why};
use crate::tls::Peer;

use super::answer::Left;
use super::extract::{CORRELATION, correlation};
use super::intake::Intake;
use super::problem::Problem;
use super::{App, router};

/// Takes the request in, lets it be answered, and writes down both.
pub(crate) async fn exchange(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let intake = Intake::read(&parts.headers, body).await;
    let peer = parts.extensions.get::<Arc<Peer>>().cloned();
    let matched = parts.extensions.get::<MatchedPath>();
    let operation = matched.and_then(|path| router::operation(&parts.method, path.as_str()));
    let head_only = parts.method == Method::HEAD && matched.is_some();
    let correlation = correlation(&parts.headers).ok();
    let (method, uri, version) = (parts.method.clone(), parts.uri.clone(), parts.version);

    let verdict = peer.as_deref().map(|peer| &peer.verdict);
    let mut response = match verdict {
        None => Problem::internal().into_response(),
        Some(Err(why)) => Problem::from(AuthError::Certificate(why.clone())).into_response(),
        // Axum would answer HEAD wherever there is GET; the contract knows no HEAD.
        Some(Ok(_)) if head_only => Problem::method_not_allowed().into_response(),
        Some(Ok(_)) => {
            parts.extensions.insert(intake.clone());
            next.run(Request::from_parts(parts, axum::body::Body::empty())).await
        }
    };

    if let Some(value) = correlation.as_deref().and_then(|id| HeaderValue::from_str(id).ok()) {
        response.headers_mut().insert(CORRELATION, value);
    }
    let left = response.extensions_mut().remove::<Left>();
    if !matches!(intake, Intake::Whole(_)) && version < Version::HTTP_2 {
        // What was not read of the body would be taken for the next request.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    let request = journal::Request {
        operation,
        method: method.as_str(),
        path: uri.path(),
        peer: peer.as_deref().map_or("", |peer| &peer.name),
        status: response.status().as_u16(),
        refused: response.extensions_mut().remove::<Why>(),
        request: match &intake {
            Intake::Whole(body) => Body::of(body),
            Intake::TooLarge | Intake::Broken => None,
        },
        answer: left.as_ref().and_then(|Left(body)| Body::of(body)),
    };
    let gateway = peer.as_deref().and_then(|peer| peer.verdict.as_ref().ok());
    let gateway = gateway.map(crate::domain::GatewayId::as_str);
    app.journal.record(app.clock.now().at, gateway, correlation.as_deref(), &Fact::Request(request));
    response
}
