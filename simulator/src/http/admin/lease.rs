//! `/clock/lease`: who has the clock for himself, so that nobody else moves it under his feet, and who needs it to stand
//! still.

mod moving;

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::Admin;
use super::handlers::{Named, Steer};
use crate::chance::{NoRandomness, secret_bytes};
use crate::clock::{ClockIsReal, Stopwatch};
use crate::config::parse_duration;
use crate::http::answer::{answer, empty};
use crate::http::problem::Problem;
use crate::http::strict_json::{DecodeError, Members, Wire};
use crate::jose::encode;
use crate::journal::redacted;
use crate::world::Halt;

/// How long a lease lasts unless told otherwise, in real time.
const DEFAULT: Duration = Duration::from_secs(60);
/// The longest one; it may be renewed before it ends.
const LONGEST: Duration = Duration::from_secs(60 * 60);
/// The longest name of a holder, in characters.
const LONGEST_NAME: usize = 64;
/// The longest wait for one's turn, in real time.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// So many may need the clock to stand still at once.
const MOST_STILL: u32 = 1_000;

/// Body of `POST /clock/lease`.
pub(super) struct Ask {
    whose: Whose,
    /// Nobody is to move the clock while it lasts.
    still: bool,
    lasts: Duration,
    /// So long for one's turn, in real time.
    wait: Duration,
}

/// A new holder, or the lease that is to last longer.
enum Whose {
    Holder(String),
    Lease(String),
}

/// The leases that last: one that moves the clock, or any number under which it stands still. Moments are told as what
/// has passed since it was made.
#[derive(Debug)]
pub(super) struct Desk {
    made: Stopwatch,
    leases: Mutex<Vec<Lease>>,
    /// Who is to move the clock needs all places, the others one each. They are had in the order of asking.
    places: Arc<Semaphore>,
    /// A lease lasts longer than it seemed.
    renewed: watch::Sender<()>,
}

#[derive(Debug)]
struct Lease {
    id: String,
    holder: String,
    still: bool,
    lasts: Duration,
    ends: Duration,
    /// It does not end while its holder has the clock moved.
    moving: bool,
    /// It ends as soon as that is over.
    given_back: bool,
    _places: OwnedSemaphorePermit,
}

/// What is told of a lease.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Given {
    id: String,
    holder: String,
    still: bool,
}

/// Why a lease is not to be had, or why the clock may not be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "{holder} has the clock for at most {seconds} s more: wait until the lease was given back, or use a sandbox \
         of your own"
    )]
    InUse { holder: String, seconds: u64 },
    #[error(
        "{holder} needs the clock to stand still for at most {seconds} s more: wait until the lease was given back, or use \
         a sandbox of your own"
    )]
    Still { holder: String, seconds: u64 },
    #[error(
        "{holder} has the clock moved at the moment: wait until that is over, or use a sandbox of your own"
    )]
    Moving { holder: String },
    #[error("somebody has the clock moved at the moment, or has asked before: ask again, or with `wait`")]
    Busy,
    #[error("lease: it has ended or was never given; take a new one with POST /clock/lease")]
    Ended,
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Desk {
    pub(super) fn new() -> Self {
        let places = Arc::new(Semaphore::new(MOST_STILL as usize));
        Self { made: Stopwatch::start(), leases: Mutex::default(), places, renewed: watch::Sender::new(()) }
    }

    /// Whether who shows `lease`, or nothing, may go to an end of what is due, or move the clock.
    pub(super) fn check(&self, lease: Option<&str>, moves: bool) -> Result<(), Refused> {
        let now = self.made.elapsed();
        judged(&self.living(now), lease, moves, now).map(drop)
    }

    async fn ask(&self, ask: Ask) -> Result<Given, Refused> {
        let holder = match ask.whose {
            Whose::Lease(id) => return self.renew(&id, ask.lasts),
            Whose::Holder(holder) => holder,
        };
        let places = self.places(ask.still, ask.wait).await?;
        let given = Given { id: encode(&secret_bytes()?[..16]), holder, still: ask.still };
        let now = self.made.elapsed();
        let Given { id, holder, still } = given.clone();
        let (lasts, ends) = (ask.lasts, now + ask.lasts);
        let (moving, given_back) = (false, false);
        self.living(now).push(Lease { id, holder, still, lasts, ends, moving, given_back, _places: places });
        Ok(given)
    }

    fn renew(&self, id: &str, lasts: Duration) -> Result<Given, Refused> {
        let now = self.made.elapsed();
        let mut held = self.living(now);
        if let Some(lease) = held.iter_mut().find(|lease| lease.is(Some(id))) {
            (lease.lasts, lease.ends) = (lasts, now + lasts);
            return Ok(Given { id: id.to_owned(), holder: lease.holder.clone(), still: lease.still });
        }
        match held.first() {
            Some(held) if !held.still => Err(held.in_use(now)),
            _ => Err(Refused::Ended),
        }
    }

    /// The places for a lease, once it is its turn.
    async fn places(&self, still: bool, wait: Duration) -> Result<OwnedSemaphorePermit, Refused> {
        let wanted = if still { 1 } else { MOST_STILL };
        let mut places = pin!(Arc::clone(&self.places).acquire_many_owned(wanted));
        let mut renewed = self.renewed.subscribe();
        let had = timeout(wait, async {
            loop {
                renewed.mark_unchanged();
                let now = self.made.elapsed();
                let next =
                    self.living(now).iter().filter(|lease| !lease.moving).map(|lease| lease.ends).min();
                // Without any nothing is in the way but those who asked before.
                let next = next.map_or(LONGEST_WAIT, |ends| ends.saturating_sub(now));
                tokio::select! {
                    biased;
                    places = &mut places => return places,
                    _ = renewed.changed() => {}
                    () = sleep(next) => {}
                }
            }
        });
        match had.await {
            // They are never closed.
            Ok(places) => places.map_err(|_| Refused::Busy),
            Err(_) => {
                let now = self.made.elapsed();
                Err(self.living(now).first().map_or(Refused::Busy, |held| held.in_use(now)))
            }
        }
    }

    fn give_back(&self, id: &str) -> Result<(), Refused> {
        let mut held = self.living(self.made.elapsed());
        let at = held.iter().position(|lease| lease.is(Some(id))).ok_or(Refused::Ended)?;
        if held[at].moving {
            held[at].given_back = true;
        } else {
            held.remove(at);
        }
        Ok(())
    }

    /// The leases that have not ended.
    fn living(&self, now: Duration) -> MutexGuard<'_, Vec<Lease>> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| lease.moving || lease.ends > now);
        leases
    }
}

/// Which of the leases that last is that of who shows `lease`, if he may do what he wants.
fn judged(held: &[Lease], lease: Option<&str>, moves: bool, now: Duration) -> Result<Option<usize>, Refused> {
    let own = held.iter().position(|held| held.is(lease));
    match (held.first(), own) {
        (Some(held), _) if held.still && moves => Err(held.in_use(now)),
        (Some(held), None) if !held.still => Err(held.in_use(now)),
        (_, None) if lease.is_some() => Err(Refused::Ended),
        _ => Ok(own),
    }
}

impl Lease {
    /// Whether it is the one that is shown.
    fn is(&self, shown: Option<&str>) -> bool {
        shown == Some(self.id.as_str()) && !self.given_back
    }

    fn in_use(&self, now: Duration) -> Refused {
        let seconds = self.ends.saturating_sub(now).as_secs() + 1;
        let holder = redacted(&self.holder).into_owned();
        if self.moving {
            return Refused::Moving { holder };
        }
        if self.still { Refused::Still { holder, seconds } } else { Refused::InUse { holder, seconds } }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, refused.to_string());
        match refused {
            Refused::InUse { .. } | Refused::Still { .. } | Refused::Moving { .. } | Refused::Busy => {
                conflict("CLOCK_IN_USE")
            }
            Refused::Ended => conflict("LEASE_ENDED"),
            Refused::Randomness(_) => Self::internal(),
        }
    }
}

impl Wire for Ask {
    const MEMBERS: &'static [(&'static str, bool)] =
        &[("holder", false), ("lease", false), ("still", false), ("for", false), ("wait", false)];

    fn read(members: &Members) -> Result<Self, DecodeError> {
        let holder = members.optional_text("holder")?.map(holder).transpose()?;
        let lease = members.optional_text("lease")?.map(str::to_owned);
        let whose = match (holder, lease) {
            (Some(holder), None) => Whose::Holder(holder),
            (None, Some(lease)) => Whose::Lease(lease),
            (holder, _) => {
                let found = if holder.is_some() { "both" } else { "none" };
                let expected = "holder to take a lease, or lease to renew it";
                return Err(DecodeError::invalid("body", expected, found));
            }
        };
        let only_new = |member| {
            let new = matches!(whose, Whose::Holder(_)) || members.optional(member)?.is_none();
            let expected = "none beside lease: a renewal changes nothing else";
            new.then_some(()).ok_or_else(|| DecodeError::invalid(member, expected, "one"))
        };
        only_new("still").and_then(|()| only_new("wait"))?;
        let still = members.optional("still")?.map(truth).transpose()?;
        let lasts = members.optional_text("for")?.map(lasts).transpose()?;
        let wait = members.optional_text("wait")?.map(waits).transpose()?;
        let (still, lasts) = (still.unwrap_or_default(), lasts.unwrap_or(DEFAULT));
        Ok(Self { whose, still, lasts, wait: wait.unwrap_or_default() })
    }
}

fn holder(text: &str) -> Result<String, DecodeError> {
    let good = (1..=LONGEST_NAME).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    let expected = "1 to 64 characters, none of them a control character";
    good.then(|| text.to_owned()).ok_or_else(|| DecodeError::invalid("holder", expected, "another text"))
}

fn lasts(text: &str) -> Result<Duration, DecodeError> {
    let lasts = parse_duration(text).filter(|lasts| !lasts.is_zero() && *lasts <= LONGEST);
    let expected = "a duration of real time above zero, at most 1h, like 60s";
    lasts.ok_or_else(|| DecodeError::invalid("for", expected, "another text"))
}

fn waits(text: &str) -> Result<Duration, DecodeError> {
    let wait = parse_duration(text).filter(|wait| *wait <= LONGEST_WAIT);
    let expected = "a duration of real time, at most 60s, like 20s";
    wait.ok_or_else(|| DecodeError::invalid("wait", expected, "another text"))
}

fn truth(value: &Value) -> Result<bool, DecodeError> {
    value.as_bool().ok_or_else(|| DecodeError::invalid("still", "true or false", "something else"))
}

/// Takes the clock, or keeps it for longer.
pub(super) async fn ask(
    State(admin): State<Arc<Admin>>,
    Steer(ask): Steer<Ask>,
) -> Result<Response, Problem> {
    if !admin.app.clock.is_manual() {
        return Err(Halt::from(ClockIsReal).into());
    }
    let (new, lasts) = (matches!(ask.whose, Whose::Holder(_)), ask.lasts);
    let busy = |_| Problem::unavailable("too many readers wait; try again");
    let _place = (!ask.wait.is_zero()).then(|| admin.readers.try_acquire().map_err(busy)).transpose()?;
    let mut stop = admin.stop.clone();
    let given = tokio::select! {
        given = admin.lease.ask(ask) => given?,
        () = stop.told() => return Err(Problem::unavailable("the sandbox stops")),
    };
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let Given { id, holder, still } = given;
    let body = json!({"lease": id, "holder": holder, "still": still, "seconds": lasts.as_secs_f64()});
    Ok(answer(status, &body))
}

/// Gives the clock back.
pub(super) async fn give_back(
    State(admin): State<Arc<Admin>>,
    Named(lease): Named,
) -> Result<Response, Problem> {
    admin.lease.give_back(&lease)?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests;
