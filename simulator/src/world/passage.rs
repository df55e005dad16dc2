//! How time passes here. On the real clock a task waits for what is planned; on the manual clock
//! somebody moves it, one step for each moment at which something is to be done.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::World;
use crate::clock::{Clock, ClockIsReal, rfc3339};
use crate::domain::Moment;
use crate::journal::Fact;
use crate::stop::Stop;

/// Before it moves, the manual clock waits so long, in real time, for what is being delivered.
const PATIENCE: Duration = Duration::from_secs(2);
/// One advance makes at most so many stops; what is due beyond them waits for its end.
const MOST_STOPS: usize = 10_000;

impl World {
    /// Does what is planned when its moment has come, until `stop` says so.
    pub(crate) async fn keep_schedule(self: Arc<Self>, clock: Clock, mut stop: Stop) {
        let mut moved = self.moved();
        loop {
            // What is planned from here on wakes this task.
            moved.mark_unchanged();
            self.fire_due(&clock);
            let wake = async {
                match self.next_scheduled() {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = wake => {}
                changed = moved.changed() => if changed.is_err() { return },
                () = stop.told() => return,
            }
        }
    }

    /// Moves the manual clock and returns what it shows then. Events and deliveries that fall due on
    /// the way happen on the way, each at its moment, and are over when this returns, unless a
    /// receiver keeps them waiting too long.
    pub(crate) async fn advance(&self, clock: &Clock, by: Duration) -> Result<Moment, ClockIsReal> {
        if !clock.is_manual() {
            return Err(ClockIsReal);
        }
        // One after the other: two at once would step over each other's stops.
        let _turn = self.advancing.lock().await;
        let until = clock.now().at.after(by);
        let mut patient = self.calm(clock.now().at).await;
        for _ in 0..MOST_STOPS {
            let next = self.next_after(clock.now().at).filter(|next| *next < until);
            let Some(next) = next else { break };
            self.step(clock, next)?;
            patient = patient && self.calm(next).await;
        }
        self.step(clock, until)?;
        if patient {
            self.calm(until).await;
        }
        Ok(until)
    }

    fn step(&self, clock: &Clock, to: Moment) -> Result<(), ClockIsReal> {
        // Before anybody is woken, so that it stands before whatever happens at that moment.
        self.journal.record(to, None, None, &Fact::Clock { now: rfc3339(to) });
        clock.advance_to(to)?;
        // Also a task's business, but here it is done when this returns.
        self.fire_due(clock);
        Ok(())
    }

    /// Waits until nothing is being delivered and nothing is due. `false` if that takes too long.
    async fn calm(&self, now: Moment) -> bool {
        let mut moved = self.moved();
        let calm = async {
            while !self.lock().outbox.is_calm(now) {
                if moved.changed().await.is_err() {
                    return;
                }
            }
        };
        timeout(PATIENCE, calm).await.is_ok()
    }

    /// The earliest moment after `now` at which anything is to be done.
    fn next_after(&self, now: Moment) -> Option<Moment> {
        let state = self.lock();
        let planned = state.next_scheduled().filter(|at| *at > now);
        planned.into_iter().chain(state.outbox.next_after(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use tokio::time::timeout;

    use super::*;
    use crate::chance::Chance;
    use crate::clock::ClockMode;
    use crate::domain::{Behaviour, GatewayId, IssuerEvent, Month, Pan, Token};
    use crate::faults::{Faults, Known};
    use crate::journal::{Body, Delivery, Journal};
    use crate::world::{Asker, Limits, PresentedCard, Setting, Settled};

    const START: Moment = Moment::from_ms(1_776_852_000_000);
    const SOON: &str = "4000000000000010";

    fn gateway() -> GatewayId {
        GatewayId::parse("MGW_000001").expect("an id")
    }

    fn manual() -> Clock {
        Clock::new(ClockMode::Manual { start_ms: START.as_ms() })
    }

    /// A world whose issuer suspends the token of a card so many seconds after it was made.
    fn world(seconds: u32, receivers: Vec<GatewayId>) -> (Arc<World>, Arc<Journal>) {
        let soon = Behaviour::Soon { seconds, event: IssuerEvent::TokenSuspend };
        let journal = Arc::new(Journal::new());
        let setting = Setting {
            chance: Chance::new(1),
            cards: HashMap::from([(Pan::parse(SOON).expect("a number"), soon)]),
            receivers,
            limits: Limits::default(),
            faults: Faults::new(Chance::new(1), Known::default(), Arc::clone(&journal)),
        };
        (Arc::new(World::new(setting, Arc::clone(&journal)).expect("randomness")), journal)
    }

    fn token(world: &World, clock: &Clock) -> Token {
        let asker = Asker { gateway: &gateway(), correlation: None };
        let (merchant, _) = world.create_merchant(asker, "Shop", clock.now()).expect("room");
        let expiry = Month::from_mmyy("1239").expect("a month");
        let card = PresentedCard { pan: Pan::parse(SOON).expect("a number"), expiry };
        world.create_token(asker, merchant, &card, clock.now()).expect("approved")
    }

    async fn suspended(journal: &Journal) -> String {
        let wanted = async {
            for n in 1.. {
                let text = String::from_utf8(journal.page(0)).expect("text");
                if text.contains("\"cause\":\"token.suspend\"") {
                    return text;
                }
                journal.wait_beyond(n).await;
            }
            String::new()
        };
        timeout(Duration::from_secs(10), wanted).await.expect("the planned event happens")
    }

    /// Settles what is due as a receiver would that is down for the first attempts.
    async fn deliver(world: Arc<World>, clock: Clock, failures: u32) {
        let mut moved = world.moved();
        loop {
            moved.mark_unchanged();
            for job in world.take_due(&gateway(), clock.now().at, 1) {
                let at = job.taken_at.after(Duration::from_secs(10));
                let settled = match job.attempt > failures {
                    true => Settled::Over,
                    false => Settled::Again { at, body: None },
                };
                let delivery =
                    Delivery { attempt: job.attempt, request: Body::of(b""), ..Delivery::default() };
                world.settle(&job, settled, "", delivery);
            }
            let due = world.next_due(&gateway());
            tokio::select! {
                () = async { match due {
                    Some(due) => clock.sleep_until(due).await,
                    None => std::future::pending().await,
                } } => {}
                _ = moved.changed() => {}
            }
        }
    }

    fn kinds_and_moments(journal: &Journal) -> Vec<(String, i64)> {
        let text = String::from_utf8(journal.page(0)).expect("text");
        let lines = text.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            let at: jiff::Timestamp = line["at"].as_str().expect("a moment").parse().expect("RFC 3339");
            (line["kind"].as_str().expect("a kind").to_owned(), at.as_millisecond() - START.as_ms())
        });
        lines.collect()
    }

    #[tokio::test]
    async fn on_the_real_clock_a_planned_event_happens_by_itself_without_any_receiver() {
        let clock = Clock::new(ClockMode::Real);
        let (world, journal) = world(0, Vec::new());
        let (_stop, stopped) = Stop::pair();
        // It sleeps already when the event is planned.
        let mut schedule = tokio::spawn(Arc::clone(&world).keep_schedule(clock.clone(), stopped));
        tokio::select! {
            biased;
            _ = &mut schedule => panic!("it ends on stop alone"),
            () = tokio::task::yield_now() => {}
        }
        token(&world, &clock);
        suspended(&journal).await;
    }

    #[tokio::test]
    async fn on_the_manual_clock_a_planned_event_happens_when_the_clock_gets_there() {
        let clock = manual();
        let (world, journal) = world(5, Vec::new());
        let (stop, stopped) = Stop::pair();
        let schedule = tokio::spawn(Arc::clone(&world).keep_schedule(clock.clone(), stopped));
        token(&world, &clock);
        clock.advance_to(START.after(Duration::from_millis(4_999))).expect("manual");
        world.fire_due(&clock);
        assert_eq!(world.next_scheduled(), Some(START.after(Duration::from_secs(5))));
        clock.advance_to(START.after(Duration::from_secs(5))).expect("manual");
        suspended(&journal).await;
        stop.send_replace(true);
        timeout(Duration::from_secs(10), schedule).await.expect("it stops").expect("without a panic");
    }

    #[test]
    fn a_planned_event_is_not_the_business_of_who_delivers() {
        let (world, _) = world(5, vec![gateway()]);
        token(&world, &manual());
        assert_eq!(world.next_due(&gateway()), None);
    }

    #[tokio::test]
    async fn what_falls_due_on_the_way_happens_on_the_way_at_its_moment() {
        let clock = manual();
        let (world, journal) = world(5, vec![gateway()]);
        tokio::spawn(deliver(Arc::clone(&world), clock.clone(), 2));
        token(&world, &clock);
        let now = world.advance(&clock, Duration::from_secs(3600)).await.expect("manual");
        assert_eq!((now, clock.now().at), (START.after(Duration::from_secs(3600)), now));
        let wanted = [
            ("transition", 0),
            ("transition", 0),
            ("clock", 5_000),
            ("transition", 5_000),
            ("delivery", 5_000),
            ("clock", 15_000),
            ("delivery", 15_000),
            ("clock", 25_000),
            ("delivery", 25_000),
            ("clock", 3_600_000),
        ];
        let found = kinds_and_moments(&journal);
        let found: Vec<(&str, i64)> = found.iter().map(|(kind, at)| (kind.as_str(), *at)).collect();
        assert_eq!(found, wanted);
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_hangs_holds_the_clock_up_for_a_moment_only() {
        let clock = manual();
        let (world, _) = world(5, vec![gateway()]);
        token(&world, &clock);
        token(&world, &clock);
        let before = tokio::time::Instant::now();
        // Nobody delivers anything.
        world.advance(&clock, Duration::from_secs(60)).await.expect("manual");
        assert_eq!((clock.now().at, before.elapsed()), (START.after(Duration::from_secs(60)), PATIENCE));
    }

    #[tokio::test]
    async fn ten_years_of_endless_retries_come_to_an_end() {
        let clock = manual();
        let (world, _) = world(5, vec![gateway()]);
        tokio::spawn(deliver(Arc::clone(&world), clock.clone(), u32::MAX));
        token(&world, &clock);
        let ten_years = Duration::from_secs(10 * 365 * 24 * 3600);
        world.advance(&clock, ten_years).await.expect("manual");
        assert_eq!(clock.now().at, START.after(ten_years));
    }

    #[tokio::test]
    async fn the_real_clock_is_not_moved_and_nobody_waits_for_it() {
        let (world, journal) = world(5, Vec::new());
        let moved = world.advance(&Clock::new(ClockMode::Real), Duration::from_secs(1)).await;
        assert_eq!((moved, journal.last()), (Err(ClockIsReal), 0));
    }
}
