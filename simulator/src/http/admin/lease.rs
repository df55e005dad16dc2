//! `/clock/lease`: who has the clock for himself, so that nobody else moves it under his feet, and who needs it to stand
//! still.

use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::StatusCode;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
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
}

#[derive(Debug)]
struct Lease {
    id: String,
    holder: String,
    still: bool,
    ends: Duration,
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
    #[error("somebody who asked before has the clock: ask again, or with `wait`")]
    Busy,
    #[error("lease: it has ended or was never given; take a new one with POST /clock/lease")]
    Ended,
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Desk {
    pub(super) fn new() -> Self {
        let places = Arc::new(Semaphore::new(MOST_STILL as usize));
        Self { made: Stopwatch::start(), leases: Mutex::default(), places }
    }

    /// Whether who shows `lease`, or nothing, may go to an end of what is due, or move the clock.
    pub(super) fn check(&self, lease: Option<&str>, moves: bool) -> Result<(), Refused> {
        let now = self.made.elapsed();
        let held = self.living(now);
        let own = held.iter().find(|held| lease == Some(&held.id));
        match (held.first(), own) {
            (Some(held), _) if held.still && moves => Err(held.in_use(now)),
            (Some(held), None) if !held.still => Err(held.in_use(now)),
            (_, None) if lease.is_some() => Err(Refused::Ended),
            _ => Ok(()),
        }
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
        self.living(now).push(Lease { id, holder, still, ends: now + ask.lasts, _places: places });
        Ok(given)
    }

    fn renew(&self, id: &str, lasts: Duration) -> Result<Given, Refused> {
        let now = self.made.elapsed();
        let mut held = self.living(now);
        if let Some(lease) = held.iter_mut().find(|lease| lease.id == id) {
            lease.ends = now + lasts;
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
        let had = timeout(wait, async {
            loop {
                let now = self.made.elapsed();
                let next = self.living(now).iter().map(|lease| lease.ends).min();
                // Without any nothing is in the way but those who asked before.
                let next = next.map_or(LONGEST_WAIT, |ends| ends.saturating_sub(now));
                tokio::select! {
                    biased;
                    places = &mut places => return places,
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
        let at = held.iter().position(|lease| lease.id == id).ok_or(Refused::Ended)?;
        held.remove(at);
        Ok(())
    }

    /// The leases that have not ended.
    fn living(&self, now: Duration) -> MutexGuard<'_, Vec<Lease>> {
        let mut leases = self.leases.lock().unwrap_or_else(PoisonError::into_inner);
        leases.retain(|lease| lease.ends > now);
        leases
    }
}

impl Lease {
    fn in_use(&self, now: Duration) -> Refused {
        let seconds = self.ends.saturating_sub(now).as_secs() + 1;
        let holder = redacted(&self.holder).into_owned();
        if self.still { Refused::Still { holder, seconds } } else { Refused::InUse { holder, seconds } }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, refused.to_string());
        match refused {
            Refused::InUse { .. } | Refused::Still { .. } | Refused::Busy => conflict("CLOCK_IN_USE"),
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
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn asks(holder: &str, still: bool, wait: u64) -> Ask {
        let whose = Whose::Holder(holder.into());
        Ask { whose, still, lasts: MINUTE, wait: Duration::from_secs(wait) }
    }

    async fn taken(desk: &Desk, holder: &str) -> Result<String, Refused> {
        desk.ask(asks(holder, false, 0)).await.map(|given| given.id)
    }

    async fn still(desk: &Desk, holder: &str) -> Result<String, Refused> {
        desk.ask(asks(holder, true, 0)).await.map(|given| given.id)
    }

    /// Of the paused time.
    async fn after(seconds: u64) {
        tokio::time::advance(Duration::from_secs(seconds)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_holds_the_clock_moves_it_alone_until_it_is_given_back() {
        let desk = Desk::new();
        assert_eq!(desk.check(None, true), Ok(()), "free for all");
        let lease = taken(&desk, "ci 42").await.expect("free");
        after(10).await;
        let in_use = || Refused::InUse { holder: "ci 42".into(), seconds: 51 };
        assert_eq!(desk.check(Some(&lease), true), Ok(()));
        for moves in [true, false] {
            assert_eq!(desk.check(None, moves), Err(in_use()));
            assert_eq!(desk.check(Some("another"), moves), Err(in_use()));
        }
        assert_eq!(taken(&desk, "another").await, Err(in_use()));
        assert_eq!(still(&desk, "another").await, Err(in_use()));
        assert_eq!(desk.give_back("another"), Err(Refused::Ended));
        assert_eq!(desk.give_back(&lease), Ok(()));
        assert_eq!(desk.check(None, true), Ok(()));
        assert_eq!(desk.check(Some(&lease), true), Err(Refused::Ended));
        assert_ne!(taken(&desk, "another").await, Ok(lease));
    }

    #[tokio::test(start_paused = true)]
    async fn while_some_need_the_clock_to_stand_still_nobody_moves_it() {
        let desk = Desk::new();
        let (one, other) =
            (still(&desk, "one").await.expect("free"), still(&desk, "other").await.expect("free"));
        let stands = |holder: &str| Err(Refused::Still { holder: holder.into(), seconds: 61 });
        for lease in [None, Some(one.as_str()), Some("unknown")] {
            assert_eq!(desk.check(lease, true), stands("one"));
        }
        // What is due by now may be awaited by everybody.
        for lease in [None, Some(one.as_str()), Some(other.as_str())] {
            assert_eq!(desk.check(lease, false), Ok(()));
        }
        assert_eq!(desk.check(Some("unknown"), false), Err(Refused::Ended));
        desk.give_back(&one).expect("given");
        assert_eq!(taken(&desk, "mover").await.err(), stands("other").err());
        desk.give_back(&other).expect("given");
        assert!(taken(&desk, "mover").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_ends_by_itself_unless_it_is_renewed() {
        let desk = Desk::new();
        let lease = taken(&desk, "ci").await.expect("free");
        after(59).await;
        assert_eq!(desk.renew(&lease, MINUTE).map(|given| given.holder), Ok("ci".into()));
        tokio::time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(desk.check(Some(&lease), true), Ok(()));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(desk.check(None, true), Ok(()));
        assert_eq!(desk.renew(&lease, MINUTE), Err(Refused::Ended));
    }

    /// Paused time passes by itself once nobody has anything else to do.
    #[tokio::test(start_paused = true)]
    async fn turns_come_in_the_order_of_asking_when_a_lease_is_given_back_or_ends() {
        let desk = Arc::new(Desk::new());
        let first = still(&desk, "first").await.expect("free");
        let (told, mut turns) = tokio::sync::mpsc::unbounded_channel();
        for (holder, still) in [("mover", false), ("behind", true), ("beside", true)] {
            let (desk, told) = (Arc::clone(&desk), told.clone());
            tokio::spawn(async move {
                let given = desk.ask(asks(holder, still, 600)).await.expect("its turn");
                told.send((holder, given.id)).expect("somebody listens");
            });
            tokio::task::yield_now().await;
        }
        assert_eq!(still(&desk, "late").await, Err(Refused::Still { holder: "first".into(), seconds: 61 }));
        assert!(turns.try_recv().is_err(), "nobody is let in before who asked first");
        desk.give_back(&first).expect("given");
        let before = desk.made.elapsed();
        assert_eq!(turns.recv().await.map(|(holder, _)| holder), Some("mover"));
        assert_eq!(desk.made.elapsed(), before);
        // It is never given back.
        let next = [turns.recv().await, turns.recv().await].map(|told| told.map(|(holder, _)| holder));
        assert_eq!(next, [Some("behind"), Some("beside")]);
        assert_eq!(desk.made.elapsed() - before, MINUTE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_waited_for_no_longer_than_was_asked() {
        let desk = Desk::new();
        taken(&desk, "ci").await.expect("free");
        let before = desk.made.elapsed();
        let refused = desk.ask(asks("another", true, 20)).await;
        assert_eq!(refused, Err(Refused::InUse { holder: "ci".into(), seconds: 41 }));
        assert_eq!(desk.made.elapsed() - before, Duration::from_secs(20));
    }

    #[tokio::test(start_paused = true)]
    async fn a_holder_is_named_without_what_may_be_a_card() {
        let desk = Desk::new();
        taken(&desk, "4000000000000002").await.expect("free");
        let refused = desk.check(None, true).expect_err("in use").to_string();
        assert!(!refused.contains("400000000000") && refused.contains("0002"), "{refused}");
    }
}
