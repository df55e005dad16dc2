//! The task of one gateway: takes what is due, delivers it, settles it.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::deliver::Attempted;
use super::receiver::Receiver;
use super::schedule::{Next, Outcome, Schedule};
use crate::chance::{Chance, Stream};
use crate::clock::{Clock, rfc3339};
use crate::domain::TokenId;
use crate::journal::{Body, Delivery, Fact, Journal};
use crate::stop::Stop;
use crate::world::{Job, Settled, World};

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
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut moved = this.world.moved();
        loop {
            moved.mark_unchanged();
            let free = places.available_permits();
            for job in this.world.take_due(&this.receiver.gateway, this.clock.now().at, free) {
                let (this, place) = (Arc::clone(&this), Arc::clone(&places).try_acquire_owned());
                tokio::spawn(async move {
                    this.deliver(job).await;
                    drop(place);
                });
            }
            let wake = async {
                match this.world.next_due(&this.receiver.gateway) {
                    // Without a free place there is nothing to do before one is settled.
                    Some(due) if places.available_permits() > 0 => this.clock.sleep_until(due).await,
                    _ => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake => {}
                changed = moved.changed() => if changed.is_err() { return },
                () = stop.told() => return,
            }
        }
    }

    async fn deliver(&self, job: Job) {
        // Numbered by event and attempt, so that the draw does not depend on what else is delivered.
        let event = u64::try_from(job.update.id >> 64).unwrap_or_default();
        let draw = event.wrapping_add(u64::from(job.attempt));
        let correlation = TokenId::from_number(self.chance.uuid(Stream::Correlation, draw)).to_string();
        let body = match &job.body {
            Some(body) => Ok(body.clone()),
            None => self.receiver.body(&job),
        };
        let attempted = match &body {
            Ok(body) => self.receiver.attempt(&job, body, &correlation, &self.clock).await,
            Err(none) => {
                Attempted { outcome: Outcome::NoAnswer, failure: Some(none.to_string()), at_token: false }
            }
        };
        let next =
            self.schedule.next(job.attempt, attempted.outcome, self.chance.fraction(Stream::Jitter, draw));
        let now = self.clock.now().at;
        let settled = match next {
            Next::Retry(delay) => Settled::Again { at: now.after(delay), body: body.as_ref().ok().cloned() },
            Next::Delivered | Next::Refused | Next::GivenUp => Settled::Over,
        };
        let body = body.unwrap_or_default();
        let next_at = match &settled {
            Settled::Again { at, .. } => Some(rfc3339(*at)),
            Settled::Over => None,
        };
        let fact = Delivery {
            call: if attempted.at_token { "getAccessToken" } else { "notifyTokenUpdate" },
            token_id: job.token.to_string(),
            event_id: TokenId::from_number(job.update.id).to_string(),
            event_type: job.update.kind.as_str(),
            sequence: job.update.sequence,
            attempt: job.attempt,
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
            next_at,
            request: Body::of(&body),
        };
        self.journal.record(now, Some(job.gateway.as_str()), Some(&correlation), &Fact::Delivery(fact));
        self.world.settle(&job, settled, now);
    }
}
