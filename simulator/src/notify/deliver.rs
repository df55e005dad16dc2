//! One attempt to deliver one notification.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};

use super::failure::told;
use super::gateway_token::GatewayToken;
use super::receiver::Receiver;
use super::schedule::Outcome;
use super::wire::Notification;
use crate::chance::NoRandomness;
use crate::clock::{Clock, Stopwatch};
use crate::jose;
use crate::journal::{self, Fact, Journal};
use crate::plaintext::Plaintext;
use crate::world::Job;

/// An attempt and what its calls share.
pub(super) struct Attempt<'a> {
    pub(super) job: &'a Job,
    pub(super) correlation: &'a str,
    pub(super) clock: &'a Clock,
    pub(super) journal: &'a Journal,
    /// Real time for all calls together: at most a token, a notification, and both once more.
    pub(super) limit: Duration,
    pub(super) begun: Stopwatch,
}

/// How an attempt ended, for the record.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<String>,
    /// The token endpoint was asked and did not give a token: no notification was sent.
    pub(super) at_token: bool,
}

impl Attempt<'_> {
    /// The real time that is left.
    pub(super) fn left(&self) -> Duration {
        self.limit.saturating_sub(self.begun.elapsed())
    }

    /// Records what became of an access token.
    pub(super) fn note_token(
        &self,
        call: &'static str,
        status: Option<u16>,
        failure: Option<&str>,
        outcome: &'static str,
    ) {
        let fact = Fact::GatewayToken(journal::GatewayToken { call, status, failure, outcome });
        let gateway = Some(self.job.gateway.as_str());
        self.journal.record(self.job.taken_at, gateway, Some(self.correlation), &fact);
    }
}

impl Receiver {
    /// The body of a notification, sealed where the DPAN or its expiry changed.
    pub(super) fn body(&self, job: &Job) -> Result<Bytes, NoRandomness> {
        let update = &job.update;
        let sealed = match update.dpan {
            Some(dpan) => {
                let plaintext = Plaintext::network_token(dpan, update.token_expiry);
                Some(jose::seal(plaintext.as_bytes(), &self.encryption)?)
            }
            None => None,
        };
        // A notification holds texts and numbers: there is nothing in it that cannot be written.
        Ok(serde_json::to_vec(&Notification::new(update, sealed)).unwrap_or_default().into())
    }

    /// Sends a notification; a refused token is made anew once and the notification sent again (C23).
    pub(super) async fn attempt(&self, attempt: &Attempt<'_>, body: &Bytes) -> Attempted {
        let mut refused: Option<GatewayToken> = None;
        loop {
            let token = match self.token(attempt, refused.as_ref()).await {
                Ok(token) => token,
                Err(no) => {
                    let failure = match no.status {
                        Some(status) => format!("{} ({status})", no.failure),
                        None => no.failure,
                    };
                    return Attempted { at_token: true, ..Attempted::failed(failure) };
                }
            };
            let sent = self.send(attempt, body, token.as_ref()).await;
            match (&sent.outcome, token) {
                (Outcome::Answered { status: 401, .. }, Some(token)) if refused.is_none() => {
                    attempt.note_token("notifyTokenUpdate", Some(401), None, "refused");
                    refused = Some(token);
                }
                _ => return sent,
            }
        }
    }

    async fn send(&self, attempt: &Attempt<'_>, body: &Bytes, token: Option<&GatewayToken>) -> Attempted {
        let job = attempt.job;
        let url = format!(
            "{}/merchant-gateways/{}/merchants/{}/tokens/{}/notify-update",
            self.url.as_str().trim_end_matches('/'),
            job.gateway,
            job.merchant,
            job.token
        );
        let mut request = self
            .http
            .post(url)
            .timeout(attempt.left())
            .header(CONTENT_TYPE, "application/json")
            .header("x-correlation-id", attempt.correlation)
            .body(body.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.bearer.as_str());
        }
        match request.send().await {
            Ok(answer) => {
                let (status, retry_after) = (answer.status().as_u16(), asked_wait(answer.headers()));
                let outcome = Outcome::Answered { status, retry_after };
                Attempted { outcome, failure: None, at_token: false }
            }
            Err(error) => Attempted::failed(told(&error, attempt.limit)),
        }
    }
}

impl Attempted {
    /// Without an answer.
    pub(super) fn failed(failure: String) -> Self {
        Self { outcome: Outcome::NoAnswer, failure: Some(failure), at_token: false }
    }
}

/// How long the receiver asks to wait: seconds, or until a date by its own clock, which is not ours.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let asked = text(RETRY_AFTER)?;
    if let Ok(seconds) = asked.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text| httpdate::parse_http_date(text).ok();
    // A date that has passed asks for nothing.
    date(asked)?.duration_since(date(text(DATE)?)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_asked_for_in_seconds_or_until_a_date_of_the_receivers_own_clock() {
        let answered = "Tue, 15 Nov 1994 08:12:31 GMT";
        for (asked, date, wanted) in [
            ("120", None, Some(120)),
            (" 0 ", Some(answered), Some(0)),
            ("Tue, 15 Nov 1994 08:13:01 GMT", Some(answered), Some(30)),
            ("Tue, 15 Nov 1994 08:12:31 GMT", Some(answered), Some(0)),
            ("Tue, 15 Nov 1994 08:12:01 GMT", Some(answered), None),
            ("Tue, 15 Nov 1994 08:13:01 GMT", None, None),
            ("Tue, 15 Nov 1994 08:13:01 GMT", Some("yesterday"), None),
            ("soon", Some(answered), None),
            ("-1", Some(answered), None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, asked.parse().expect("a value"));
            headers.extend(date.map(|date| (DATE, date.parse().expect("a value"))));
            assert_eq!(asked_wait(&headers), wanted.map(Duration::from_secs), "{asked} {date:?}");
        }
    }
}
