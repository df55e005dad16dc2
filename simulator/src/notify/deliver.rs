//! One attempt to deliver one notification.

use std::error::Error as _;
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};

use super::gateway_token::GatewayToken;
use super::receiver::Receiver;
use super::schedule::Outcome;
use super::wire::{Notification, network_token};
use crate::chance::NoRandomness;
use crate::clock::Clock;
use crate::jose;
use crate::world::Job;

/// How an attempt ended, for the record.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) outcome: Outcome,
    pub(super) failure: Option<String>,
    /// The token endpoint was asked and did not give a token: no notification was sent.
    pub(super) at_token: bool,
}

impl Receiver {
    /// The body of a notification, sealed where the DPAN or its expiry changed.
    pub(super) fn body(&self, job: &Job) -> Result<Bytes, NoRandomness> {
        let update = &job.update;
        let sealed = match update.dpan {
            Some(dpan) => {
                let plaintext = network_token(dpan, update.token_expiry);
                Some(jose::seal(plaintext.as_bytes(), &self.encryption)?)
            }
            None => None,
        };
        // A notification holds texts and numbers: there is nothing in it that cannot be written.
        Ok(serde_json::to_vec(&Notification::new(update, sealed)).unwrap_or_default().into())
    }

    /// Sends a notification; a refused token is made anew once and the notification sent again (C23).
    pub(super) async fn attempt(
        &self,
        job: &Job,
        body: &Bytes,
        correlation: &str,
        clock: &Clock,
    ) -> Attempted {
        let mut refused: Option<GatewayToken> = None;
        loop {
            let token = match self.token(clock, correlation, refused.as_ref()).await {
                Ok(token) => token,
                Err(no) => {
                    let outcome = Outcome::NoAnswer;
                    let failure = match no.status {
                        Some(status) => format!("{} ({status})", no.failure),
                        None => no.failure.to_owned(),
                    };
                    return Attempted { outcome, failure: Some(failure), at_token: true };
                }
            };
            let sent = self.send(job, body, correlation, token.as_ref()).await;
            match (&sent.outcome, token) {
                (Outcome::Answered { status: 401, .. }, Some(token)) if refused.is_none() => {
                    refused = Some(token)
                }
                _ => return sent,
            }
        }
    }

    async fn send(
        &self,
        job: &Job,
        body: &Bytes,
        correlation: &str,
        token: Option<&GatewayToken>,
    ) -> Attempted {
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
            .header(CONTENT_TYPE, "application/json")
            .header("x-correlation-id", correlation)
            .body(body.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token.bearer.as_str());
        }
        match request.send().await {
            Ok(answer) => {
                let retry_after =
                    answer.headers().get(RETRY_AFTER).and_then(|value| seconds(value.to_str().ok()?));
                let outcome = Outcome::Answered { status: answer.status().as_u16(), retry_after };
                Attempted { outcome, failure: None, at_token: false }
            }
            Err(error) => {
                Attempted { outcome: Outcome::NoAnswer, failure: Some(cause(&error)), at_token: false }
            }
        }
    }
}

/// `Retry-After` in seconds; a date is not honoured, since the receiver's clock is not ours.
fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse().ok().map(Duration::from_secs)
}

/// The innermost reason: what a person can act on.
fn cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".into();
    }
    let mut source = error.source();
    let mut last = None;
    while let Some(inner) = source {
        last = Some(inner.to_string());
        source = inner.source();
    }
    last.unwrap_or_else(|| "no connection".into())
}
