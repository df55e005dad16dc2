//! Whether a scenario makes sense: names, states, times, and whether anything is expected at all.

mod called;
mod calls;
mod expects;
mod outcome;
mod people;
mod world;

use std::collections::BTreeMap;

use d1_fixtures::TestCard;

use super::broken::Broken;
use super::finding::{Findings, Place, nearest};
use super::load::Scenario;
use super::members::Named;
use super::stage::Receiver;
use super::step::{Action, Advance, Call, Request, Step};
use world::World;

/// Tells everything that is wrong with the sense of a scenario.
pub(super) fn check(scenario: &Scenario, broken: &Broken, findings: &mut Findings) {
    let needed = !scenario.stage.cards.is_empty();
    let cards = if needed { d1_fixtures::test_cards().unwrap_or_default() } else { Vec::new() };
    let mut checker = Checker {
        world: World::default(),
        later: later(scenario),
        cards: &cards,
        scenario,
        broken,
        findings,
    };
    checker.stage();
    for (index, step) in scenario.steps.iter().enumerate() {
        if broken.is_before(index) {
            checker.world.unsettle();
        }
        checker.step(step);
    }
    checker.anything_expected();
}

struct Checker<'c> {
    world: World,
    /// The names of tokens and merchants that steps make, and where.
    later: BTreeMap<&'c str, &'c Place>,
    cards: &'c [TestCard],
    scenario: &'c Scenario,
    broken: &'c Broken,
    findings: &'c mut Findings,
}

fn later(scenario: &Scenario) -> BTreeMap<&str, &Place> {
    let mut all = BTreeMap::new();
    for step in &scenario.steps {
        let made = match &step.action {
            Action::Call(Call { request: Request::CreateMerchant { merchant, .. }, .. }) => Some(merchant),
            Action::Call(Call { request: Request::CreateToken { token, .. }, .. }) => token.as_ref(),
            Action::Wait(super::expectation::Wait::Call(wait)) => wait.made.as_ref(),
            _ => None,
        };
        if let Some(Named { name, place }) = made {
            all.entry(name.as_str()).or_insert(place);
        }
    }
    all
}

impl Checker<'_> {
    /// A name that must be among the known ones.
    fn known<'w>(&mut self, named: &Named, kind: &str, known: impl Iterator<Item = &'w str> + Clone) -> bool {
        let Named { name, place } = named;
        if known.clone().any(|other| other == name) {
            return true;
        }
        if self.broken.may_have_made(name) {
            return false;
        }
        if let Some(made) = self.later.get(name.as_str()).filter(|_| kind == "token" || kind == "merchant") {
            let reason =
                format!("the {kind} `{name}` is made later, in {made}; put this step behind that one");
            self.findings.sense(place, reason);
            return false;
        }
        let near = nearest(name, known.clone());
        let known: Vec<&str> = known.take(12).collect();
        let known = if known.is_empty() {
            "there is none here".to_owned()
        } else {
            format!("known here: {}", known.join(", "))
        };
        self.findings.sense(place, format!("no {kind} is called `{name}`; {known}{near}"));
        false
    }

    fn gateway(&mut self, named: Option<&Named>) {
        let scenario = self.scenario;
        if let Some(named) = named {
            self.known(
                named,
                "gateway",
                scenario.stage.gateways.iter().map(|gateway| gateway.name.name.as_str()),
            );
        }
    }

    /// The gateway that a step means, if it names none.
    fn one_gateway(&mut self, named: Option<&Named>, place: &Place) {
        if named.is_none() && self.scenario.stage.gateways.len() > 1 {
            self.findings.sense(place, "expected a member `gateway`, since there are several; add it");
        }
        self.gateway(named);
    }

    fn merchant(&mut self, named: &Named) -> bool {
        if self.world.merchants.contains_key(&named.name) {
            return true;
        }
        let known: Vec<String> = self.world.merchants.keys().cloned().collect();
        self.known(named, "merchant", known.iter().map(String::as_str))
    }

    fn card(&mut self, named: &Named) -> bool {
        let scenario = self.scenario;
        self.known(named, "card", scenario.stage.cards.iter().map(|card| card.name.name.as_str()))
    }

    fn token(&mut self, named: &Named) -> bool {
        if self.world.tokens.contains_key(&named.name) {
            return true;
        }
        let known: Vec<String> = self.world.tokens.keys().cloned().collect();
        self.known(named, "token", known.iter().map(String::as_str))
    }

    fn step(&mut self, step: &Step) {
        match &step.action {
            Action::Call(call) => self.call(call, &step.place),
            Action::Issuer(issuer) => self.issuer(issuer, &step.place),
            Action::Fault(fault) => self.fault(fault),
            Action::Lift(name) => self.lift(name),
            Action::Forge(forge) => self.forge(forge),
            Action::Receiver(receiver) => {
                self.one_gateway(receiver.gateway.as_ref(), &step.place);
                self.only_ours(receiver.gateway.as_ref(), &step.place);
            }
            Action::Certificate(certificate) => {
                self.only_our_client(certificate.gateway.as_ref(), &step.place)
            }
            Action::Skew(skew) => self.only_our_client(skew.gateway.as_ref(), &step.place),
            Action::Advance(advance) => self.advance(*advance, &step.place),
            Action::Wait(wait) => self.wait(wait, &step.place),
            Action::Expect(expectations) => expectations.iter().for_each(|one| self.expect(one)),
            Action::Note(_) => {}
        }
    }

    fn advance(&mut self, advance: Advance, place: &Place) {
        self.world.soon_happens();
        let clock = self.world.clock.unwrap_or(self.scenario.stage.clock);
        self.world.clock = Some(match advance {
            Advance::By(by) => {
                let later = clock.checked_add(jiff::SignedDuration::try_from(by).unwrap_or_default());
                let later = later.ok().filter(|later| *later < world::last_moment());
                if later.is_none() {
                    self.findings.sense(place, "this goes beyond the year 2099; expected less");
                }
                later.unwrap_or(clock)
            }
            Advance::To(to) => {
                if to <= clock {
                    let reason = format!(
                        "the clock stands at {clock} or later by then, and never goes back; expected a later instant"
                    );
                    self.findings.sense(place, reason);
                }
                to
            }
            Advance::UntilEvent(event) => {
                if !self.world.planned.contains(&event) {
                    let reason = format!(
                        "no test card of a token so far lets `{event}` happen by itself; expected an event that one plans (`d1sim cards`)"
                    );
                    self.findings.sense(place, reason);
                }
                clock
            }
            Advance::UntilQuiet | Advance::UntilNext => clock,
        });
    }

    fn only_ours(&mut self, gateway: Option<&Named>, place: &Place) {
        let gateways = &self.scenario.stage.gateways;
        let meant = gateways.iter().find(|known| gateway.is_none_or(|named| named.name == known.name.name));
        if meant.is_some_and(|meant| !matches!(meant.receiver, Receiver::Own)) {
            let reason = "only our own receiver goes up and down when told; expected `receiver: own` on the stage, or do it \
                          yourself between two steps `wait`";
            self.findings.sense(place, reason);
        }
    }

    /// A scenario that expects nothing proves nothing; what comes after the last expectation neither.
    fn anything_expected(&mut self) {
        if self.broken.any_step() {
            return;
        }
        let steps = &self.scenario.steps;
        let judges = |step: &Step| match &step.action {
            Action::Call(_) | Action::Wait(_) | Action::Expect(_) => true,
            Action::Forge(forge) => forge.answered.is_some(),
            _ => false,
        };
        let Some(last) = steps.iter().rposition(judges) else {
            if let Some(first) = steps.first() {
                let reason = "nothing is expected anywhere: a scenario that cannot fail proves nothing; add a step `expect`";
                self.findings.sense(&first.place, reason);
            }
            return;
        };
        let idle = |step: &&Step| !matches!(step.action, Action::Note(_) | Action::Lift(_));
        if let Some(step) = steps[last + 1..].iter().find(idle) {
            let reason = "nothing is expected after this step; add an `expect`, or take the step away";
            self.findings.hint(&step.place, reason);
        }
    }
}
