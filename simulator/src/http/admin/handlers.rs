//! One function a path.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, RawQuery, Request, State};
use axum::response::Response;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::request::Parts;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::whole::Whole;
use super::wire::{NewEvent, NewForgery, Nothing};
use super::{Admin, gateways};
use crate::clock::rfc3339;
use crate::domain::{GatewayId, Refusal};
use crate::http::answer::{answer, empty};
use crate::http::intake::Intake;
use crate::http::problem::Problem;
use crate::http::strict_json::{DecodeError, DecodeKind, Wire, decode};
use crate::journal::{Journal, Page, redacted};

/// The longest wait for a journal entry, or for who waits for the clock, in milliseconds.
pub(super) const LONGEST_WAIT: u64 = 60_000;

/// A closed JSON body on the admin port; a refusal says what was expected, since there is no
/// journal entry to look it up in.
pub(super) struct Steer<T>(pub(super) T);

impl<T: Wire> FromRequest<Arc<Admin>> for Steer<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &Arc<Admin>) -> Result<Self, Problem> {
        // The guard let no other body through.
        let Some(Intake::Whole(body)) = request.extensions().get() else {
            return Err(Problem::internal());
        };
        // Where no member is required, an empty body is as good as an empty object.
        decode(body).map(Self).map_err(bad_request)
    }
}

/// What a path names. What is no text is no name either.
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Arc<Admin>> for Named {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, admin: &Arc<Admin>) -> Result<Self, Problem> {
        let read = Path::<String>::from_request_parts(parts, admin).await;
        read.map(|Path(name)| Self(name)).map_err(|_| Problem::not_found("nothing has this name"))
    }
}

pub(super) async fn health() -> Response {
    answer(StatusCode::OK, &json!({"status": "ok"}))
}

pub(super) async fn info(State(admin): State<Arc<Admin>>) -> Response {
    let clock = &admin.app.clock;
    let mut info = serde_json::to_value(&admin.facts).unwrap_or_default();
    info["clock"] = Value::from(if clock.is_manual() { "manual" } else { "real" });
    info["gateways"] = admin.onboarding.ids().into();
    info["now"] = Value::from(rfc3339(clock.now().at));
    answer(StatusCode::OK, &info)
}

/// Of one gateway if the query names one.
pub(super) async fn state(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let gateway = gateways::named_in(&admin, query.as_deref())?;
    let mut state = serde_json::to_value(admin.app.world.view(gateway.as_ref())).unwrap_or_default();
    state["now"] = Value::from(rfc3339(admin.app.clock.now().at));
    state["journal"] = Value::from(admin.app.journal.last());
    Ok(answer(StatusCode::OK, &state))
}

/// Entries after a number, of one gateway if one is named, be it known or not: a page of them, which is waited for if there
/// are none, or all at once.
pub(super) async fn journal(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (mut after, mut wait, mut gateway, mut all) = (0, 0, None, false);
    for pair in query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let number = value.parse::<u64>();
        match (name, number) {
            ("gateway", _) => gateway = Some(gateways::in_query(value)?),
            ("all", _) if ["", "true"].contains(&value) => all = true,
            ("after", Ok(number)) => after = number,
            ("wait_ms", Ok(number)) if number <= LONGEST_WAIT => wait = number,
            ("after", _) => return Err(Problem::invalid("after: expected a whole number")),
            ("wait_ms", _) => return Err(Problem::invalid("wait_ms: expected a whole number up to 60000")),
            _ => return Err(Problem::invalid("query: expected only after, all, wait_ms and gateway")),
        }
    }
    let journal = &admin.app.journal;
    if all {
        return Ok(ndjson(Body::new(Whole::new(journal, gateway, after))));
    }
    let gateway = gateway.as_ref().map(GatewayId::as_str);
    let mut page = journal.page_of(gateway, after);
    if wait > 0 && page.text.is_empty() {
        let busy = |_| Problem::unavailable("too many readers wait for the journal; try again");
        let _place = admin.readers.try_acquire().map_err(busy)?;
        let mut stop = admin.stop.clone();
        // Nothing within the time is an answer too: an empty one. So is nothing before the stop.
        tokio::select! {
            _ = timeout(Duration::from_millis(wait), first_of(journal, gateway, &mut page)) => {}
            () = stop.told() => {}
        }
    }
    Ok(ndjson(Body::from(page.text)))
}

fn ndjson(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    response
}

/// Reads on until there is something.
async fn first_of(journal: &Journal, gateway: Option<&str>, page: &mut Page) {
    while page.text.is_empty() {
        journal.wait_beyond(page.last).await;
        *page = journal.page_of(gateway, page.last);
    }
}

/// Lets the issuer or the TSP do something (C25).
pub(super) async fn event(
    State(admin): State<Arc<Admin>>,
    Steer(new): Steer<NewEvent>,
) -> Result<Response, Problem> {
    let app = &admin.app;
    if !app.gateways.knows(&new.gateway) {
        return Err(Problem::not_found("gateway: no such gateway"));
    }
    let token = new.token.ok_or(Problem::not_found("tokenId: no such token of this gateway"))?;
    let happened = app.world.issuer_event(&new.gateway, token, new.event, &new.particulars, app.clock.now());
    let n = happened.map_err(|refusal| refused_event(refusal, ("event", new.event.as_str())))?;
    Ok(answer(StatusCode::ACCEPTED, &json!({"journal": n})))
}

/// Sends a notification that is wrong on purpose.
pub(super) async fn forge(
    State(admin): State<Arc<Admin>>,
    Steer(new): Steer<NewForgery>,
) -> Result<Response, Problem> {
    let app = &admin.app;
    let token = new.token.ok_or(Problem::not_found("tokenId: no such token of this gateway"))?;
    let forged = app.world.forge(&new.gateway, token, new.forgery, app.clock.now().at);
    let n = forged.map_err(|refusal| refused_event(refusal, ("as", new.forgery.as_str())))?;
    Ok(answer(StatusCode::ACCEPTED, &json!({"journal": n})))
}

/// Forgets everything but the journal and the gateways themselves; all of one gateway if the query names one.
pub(super) async fn reset(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
    Steer(Nothing): Steer<Nothing>,
) -> Result<Response, Problem> {
    let app = &admin.app;
    match gateways::named_in(&admin, query.as_deref())? {
        Some(gateway) => app.reset(&gateway),
        None => app.reset_all(),
    }
    Ok(empty(StatusCode::NO_CONTENT))
}

pub(super) fn bad_request(fault: DecodeError) -> Problem {
    let DecodeError { kind, member, expected, actual } = fault;
    let error = format!("{}: expected {expected}, found {}", redacted(&member), redacted(&actual));
    match kind {
        DecodeKind::Missing => Problem::new(StatusCode::BAD_REQUEST, "MISSING_FIELD", error),
        _ => Problem::invalid(&error),
    }
}

fn refused_event(refusal: Refusal, (member, event): (&'static str, &'static str)) -> Problem {
    match refusal {
        Refusal::UnknownToken => Problem::not_found("tokenId: no such token of this gateway"),
        Refusal::ForbiddenState { state, wanted } => {
            let error =
                format!("{member}: {event} needs a token that is {wanted}; this one is {}", state.as_str());
            Problem::new(StatusCode::CONFLICT, "FORBIDDEN_STATE", error)
        }
        Refusal::DateNotLater => Problem::invalid("exp: expected a date after the present one"),
        Refusal::SamePan => Problem::invalid("pan: expected another number than the card has"),
        Refusal::NoReceiver => {
            let error = "gateway: it has no receiver that could be told; give it one";
            Problem::new(StatusCode::CONFLICT, "NO_RECEIVER", error)
        }
        Refusal::Full { what, limit } => Problem::unavailable(format!(
            "at most {limit} {what} may wait; start the receiver or POST /reset"
        )),
        Refusal::UnknownMerchant | Refusal::Declined | Refusal::IssuerUnavailable => Problem::internal(),
    }
}
