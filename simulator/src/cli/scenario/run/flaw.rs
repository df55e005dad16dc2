//! Our client and our receiver, broken in one way: to see that a scenario tells it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use clap::ValueEnum;
use d1_client::Clock;
use d1_client::receiver::{BoxFuture, MemoryStore, StoreError, TokenKey, TokenRecord, TokenStore};
use http::StatusCode;
use jiff::Timestamp;
use serde_json::Value;

/// A flaw of real clients and receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Flaw {
    /// The client never repeats anything by itself
    NeverRepeats,
    /// The client calls again after D1 has refused
    RepeatsRefused,
    /// The client calls again after an answer was lost, a creation too
    RepeatsLost,
    /// The client calls again when an answer takes longer than a second
    Impatient,
    /// The client tokenizes the card anew for each payment
    NewTokenEachTime,
    /// The client asks for a new access token for each call
    NewBearerEachTime,
    /// The client forgets a token that is to be deleted, and does not tell D1
    DeletesAtHome,
    /// The client goes on with its old certificate
    KeepsCertificate,
    /// The client calls again at once when D1 asks it to wait
    IgnoresRetryAfter,
    /// The client does not notice that its access token has ended while it had nothing to do
    UsesEndedBearer,
    /// The receiver says that it has taken an event, and keeps nothing of it
    KeepsNothing,
    /// The receiver takes what comes last for the newest
    LastComeWins,
    /// The receiver takes a second event of one moment for a repetition, whatever its token
    OneEventAMoment,
    /// The receiver refuses events that are older than five minutes
    RefusesLate,
    /// The receiver refuses types of events that it does not know
    RefusesNews,
    /// The receiver says that it has taken what it cannot open
    TakesUnreadable,
    /// The receiver keeps nothing of what is encrypted
    IgnoresEncryptedData,
}

/// An answer that takes longer is too long for who is impatient.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);
/// Who does not wait calls again so often.
pub(super) const HASTY: u32 = 3;
/// An event that is older is too late for who takes none.
const LATE: Duration = Duration::from_mins(5);
/// More of a notification is not read.
const MOST: usize = 64 * 1024;
const KNOWN: [&str; 5] =
    ["TOKEN_SUSPENDED", "TOKEN_RESUMED", "TOKEN_DELETED", "TOKEN_UPDATED", "CARD_UPDATED"];

/// A store that keeps less than it should, or more.
pub(super) struct FlawedStore {
    inner: Arc<MemoryStore>,
    flaw: Option<Flaw>,
    /// When the last event that was kept happened.
    last: Mutex<Option<String>>,
}

impl FlawedStore {
    pub(super) fn new(inner: Arc<MemoryStore>, flaw: Option<Flaw>) -> Self {
        Self { inner, flaw, last: Mutex::new(None) }
    }

    fn is_of_the_last_moment(&self, record: &TokenRecord) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let same = last.is_some() && *last == record.position.timestamp;
        last.clone_from(&record.position.timestamp);
        same
    }
}

impl TokenStore for FlawedStore {
    fn get<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Option<TokenRecord>, StoreError>> {
        self.inner.get(key)
    }

    fn apply<'a>(
        &'a self,
        key: &'a TokenKey,
        record: &'a TokenRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            match self.flaw {
                Some(Flaw::KeepsNothing) => Ok(()),
                Some(Flaw::OneEventAMoment) if self.is_of_the_last_moment(record) => Ok(()),
                Some(Flaw::IgnoresEncryptedData) => {
                    let mut record = record.clone();
                    record.network_token = None;
                    self.inner.apply(key, &record).await
                }
                Some(Flaw::LastComeWins) => {
                    let known = self.inner.get(key).await?;
                    // As if D1 had just been asked.
                    self.inner.apply(key, &record.clone().as_of(known.as_ref())).await
                }
                _ => self.inner.apply(key, record).await,
            }
        })
    }
}

/// Refuses what the flaw makes the receiver refuse, and hands on everything else.
pub(super) async fn pass(flaw: Flaw, clock: &Clock, request: Request, next: Next) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    let refused = match flaw {
        Flaw::RefusesNews => !event["eventType"].as_str().is_some_and(|kind| KNOWN.contains(&kind)),
        Flaw::RefusesLate => event["lastUpdateTimestamp"].as_str().is_some_and(|at| is_late(at, clock.now())),
        _ => false,
    };
    if refused {
        return StatusCode::BAD_REQUEST.into_response();
    }
    next.run(Request::from_parts(head, Body::from(body))).await
}

fn is_late(at: &str, now: SystemTime) -> bool {
    let at = at.parse::<Timestamp>().ok().and_then(|at| u64::try_from(at.as_millisecond()).ok());
    let at = at.map(|at| SystemTime::UNIX_EPOCH + Duration::from_millis(at));
    at.and_then(|at| now.duration_since(at).ok()).is_some_and(|age| age > LATE)
}
