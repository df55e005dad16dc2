//! The only file that reads the time.
//!
//! Everything else is told the moment as an argument, or waits here. The real clock is the
//! system's; the manual one moves only when told, and wakes whoever waits for the moment it passes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::domain::{Moment, Month, Now};

/// Where the time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockMode {
    /// The system's time.
    Real,
    /// A clock that starts at an instant (milliseconds since 1970, UTC) and moves only when told.
    Manual {
        /// Milliseconds since 1970-01-01T00:00:00Z.
        start_ms: i64,
    },
}

impl ClockMode {
    /// A manual clock that starts at the system's present time.
    #[must_use]
    pub fn manual_from_now() -> Self {
        Self::Manual { start_ms: system_ms() }
    }
}

/// One clock, cheap to clone; all clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    manual: Option<Arc<watch::Sender<i64>>>,
}

/// The real clock cannot be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the clock is real and cannot be moved; start with --clock manual")]
pub struct ClockIsReal;

impl Clock {
    /// A clock of the given kind.
    #[must_use]
    pub fn new(mode: ClockMode) -> Self {
        let manual = match mode {
            ClockMode::Real => None,
            ClockMode::Manual { start_ms } => Some(Arc::new(watch::Sender::new(start_ms))),
        };
        Self { manual }
    }

    /// `true` if the clock moves only when told.
    #[must_use]
    pub fn is_manual(&self) -> bool {
        self.manual.is_some()
    }

    /// Milliseconds since 1970, UTC.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        self.manual.as_ref().map_or_else(system_ms, |now| *now.borrow())
    }

    /// The moment and its calendar month.
    #[must_use]
    pub(crate) fn now(&self) -> Now {
        let at = Moment::from_ms(self.now_ms());
        Now { at, month: month_of(at) }
    }

    /// Moves a manual clock forward to `to`; a moment already passed leaves it where it is.
    ///
    /// # Errors
    /// [`ClockIsReal`] when the clock is the system's.
    pub(crate) fn advance_to(&self, to: Moment) -> Result<(), ClockIsReal> {
        let now = self.manual.as_ref().ok_or(ClockIsReal)?;
        now.send_if_modified(|now| {
            let moves = to.as_ms() > *now;
            *now = to.as_ms().max(*now);
            moves
        });
        Ok(())
    }

    /// Returns once the clock shows `until` or later.
    pub(crate) async fn sleep_until(&self, until: Moment) {
        match &self.manual {
            Some(now) => {
                let mut seen = now.subscribe();
                // An error means that the clock is gone, and with it everything that could wait.
                let _ = seen.wait_for(|now| *now >= until.as_ms()).await;
            }
            None => loop {
                let left = until.as_ms() - system_ms();
                let Some(left) = u64::try_from(left).ok().filter(|left| *left > 0) else {
                    return;
                };
                tokio::time::sleep(Duration::from_millis(left)).await;
            },
        }
    }
}

/// Measures how long something takes in real time, whatever the sandbox clock shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "the home of time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    pub(crate) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

/// The system's time in seconds since 1970, whatever the sandbox clock shows: TLS runs on it.
pub(crate) fn system_seconds() -> i64 {
    system_ms().div_euclid(1000)
}

#[expect(clippy::disallowed_methods, reason = "the home of time")]
fn system_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

fn month_of(at: Moment) -> Month {
    let stamp = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let date = jiff::tz::Offset::UTC.to_datetime(stamp).date();
    let year = u16::try_from(date.year()).unwrap_or(1970);
    let month = u8::try_from(date.month()).unwrap_or(1);
    Month::new(year, month).unwrap_or(Month::FIRST)
}

/// A moment in RFC 3339, in any zone.
pub(crate) fn parse_rfc3339(text: &str) -> Option<Moment> {
    text.parse::<jiff::Timestamp>().ok().map(|stamp| Moment::from_ms(stamp.as_millisecond()))
}

/// RFC 3339 in UTC with milliseconds: `2026-04-22T10:00:00.000Z`.
pub(crate) fn rfc3339(at: Moment) -> String {
    let stamp = jiff::Timestamp::from_millisecond(at.as_ms()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    format!("{stamp:.3}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_with_milliseconds_in_utc() {
        let written = rfc3339(Moment::from_ms(1_776_852_000_007));
        assert_eq!(written, "2026-04-22T10:00:00.007Z");
        assert_eq!(parse_rfc3339(&written), Some(Moment::from_ms(1_776_852_000_007)));
    }

    #[test]
    fn the_month_of_a_moment_is_its_month_in_utc() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 1_776_852_000_000 });
        assert_eq!(clock.now().month, Month::new(2026, 4).expect("a month"));
    }

    #[tokio::test]
    async fn a_manual_clock_wakes_a_waiter_when_it_passes_the_moment() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 0 });
        let waiter = tokio::spawn({
            let clock = clock.clone();
            async move { clock.sleep_until(Moment::from_ms(10)).await }
        });
        clock.advance_to(Moment::from_ms(9)).expect("manual");
        tokio::task::yield_now().await;
        assert!(!waiter.is_finished());
        clock.advance_to(Moment::from_ms(10)).expect("manual");
        waiter.await.expect("woken");
    }

    #[test]
    fn a_clock_never_goes_back() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 5 });
        clock.advance_to(Moment::from_ms(3)).expect("manual");
        assert_eq!(clock.now_ms(), 5);
    }

    #[test]
    fn the_real_clock_cannot_be_moved() {
        assert_eq!(Clock::new(ClockMode::Real).advance_to(Moment::from_ms(1)), Err(ClockIsReal));
    }
}
