//! Plays one scenario: step by step, on the sandbox's clock, with a transcript.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use d1_fixtures::TestCard;
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::timeout;

use super::flaw::Flaw;
use super::gateway::Gateway;
use super::ground::Ground;
use super::happened::Entry;
use super::in_play::Seat;
use super::miss::{Broken, Miss};
use super::names::Names;
use super::transcript::{Kind, Lane, Line};
use crate::journal::redacted_whole;
use crate::scenario::{Action, CardGiven, Named, Scenario, Stage, Step, told};
use crate::stop::Stop;

/// A step that takes longer than this in real time, waits of its own aside, hangs.
const STEP: Duration = Duration::from_secs(180);
/// Of a scenario that broke off, what happened by then is read within this real time.
const LAST_LOOK: Duration = Duration::from_secs(3);

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
    /// The ids of the tokens that were deleted.
    pub(super) deleted: BTreeSet<String>,
    /// The tokens as D1 had them before the last step `issuer`; nothing where nobody asks.
    pub(super) before_issuer: Vec<Value>,
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
    pub(super) ticks: VecDeque<Line>,
    pub(super) misses: Vec<Miss>,
    /// So many of them stand in the transcript.
    noted: usize,
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
            deleted: BTreeSet::new(),
            before_issuer: Vec::new(),
            read: ground.began,
            last_expect: ground.began,
            faults: Vec::new(),
            silence,
            lines: Vec::new(),
            ticks: VecDeque::new(),
            misses: Vec::new(),
            noted: 0,
            step: 0,
            ground,
        })
    }

    /// Plays all of it, or up to where it breaks off or is stopped; what happened until then is noted all the same.
    pub(super) async fn play(&mut self, stop: &mut Stop, seat: &Seat) -> Result<(), Broken> {
        let ended = tokio::select! {
            biased;
            () = stop.told() => Err(Broken("interrupted".to_owned())),
            ended = self.play_on(seat) => ended,
        };
        let Err(Broken(why)) = ended else { return Ok(()) };
        // Why it broke off may be why there is nothing to read either.
        let _ = timeout(LAST_LOOK, self.read_journal()).await;
        self.note_misses();
        let at = match self.scenario.steps.iter().find(|step| step.number == self.step) {
            Some(step) => format!("{}: step {}", step.place, step.path),
            None => format!("{}:1:1: the stage", self.scenario.file),
        };
        Err(Broken(format!("{at}: {}", redacted_whole(&why))))
    }

    /// What does not come as expected is noted, and the play goes on.
    async fn play_on(&mut self, seat: &Seat) -> Result<(), Broken> {
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
            seat.is_at(step);
            self.note(Kind::Step, told(step));
            let waits = match &step.action {
                Action::Wait(wait) => wait.within(),
                _ => Duration::ZERO,
            };
            let hangs = |_| Broken(format!("it hangs: not over after {} s", (STEP + waits).as_secs()));
            timeout(STEP + waits, self.one(step)).await.map_err(hangs)??;
        }
        Ok(())
    }

    /// Leaves the sandbox without what the scenario did to it.
    pub(super) async fn clear(&mut self) -> Result<(), Broken> {
        for name in std::mem::take(&mut self.faults) {
            // One that has ended by itself is not there any more.
            let _ = self.ground.lift_fault(&name).await?;
        }
        Ok(())
    }

    async fn one(&mut self, step: &'s Step) -> Result<(), Broken> {
        let before = self.misses.len();
        match &step.action {
            // Which settles before it judges: nothing moves behind that.
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
        if !matches!(step.action, Action::Call(_)) {
            self.settle().await?;
        }
        self.note_misses();
        if matches!(step.action, Action::Expect(_)) {
            if self.misses.len() == before {
                self.note(Kind::Good, "as expected".to_owned());
            }
            self.last_expect = self.read;
        }
        Ok(())
    }

    pub(super) fn note(&mut self, kind: Kind, text: String) {
        let line = self.line(kind, text);
        self.put(line);
    }

    fn put(&mut self, line: Line) {
        self.lines.extend(self.ticks.drain(..));
        self.lines.push(line);
    }

    /// Those that do not stand in the transcript yet.
    pub(super) fn note_misses(&mut self) {
        for miss in self.noted..self.misses.len() {
            let told = self.misses[miss].told();
            let line = Line { text: told, ..self.line(Kind::Miss, String::new()) };
            self.put(line);
        }
        self.noted = self.misses.len();
    }

    pub(super) fn line(&self, kind: Kind, text: String) -> Line {
        let (from, to) = (Lane::Player, Lane::Player);
        Line { at: self.now, step: self.step, kind, from, to, text: redacted_whole(&text) }
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
