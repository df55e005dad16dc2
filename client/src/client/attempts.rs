//! The attempts of one call: count, budget, judgement, pause.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::chance;
use crate::clock::Clock;
use crate::error::{Context, Error, Loss};
use crate::model::CorrelationId;
use crate::operation::{Operation, Unclear, error_object};
use crate::retry::{self, RetryPolicy};
use crate::transport::{BodyFault, NoReply, Reply};

pub(super) struct Attempts<'a> {
    clock: &'a Clock,
    policy: &'a RetryPolicy,
    attempt_timeout: Duration,
    /// On the clock's own count.
    deadline: Duration,
    operation: Operation,
    correlation: CorrelationId,
    made: u32,
    /// Those of `made` that the policy does not count.
    uncounted: u32,
    answer_was_lost: bool,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        clock: &'a Clock,
        policy: &'a RetryPolicy,
        attempt_timeout: Duration,
        overall_timeout: Duration,
        operation: Operation,
        correlation: CorrelationId,
    ) -> Self {
        Self {
            clock,
            policy,
            attempt_timeout,
            deadline: clock.elapsed().saturating_add(overall_timeout),
            operation,
            correlation,
            made: 0,
            uncounted: 0,
            answer_was_lost: false,
        }
    }

    pub(super) fn context(&self) -> Context {
        Context { operation: self.operation, correlation_id: self.correlation.clone(), attempts: self.made }
    }

    fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.elapsed())
    }

    /// Counts an attempt and says how long it may take.
    pub(super) fn begin(&mut self) -> Result<Duration, Error> {
        let remaining = self.remaining();
        if remaining.is_zero() {
            return Err(Error::NoAnswer {
                context: self.context(),
                loss: Loss::BeforeFirstByte,
                source: None,
            });
        }
        self.made = self.made.saturating_add(1);
        Ok(self.attempt_timeout.min(remaining))
    }

    /// The attempt that was just made does not count against the policy.
    pub(super) fn do_not_count_the_last(&mut self) {
        self.uncounted = self.uncounted.saturating_add(1);
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    pub(super) async fn pause_or_give_up(&mut self, error: Error) -> Result<(), Error> {
        if matches!(error, Error::NoAnswer { loss: Loss::AfterFirstByte, .. }) {
            self.answer_was_lost = true;
        }
        let counted = self.made.saturating_sub(self.uncounted);
        match self.policy.next(&error, counted, self.remaining(), chance::fraction()) {
            Some(pause) => {
                let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
                tracing::info!(attempt = self.made, pause_ms, "repeating");
                self.clock.sleep(pause).await;
                Ok(())
            }
            None => Err(error),
        }
    }
}

pub(super) fn unmade(operation: Operation, correlation: &CorrelationId, reason: String) -> Error {
    Error::Prepare {
        context: Context { operation, correlation_id: correlation.clone(), attempts: 0 },
        reason,
    }
}

/// Turns what the network brought into an output or an error.
pub(super) fn judge<T>(
    attempts: &Attempts<'_>,
    outcome: Result<Reply, NoReply>,
    read: impl Fn(&Response<Bytes>) -> Result<T, Unclear>,
) -> Result<T, Error> {
    let attempt = attempts.made;
    match outcome {
        Err(NoReply { loss, source }) => {
            tracing::warn!(attempt, loss = %loss, "no answer");
            Err(Error::NoAnswer { context: attempts.context(), loss, source: Some(source) })
        }
        Ok(reply) => {
            let status = reply.status.as_u16();
            tracing::debug!(attempt, status, "answered");
            let gone = retry::is_already_gone(attempts.operation, status, attempts.answer_was_lost);
            if reply.status.is_success() || gone {
                success(attempts, reply, read)
            } else {
                Err(refusal(attempts, &reply))
            }
        }
    }
}

fn success<T>(
    attempts: &Attempts<'_>,
    reply: Reply,
    read: impl Fn(&Response<Bytes>) -> Result<T, Unclear>,
) -> Result<T, Error> {
    let status = reply.status.as_u16();
    let body = match reply.body {
        Ok(body) => body,
        // A deletion is done once its status has arrived; its body says nothing.
        Err(_) if attempts.operation == Operation::DeleteToken => Bytes::new(),
        Err(BodyFault::TooLarge { limit_bytes }) => {
            return Err(Error::Unreadable {
                context: attempts.context(),
                status,
                reason: format!("expected at most {limit_bytes} bytes"),
                source: None,
            });
        }
        Err(BodyFault::Lost(source)) => {
            return Err(Error::NoAnswer {
                context: attempts.context(),
                loss: Loss::AfterFirstByte,
                source: Some(source),
            });
        }
    };
    let mut response = Response::new(body);
    *response.status_mut() = reply.status;
    *response.headers_mut() = reply.headers;
    read(&response).map_err(|unclear| Error::Unreadable {
        context: attempts.context(),
        status,
        reason: unclear.to_string(),
        source: unclear.into_cause(),
    })
}

fn refusal(attempts: &Attempts<'_>, reply: &Reply) -> Error {
    // The status alone is enough; a body that did not arrive holds no error object.
    let body = reply.body.as_ref().map_or(&[][..], |body| body);
    let object = error_object(body);
    Error::Refused {
        context: attempts.context(),
        status: reply.status.as_u16(),
        code: object.code,
        error: object.text,
        retry_after: retry::retry_after(&reply.headers, attempts.clock.now()),
    }
}
