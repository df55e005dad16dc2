//! The only file that reads the time.
//!
//! Everything else is told the moment as an argument, or waits here. The real clock is the
//! system's; the manual one moves only when told. It knows which exchanges are open and which of them
//! wait for it, so that whoever moves it can let one thing after the other happen.

mod kinds;
mod traffic;

pub use kinds::{AuthClock, ClockMode, UnknownClock};
pub(crate) use traffic::{Aside, LetGo, Open, Waiter, WayOut};

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::domain::{GatewayId, Moment, Month, Now};
use traffic::{Traffic, Waiting};

/// The end of the sandbox's time, 2100-01-01T00:00:00Z: `MMYY` names no later month.
pub(crate) const LATEST: Moment = Moment::from_ms(4_102_444_800_000);

/// One clock, cheap to clone; all clones show the same time.
#[derive(Debug, Clone)]
pub struct Clock {
    manual: Option<Arc<Manual>>,
}

#[derive(Debug)]
struct Manual {
    now: watch::Sender<i64>,
    traffic: Arc<Traffic>,
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
            ClockMode::Manual { start_ms } => {
                Some(Arc::new(Manual { now: watch::Sender::new(start_ms), traffic: Traffic::new() }))
            }
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
        self.manual.as_ref().map_or_else(system_ms, |manual| *manual.now.borrow())
    }

    /// The moment and its calendar month.
    #[must_use]
    pub(crate) fn now(&self) -> Now {
        let at = Moment::from_ms(self.now_ms());
        Now { at, month: month_of(at) }
    }

    /// Moves a manual clock forward to `to`; a moment already passed leaves it where it is. Exchanges
    /// that wait for it go on when [`Self::let_go`] says so, one by one.
    ///
    /// # Errors
    /// [`ClockIsReal`] when the clock is the system's.
    pub(crate) fn advance_to(&self, to: Moment) -> Result<(), ClockIsReal> {
        let manual = self.manual.as_ref().ok_or(ClockIsReal)?;
        manual.now.send_if_modified(|now| {
            let moves = to.as_ms() > *now;
            *now = to.as_ms().max(*now);
            moves
        });
        Ok(())
    }

    /// For an exchange or a delivery, which is no longer in the way of the clock while it waits here:
    /// returns once the clock shows `until` or later. `who` is what is told of it.
    pub(crate) async fn sleep_until(&self, until: Moment, who: Waiter) {
        self.wait(until, who).over().await;
    }

    /// The same for who may be let go sooner.
    pub(crate) fn wait(&self, until: Moment, who: Waiter) -> Wait<'_> {
        let waiting = self.manual.as_ref().and_then(|manual| {
            let shows = || self.now().at;
            manual.traffic.wait(until, who, shows)
        });
        Wait { clock: self, until, waiting }
    }

    /// For a task in the background: returns once the clock shows `until` or later.
    pub(crate) async fn reaches(&self, until: Moment) {
        match &self.manual {
            Some(manual) => {
                let mut seen = manual.now.subscribe();
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

    /// An exchange has begun and is open until the result is dropped. A manual clock does not move
    /// meanwhile, unless the exchange waits for it.
    pub(crate) fn open(&self) -> Open {
        self.manual.as_ref().map_or(Open::UNCOUNTED, |manual| manual.traffic.open())
    }

    /// An exchange that is open waits for something else than the clock until the result is dropped, and is
    /// not in its way meanwhile.
    pub(crate) fn aside(&self) -> Aside {
        self.manual.as_ref().map_or(Aside::UNCOUNTED, |manual| manual.traffic.aside())
    }

    /// Something came from a peer or went to one.
    pub(crate) fn touch(&self) {
        if let Some(manual) = &self.manual {
            manual.traffic.touch();
        }
    }

    /// Changes whenever an exchange begins, ends or waits; nothing on the real clock.
    pub(crate) fn traffic(&self) -> Option<watch::Receiver<()>> {
        self.manual.as_ref().map(|manual| manual.traffic.changed())
    }

    /// How many are at it and do not wait for the clock; `elsewhere` are open and not counted here.
    pub(crate) fn busy(&self, elsewhere: usize) -> usize {
        self.manual.as_ref().map_or(elsewhere, |manual| manual.traffic.busy(elsewhere))
    }

    /// How long nothing came from a peer and nothing went to one, in real time.
    pub(crate) fn silent_for(&self) -> Duration {
        self.manual.as_ref().map_or(Duration::MAX, |manual| manual.traffic.silent_for())
    }

    /// The earliest moment to come that an exchange waits for.
    pub(crate) fn next_wait(&self) -> Option<Moment> {
        self.next_wait_of(&[])
    }

    /// The same among the exchanges of these gateways, or of all if none is named.
    pub(crate) fn next_wait_of(&self, whose: &[GatewayId]) -> Option<Moment> {
        self.manual.as_ref()?.traffic.next_after(self.now().at, whose)
    }

    /// Returns once an exchange of these gateways, or of any if none is named, waits for a moment to come; never on the
    /// real clock.
    pub(crate) async fn one_waits_of(&self, whose: &[GatewayId]) {
        let Some(mut traffic) = self.traffic() else { return std::future::pending().await };
        loop {
            traffic.mark_unchanged();
            if self.next_wait_of(whose).is_some() {
                return;
            }
            if traffic.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Lets the first exchange go on whose moment has come.
    pub(crate) fn let_go(&self) -> Option<(Moment, Waiter)> {
        self.manual.as_ref()?.traffic.let_go(self.now().at)
    }

    /// Lets the exchanges of a gateway go on that wait, or all of them, whatever the clock shows.
    pub(crate) fn let_go_of(&self, gateway: Option<&GatewayId>) {
        if let Some(manual) = &self.manual {
            manual.traffic.let_go_of(gateway);
        }
    }
}

/// Somebody who waits for the clock.
#[derive(Debug)]
pub(crate) struct Wait<'a> {
    clock: &'a Clock,
    until: Moment,
    waiting: Option<Waiting>,
}

impl Wait<'_> {
    /// Returns once the clock is there, or he is let go before.
    pub(crate) async fn over(self) -> LetGo {
        match self.waiting {
            Some(waiting) => waiting.over().await,
            None => {
                self.clock.reaches(self.until).await;
                LetGo::Reached
            }
        }
    }

    /// How to let him go before, so that a clock which is moved next waits for him; on the real clock nobody does.
    pub(crate) fn way_out(&self) -> Option<WayOut> {
        self.waiting.as_ref().map(Waiting::way_out)
    }
}

/// Measures how long something takes in real time, whatever the sandbox clock shows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
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
    async fn a_manual_clock_wakes_a_task_when_it_passes_the_moment() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 0 });
        let task = tokio::spawn({
            let clock = clock.clone();
            async move { clock.reaches(Moment::from_ms(10)).await }
        });
        clock.advance_to(Moment::from_ms(9)).expect("manual");
        tokio::task::yield_now().await;
        assert!(!task.is_finished());
        clock.advance_to(Moment::from_ms(10)).expect("manual");
        task.await.expect("woken");
    }

    /// Waits that have begun in the order of the list.
    async fn waiting(clock: &Clock, until: &[i64]) -> Vec<tokio::task::JoinHandle<()>> {
        let mut waits = Vec::new();
        for ms in until.iter().copied() {
            let clock = clock.clone();
            waits.push(tokio::spawn(async move {
                clock.sleep_until(Moment::from_ms(ms), Waiter::default()).await;
            }));
            tokio::task::yield_now().await;
        }
        waits
    }

    #[tokio::test]
    async fn exchanges_that_wait_are_let_go_one_by_one_in_order_and_are_busy_from_then_on() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 0 });
        let open = [clock.open(), clock.open(), clock.open()];
        assert_eq!(clock.busy(0), 3);
        let somebody = tokio::spawn({
            let clock = clock.clone();
            async move { clock.one_waits_of(&[]).await }
        });
        tokio::task::yield_now().await;
        assert!(!somebody.is_finished());
        let waits = waiting(&clock, &[10, 5, 10]).await;
        somebody.await.expect("three wait");
        assert_eq!((clock.busy(0), clock.busy(2), clock.next_wait()), (0, 2, Some(Moment::from_ms(5))));
        clock.advance_to(Moment::from_ms(10)).expect("manual");
        assert_eq!((clock.busy(0), clock.next_wait()), (0, None), "they wait to be let go");
        for (place, moment) in [(1, 5), (0, 10), (2, 10)] {
            assert!(!waits[place].is_finished());
            assert_eq!(clock.let_go().map(|(at, _)| at), Some(Moment::from_ms(moment)));
            tokio::task::yield_now().await;
            assert!(waits[place].is_finished());
        }
        assert_eq!((clock.let_go(), clock.busy(0)), (None, 3));
        drop(open);
        assert_eq!(clock.busy(0), 0);
    }

    #[tokio::test]
    async fn exchanges_of_a_gateway_are_told_by_themselves_and_go_on_with_it() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 0 });
        let [one, other] = ["MGW_000001", "MGW_000002"].map(|id| GatewayId::parse(id).expect("an id"));
        let wait = |gateway: &GatewayId, ms| {
            let (clock, who) =
                (clock.clone(), Waiter { gateway: Some(gateway.clone()), ..Waiter::default() });
            tokio::spawn(async move { clock.sleep_until(Moment::from_ms(ms), who).await })
        };
        let (first, second) = (wait(&one, 5), wait(&other, 7));
        clock.one_waits_of(std::slice::from_ref(&other)).await;
        let next = |whose: &[&GatewayId]| {
            let whose: Vec<GatewayId> = whose.iter().copied().cloned().collect();
            clock.next_wait_of(&whose).map(Moment::as_ms)
        };
        assert_eq!((next(&[]), next(&[&one, &other]), next(&[&other])), (Some(5), Some(5), Some(7)));
        clock.let_go_of(Some(&one));
        first.await.expect("let go");
        assert_eq!((next(&[&one]), next(&[]), second.is_finished()), (None, Some(7), false));
    }

    #[test]
    fn who_stands_aside_is_not_busy_until_he_comes_back() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 0 });
        let (_open, aside) = (clock.open(), clock.aside());
        assert_eq!(clock.busy(0), 0);
        drop(aside);
        assert_eq!(clock.busy(0), 1);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_is_forgotten_and_a_moment_that_has_passed_is_not_waited_for() {
        let clock = Clock::new(ClockMode::Manual { start_ms: 7 });
        clock.sleep_until(Moment::from_ms(7), Waiter::default()).await;
        for wait in waiting(&clock, &[8]).await {
            assert_eq!(clock.next_wait(), Some(Moment::from_ms(8)));
            wait.abort();
            assert!(wait.await.is_err(), "given up");
        }
        assert_eq!(clock.next_wait(), None);
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
