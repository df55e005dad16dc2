//! Time: the only file of this package that reads the system's clock.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;

/// The time that a client or a receiver goes by. Cheap to clone; clones share one clock.
///
/// Everything that depends on time (the life of an assertion, the life of an access token, the pause before a
/// repetition, the total budget of a call) reads it here. The time-outs of a single connection or attempt are not on
/// this clock: they guard real sockets and run on real time.
#[derive(Debug, Clone)]
pub struct Clock(Arc<Kind>);

#[derive(Debug)]
enum Kind {
    System { origin: Instant },
    Manual(Manual),
}

#[derive(Debug)]
struct Manual {
    start: Mutex<SystemTime>,
    passed: watch::Sender<Duration>,
    /// When pauses end that somebody waits for, and how many of them end then.
    pauses: watch::Sender<BTreeMap<Duration, usize>>,
    skips: bool,
}

/// A pause that is waited for, until dropped.
struct Pause<'a> {
    clock: &'a Manual,
    until: Duration,
}

impl<'a> Pause<'a> {
    fn until(clock: &'a Manual, until: Duration) -> Self {
        clock.pauses.send_modify(|pauses| *pauses.entry(until).or_default() += 1);
        Self { clock, until }
    }
}

impl Drop for Pause<'_> {
    fn drop(&mut self) {
        self.clock.pauses.send_modify(|pauses| {
            let left = pauses.get(&self.until).map_or(0, |count| count.saturating_sub(1));
            match left {
                0 => pauses.remove(&self.until),
                left => pauses.insert(self.until, left),
            };
        });
    }
}

impl Clock {
    /// The system's clock. Durations are measured on the monotonic clock, so that a corrected wall clock neither
    /// prolongs nor shortens the life of a token.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the home of time")]
    pub fn system() -> Self {
        Self(Arc::new(Kind::System { origin: Instant::now() }))
    }

    /// A clock that stands at `start` until [`Clock::advance`] moves it. A pause ends when enough time was advanced.
    #[must_use]
    pub fn manual(start: SystemTime) -> Self {
        Self::stopped(start, false)
    }

    /// A manual clock on which every pause ends at once and moves the clock by its length. For tests of code that waits.
    #[must_use]
    pub fn skipping(start: SystemTime) -> Self {
        Self::stopped(start, true)
    }

    fn stopped(start: SystemTime, skips: bool) -> Self {
        Self(Arc::new(Kind::Manual(Manual {
            start: Mutex::new(start),
            passed: watch::Sender::new(Duration::ZERO),
            pauses: watch::Sender::new(BTreeMap::new()),
            skips,
        })))
    }

    /// Moves a manual clock forward. A system clock is not moved.
    pub fn advance(&self, by: Duration) {
        match &*self.0 {
            Kind::System { .. } => {}
            Kind::Manual(Manual { passed, .. }) => {
                passed.send_modify(|now| *now = now.saturating_add(by));
            }
        }
    }

    /// How far a manual clock has to be advanced until the first pause ends that somebody waits for. `None` if nobody
    /// waits, and always on the other clocks.
    #[must_use]
    pub fn until_next_pause_ends(&self) -> Option<Duration> {
        let Kind::Manual(Manual { passed, pauses, .. }) = &*self.0 else {
            return None;
        };
        let first = pauses.borrow().keys().next().copied();
        first.map(|until| until.saturating_sub(*passed.borrow()))
    }

    /// Returns once somebody waits on a manual clock for a pause to end. For who moves the clock: until then, what has
    /// been begun goes on by itself. On the other clocks it never returns.
    pub async fn somebody_waits(&self) {
        match &*self.0 {
            Kind::Manual(Manual { passed, pauses, .. }) => {
                // Who was woken and has not gone on yet does not wait any more.
                let waits =
                    |pauses: &BTreeMap<Duration, usize>| pauses.keys().any(|until| until > &*passed.borrow());
                // The sender lives in `self`, so that waiting cannot fail.
                let mut watcher = pauses.subscribe();
                let _ended = watcher.wait_for(waits).await;
            }
            Kind::System { .. } => std::future::pending().await,
        }
    }

    /// Corrects the time of day of a manual clock, forward or back, as a time server may do: no time passes by it, so
    /// that no pause ends and no token ages. A system clock is not set.
    pub fn set(&self, now: SystemTime) {
        if let Kind::Manual(Manual { start, passed, .. }) = &*self.0 {
            // What lies before all that a `SystemTime` can hold is not set.
            if let Some(corrected) = now.checked_sub(*passed.borrow()) {
                *lock(start) = corrected;
            }
        }
    }

    /// The time of day.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the home of time")]
    pub fn now(&self) -> SystemTime {
        match &*self.0 {
            Kind::System { .. } => SystemTime::now(),
            Kind::Manual(Manual { start, passed, .. }) => {
                let start = *lock(start);
                start.checked_add(*passed.borrow()).unwrap_or(start)
            }
        }
    }

    /// Seconds since the Unix epoch; zero before it.
    pub(crate) fn unix_seconds(&self) -> u64 {
        self.now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Time passed since this clock was made; never goes backwards.
    pub(crate) fn elapsed(&self) -> Duration {
        match &*self.0 {
            Kind::System { origin } => origin.elapsed(),
            Kind::Manual(Manual { passed, .. }) => *passed.borrow(),
        }
    }

    /// Waits for `pause` on this clock.
    pub(crate) async fn sleep(&self, pause: Duration) {
        match &*self.0 {
            Kind::System { .. } => tokio::time::sleep(pause).await,
            Kind::Manual(Manual { skips: true, .. }) => self.advance(pause),
            Kind::Manual(manual) => {
                let until = self.elapsed().saturating_add(pause);
                let _pause = Pause::until(manual, until);
                let mut watcher = manual.passed.subscribe();
                // The sender lives in `self`, so that waiting cannot fail; an error would end the pause.
                let _ended = watcher.wait_for(|now| *now >= until).await;
            }
        }
    }
}

// A time is whole at any moment, since it is only ever replaced.
fn lock(time: &Mutex<SystemTime>) -> MutexGuard<'_, SystemTime> {
    time.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_pause_on_a_manual_clock_ends_when_enough_was_advanced() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let sleeper = clock.clone();
        let pause = tokio::spawn(async move { sleeper.sleep(Duration::from_secs(10)).await });
        tokio::task::yield_now().await;
        clock.advance(Duration::from_secs(9));
        tokio::task::yield_now().await;
        assert!(!pause.is_finished());
        clock.somebody_waits().await;
        assert_eq!(clock.until_next_pause_ends(), Some(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        pause.await.expect("the sleeper ends");
        assert_eq!((clock.unix_seconds(), clock.until_next_pause_ends()), (10, None));
    }

    #[tokio::test]
    async fn a_pause_that_is_given_up_is_waited_for_no_more() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        let (one, other) = (clock.clone(), clock.clone());
        let one = tokio::spawn(async move { one.sleep(Duration::from_secs(10)).await });
        let other = tokio::spawn(async move { other.sleep(Duration::from_secs(20)).await });
        while clock.until_next_pause_ends() != Some(Duration::from_secs(10)) {
            tokio::task::yield_now().await;
        }
        one.abort();
        assert!(one.await.is_err_and(|ended| ended.is_cancelled()));
        clock.somebody_waits().await;
        assert_eq!(clock.until_next_pause_ends(), Some(Duration::from_secs(20)));
        other.abort();
        assert!(other.await.is_err_and(|ended| ended.is_cancelled()));
        tokio::select! {
            biased;
            () = clock.somebody_waits() => panic!("nobody waits"),
            () = tokio::task::yield_now() => {}
        }
        assert_eq!(clock.until_next_pause_ends(), None);
    }

    #[test]
    fn a_manual_clock_can_be_set_back_and_no_time_passes_by_it() {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH + Duration::from_secs(1_000));
        clock.advance(Duration::from_secs(10));
        clock.set(SystemTime::UNIX_EPOCH + Duration::from_secs(400));
        assert_eq!((clock.unix_seconds(), clock.elapsed()), (400, Duration::from_secs(10)));
        clock.advance(Duration::from_secs(5));
        assert_eq!((clock.unix_seconds(), clock.elapsed()), (405, Duration::from_secs(15)));
    }

    #[tokio::test]
    async fn a_pause_on_a_skipping_clock_moves_it() {
        let clock = Clock::skipping(SystemTime::UNIX_EPOCH);
        clock.sleep(Duration::from_secs(7)).await;
        assert_eq!(clock.elapsed(), Duration::from_secs(7));
    }
}
