//! Carrying out what faults do to a call. Whether they strike was decided in `faults`.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use super::answer::{Left, empty};
use crate::clock::{Clock, LetGo, Waiter};
use crate::domain::Moment;
use crate::faults::{
    Act, Answer, AnswerBody, Faults, Malformed, ResetAt, RetryAfter, StallAt, Struck, later_members,
};
use crate::tls::{Ending, Endings};

/// The longest a call hangs, in real time, if nobody lifts the fault.
const LONGEST_STALL: Duration = Duration::from_secs(10 * 60);
/// What a proxy that is in a bad way says.
const PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>";

/// What befell an exchange, for whoever ends it.
#[derive(Debug, Clone, Default)]
pub(super) struct Met {
    struck: Vec<Struck<Act>>,
    /// The answer is a fault's.
    pub(super) forced: bool,
    /// Nothing was answered.
    pub(super) unanswered: bool,
}

/// Where a call stands while faults befall it.
pub(super) struct Scene<'a> {
    pub(super) faults: &'a Faults,
    pub(super) clock: &'a Clock,
    /// Who is told to wait for the clock.
    pub(super) who: Waiter,
}

/// The bearer of a request is to end before it is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct RevokeBearer;

impl Met {
    pub(super) fn names(&self) -> Vec<Arc<str>> {
        self.struck.iter().map(|struck| Arc::clone(&struck.name)).collect()
    }
}

/// Whether the bearer of the request is to be revoked.
pub(super) fn revokes(struck: &[Struck<Act>]) -> bool {
    struck.iter().any(|struck| matches!(struck.act, Act::RevokeBearer))
}

/// Lets a call be answered by `work` as far as faults let it. What befell it goes with the answer; the
/// exchange's end, [`finished`], does what is left to do.
pub(super) async fn around(
    struck: Vec<Struck<Act>>,
    scene: Scene<'_>,
    work: impl Future<Output = Response>,
) -> Response {
    let mut met = Met::default();
    let (mut forced, mut anew) = (None, false);
    for one in &struck {
        match &one.act {
            // Whose gateway began anew has nothing left to wait for.
            Act::Wait(time) if !anew => anew = scene.waits(one.number, *time).await == LetGo::Anew,
            Act::Stall(StallAt::Before) => scene.stalls(one.number).await,
            Act::Answer(answer) => {
                met.forced = true;
                forced = Some(forced_answer(answer));
            }
            Act::Reset(ResetAt::Before) => {
                (met.forced, met.unanswered) = (true, true);
                forced = Some(empty(StatusCode::SERVICE_UNAVAILABLE));
            }
            _ => {}
        }
    }
    let mut response = match forced {
        Some(response) => response,
        None => work.await,
    };
    for one in &struck {
        if matches!(one.act, Act::Stall(StallAt::After)) {
            scene.stalls(one.number).await;
        }
    }
    let inner = response.extensions_mut().remove::<Met>().unwrap_or_default();
    met.struck = struck;
    met.struck.extend(inner.struck);
    met.forced |= inner.forced;
    met.unanswered |= inner.unanswered;
    response.extensions_mut().insert(met);
    response
}

/// Changes an answer on its way out, and tells the listener how it is to end. What was to befall its body has not struck where
/// there is none.
pub(super) fn finished(met: &mut Met, response: Response, settle: impl Fn(&Struck<Act>, bool)) -> Response {
    let mut response = response;
    let mut endings = Vec::new();
    let is_lost = |one: &Struck<Act>| matches!(one.act, Act::Reset(ResetAt::Before | ResetAt::After));
    met.unanswered |= met.struck.iter().any(is_lost);
    let mut missed = Vec::new();
    for one in &met.struck {
        if one.act.needs_body() {
            let has_body = response.extensions().get::<Left>().is_some_and(|Left(body)| !body.is_empty());
            let befalls = has_body && !met.unanswered;
            settle(one, befalls);
            if !befalls {
                missed.push(one.number);
                continue;
            }
        }
        match &one.act {
            Act::Malformed(how) => response = malformed(response, how),
            Act::UnknownMembers(count) => response = with_more_members(response, *count),
            Act::Reset(ResetAt::Before | ResetAt::After) => endings.push(Ending::Reset),
            Act::Reset(ResetAt::Head) => endings.push(Ending::ResetInHead),
            Act::Reset(ResetAt::Body) => endings.push(Ending::ResetInBody),
            Act::Truncate => endings.push(Ending::Truncate),
            Act::CloseIdle(after) => endings.push(Ending::CloseIdle(*after)),
            Act::Goaway => endings.push(Ending::Goaway),
            Act::Answer(_) | Act::Wait(_) | Act::Stall(_) | Act::RevokeBearer => {}
        }
    }
    met.struck.retain(|one| !missed.contains(&one.number));
    if !endings.is_empty() {
        response.extensions_mut().insert(Endings(endings));
    }
    response
}

impl Scene<'_> {
    /// For the clock, unless the fault is lifted before.
    async fn waits(&self, number: u64, time: Duration) -> LetGo {
        let wait = self.clock.wait(self.clock.now().at.after(time), self.who.clone());
        let lifted = self.faults.until_lifted_sooner(number, wait.way_out());
        tokio::select! {
            let_go = wait.over() => let_go,
            () = lifted => LetGo::Lifted,
        }
    }

    /// Nothing to wait for, for whoever moves the clock: the fault may be lifted long after that.
    async fn stalls(&self, number: u64) {
        // Whether it was lifted or took too long: the call goes on.
        let _ = timeout(LONGEST_STALL, self.faults.until_lifted(number, Some(self.clock.aside()))).await;
    }
}

fn forced_answer(answer: &Answer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = match &answer.body {
        AnswerBody::Json(members) => serde_json::to_vec(members).unwrap_or_default().into(),
        AnswerBody::Text(text) => Bytes::from(text.clone()),
    };
    let mut response = empty(status);
    if !body.is_empty() {
        response = with_body(response, body);
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    if status == StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(value) = answer.retry_after.as_ref().and_then(header_of) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn header_of(retry_after: &RetryAfter) -> Option<HeaderValue> {
    match retry_after {
        RetryAfter::Seconds(seconds) => Some(HeaderValue::from(*seconds)),
        RetryAfter::Date(moment) => HeaderValue::from_str(&http_date(*moment)?).ok(),
        RetryAfter::Text(text) => HeaderValue::from_str(text).ok(),
    }
}

fn http_date(moment: Moment) -> Option<String> {
    let since = Duration::from_secs(u64::try_from(moment.as_seconds()).ok()?);
    Some(httpdate::fmt_http_date(UNIX_EPOCH.checked_add(since)?))
}

fn malformed(response: Response, how: &Malformed) -> Response {
    let Some(Left(body)) = response.extensions().get::<Left>().cloned() else { return response };
    match how {
        Malformed::NotJson => with_body(response, body.slice(..body.len().div_ceil(2))),
        Malformed::Empty => with_body(response, Bytes::new()),
        Malformed::Html => {
            let mut response = with_body(response, Bytes::from_static(PAGE.as_bytes()));
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"));
            response
        }
        Malformed::Missing(member) => changed(response, |members| {
            members.remove(member);
        }),
        Malformed::WrongType(member) => changed(response, |members| {
            if let Some(value) = members.get_mut(member) {
                *value = json!([]);
            }
        }),
    }
}

/// Members that no client can know.
fn with_more_members(response: Response, count: u32) -> Response {
    changed(response, |members| members.extend(later_members(count)))
}

fn changed(response: Response, change: impl FnOnce(&mut Map<String, Value>)) -> Response {
    let Some(Left(body)) = response.extensions().get::<Left>() else { return response };
    let Ok(Value::Object(mut members)) = serde_json::from_slice(body) else { return response };
    change(&mut members);
    let body = serde_json::to_vec(&members).unwrap_or_default();
    with_body(response, body.into())
}

fn with_body(response: Response, body: Bytes) -> Response {
    let (mut parts, _) = response.into_parts();
    parts.extensions.insert(Left(body.clone()));
    Response::from_parts(parts, Body::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer::answer;

    fn left(response: &Response) -> String {
        let left = response.extensions().get::<Left>().expect("a body");
        String::from_utf8(left.0.to_vec()).expect("text")
    }

    #[test]
    fn a_body_goes_wrong_as_it_is_told_and_in_nothing_else() {
        for (how, wanted) in [
            (Malformed::NotJson, r#"{"a":"x","#),
            (Malformed::Empty, ""),
            (Malformed::Html, PAGE),
            (Malformed::Missing("a".into()), r#"{"b":"y"}"#),
            (Malformed::WrongType("b".into()), r#"{"a":"x","b":[]}"#),
            (Malformed::WrongType("c".into()), r#"{"a":"x","b":"y"}"#),
        ] {
            let good = answer(StatusCode::CREATED, &json!({"a": "x", "b": "y"}));
            let bad = malformed(good, &how);
            assert_eq!((left(&bad).as_str(), bad.status()), (wanted, StatusCode::CREATED), "{how:?}");
        }
    }

    #[test]
    fn unknown_members_come_beside_the_known_ones() {
        let more = with_more_members(answer(StatusCode::OK, &json!({"a": "x"})), 5);
        let body: Map<String, Value> = serde_json::from_str(&left(&more)).expect("an object");
        assert_eq!((body.len(), &body["a"]), (6, &json!("x")));
        let none = with_more_members(empty(StatusCode::NO_CONTENT), 5);
        assert!(none.extensions().get::<Left>().is_none());
    }

    #[test]
    fn a_wait_is_asked_for_in_seconds_as_a_date_or_as_told() {
        for (asked, wanted) in [
            (RetryAfter::Seconds(30), "30"),
            (RetryAfter::Date(Moment::from_ms(784_887_151_000)), "Tue, 15 Nov 1994 08:12:31 GMT"),
            (RetryAfter::Text("soon".into()), "soon"),
        ] {
            let answer = Answer { status: 503, retry_after: Some(asked), body: AnswerBody::Json(Map::new()) };
            let forced = forced_answer(&answer);
            assert_eq!(forced.headers()[RETRY_AFTER], wanted);
        }
    }
}
