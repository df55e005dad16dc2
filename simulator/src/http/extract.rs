//! Extractors, in the order of the checks (C31).

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use http::HeaderMap;
use http::request::Parts;

use crate::auth::{AuthError, Caller, GatewayKeys, bearer_of};
use crate::domain::{GatewayId, MerchantId, Refusal, TokenId};
use crate::journal::Why;
use crate::tls::Peer;

use super::App;
use super::intake::Intake;
use super::mishap::RevokeBearer;
use super::problem::Problem;
use super::strict_json::{Wire, decode};

/// The name of the header that follows one use case through all its calls [D1].
pub(crate) const CORRELATION: &str = "x-correlation-id";

/// A request with a good `x-correlation-id`, over the connection of a known gateway.
pub(crate) struct Correlated {
    pub(crate) gateway: GatewayId,
    pub(crate) correlation: Arc<str>,
}

/// A closed JSON body.
pub(crate) struct Strict<T>(pub(crate) T);

/// The merchant that the path names.
pub(crate) struct MerchantPath(pub(crate) MerchantId);

/// The merchant and the token that the path names.
pub(crate) struct TokenPath(pub(crate) MerchantId, pub(crate) TokenId);

/// The correlation id of a request, or what is wrong with it (C7).
pub(crate) fn correlation(headers: &HeaderMap) -> Result<Arc<str>, AuthError> {
    let mut values = headers.get_all(CORRELATION).iter();
    let why = |actual: &'static str| {
        let expected = "one value of the pattern ^[A-Za-z0-9_-]{1,64}$".into();
        Why { check: CORRELATION, expected, actual: actual.into() }
    };
    let fault = |actual| AuthError::BadCorrelation(why(actual));
    let value = values.next().ok_or_else(|| AuthError::MissingCorrelation(why("none")))?;
    if values.next().is_some() {
        return Err(fault("two values"));
    }
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    match value.to_str() {
        Ok(text) if (1..=64).contains(&text.len()) && text.bytes().all(good) => Ok(text.into()),
        Ok("") => Err(fault("an empty value")),
        Ok(text) if text.len() > 64 => Err(fault("a longer value")),
        _ => Err(fault("a value with other characters")),
    }
}

impl App {
    /// The keys of a gateway whose certificate was good when it connected. It may have been deleted since (C2).
    pub(super) fn keys(&self, gateway: &GatewayId) -> Result<Arc<GatewayKeys>, Problem> {
        let deleted = || {
            let expected = "one that has not been deleted".into();
            let actual = gateway.to_string().into();
            AuthError::Certificate(Why { check: "certificate gateway", expected, actual }).into()
        };
        self.gateways.keys(gateway).ok_or_else(deleted)
    }
}

impl FromRequestParts<Arc<App>> for Correlated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Arc<Peer>>().and_then(|peer| peer.verdict.as_ref().ok());
        // The exchange layer let nobody through whose certificate names no gateway.
        let gateway = peer.cloned().ok_or_else(Problem::internal)?;
        app.keys(&gateway)?;
        let correlation = correlation(&parts.headers)?;
        Ok(Self { gateway, correlation })
    }
}

impl FromRequestParts<Arc<App>> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Correlated { gateway, correlation } = Correlated::from_request_parts(parts, app).await?;
        let path_gateway = path_text(parts, app, "gateway").await;
        let path_gateway = path_gateway.as_deref().unwrap_or_default();
        let now = app.clock.now().at;
        if parts.extensions.get::<RevokeBearer>().is_some()
            && let Ok(bearer) = bearer_of(&parts.headers)
            && let Some(revoked) = app.tokens.revoke(bearer)
        {
            app.world.access_token_revoked(&revoked.gateway, &revoked.correlation, revoked.ends);
        }
        let judged = Self::judge(&gateway, path_gateway, correlation, &parts.headers, &app.tokens, now)?;
        // A body that nobody reads has to keep to its size all the same (C31).
        parts.extensions.get::<Intake>().ok_or_else(Problem::internal)?.whole()?;
        Ok(judged)
    }
}

impl<T: Wire> FromRequest<Arc<App>> for Strict<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<App>) -> Result<Self, Problem> {
        let intake = request.extensions().get::<Intake>().ok_or_else(Problem::internal)?;
        let body = intake.json(request.headers())?;
        Ok(Self(decode(body)?))
    }
}

impl FromRequestParts<Arc<App>> for MerchantPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let merchant = path_text(parts, app, "merchant").await;
        merchant.as_deref().and_then(MerchantId::parse).map(Self).ok_or(Refusal::UnknownMerchant.into())
    }
}

impl FromRequestParts<Arc<App>> for TokenPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let MerchantPath(merchant) = MerchantPath::from_request_parts(parts, app).await?;
        let token = path_text(parts, app, "token").await;
        let token = token.as_deref().and_then(TokenId::parse).ok_or(Refusal::UnknownToken)?;
        Ok(Self(merchant, token))
    }
}

/// A parameter of the path; nothing if the path is not text.
async fn path_text(parts: &mut Parts, app: &Arc<App>, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, app).await.ok()?;
    params.iter().find(|(other, _)| *other == name).map(|(_, value)| value.to_owned())
}
