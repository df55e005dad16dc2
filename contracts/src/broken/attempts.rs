//! The attempts of one call: access token, refresh, repetition, pause. Time is a sum: no pause takes any.

use std::time::Duration;

use super::BrokenClient;
use super::answer::Seen;
use super::breaks::Break;
use super::request::Request;
use super::wire::{Line, Lost, Reply};
use crate::cases::Outcome;
use crate::subject::{Arguments, Call, Task, Told};

/// Attempts at one request.
const ATTEMPTS: u32 = 4;
/// What stands for no end in those that know none: more than any case allows, and less than a server endures.
const NO_END: u32 = 30;
/// How long one waits who has no time-out: longer than any server of a case.
const ENDURANCE: Duration = Duration::from_secs(20);
/// The pause before the second attempt; it doubles from there.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// One call that is being made.
pub(super) struct Attempts<'a> {
    client: &'a BrokenClient,
    authority: &'a str,
    arguments: &'a Arguments,
    patience: Duration,
    waited: Duration,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(client: &'a BrokenClient, task: Task<'a>) -> Self {
        let rest = task.base_url.strip_prefix("https://").unwrap_or(task.base_url);
        let authority = rest.split('/').next().unwrap_or_default();
        Self {
            client,
            authority,
            arguments: task.arguments,
            patience: task.attempt_timeout,
            waited: Duration::ZERO,
        }
    }

    pub(super) async fn make(mut self, call: Call) -> Told {
        let seen = match Request::of(call, self.arguments, self.client) {
            Some(request) => self.call(&request).await,
            None => Seen::not_sent(),
        };
        self.client.tell(seen, self.waited)
    }

    async fn call(&mut self, request: &Request) -> Seen {
        let (mut attempts, mut refreshes, mut doubt) = (0, 0, false);
        let (mut bearer, mut first) = (None, None);
        loop {
            if bearer.is_none() {
                bearer = match self.access_token().await {
                    Ok(token) => Some(token),
                    Err(_) if self.is(Break::CallWithoutAccessToken) => None,
                    Err(seen) => return seen,
                };
            }
            let stale = first.get_or_insert_with(|| bearer.clone()).as_deref();
            let shown = if self.is(Break::StaleBearer) { stale } else { bearer.as_deref() };
            let seen = self.once(request, shown, attempts, doubt).await;
            attempts += 1;
            doubt |= matches!(seen.outcome, Outcome::NoAnswer | Outcome::Unreadable)
                && !self.is(Break::ForgetDoubt);
            if refreshes < self.refreshes(request, &seen) {
                refreshes += 1;
                bearer = None;
                continue;
            }
            if !self.again(&seen, attempts) {
                return seen;
            }
            if self.is(Break::AccessTokenPerAttempt) {
                bearer = None;
            }
        }
    }

    async fn access_token(&mut self) -> Result<String, Seen> {
        let request = Request::access_token(&self.client.props).ok_or_else(Seen::not_sent)?;
        let mut attempts = 0;
        loop {
            let seen = self.once(&request, None, attempts, false).await;
            attempts += 1;
            if let Some(token) = seen.result.get("access_token").and_then(serde_json::Value::as_str) {
                return Ok(token.to_owned());
            }
            if !self.again(&seen, attempts) {
                // Whatever became of the request for the token, the call itself never went out.
                let hidden = self.is(Break::HideAccessTokenRefusal);
                return Err(if hidden { Seen::not_sent() } else { seen });
            }
        }
    }

    async fn once(&self, request: &Request, bearer: Option<&str>, attempts: u32, doubt: bool) -> Seen {
        let bytes = request.bytes(self.authority, bearer, attempts, self.client.broken);
        let mut reply = self.exchange(self.authority, &bytes).await;
        if self.is(Break::FollowRedirects)
            && let Some((authority, elsewhere)) =
                reply.as_ref().ok().and_then(|reply| request.redirected(reply))
        {
            let bytes = elsewhere.bytes(&authority, bearer, attempts, self.client.broken);
            reply = self.exchange(&authority, &bytes).await;
        }
        self.client.read(request, reply, doubt)
    }

    async fn exchange(&self, authority: &str, request: &[u8]) -> Result<Reply, Lost> {
        let line = Line { tls: &self.client.tls, authority, broken: self.client.broken };
        let patience = if self.is(Break::NoTimeout) { ENDURANCE } else { self.patience };
        line.exchange(request, patience).await
    }

    /// How many refreshes of the access token an answer is worth.
    fn refreshes(&self, request: &Request, seen: &Seen) -> u32 {
        match (seen.status(), self.client.broken) {
            (Some(401), Some(Break::NoRefresh)) => 0,
            (Some(401), Some(Break::NoReplayOfCreations)) if request.creates() => 0,
            (Some(401), Some(Break::RefreshForever)) => NO_END,
            (Some(403), Some(Break::RefreshOnForbidden)) | (Some(401), _) => 1,
            _ => 0,
        }
    }

    /// Whether there is to be another attempt; the pause before it is over then.
    fn again(&mut self, seen: &Seen, attempts: u32) -> bool {
        let (repeat, most) = match self.client.broken {
            Some(Break::RetryEverything) => (seen.outcome != Outcome::Ok, ATTEMPTS),
            Some(Break::RetryNever) => (false, 1),
            Some(Break::RetryForever) => (seen.repeat, NO_END),
            _ => (seen.repeat, ATTEMPTS),
        };
        let goes_on = repeat && attempts < most;
        if goes_on {
            let own = match self.client.broken {
                Some(Break::NoPause) => Duration::ZERO,
                _ => FIRST_PAUSE.saturating_mul(1 << (attempts - 1).min(5)),
            };
            self.waited += seen.asked.map_or(own, |asked| own.max(asked));
        }
        goes_on
    }

    fn is(&self, fault: Break) -> bool {
        self.client.broken == Some(fault)
    }
}
