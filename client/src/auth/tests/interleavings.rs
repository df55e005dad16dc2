//! Callers, refreshes and time in any order.

use std::collections::VecDeque;
use std::sync::Mutex;

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// A call needs a bearer.
    Call,
    /// The call that waits longest gives up.
    GiveUp,
    /// The refresh in flight, or else the next one, ends with a bearer that lives so many seconds.
    Granted(u64),
    /// It ends with an error.
    Failed,
    /// The bearer that was lent last is refused by D1.
    Discard,
    /// So many seconds pass.
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => Just(Step::Call),
        1 => Just(Step::GiveUp),
        3 => (1_u64..1_200).prop_map(Step::Granted),
        1 => Just(Step::Failed),
        1 => Just(Step::Discard),
        3 => prop_oneof![0_u64..12, 0_u64..1_000].prop_map(Step::Pass),
    ];
    proptest::collection::vec(step, 1..40)
}

/// A token endpoint that answers when told.
#[derive(Default)]
struct Endpoint {
    outcomes: Mutex<VecDeque<Option<u64>>>,
    told: Notify,
    in_flight: AtomicUsize,
    most_in_flight: AtomicUsize,
    begun: AtomicUsize,
    /// From when on each bearer must not be sent: by its number.
    useless_from: Mutex<Vec<Duration>>,
}

/// Counts a refresh as long as it is under way, however it ends.
struct InFlight<'a>(&'a Endpoint);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Endpoint {
    fn answer(&self, life_seconds: Option<u64>) {
        self.outcomes.lock().expect("no panic").push_back(life_seconds);
        self.told.notify_one();
    }

    async fn refresh(self: Arc<Self>, clock: Clock) -> Result<Fresh, Error> {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        let _in_flight = InFlight(&self);
        self.most_in_flight.fetch_max(now, Ordering::SeqCst);
        self.begun.fetch_add(1, Ordering::SeqCst);
        let asked_at = clock.elapsed();
        let outcome = loop {
            let next = self.outcomes.lock().expect("no panic").pop_front();
            match next {
                Some(outcome) => break outcome,
                None => self.told.notified().await,
            }
        };
        let life = outcome.map(Duration::from_secs).ok_or_else(failure)?;
        let mut useless_from = self.useless_from.lock().expect("no panic");
        // By the documentation of the setting: 10 s before its end, or a quarter of its life.
        useless_from.push(asked_at + life - (10 * SECOND).min(life / 4));
        let bearer = SecretText::new(useless_from.len().to_string());
        Ok(Fresh { bearer, life, asked_at, context: context(), status: 200 })
    }
}

struct Run {
    clock: Clock,
    cache: Arc<TokenCache>,
    endpoint: Arc<Endpoint>,
    callers: VecDeque<JoinHandle<Result<(Bearer, Duration), Error>>>,
    calls: usize,
    last_lent: Option<Bearer>,
}

impl Run {
    fn new() -> Self {
        let clock = Clock::manual(SystemTime::UNIX_EPOCH);
        Self {
            cache: cache(&clock),
            clock,
            endpoint: Arc::default(),
            callers: VecDeque::new(),
            calls: 0,
            last_lent: None,
        }
    }

    async fn make(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Call => {
                self.calls += 1;
                let (cache, endpoint, clock) =
                    (Arc::clone(&self.cache), Arc::clone(&self.endpoint), self.clock.clone());
                self.callers.push_back(tokio::spawn(async move {
                    let bearer = cache.bearer(|| endpoint.refresh(clock.clone())).await?;
                    Ok((bearer, clock.elapsed()))
                }));
            }
            Step::GiveUp => {
                if let Some(caller) = self.callers.pop_front() {
                    caller.abort();
                }
            }
            Step::Granted(life) => self.endpoint.answer(Some(life)),
            Step::Failed => self.endpoint.answer(None),
            Step::Discard => {
                if let Some(bearer) = self.last_lent.take() {
                    self.cache.discard(&bearer);
                    // Not lent again to whoever comes now, unless he has to wait for another.
                    let refused = bearer.expose().to_owned();
                    let held = self.cache.usable().map(|held| held.bearer.expose().to_owned());
                    prop_assert_ne!(held, Some(refused));
                }
            }
            Step::Pass(seconds) => self.clock.advance(Duration::from_secs(seconds)),
        }
        settle().await;
        self.look().await
    }

    /// Takes the callers that have an outcome, and checks what holds at any moment.
    async fn look(&mut self) -> Result<(), TestCaseError> {
        let mut waiting = VecDeque::new();
        while let Some(caller) = self.callers.pop_front() {
            if !caller.is_finished() {
                waiting.push_back(caller);
            } else if let Ok((bearer, at)) = caller.await.expect("no panic") {
                let number: usize = bearer.expose().parse().expect("a number");
                let useless_from = self.endpoint.useless_from.lock().expect("no panic")[number - 1];
                prop_assert!(at < useless_from, "lent at {at:?}, useless from {useless_from:?}");
                self.last_lent = Some(bearer);
            }
        }
        self.callers = waiting;
        let most = self.endpoint.most_in_flight.load(Ordering::SeqCst);
        prop_assert!(most <= 1, "{most} refreshes at once");
        let begun = self.endpoint.begun.load(Ordering::SeqCst);
        prop_assert!(begun <= self.calls, "{begun} refreshes for {} calls", self.calls);
        Ok(())
    }

    /// Nobody waits for ever: each refresh that ends lets somebody go.
    async fn end(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..=self.callers.len() {
            self.endpoint.answer(None);
            settle().await;
        }
        self.look().await?;
        prop_assert!(self.callers.is_empty(), "{} callers wait still", self.callers.len());
        Ok(())
    }
}

proptest! {
    #[test]
    fn one_refresh_is_in_flight_no_bearer_is_lent_inside_its_margin_and_nobody_waits_for_ever(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut run = Run::new();
            for step in steps {
                run.make(step).await?;
            }
            run.end().await
        })?;
    }
}
