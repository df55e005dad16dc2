//! The world against a plain model of it, under any doings of gateways, issuer and time, legal and illegal ones.

mod model;
mod scenario;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};

use super::*;
use crate::clock::{Clock, ClockMode};
use crate::domain::{IssuerEvent, Month, Token, TokenId};
use crate::faults::Known;
use model::{Model, Told};
use scenario::{Scenario, Step};

/// The PANs of the cards of a scenario: three good ones, one that is suspended five seconds after its tokenization, one
/// that is declined.
const PANS: [&str; 5] =
    ["4000000000000002", "4000000000000028", "4000000000000036", "4000000000000010", "4000000000000044"];
const SOON: usize = 3;
const DECLINED: usize = 4;
const SOON_SECONDS: u32 = 5;
/// Merchants, one at each gateway. The third gateway has no receiver.
const MERCHANTS: usize = 3;

fn gateway(n: usize) -> GatewayId {
    GatewayId::parse(&format!("MGW_{:06}", n + 1)).expect("an id")
}

fn pan(card: usize) -> Pan {
    Pan::parse(PANS[card]).expect("a number")
}

/// The world in a scenario: what the model knows by number, by its identifier.
struct Run {
    world: World,
    clock: Clock,
    merchants: Vec<MerchantId>,
    tokens: Vec<(TokenId, usize)>,
    model: Model,
}

type Checked<T = ()> = Result<T, String>;

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, wanted: &T) -> Checked {
    if found == wanted { Ok(()) } else { Err(format!("{what}: found {found:?}, wanted {wanted:?}")) }
}

impl Run {
    fn new(model: Model) -> Self {
        let soon = Behaviour::Soon { seconds: SOON_SECONDS, event: IssuerEvent::TokenSuspend };
        let journal = Arc::new(Journal::new());
        let setting = Setting {
            chance: Chance::new(1),
            cards: HashMap::from([(pan(SOON), soon), (pan(DECLINED), Behaviour::Decline)]),
            receivers: vec![gateway(0), gateway(1)],
            limits: Limits::default(),
            in_turn: false,
            faults: Faults::new(Chance::new(1), Known::default(), Arc::clone(&journal)),
        };
        let world = World::new(setting, journal).expect("randomness");
        let clock = Clock::new(ClockMode::Manual { start_ms: 1_776_852_000_000 });
        let merchant = |n| {
            let asker = Asker { gateway: &gateway(n), correlation: None };
            world.create_merchant(asker, "Shop", clock.now()).expect("room").0
        };
        let merchants = (0..MERCHANTS).map(merchant).collect();
        Self { world, clock, merchants, tokens: Vec::new(), model }
    }

    fn whole(&mut self, scenario: &Scenario) -> Checked {
        for (number, step) in scenario.steps.iter().enumerate() {
            self.make(step).map_err(|fault| format!("step {number}: {fault}"))?;
        }
        Ok(())
    }

    fn make(&mut self, step: &Step) -> Checked {
        match *step {
            Step::Tokenize { merchant, card } => self.tokenize(merchant, card)?,
            Step::Get { token, gateway } => {
                let wanted = self.model.get(token, gateway);
                let found = self.token(token, gateway);
                same("the token is there", &found.is_some(), &wanted)?;
            }
            Step::Pay { token } => self.pay(token)?,
            Step::Delete { token } => {
                let wanted = self.model.delete(token);
                let (id, merchant) = self.id(token);
                let asker = Asker { gateway: &gateway(merchant), correlation: None };
                let found = self.world.delete_token(asker, self.merchants[merchant], id, self.clock.now());
                same("the deletion", &found.err().map(name), &wanted.err())?;
            }
            Step::Event { token, ref event, months, pan: given } => {
                let event = IssuerEvent::parse(event).expect("a known event");
                let particulars = self.particulars(token, months, given);
                let wanted = self.model.event(token, event, months, given);
                let (id, merchant) = self.id(token);
                let found =
                    self.world.issuer_event(&gateway(merchant), id, event, &particulars, self.clock.now());
                same("the event is done", &found.is_ok(), &wanted)?;
            }
            Step::Pass { seconds } => {
                self.model.pass(u64::from(seconds));
                let to = self.clock.now().at.after(Duration::from_secs(seconds.into()));
                self.clock.advance_to(to).expect("manual");
                while self.world.fire_some(&self.clock) {}
            }
        }
        self.told()?;
        self.compare()
    }

    fn tokenize(&mut self, merchant: usize, card: usize) -> Checked {
        let wanted = self.model.tokenize(merchant, card);
        let asker = Asker { gateway: &gateway(merchant), correlation: None };
        let expiry = Month::new(2030, 12).expect("a month");
        let card = PresentedCard { pan: pan(card), expiry };
        let found = self.world.create_token(asker, self.merchants[merchant], &card, self.clock.now());
        same("the tokenization", &found.as_ref().err().copied().map(name), &wanted.err())?;
        self.tokens.extend(found.ok().map(|token| (token.id, merchant)));
        Ok(())
    }

    fn pay(&mut self, token: usize) -> Checked {
        let wanted = self.model.pay(token);
        let (id, merchant) = self.id(token);
        let asker = Asker { gateway: &gateway(merchant), correlation: None };
        let whose = (self.merchants[merchant], id);
        let found = self.world.create_transaction(asker, whose, TransactionKind::Single, self.clock.now());
        same("the payment", &found.as_ref().err().copied().map(name), &wanted.err())?;
        match (found, self.token(token, merchant)) {
            (Ok(payment), Some(token)) => same("the DPAN of the payment", &payment.dpan, &token.dpan),
            _ => Ok(()),
        }
    }

    /// What the issuer fixes of an event; a date as so many months from the present one.
    fn particulars(&self, token: usize, months: Option<i16>, given: Option<usize>) -> Particulars {
        let expiry = self.model.given_date(token, months).and_then(|months| {
            Month::new(u16::try_from(months / 12).ok()?, u8::try_from(months % 12 + 1).ok()?)
        });
        Particulars { expiry, pan: given.map(pan) }
    }

    /// A token's identifier and its merchant; a token that never was has one too.
    fn id(&self, token: usize) -> (TokenId, usize) {
        self.tokens.get(token).copied().unwrap_or((TokenId::from_number(1), 0))
    }

    fn token(&self, token: usize, by: usize) -> Option<Token> {
        let (id, merchant) = self.id(token);
        self.world.token(&gateway(by), self.merchants[merchant], id).ok()
    }

    /// Takes out what the gateways are told, and holds it against what the model says they are.
    fn told(&mut self) -> Checked {
        let mut found = Vec::new();
        for gateway in (0..MERCHANTS).map(gateway) {
            loop {
                // One notification of a token at a time: the next one is due when it is settled.
                let jobs = self.world.take_due(&gateway, self.clock.now().at, 100);
                if jobs.is_empty() {
                    break;
                }
                for job in jobs {
                    let token =
                        self.tokens.iter().position(|(id, _)| *id == job.token).ok_or("of no token")?;
                    let update = &job.update;
                    found.push(Told {
                        token,
                        kind: update.kind.as_str(),
                        state: update.state.as_str(),
                        sequence: update.sequence,
                        card_expiry: update.card_expiry.mmyy(),
                        token_expiry: update.token_expiry.mmyy(),
                        credentials: update.dpan.is_some(),
                    });
                    let present = self.token(token, self.tokens[token].1);
                    if let (Some(dpan), Some(present)) = (update.dpan, present) {
                        same("the DPAN that is told", &dpan, &present.dpan)?;
                    }
                    self.world.settle(&job, Settled::Over, "", Delivery::default());
                }
            }
        }
        found.sort();
        let mut wanted = self.model.take_told();
        wanted.sort();
        same("the notifications", &found, &wanted)
    }

    /// Every token is as the model says.
    fn compare(&mut self) -> Checked {
        for number in 0..self.tokens.len() {
            let Some(token) = self.token(number, self.tokens[number].1) else {
                same("the token is deleted", &"DELETED", &self.model.state(number))?;
                continue;
            };
            same("the state", &token.state.as_str(), &self.model.state(number))?;
            let dates = (token.card_expiry.mmyy(), token.token_expiry.mmyy());
            same("the dates", &dates, &self.model.dates(number))?;
            same("the sequence", &token.sequence, &self.model.sequence(number))?;
            self.model.check_dpan(number, token.dpan)?;
            if let Some(card) = self.model.known_card(number) {
                same("the card", &token.card_last_four.as_str(), &&PANS[card][12..])?;
            }
        }
        Ok(())
    }
}

/// A refusal without its particulars.
fn name(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownMerchant | Refusal::UnknownToken => "unknown",
        Refusal::ForbiddenState { .. } => "forbidden state",
        Refusal::Declined => "declined",
        Refusal::IssuerUnavailable
        | Refusal::DateNotLater
        | Refusal::SamePan
        | Refusal::NoReceiver
        | Refusal::Full { .. } => "another refusal",
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_scenario_goes_as_the_model_says(scenario in scenario::any_scenario()) {
        let gone = Run::new(Model::new()).whole(&scenario);
        prop_assert_eq!(gone, Ok(()), "in\n{}", scenario);
    }
}

/// A model that was told wrongly stands for a world that does wrong: what is left of the scenario is what matters, in a form
/// that can be pasted.
#[test]
fn a_fault_is_shrunk_to_a_scenario_that_can_be_pasted() {
    let config =
        ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() };
    let wrong = Model::told_wrongly;
    let found = TestRunner::new(config).run(&scenario::any_scenario(), |scenario| {
        Run::new(wrong()).whole(&scenario).map_err(TestCaseError::fail)
    });
    let Err(TestError::Fail(reason, least)) = found else { panic!("the fault is found: {found:?}") };
    assert!(reason.to_string().contains("the payment"), "{reason}");
    let pasted = least.to_string();
    assert!(pasted.starts_with("steps:\n  - tokenize: {merchant: 0, card: "), "{pasted}");
    assert!(pasted.ends_with("}\n") && pasted.contains("  - pay: {token: "), "{pasted}");
    assert!(least.steps.len() <= 6, "{pasted}");
    let read: Scenario = serde_saphyr::from_str(&pasted).expect("a scenario");
    assert!(Run::new(wrong()).whole(&read).is_err());
    assert_eq!(Run::new(Model::new()).whole(&read), Ok(()), "the world is right");
}
