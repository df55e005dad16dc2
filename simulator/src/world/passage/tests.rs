use std::collections::HashMap;

use tokio::time::timeout;

use super::*;
use crate::chance::Chance;
use crate::clock::{ClockMode, Waiter};
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
        in_turn: true,
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

async fn by(world: &World, clock: &Clock, seconds: u64) -> Result<Passed, Halt> {
    go(world, clock, Way::By(Duration::from_secs(seconds)), Duration::ZERO).await.map_err(|halted| halted.why)
}

/// Somebody waits for the end of it.
async fn go(world: &World, clock: &Clock, way: Way, silence: Duration) -> Result<Passed, Halted> {
    world.advance(&mut world.turn().await, clock, (way, silence), &|| false).await
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
            let (settled, outcome) = match job.attempt > failures {
                true => (Settled::Over, "delivered"),
                false => (Settled::Again { at, body: None }, "retry"),
            };
            let delivery =
                Delivery { attempt: job.attempt, outcome, request: Body::of(b""), ..Delivery::default() };
            world.settle(&job, settled, "", delivery);
        }
        let due = world.next_due(&gateway());
        tokio::select! {
            () = async { match due {
                Some(due) => clock.reaches(due).await,
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
    world.fire_due(&clock).await;
    assert_eq!(world.next_planned(), Some(START.after(Duration::from_secs(5))));
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
    let passed = by(&world, &clock, 3600).await.expect("quiet");
    assert_eq!((passed.now, clock.now().at), (START.after(Duration::from_secs(3600)), passed.now));
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
async fn where_something_hangs_the_clock_stays_and_says_what_hangs() {
    let clock = manual();
    let (world, journal) = world(5, vec![gateway()]);
    token(&world, &clock);
    token(&world, &clock);
    let open = clock.open();
    let before = tokio::time::Instant::now();
    let halt = by(&world, &clock, 60).await.expect_err("an exchange is open");
    assert_eq!(halt, Halt::NotQuiet { now: START, deliveries: 0, exchanges: 1, waiting: 0 });
    assert_eq!((clock.now().at, before.elapsed()), (START, PATIENCE));
    drop(open);
    // Both fall due, one is taken, and nobody settles it.
    let taken = async {
        let mut moved = world.moved();
        while world.take_due(&gateway(), clock.now().at, 9).is_empty() {
            moved.changed().await.expect("a world");
        }
    };
    let way = Way::By(Duration::from_secs(60));
    let (halted, ()) = tokio::join!(go(&world, &clock, way, Duration::ZERO), taken);
    let (now, halted) = (START.after(Duration::from_secs(5)), halted.expect_err("one hangs"));
    assert_eq!(halted.why, Halt::NotQuiet { now, deliveries: 1, exchanges: 0, waiting: 1 });
    let so_far = halted.so_far.expect("it was begun");
    let kinds: Vec<_> = so_far.fired.iter().map(Fired::kind_and_outcome).collect();
    assert_eq!((so_far.now, kinds), (now, vec![("event", Some("done")); 2]));
    assert_eq!((so_far.left_out, so_far.journal), (0, journal.last()));
    assert_eq!(clock.now().at, now);
    assert!(!kinds_and_moments(&journal).contains(&("clock".to_owned(), 60_000)));
}

#[tokio::test(start_paused = true)]
async fn a_stop_is_quiet_once_nothing_came_and_nothing_went_for_the_silence_that_was_asked_for() {
    let clock = manual();
    let (world, _) = world(5, Vec::new());
    let silence = Duration::from_millis(200);
    tokio::time::advance(silence).await;
    let before = tokio::time::Instant::now();
    go(&world, &clock, Way::Quiet, silence).await.expect("silent for long");
    assert_eq!(before.elapsed(), Duration::ZERO);
    clock.touch();
    go(&world, &clock, Way::Quiet, silence).await.expect("silent after a while");
    assert_eq!(before.elapsed().as_millis() / 10, 20);
    let caller = async {
        loop {
            drop(clock.open());
            tokio::time::sleep(silence / 2).await;
        }
    };
    let halt = tokio::select! {
        biased;
        () = caller => unreachable!("it calls for ever"),
        halt = go(&world, &clock, Way::Quiet, silence) => halt,
    };
    assert_eq!(halt.map_err(|halted| halted.why), Err(Halt::NotSilent { now: START }));
}

#[tokio::test]
async fn too_many_stops_are_told_rather_than_stepped_over() {
    let clock = manual();
    let (world, _) = world(5, Vec::new());
    let stops = u64::try_from(MOST_STOPS).expect("a number");
    for n in 1..=stops + 1 {
        world.access_token_ends(&gateway(), &"c".into(), START.after(Duration::from_secs(n)));
    }
    let halt = by(&world, &clock, 10 * 365 * 24 * 3600).await.expect_err("an end every second");
    assert_eq!(halt, Halt::TooManyStops { now: START.after(Duration::from_secs(stops)) });
    let passed = by(&world, &clock, 10).await.expect("the rest");
    assert_eq!(passed.fired.len(), 1);
}

#[tokio::test]
async fn the_real_clock_is_not_moved_and_nobody_waits_for_it() {
    let (world, journal) = world(5, Vec::new());
    let moved = by(&world, &Clock::new(ClockMode::Real), 1).await;
    assert_eq!((moved, journal.last()), (Err(Halt::Real(ClockIsReal)), 0));
}

#[tokio::test]
async fn each_way_ends_where_it_says() {
    let clock = manual();
    let (world, _) = world(5, vec![gateway()]);
    tokio::spawn(deliver(Arc::clone(&world), clock.clone(), 2));
    let first = token(&world, &clock);
    let go = async |way| go(&world, &clock, way, Duration::ZERO).await.map_err(|halted| halted.why);
    let wanted = |name: &str| Way::Event(Wanted { name: name.into(), ..Wanted::default() });
    let seconds = |passed: &Passed| (passed.now.as_ms() - START.as_ms()) / 1000;
    assert_eq!(seconds(&go(Way::Quiet).await.expect("quiet")), 0);
    let next = go(Way::Next).await.expect("an event");
    assert_eq!(seconds(&next), 5);
    let kinds: Vec<_> = next.fired.iter().map(Fired::kind_and_outcome).collect();
    assert_eq!(kinds, [("event", Some("done")), ("delivery", Some("retry"))]);
    assert!(next.fired.iter().all(|fired| fired.token_id == Some(first.id.to_string())));
    assert_eq!(seconds(&go(wanted("delivery.delivered")).await.expect("an end")), 25);
    let past = go(Way::To(START)).await;
    assert_eq!(past, Err(Halt::Past { now: clock.now().at }));
    assert_eq!(seconds(&go(Way::To(START.after(Duration::from_secs(30)))).await.expect("later")), 30);
    // What is left are the expiries: of the token after its 48 months, and of the card.
    let token = go(wanted("expiry.token")).await.expect("its expiry");
    assert_eq!(token.now, first.token_expiry.end());
    assert_eq!(go(wanted("expiry.card")).await.expect("its expiry").now, first.card_expiry.end());
    assert_eq!(go(Way::Next).await, Err(Halt::NothingDue { now: first.card_expiry.end() }));
    let beyond = go(Way::To(LATEST)).await;
    assert_eq!(beyond, Err(Halt::End { now: first.card_expiry.end() }));
}

#[tokio::test]
async fn answers_that_wait_for_the_clock_are_given_one_by_one_at_their_moments() {
    let clock = manual();
    let (world, journal) = world(5, Vec::new());
    let mut exchanges = tokio::task::JoinSet::new();
    for (name, seconds) in [("late", 9), ("first", 2), ("second", 2)] {
        let (clock, journal, open) = (clock.clone(), Arc::clone(&journal), clock.open());
        let waiter = Waiter { correlation: Some(name.into()), ..Waiter::default() };
        exchanges.spawn(async move {
            let _open = open;
            clock.sleep_until(START.after(Duration::from_secs(seconds)), waiter).await;
            tokio::task::yield_now().await;
            journal.record(clock.now().at, None, Some(name), &Fact::Reset);
        });
        tokio::task::yield_now().await;
    }
    let passed = by(&world, &clock, 60).await.expect("quiet");
    let told: Vec<_> = passed.fired.iter().filter_map(Fired::correlation).collect();
    assert_eq!(told, ["first", "second", "late"]);
    let found = kinds_and_moments(&journal);
    let found: Vec<(&str, i64)> = found.iter().map(|(kind, at)| (kind.as_str(), *at)).collect();
    let wanted = [
        ("clock", 2_000),
        ("reset", 2_000),
        ("reset", 2_000),
        ("clock", 9_000),
        ("reset", 9_000),
        ("clock", 60_000),
    ];
    assert_eq!(found, wanted);
}

#[tokio::test]
async fn what_is_too_much_to_list_is_counted_and_stands_in_the_journal() {
    let clock = manual();
    let (world, journal) = world(5, Vec::new());
    for n in 0..1_500_u32 {
        world.access_token_ends(&gateway(), &format!("c{n}").into(), START.after(Duration::from_secs(1)));
    }
    let passed = by(&world, &clock, 1).await.expect("quiet");
    assert_eq!((passed.fired.len(), passed.left_out, journal.last()), (1_000, 500, 1_501));
    assert_eq!(passed.journal, 1_001, "the last that is listed");
}

#[tokio::test]
async fn who_is_gone_gets_the_stop_that_the_clock_is_at_and_no_more() {
    let clock = manual();
    let (world, _) = world(5, Vec::new());
    for seconds in [1, 2, 3] {
        world.access_token_ends(&gateway(), &"c".into(), START.after(Duration::from_secs(seconds)));
    }
    let (here, second) = (std::sync::atomic::AtomicBool::new(true), START.after(Duration::from_secs(2)));
    let is_over = || {
        here.fetch_and(clock.now().at < second, std::sync::atomic::Ordering::Relaxed);
        !here.load(std::sync::atomic::Ordering::Relaxed)
    };
    let way = (Way::By(Duration::from_secs(9)), Duration::ZERO);
    let passed = world.advance(&mut world.turn().await, &clock, way, &is_over).await.expect("quiet");
    assert_eq!((passed.now, passed.fired.len()), (second, 2));
}

#[tokio::test(start_paused = true)]
async fn an_advance_ends_after_ten_minutes_with_what_it_came_to() {
    let clock = manual();
    let (world, _) = world(5, Vec::new());
    // At each stop an exchange goes on, and takes eight seconds to end.
    let mut exchanges = tokio::task::JoinSet::new();
    for n in 1..=200 {
        let (clock, open) = (clock.clone(), clock.open());
        exchanges.spawn(async move {
            let _open = open;
            clock.sleep_until(START.after(Duration::from_secs(n)), Waiter::default()).await;
            tokio::time::sleep(Duration::from_secs(8)).await;
        });
    }
    let before = tokio::time::Instant::now();
    let halted = go(&world, &clock, Way::By(Duration::from_secs(500)), Duration::ZERO).await;
    let halted = halted.expect_err("too long");
    assert_eq!((halted.why, before.elapsed()), (Halt::TooLong { now: clock.now().at }, LONGEST));
    let so_far = halted.so_far.expect("it was begun");
    assert!(!so_far.fired.is_empty() && so_far.now == clock.now().at, "{so_far:?}");
}

#[tokio::test]
async fn of_much_that_falls_due_at_once_a_part_is_done_at_a_time_and_nobody_is_told_before_all_is() {
    let clock = manual();
    let (world, journal) = world(5, vec![gateway()]);
    token(&world, &clock);
    let due = START.after(Duration::from_secs(5));
    for _ in 0..2_500 {
        world.access_token_ends(&gateway(), &"c".into(), due);
    }
    clock.advance_to(due).expect("manual");
    let mut parts = Vec::new();
    loop {
        let (before, left) = (journal.last(), world.fire_some(&clock));
        parts.push(journal.last() - before);
        if !left {
            break;
        }
        // Its notification is due, and was so first.
        assert_eq!((world.next_due(&gateway()), world.is_quiet(&clock)), (None, false));
        assert!(world.take_due(&gateway(), due, 9).is_empty());
    }
    assert_eq!(parts, [1_000, 1_000, 501]);
    assert_eq!(world.take_due(&gateway(), due, 9).len(), 1);
}
