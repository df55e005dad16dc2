//! `POST /clock/advance`: how far, and what came of it.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::handlers::{LONGEST_WAIT, Steer};
use super::{Admin, gateways};
use crate::clock::{parse_rfc3339, rfc3339};
use crate::config::parse_duration;
use crate::domain::{GatewayId, IssuerEvent, TokenId};
use crate::http::answer::answer;
use crate::http::problem::Problem;
use crate::http::strict_json::{DecodeError, Members, Wire, shown};
use crate::world::{Halt, Halted, NAMES, Passed, Turn, Wanted, Way};

/// The longest step of the clock: ten years.
const LONGEST_STEP: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);
/// The shortest: the clock counts these.
const SHORTEST_STEP: Duration = Duration::from_millis(1);
/// So many gateways are named by one question.
const MOST_GATEWAYS: usize = 64;
/// The longest silence that is waited for, in real time.
const LONGEST_SILENCE: Duration = Duration::from_secs(10);

/// So many wait for their turn to move the clock; it takes long where a peer hangs.
pub(super) const MOST_WAITING: usize = 16;

/// Body of `POST /clock/advance`.
pub(super) struct Advance {
    way: Way,
    /// In real time.
    silence: Duration,
    lease: Option<String>,
}

impl Advance {
    /// What is due by now may be awaited by others than who moves the clock.
    fn moves(&self) -> bool {
        self.way != Way::Quiet
    }
}

impl Wire for Advance {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("by", false), ("to", false), ("until", false), ("silence", false), ("lease", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let by = members.optional_text("by")?.map(by).transpose()?;
        let to = members.optional_text("to")?.map(to).transpose()?;
        let until = members.optional("until")?.map(until).transpose()?;
        let mut ways: Vec<Way> = [by, to, until].into_iter().flatten().collect();
        let (Some(way), true) = (ways.pop(), ways.is_empty()) else {
            let found = if ways.is_empty() { "none" } else { "more than one" };
            return Err(DecodeError::invalid("body", "exactly one of by, to and until", found));
        };
        let text = members.optional_text("silence")?.unwrap_or("0s");
        let silence = parse_duration(text).filter(|silence| *silence <= LONGEST_SILENCE);
        let silence = silence.ok_or_else(|| {
            DecodeError::invalid("silence", "a duration of at most 10s, like 200ms", &shown(text))
        })?;
        let lease = members.optional_text("lease")?.map(str::to_owned);
        Ok(Self { way, silence, lease })
    }
}

fn by(text: &str) -> Result<Way, DecodeError> {
    let by = parse_duration(text).filter(|by| (SHORTEST_STEP..=LONGEST_STEP).contains(by));
    let expected = "a duration in ms, s, m, h or d from 1ms to 3660d, like 90s, 2h or 30d";
    by.map(Way::By).ok_or_else(|| DecodeError::invalid("by", expected, &shown(text)))
}

fn to(text: &str) -> Result<Way, DecodeError> {
    let expected = "a moment like 2026-04-22T10:00:00Z";
    parse_rfc3339(text).map(Way::To).ok_or_else(|| DecodeError::invalid("to", expected, &shown(text)))
}

fn until(value: &Value) -> Result<Way, DecodeError> {
    let expected = "quiet, next, or an object with event";
    match value {
        Value::String(text) if text == "quiet" => Ok(Way::Quiet),
        Value::String(text) if text == "next" => Ok(Way::Next),
        Value::Object(members) => {
            let known = ["event", "gateway", "tokenId"];
            if members.keys().any(|name| !known.contains(&name.as_str())) {
                let expected = "only event, gateway and tokenId";
                return Err(DecodeError::invalid("until", expected, "an unknown member"));
            }
            let text = |name: &str| match members.get(name) {
                None => Ok(None),
                Some(Value::String(text)) => Ok(Some(text.as_str())),
                Some(_) => Err(DecodeError::invalid(&format!("until.{name}"), "a string", "something else")),
            };
            let name = text("event")?.ok_or_else(|| DecodeError::invalid("until", expected, "no event"))?;
            let gateway = text("gateway")?.map(|text| named("until.gateway", GatewayId::parse(text), text));
            let token = text("tokenId")?.map(|text| named("until.tokenId", TokenId::parse(text), text));
            let (gateway, token) = (gateway.transpose()?, token.transpose()?);
            Ok(Way::Event(Wanted { name: event_name(name)?.to_owned(), gateway, token }))
        }
        _ => Err(DecodeError::invalid("until", expected, "something else")),
    }
}

fn named<T>(member: &str, read: Option<T>, text: &str) -> Result<T, DecodeError> {
    read.ok_or_else(|| DecodeError::invalid(member, "an identifier of this sandbox", &shown(text)))
}

fn event_name(name: &str) -> Result<&str, DecodeError> {
    if NAMES.contains(&name) || IssuerEvent::parse(name).is_some() {
        return Ok(name);
    }
    let events = IssuerEvent::ALL.into_iter().map(IssuerEvent::as_str);
    let known: Vec<&str> = NAMES.into_iter().chain(events).collect();
    Err(DecodeError::invalid("until.event", &format!("one of {}", known.join(", ")), &shown(name)))
}

/// What the clock shows, and until when an exchange waits for it, of certain gateways alone if some are named; waits for
/// one that does, if there is none.
pub(super) async fn clock(
    State(admin): State<Arc<Admin>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let (mut wait, mut whose) = (0, Vec::new());
    for pair in query.as_deref().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=') {
            Some(("gateway", id)) if whose.len() < MOST_GATEWAYS => whose.push(gateways::in_query(id)?),
            Some(("gateway", _)) => return Err(Problem::invalid("gateway: expected at most 64 of them")),
            Some(("wait_ms", text)) => {
                let read = text.parse().ok().filter(|wait| *wait <= LONGEST_WAIT);
                wait =
                    read.ok_or_else(|| Problem::invalid("wait_ms: expected a whole number up to 60000"))?;
            }
            _ => return Err(Problem::invalid("query: expected only wait_ms and gateway")),
        }
    }
    let clock = &admin.app.clock;
    if wait > 0 && clock.next_wait_of(&whose).is_none() {
        let busy = |_| Problem::unavailable("too many readers wait; try again");
        let _place = admin.readers.try_acquire().map_err(busy)?;
        let mut stop = admin.stop.clone();
        // Nobody who waits within the time is an answer too.
        tokio::select! {
            _ = timeout(Duration::from_millis(wait), clock.one_waits_of(&whose)) => {}
            () = stop.told() => {}
        }
    }
    let body = json!({"now": rfc3339(clock.now().at), "heldUntil": clock.next_wait_of(&whose).map(rfc3339)});
    Ok(answer(StatusCode::OK, &body))
}

/// Moves the clock, once it is one's turn: who goes away before has moved nothing. Who goes away later has what is to happen at
/// the stop that the clock is at made whole, and no more.
pub(super) async fn advance(
    State(admin): State<Arc<Admin>>,
    Steer(advance): Steer<Advance>,
) -> Result<Response, Problem> {
    admin.lease.check(advance.lease.as_deref(), advance.moves())?;
    let mut turn = admin.turn().await?;
    // Its end is that of who asks.
    let (asks, _asked) = oneshot::channel::<()>();
    let passing = tokio::spawn(async move {
        let (app, mut stop) = (&admin.app, admin.stop.clone());
        let _passage = admin.lease.begin(advance.lease.as_deref(), advance.moves())?;
        let is_over = || asks.is_closed();
        let passing = app.world.advance(&mut turn, &app.clock, (advance.way, advance.silence), &is_over);
        tokio::select! {
            passed = passing => passed.map_err(Problem::from),
            () = stop.told() => Err(Problem::unavailable("the sandbox stops")),
        }
    });
    let passed = passing.await.map_err(|_| Problem::internal())?;
    Ok(answer(StatusCode::OK, &told(passed?)))
}

impl Admin {
    /// Whose turn it is to move the clock.
    async fn turn(&self) -> Result<Turn, Problem> {
        let full = |_| {
            let error = format!(
                "{MOST_WAITING} wait already to move the clock; ask again once one of them is through"
            );
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, "TOO_MANY_WAIT", error)
        };
        let _place = self.movers.try_acquire().map_err(full)?;
        let mut stop = self.stop.clone();
        tokio::select! {
            turn = self.app.world.turn() => Ok(turn),
            () = stop.told() => Err(Problem::unavailable("the sandbox stops")),
        }
    }
}

fn told(passed: Passed) -> Map<String, Value> {
    let Passed { now, fired, left_out, journal } = passed;
    let members = [
        ("now", json!(rfc3339(now))),
        ("fired", json!(fired)),
        ("leftOut", json!(left_out)),
        ("journal", json!(journal)),
    ];
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

impl From<Halted> for Problem {
    fn from(halted: Halted) -> Self {
        let problem = Self::from(halted.why);
        match halted.so_far {
            Some(passed) => problem.with(told(passed)),
            None => problem,
        }
    }
}

impl From<Halt> for Problem {
    fn from(halt: Halt) -> Self {
        let error = halt.to_string();
        let (status, code) = match halt {
            Halt::Real(_) => (StatusCode::CONFLICT, "REAL_CLOCK"),
            Halt::Past { .. } | Halt::End { .. } => (StatusCode::BAD_REQUEST, "INVALID_FIELD"),
            Halt::NotQuiet { .. } | Halt::NotSilent { .. } => (StatusCode::CONFLICT, "NOT_QUIET"),
            Halt::NothingDue { .. } => (StatusCode::CONFLICT, "NOTHING_DUE"),
            Halt::TooManyStops { .. } => (StatusCode::CONFLICT, "TOO_MANY_STOPS"),
            Halt::TooLong { .. } => (StatusCode::CONFLICT, "TOO_LONG"),
        };
        Self::new(status, code, error)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use http::Request;
    use tower::ServiceExt as _;

    use super::super::router;
    use super::super::tests::admin_on;
    use super::*;
    use crate::clock::ClockMode;
    use crate::domain::Moment;

    const START: Moment = Moment::from_ms(1_776_852_000_000);

    fn by_an_hour(admin: &Arc<Admin>) -> impl Future<Output = (u16, Value)> + Send + 'static {
        let request = Request::post("/clock/advance").header("host", "localhost");
        let request = request.header("content-type", "application/json").body(Body::from(r#"{"by":"1h"}"#));
        let answer = router(Arc::clone(admin)).oneshot(request.expect("a request"));
        async move {
            let answer = answer.await.expect("an answer");
            let status = answer.status().as_u16();
            let body = to_bytes(answer.into_body(), 1 << 20).await.expect("a body");
            (status, serde_json::from_slice(&body).unwrap_or_default())
        }
    }

    /// Gives up once nobody has anything to do any more, which is when it waits for its turn.
    async fn given_up(asks: impl Future<Output = (u16, Value)> + Send + 'static) {
        let asks = tokio::spawn(asks);
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        asks.abort();
        assert!(asks.await.is_err(), "given up");
    }

    fn stage() -> (Arc<Admin>, tokio::sync::watch::Sender<bool>) {
        admin_on(ClockMode::Manual { start_ms: START.as_ms() })
    }

    #[tokio::test(start_paused = true)]
    async fn who_goes_away_before_his_turn_has_not_moved_the_clock_and_who_goes_later_is_not_missed() {
        let (admin, _stop) = stage();
        // The first hangs by an exchange until it is gone.
        let open = admin.app.clock.open();
        let first = tokio::spawn(by_an_hour(&admin));
        given_up(by_an_hour(&admin)).await;
        drop(open);
        let (status, passed) = first.await.expect("an answer");
        assert_eq!((status, &passed["now"]), (200, &json!("2026-04-22T11:00:00.000Z")));
        // One that was begun is over before the next, whoever is there to hear of it; nothing is to happen at its first stop.
        let open = admin.app.clock.open();
        given_up(by_an_hour(&admin)).await;
        drop(open);
        let (_, passed) = by_an_hour(&admin).await;
        assert_eq!(passed["now"], "2026-04-22T12:00:00.000Z");
    }

    #[tokio::test(start_paused = true)]
    async fn at_most_sixteen_wait_for_their_turn_and_a_halt_tells_what_came_of_it() {
        let (admin, _stop) = stage();
        let _open = admin.app.clock.open();
        let first = tokio::spawn(by_an_hour(&admin));
        tokio::task::yield_now().await;
        let others: Vec<_> = (0..MOST_WAITING).map(|_| tokio::spawn(by_an_hour(&admin))).collect();
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        let (status, refused) = by_an_hour(&admin).await;
        assert_eq!((status, &refused["errorCode"]), (503, &json!("TOO_MANY_WAIT")), "{refused}");
        others.iter().for_each(tokio::task::JoinHandle::abort);
        let (status, halted) = first.await.expect("an answer");
        assert_eq!((status, &halted["errorCode"]), (409, &json!("NOT_QUIET")), "{halted}");
        let so_far = json!([halted["now"], halted["fired"], halted["leftOut"], halted["journal"]]);
        assert_eq!(so_far, json!(["2026-04-22T10:00:00.000Z", [], 0, 0]));
    }
}
