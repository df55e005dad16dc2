//! The task of one gateway: takes what is due, delivers it, settles it.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::deliver::{Attempt, Attempted};
use super::receiver::Receiver;
use super::schedule::{Next, Outcome, Schedule};
use crate::chance::{Chance, Stream};
use crate::clock::{Clock, Stopwatch, rfc3339};
use crate::domain::uuid_text;
use crate::journal::{Body, Delivery, Journal};
use crate::stop::Stop;
use crate::world::{Forgery, Job, Settled, World};

/// Notifications of one gateway on their way at once.
const AT_ONCE: usize = 32;

/// Delivers the notifications of one gateway.
pub(crate) struct Notifier {
    pub(crate) receiver: Receiver,
    pub(crate) schedule: Schedule,
    pub(crate) world: Arc<World>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) clock: Clock,
    pub(crate) chance: Chance,
}

impl Notifier {
    /// Runs until `stop` says so. What is on its way then is dropped: the sandbox forgets on stop.
    pub(crate) async fn run(self, mut stop: Stop) {
        let this = Arc::new(self);
        let mut moved = this.world.moved();
        let mut running = JoinSet::new();
        loop {
            moved.mark_unchanged();
            let free = AT_ONCE.saturating_sub(running.len());
            for job in this.world.take_due(&this.receiver.gateway, this.clock.now().at, free) {
                let this = Arc::clone(&this);
                running.spawn(this.deliver(job));
            }
            let full = running.len() >= AT_ONCE;
            let wake = async {
                match this.world.next_due(&this.receiver.gateway) {
                    // Without a free place there is nothing to do before one is settled.
                    Some(due) if !full => this.clock.reaches(due).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake => {}
                Some(_) = running.join_next() => {}
                changed = moved.changed() => if changed.is_err() { return },
                () = stop.told() => return,
            }
        }
    }

    async fn deliver(self: Arc<Self>, job: Job) {
        // Numbered by event and attempt, so that the draw does not depend on what else is delivered.
        let event = u64::try_from(job.update.id >> 64).unwrap_or_default();
        let draw = event.wrapping_add(u64::from(job.attempt));
        let correlation = uuid_text(self.chance.uuid(Stream::Correlation, draw));
        let body = match (&job.body, job.forged) {
            (Some(body), _) => Ok(body.clone()),
            (None, None) => self.receiver.body(&job).map_err(|none| none.to_string()),
            (None, Some(forgery)) => {
                let told = job.clone();
                self.aside(move |receiver| receiver.forged_body(&told, forgery)).await
            }
        };
        let attempt = Attempt {
            job: &job,
            correlation: &correlation,
            clock: &self.clock,
            journal: &self.journal,
            limit: self.schedule.timeout,
            begun: Stopwatch::start(),
        };
        self.clock.touch();
        let attempted = match (&body, job.forged) {
            (Ok(body), Some(Forgery::WrongCertificate)) => match self.aside(Receiver::for_a_stranger).await {
                Ok(stranger) => stranger.attempt(&attempt, body).await,
                Err(none) => Attempted::failed(none),
            },
            (Ok(body), _) => self.receiver.attempt(&attempt, body).await,
            (Err(none), _) => Attempted::failed(none.clone()),
        };
        self.clock.touch();
        if let Some(ends) = self.receiver.token_ends(self.clock.now().at) {
            self.world.receiver_token_ends(&job, ends);
        }
        let times = (job.taken_at, self.clock.now().at);
        let fraction = self.chance.fraction(Stream::Jitter, draw);
        let next = match self.schedule.next(job.attempt, times, attempted.outcome, fraction) {
            // Nobody sends a forgery twice.
            Next::Retry(_) if job.forged.is_some() => Next::GivenUp,
            next => next,
        };
        let settled = match next {
            Next::Retry(at) => Settled::Again { at, body: body.as_ref().ok().cloned() },
            Next::Delivered | Next::Refused | Next::GivenUp => Settled::Over,
        };
        let body = body.unwrap_or_default();
        self.world.settle(&job, settled, &correlation, told(&job, &attempted, next, &body));
    }
}

impl Notifier {
    /// Keys are not made where notifications are sent.
    async fn aside<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Receiver) -> Result<T, String> + Send + 'static,
    ) -> Result<T, String> {
        let this = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || work(&this.receiver)).await;
        made.unwrap_or_else(|_| Err("it was broken off".to_owned()))
    }
}

/// The attempt as the journal tells it.
fn told<'a>(job: &Job, attempted: &'a Attempted, next: Next, body: &'a [u8]) -> Delivery<'a> {
    Delivery {
        call: if attempted.at_token { "getAccessToken" } else { "notifyTokenUpdate" },
        token_id: job.token.to_string(),
        event_id: uuid_text(job.update.id),
        event_type: job.update.kind.as_str(),
        sequence: job.update.sequence,
        attempt: job.attempt,
        forged: job.forged.map(Forgery::as_str),
        status: match attempted.outcome {
            Outcome::Answered { status, .. } => Some(status),
            Outcome::NoAnswer => None,
        },
        failure: attempted.failure.as_deref(),
        outcome: match next {
            Next::Delivered => "delivered",
            Next::Refused => "refused",
            Next::GivenUp => "givenUp",
            Next::Retry(_) => "retry",
        },
        next_at: match next {
            Next::Retry(at) => Some(rfc3339(at)),
            Next::Delivered | Next::Refused | Next::GivenUp => None,
        },
        request: Body::of(body),
    }
}
