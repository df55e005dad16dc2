//! `/clock/lease`: who has the clock for himself, so that nobody else moves it under his feet.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::extract::{Path, State};
use axum::response::Response;
use http::StatusCode;
use serde_json::json;

use super::Admin;
use super::handlers::Steer;
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

/// Body of `POST /clock/lease`.
pub(super) struct Ask {
    whose: Whose,
    lasts: Duration,
}

/// A new holder, or the lease that is to last longer.
enum Whose {
    Holder(String),
    Lease(String),
}

/// The one lease that there is at most. Moments are told as what has passed since it was made.
#[derive(Debug)]
pub(super) struct Desk {
    made: Stopwatch,
    lease: Mutex<Option<Lease>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Lease {
    id: String,
    holder: String,
    ends: Duration,
}

/// Why a lease is not to be had, or why the clock may not be moved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error(
        "{holder} has the clock for at most {seconds} s more: wait until the lease was given back, or use a sandbox \
         of your own"
    )]
    InUse { holder: String, seconds: u64 },
    #[error("lease: it has ended or was never given; take a new one with POST /clock/lease")]
    Ended,
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

impl Desk {
    pub(super) fn new() -> Self {
        Self { made: Stopwatch::start(), lease: Mutex::default() }
    }

    /// Whether the clock may be moved by who shows `lease`, or nothing.
    pub(super) fn check(&self, lease: Option<&str>) -> Result<(), Refused> {
        self.check_at(lease, self.made.elapsed())
    }

    fn check_at(&self, lease: Option<&str>, now: Duration) -> Result<(), Refused> {
        match (&*self.living(now), lease) {
            (None, None) => Ok(()),
            (None, Some(_)) => Err(Refused::Ended),
            (Some(held), Some(shown)) if held.id == shown => Ok(()),
            (Some(held), _) => Err(held.in_use(now)),
        }
    }

    fn ask(&self, ask: Ask, now: Duration) -> Result<Lease, Refused> {
        let mut held = self.living(now);
        let ends = now + ask.lasts;
        let lease = match (&*held, ask.whose) {
            (None, Whose::Holder(holder)) => Lease { id: encode(&secret_bytes()?[..16]), holder, ends },
            (Some(held), Whose::Lease(id)) if held.id == id => Lease { ends, ..held.clone() },
            (Some(held), _) => return Err(held.in_use(now)),
            (None, Whose::Lease(_)) => return Err(Refused::Ended),
        };
        *held = Some(lease.clone());
        Ok(lease)
    }

    fn give_back(&self, id: &str, now: Duration) -> Result<(), Refused> {
        let mut held = self.living(now);
        match held.take_if(|held| held.id == id) {
            Some(_) => Ok(()),
            None => Err(Refused::Ended),
        }
    }

    /// The lease, if it has not ended.
    fn living(&self, now: Duration) -> MutexGuard<'_, Option<Lease>> {
        let mut lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner);
        lease.take_if(|lease| lease.ends <= now);
        lease
    }
}

impl Lease {
    fn in_use(&self, now: Duration) -> Refused {
        let seconds = self.ends.saturating_sub(now).as_secs() + 1;
        Refused::InUse { holder: redacted(&self.holder).into_owned(), seconds }
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        let conflict = |code| Self::new(StatusCode::CONFLICT, code, refused.to_string());
        match refused {
            Refused::InUse { .. } => conflict("CLOCK_IN_USE"),
            Refused::Ended => conflict("LEASE_ENDED"),
            Refused::Randomness(_) => Self::internal(),
        }
    }
}

impl Wire for Ask {
    const MEMBERS: &'static [(&'static str, bool)] = &[("holder", false), ("lease", false), ("for", false)];

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
        let lasts = members.optional_text("for")?.map(lasts).transpose()?;
        Ok(Self { whose, lasts: lasts.unwrap_or(DEFAULT) })
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

/// Takes the clock, or keeps it for longer.
pub(super) async fn ask(
    State(admin): State<Arc<Admin>>,
    Steer(ask): Steer<Ask>,
) -> Result<Response, Problem> {
    if !admin.app.clock.is_manual() {
        return Err(Halt::from(ClockIsReal).into());
    }
    let (new, lasts) = (matches!(ask.whose, Whose::Holder(_)), ask.lasts);
    let lease = admin.lease.ask(ask, admin.lease.made.elapsed())?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let seconds = lasts.as_secs_f64();
    Ok(answer(status, &json!({"lease": lease.id, "holder": lease.holder, "seconds": seconds})))
}

/// Gives the clock back.
pub(super) async fn give_back(
    State(admin): State<Arc<Admin>>,
    Path(lease): Path<String>,
) -> Result<Response, Problem> {
    admin.lease.give_back(&lease, admin.lease.made.elapsed())?;
    Ok(empty(StatusCode::NO_CONTENT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(desk: &Desk, holder: &str, seconds: u64) -> Result<String, Refused> {
        let ask = Ask { whose: Whose::Holder(holder.into()), lasts: Duration::from_secs(60) };
        desk.ask(ask, Duration::from_secs(seconds)).map(|lease| lease.id)
    }

    fn renewed(desk: &Desk, lease: &str, seconds: u64) -> Result<Duration, Refused> {
        let ask = Ask { whose: Whose::Lease(lease.into()), lasts: Duration::from_secs(60) };
        desk.ask(ask, Duration::from_secs(seconds)).map(|lease| lease.ends)
    }

    #[test]
    fn who_holds_the_clock_moves_it_alone_until_it_is_given_back() {
        let desk = Desk::new();
        assert_eq!(desk.check_at(None, Duration::ZERO), Ok(()), "free for all");
        let lease = taken(&desk, "ci 42", 0).expect("free");
        let in_use = |seconds| Err(Refused::InUse { holder: "ci 42".into(), seconds });
        let now = Duration::from_secs(10);
        assert_eq!(desk.check_at(Some(&lease), now), Ok(()));
        assert_eq!(desk.check_at(None, now), in_use(51));
        assert_eq!(desk.check_at(Some("another"), now), in_use(51));
        assert_eq!(taken(&desk, "another", 10).err(), in_use(51).err());
        assert_eq!(desk.give_back("another", now), Err(Refused::Ended));
        assert_eq!(desk.give_back(&lease, now), Ok(()));
        assert_eq!(desk.check_at(None, now), Ok(()));
        assert_eq!(desk.check_at(Some(&lease), now), Err(Refused::Ended));
        assert_ne!(taken(&desk, "another", 10), Ok(lease));
    }

    #[test]
    fn a_lease_ends_by_itself_unless_it_is_renewed() {
        let desk = Desk::new();
        let lease = taken(&desk, "ci", 0).expect("free");
        assert_eq!(renewed(&desk, &lease, 59), Ok(Duration::from_secs(119)));
        assert_eq!(desk.check_at(Some(&lease), Duration::from_millis(118_999)), Ok(()));
        assert_eq!(desk.check_at(None, Duration::from_secs(119)), Ok(()));
        assert_eq!(renewed(&desk, &lease, 119), Err(Refused::Ended));
    }

    #[test]
    fn a_holder_is_named_without_what_may_be_a_card() {
        let desk = Desk::new();
        taken(&desk, "4000000000000002", 0).expect("free");
        let refused = desk.check_at(None, Duration::ZERO).expect_err("in use").to_string();
        assert!(!refused.contains("400000000000") && refused.contains("0002"), "{refused}");
    }
}
