//! Plays one scenario: step by step, on the sandbox's clock, with a transcript.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use d1_client::Clock;
use d1_fixtures::TestCard;
use jiff::Timestamp;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::admin::Answer;
use super::flaw::Flaw;
use super::gateway::Gateway;
use super::ground::Ground;
use super::happened::Entry;
use super::miss::{Broken, Miss};
use super::names::Names;
use super::transcript::{Kind, Lane, Line, line_of};
use crate::scenario::{Action, Advance, CardGiven, Named, Scenario, Stage, Step, told};

/// A step that takes longer than this in real time, waits of its own aside, hangs.
const STEP: Duration = Duration::from_secs(180);
/// How long one question for who waits for the clock may take; then it is asked anew.
const ASK: Duration = Duration::from_secs(10);
/// A gateway that called nobody for so long has no connection any more, whatever real time shows.
const IDLE: Duration = Duration::from_mins(15);

/// What the player knows while it plays.
pub(super) struct Player<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) ground: Ground,
    /// Of our client.
    pub(super) flaw: Option<Flaw>,
    pub(super) names: Names,
    /// Number and expiry date, by the names of the scenario.
    pub(super) cards: BTreeMap<String, (String, String)>,
    /// What the sandbox clock shows.
    pub(super) now: Timestamp,
    /// All entries since the scenario began.
    pub(super) entries: Vec<Entry>,
    /// The last number of the journal that was read.
    pub(super) read: u64,
    /// The same, when the last step `expect` was over.
    pub(super) last_expect: u64,
    /// The names of the faults that were set and not lifted.
    pub(super) faults: Vec<String>,
    /// Nothing came and nothing went for so long before it is quiet.
    pub(super) silence: Duration,
    pub(super) lines: Vec<Line>,
    /// Moves of the clock that stand in no line yet: what happened before the moment that it shows comes first.
    ticks: VecDeque<Line>,
    pub(super) misses: Vec<Miss>,
    /// The step that is played, 0 for the stage.
    pub(super) step: usize,
}

impl<'s> Player<'s> {
    pub(super) fn new(scenario: &'s Scenario, ground: Ground, flaw: Option<Flaw>) -> Result<Self, Broken> {
        let stage = &scenario.stage;
        let mut names = Names::default();
        for (name, gateway) in &ground.gateways {
            names.gateways.insert(name.clone(), gateway.id.as_str().to_owned());
        }
        names.numberless = stage.hostile;
        let silence = if stage.any_outside() { stage.silence } else { Duration::ZERO };
        let table = d1_fixtures::test_cards().map_err(|fault| Broken(fault.to_string()))?;
        Ok(Self {
            scenario,
            flaw,
            names,
            cards: cards(stage, &table),
            now: ground.now,
            entries: Vec::new(),
            read: ground.began,
            last_expect: ground.began,
            faults: Vec::new(),
            silence,
            lines: Vec::new(),
            ticks: VecDeque::new(),
            misses: Vec::new(),
            step: 0,
            ground,
        })
    }

    /// Plays all of it. What does not come as expected is noted, and the play goes on.
    pub(super) async fn play(&mut self) -> Result<(), Broken> {
        if self.scenario.stage.clock > self.now {
            let to = ("to", Value::from(self.scenario.stage.clock.to_string()));
            let answer = self.ground.admin.advance(to, Duration::ZERO).await?;
            self.moved(&answer)?;
        }
        self.set_hostile().await?;
        self.set_the_stage().await?;
        if !self.misses.is_empty() {
            // Without its stage nothing that follows means anything.
            return Ok(());
        }
        for step in &self.scenario.steps {
            self.step = step.number;
            if self.ground.admin.has_clock() {
                self.ground.admin.have_clock(&self.scenario.name).await?;
            }
            self.note(Kind::Step, told(step));
            let waits = match &step.action {
                Action::Wait(wait) => wait.within(),
                _ => Duration::ZERO,
            };
            let played = timeout(STEP + waits, self.one(step)).await;
            let late = || {
                Broken(format!(
                    "{}: step {} hangs: not over after {} s",
                    step.place,
                    step.path,
                    STEP.as_secs()
                ))
            };
            played.unwrap_or_else(|_| Err(late()))?;
        }
        Ok(())
    }

    /// Leaves the sandbox without what the scenario did to it.
    pub(super) async fn clear(&mut self) -> Result<(), Broken> {
        for name in std::mem::take(&mut self.faults) {
            // One that has ended by itself is not there any more.
            let _ = self.ground.admin.delete(&format!("faults/{name}")).await?;
        }
        self.ground.admin.give_clock_back().await
    }

    async fn one(&mut self, step: &'s Step) -> Result<(), Broken> {
        let before = self.misses.len();
        match &step.action {
            Action::Call(call) => self.call(step, call).await?,
            Action::Issuer(issuer) => self.issuer(step, issuer).await?,
            Action::Fault(fault) => self.fault(step, fault).await?,
            Action::Lift(name) => self.lift(step, name).await?,
            Action::Forge(forge) => self.forge(step, forge).await?,
            Action::Receiver(receiver) => self.receiver(receiver)?,
            Action::Certificate(certificate) => self.certificate(certificate)?,
            Action::Skew(skew) => self.skew(skew)?,
            Action::Advance(advance) => self.advance(step, *advance).await?,
            Action::Wait(wait) => self.wait(step, wait).await?,
            Action::Expect(all) => self.expect(step, all).await?,
            Action::Note(_) => {
                self.tell_outside(step);
                return Ok(());
            }
        }
        self.settle().await?;
        for miss in before..self.misses.len() {
            self.note(Kind::Miss, self.misses[miss].told());
        }
        if matches!(step.action, Action::Expect(_)) {
            if self.misses.len() == before {
                self.note(Kind::Good, "as expected".to_owned());
            }
            self.last_expect = self.read;
        }
        Ok(())
    }

    /// Waits until all is quiet, and reads what happened. The clock stays where it is.
    pub(super) async fn settle(&mut self) -> Result<(), Broken> {
        let answer = self.ground.admin.advance(("until", "quiet".into()), Duration::ZERO).await?;
        self.moved(&answer)?;
        self.read_journal().await
    }

    pub(super) async fn read_journal(&mut self) -> Result<(), Broken> {
        loop {
            let page = self.ground.admin.journal(self.read, Duration::ZERO).await?;
            let Some(last) = page.last() else { return Ok(()) };
            self.read = last.n;
            for entry in page {
                let ours = |id| self.names.gateways.values().any(|known| known == id);
                if !entry.text("gateway").is_none_or(ours) {
                    continue;
                }
                while let Some(tick) = self.ticks.pop_front_if(|tick| tick.at <= entry.at) {
                    self.lines.push(tick);
                }
                self.lines.extend(line_of(&entry, self.step, &self.names));
                self.entries.push(entry);
            }
        }
    }

    /// Lets a piece of work of our client's go on to its end. Whenever that needs time to pass, time passes at once: to
    /// the end of the client's pause, or to the moment at which the sandbox answers.
    pub(super) async fn through_time<T: Send + 'static>(
        &mut self,
        clock: &Clock,
        work: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        let mut working = JoinSet::new();
        working.spawn(work);
        loop {
            let held = self.ground.admin.held(ASK);
            let until = tokio::select! {
                biased;
                Some(done) = working.join_next() => {
                    return done.map_err(|fault| Broken(format!("our client: {fault}")));
                }
                () = clock.somebody_waits() => None,
                held = held => match held? {
                    Some(until) => Some(until),
                    None => continue,
                },
            };
            let way = match until {
                Some(until) => {
                    // Before the answer can be there: what our client reckons from it begins at that moment.
                    self.it_is(until)?;
                    ("to", Value::from(until.to_string()))
                }
                None => {
                    let left = clock.until_next_pause_ends().unwrap_or_default();
                    // Whole milliseconds, and never before the pause has ended.
                    let left = u64::try_from(left.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
                    ("by", Value::from(format!("{}ms", left.max(1))))
                }
            };
            let answer = self.ground.admin.advance(way, Duration::ZERO).await?;
            self.moved(&answer)?;
        }
    }

    /// Takes over what an advance came to: the clocks of the gateways go along.
    pub(super) fn moved(&mut self, answer: &Answer) -> Result<(), Broken> {
        let now =
            answer.body.get("now").and_then(Value::as_str).and_then(|now| now.parse::<Timestamp>().ok());
        let Some(now) = now.filter(|_| answer.status == 200) else {
            return Err(Broken(format!("the clock does not move: {}", answer.told())));
        };
        self.it_is(now)
    }

    /// Moves the clocks of the gateways to this moment.
    fn it_is(&mut self, now: Timestamp) -> Result<(), Broken> {
        let by = Duration::try_from(now.duration_since(self.now)).unwrap_or_default();
        if by.is_zero() {
            return Ok(());
        }
        for gateway in self.ground.gateways.values_mut() {
            gateway.clock.advance(by);
            if by >= IDLE {
                gateway.reconnect().map_err(|failure| Broken(failure.error.to_string()))?;
            }
        }
        self.now = now;
        let text = format!("the clock shows {now:.3}");
        self.ticks.push_back(self.line(Kind::Event, text));
        Ok(())
    }

    async fn advance(&mut self, step: &Step, advance: Advance) -> Result<(), Broken> {
        let way = match advance {
            Advance::By(by) => ("by", Value::from(format!("{}ms", by.as_millis()))),
            Advance::To(to) => ("to", Value::from(to.to_string())),
            Advance::UntilQuiet => ("until", Value::from("quiet")),
            Advance::UntilNext => ("until", Value::from("next")),
            Advance::UntilEvent(event) => ("until", serde_json::json!({"event": event.as_str()})),
        };
        let answer = self.ground.admin.advance(way, self.silence).await?;
        if answer.status == 409 && answer.body["errorCode"] == "NOTHING_DUE" {
            let miss = Miss::of(step, "something that falls due", answer.told());
            self.misses.push(
                miss.look("what the steps before it planned: GET /state tells of `planned` and `outbox`"),
            );
            return Ok(());
        }
        self.moved(&answer)
    }

    pub(super) fn note(&mut self, kind: Kind, text: String) {
        self.lines.extend(self.ticks.drain(..));
        let line = self.line(kind, text);
        self.lines.push(line);
    }

    fn line(&self, kind: Kind, text: String) -> Line {
        let (from, to) = (Lane::Player, Lane::Player);
        Line { at: self.now, step: self.step, kind, from, to, text }
    }

    /// The gateway that a step means, or the only one.
    pub(super) fn gateway(&mut self, named: Option<&Named>) -> Result<(&str, &mut Gateway), Broken> {
        let all = &mut self.ground.gateways;
        let found = match named {
            Some(named) => all.iter_mut().find(|(name, _)| **name == named.name),
            None => all.iter_mut().next(),
        };
        found
            .map(|(name, gateway)| (name.as_str(), gateway))
            .ok_or_else(|| Broken("no such gateway".to_owned()))
    }
}

fn cards(stage: &Stage, table: &[TestCard]) -> BTreeMap<String, (String, String)> {
    let one = |card: &crate::scenario::Card| {
        let (pan, exp) = match &card.card {
            CardGiven::Number { pan, exp } => (pan.clone(), exp.clone()),
            CardGiven::Test(named) => {
                let known = table.iter().find(|known| known.name == named.name)?;
                (known.pan.clone(), known.exp.clone())
            }
        };
        Some((card.name.name.clone(), (pan, exp)))
    };
    stage.cards.iter().filter_map(one).collect()
}
