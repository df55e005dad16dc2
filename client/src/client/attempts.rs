//! The attempts of one call: count, budget, judgement, pause.

use std::time::Duration;

use bytes::Bytes;
use http::Response;

use crate::chance::Jitter;
use crate::clock::Clock;
use crate::error::{Context, Error, Loss};
use crate::model::CorrelationId;
use crate::operation::{Operation, Unclear, error_object};
use crate::retry::{self, RetryPolicy};
use crate::transport::{BodyFault, NoReply, Reply};

pub(super) struct Attempts<'a> {
    clock: &'a Clock,
    policy: &'a RetryPolicy,
    jitter: Jitter,
    attempt_timeout: Duration,
    /// On the clock's own count.
    deadline: Duration,
    operation: Operation,
    correlation: CorrelationId,
    made: u32,
    /// Those of `made` that the policy does not count.
    uncounted: u32,
    /// An earlier attempt may have been carried out.
    in_doubt: bool,
    last_error: Option<Error>,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        clock: &'a Clock,
        policy: &'a RetryPolicy,
        jitter: Jitter,
        attempt_timeout: Duration,
        overall_timeout: Duration,
        operation: Operation,
        correlation: CorrelationId,
    ) -> Self {
        Self {
            clock,
            policy,
            jitter,
            attempt_timeout,
            deadline: clock.elapsed().saturating_add(overall_timeout),
            operation,
            correlation,
            made: 0,
            uncounted: 0,
            in_doubt: false,
            last_error: None,
        }
    }

    pub(super) fn context(&self) -> Context {
        Context { operation: self.operation, correlation_id: self.correlation.clone(), attempts: self.made }
    }

    /// The rest of the budget.
    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_sub(self.clock.elapsed())
    }

    /// The part of it in which another attempt may begin. A creation is not sent into a rest that may be too short for
    /// its answer: what was a plain refusal would end in doubt.
    fn room(&self) -> Duration {
        let reserve = if self.operation.is_creation() { self.attempt_timeout } else { Duration::ZERO };
        self.remaining().saturating_sub(reserve)
    }

    /// Counts an attempt and says how long it may take.
    pub(super) fn begin(&mut self) -> Result<Duration, Error> {
        if self.made > 0 && self.room().is_zero() {
            return Err(self.out_of_time());
        }
        self.made = self.made.saturating_add(1);
        Ok(self.attempt_timeout.min(self.remaining()))
    }

    /// The last thing that is known of a call for which there is no time left.
    pub(super) fn out_of_time(&self) -> Error {
        self.last_error.clone().unwrap_or_else(|| Error::NoAnswer {
            context: self.context(),
            loss: if self.made == 0 { Loss::BeforeFirstByte } else { Loss::AfterFirstByte },
            source: None,
        })
    }

    fn failed(&mut self, error: Error) {
        self.in_doubt |= retry::in_doubt(&error);
        self.last_error = Some(error);
    }

    /// The attempt that ended with `error` is replayed at once and does not count against the policy.
    pub(super) fn replay_uncounted(&mut self, error: Error) {
        self.failed(error);
        self.uncounted = self.uncounted.saturating_add(1);
    }

    /// Waits before the next attempt, or gives the error back if there is to be none.
    pub(super) async fn pause_or_give_up(&mut self, error: Error) -> Result<(), Error> {
        let counted = self.made.saturating_sub(self.uncounted);
        match self.policy.next(&error, counted, self.room(), self.jitter.fraction()) {
            Some(pause) => {
                self.failed(error);
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
            if reply.status.is_success() {
                return success(attempts, reply, read);
            }
            let error = refusal(attempts, &reply);
            if retry::is_already_gone(&error, attempts.in_doubt) {
                return success(attempts, reply, read);
            }
            Err(error)
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
