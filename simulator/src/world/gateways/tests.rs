//! What one gateway's coming, going and beginning anew is to the others: nothing.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::chance::Chance;
use crate::clock::{Clock, ClockMode};
use crate::domain::{Behaviour, IssuerEvent, MerchantId, Month, Now, Pan, TokenId};
use crate::faults::{Faults, Known};
use crate::journal::Journal;
use crate::world::{Asker, Limits, Particulars, PresentedCard, Setting};

const APPROVED: &str = "4000000000000002";
const SOON: &str = "4000000000000010";

fn gateway(n: u32) -> GatewayId {
    GatewayId::parse(&format!("MGW_{n:06}")).expect("an id")
}

fn pan(text: &str) -> Pan {
    Pan::parse(text).expect("a number")
}

/// A world whose gateways 1 and 2 are of the configuration, and told.
struct Stage {
    world: World,
    journal: Arc<Journal>,
    clock: Clock,
}

impl Stage {
    fn new() -> Self {
        let journal = Arc::new(Journal::new());
        let soon = Behaviour::Soon { seconds: 5, event: IssuerEvent::TokenSuspend };
        let setting = Setting {
            chance: Chance::new(1),
            cards: [(pan(SOON), soon)].into(),
            receivers: vec![gateway(1), gateway(2)],
            limits: Limits::default(),
            in_turn: false,
            faults: Faults::new(Chance::new(1), Known::default(), Arc::clone(&journal)),
        };
        let world = World::new(setting, Arc::clone(&journal)).expect("randomness");
        Self { world, journal, clock: Clock::new(ClockMode::Manual { start_ms: 1_776_852_000_000 }) }
    }

    fn now(&self) -> Now {
        self.clock.now()
    }

    fn token(&self, n: u32, card: &str) -> (MerchantId, TokenId) {
        let whose = gateway(n);
        let asker = Asker { gateway: &whose, correlation: None };
        let (merchant, _) = self.world.create_merchant(asker, "Shop", self.now()).expect("room");
        let card = PresentedCard { pan: pan(card), expiry: Month::from_mmyy("1239").expect("a month") };
        let token = self.world.create_token(asker, merchant, &card, self.now()).expect("approved");
        (merchant, token.id)
    }

    fn state(&self, n: Option<u32>) -> Value {
        serde_json::to_value(self.world.view(n.map(gateway).as_ref())).expect("JSON")
    }

    fn happen(&self, n: u32, token: TokenId, event: IssuerEvent) -> bool {
        let particulars = Particulars::default();
        self.world.issuer_event(&gateway(n), token, event, &particulars, self.now()).is_ok()
    }

    fn last_entry(&self) -> Value {
        serde_json::from_slice(&self.journal.page(self.journal.last() - 1)).expect("an entry")
    }
}

#[test]
fn one_that_begins_anew_loses_all_and_the_others_nothing() {
    let stage = Stage::new();
    let (merchant, token) = stage.token(1, APPROVED);
    let (_, planned) = stage.token(1, SOON);
    let (other_merchant, other) = stage.token(2, APPROVED);
    stage.world.access_token_ends(&gateway(1), &"a".into(), stage.now().at.after(Duration::from_secs(9)));
    assert!(stage.happen(1, token, IssuerEvent::CardRenew), "it concerns both, who share the card");
    let [job] = &stage.world.take_due(&gateway(1), stage.now().at, 9)[..] else { panic!("one is due") };
    let before = stage.state(Some(2));
    assert_eq!(stage.state(Some(1))["planned"], 1);

    stage.world.reset_gateway(&gateway(1), stage.now().at);
    let entry = stage.last_entry();
    assert_eq!((&entry["kind"], &entry["gateway"]), (&json!("reset"), &json!("MGW_000001")));
    let empty = json!({"outbox": 0, "planned": 0, "truncated": false, "gateways": []});
    assert_eq!(stage.state(Some(1)), empty);
    assert!(stage.world.token(&gateway(1), merchant, token).is_err());
    assert!(stage.world.next_due(&gateway(1)).is_none());
    stage.world.receiver_token_ends(job, Some(stage.now().at));
    stage.clock.advance_to(stage.now().at.after(Duration::from_secs(60))).expect("manual");
    let last = stage.journal.last();
    while stage.world.fire_some(&stage.clock) {}
    assert_eq!(stage.journal.last(), last, "nothing is planned for it any more");
    assert!(!stage.happen(1, planned, IssuerEvent::TokenResume));

    assert_eq!(stage.state(Some(2)), before);
    assert!(stage.world.token(&gateway(2), other_merchant, other).is_ok());
    assert!(stage.happen(2, other, IssuerEvent::CardDelete), "the shared card is there for the other one");
    let (_, again) = stage.token(1, APPROVED);
    assert!(again != token && stage.happen(1, again, IssuerEvent::TokenSuspend));
    assert_eq!(stage.state(Some(1))["outbox"], 1, "what comes is told");
}

#[test]
fn the_cards_of_one_that_came_at_run_time_are_its_own() {
    let stage = Stage::new();
    for n in [3, 4] {
        stage.world.admit(&gateway(n), None, true, stage.now().at);
    }
    let [(_, ours), (_, theirs), (_, configured)] = [3, 4, 1].map(|n| stage.token(n, APPROVED));
    assert!(stage.happen(3, ours, IssuerEvent::CardReplace));
    assert!(stage.happen(1, configured, IssuerEvent::CardDelete));
    let outbox = |n| stage.state(Some(n))["outbox"].clone();
    assert_eq!([outbox(3), outbox(4), outbox(1)], [1, 0, 1]);
    assert!(stage.happen(4, theirs, IssuerEvent::TokenSuspend), "it is as it was");
}

#[test]
fn those_that_came_together_share_their_cards_and_a_name_that_comes_back_shares_none() {
    let stage = Stage::new();
    let admit = |n, other: Option<u32>| {
        stage.world.admit(&gateway(n), other.map(gateway).as_ref(), true, stage.now().at);
    };
    admit(3, None);
    admit(4, Some(3));
    stage.world.dismiss(&gateway(3), stage.now().at);
    admit(5, Some(4));
    admit(3, None);
    let [_, _, (_, alone)] = [4, 5, 3].map(|n| stage.token(n, APPROVED));
    assert!(stage.happen(3, alone, IssuerEvent::CardReplace));
    let outbox = |n| stage.state(Some(n))["outbox"].clone();
    assert_eq!([outbox(3), outbox(4), outbox(5)], [1, 0, 0]);
    let (_, ours) = stage.token(4, APPROVED);
    assert!(stage.happen(4, ours, IssuerEvent::CardReplace));
    assert_eq!([outbox(3), outbox(4), outbox(5)], [1, 2, 1]);
}

#[test]
fn one_that_goes_takes_all_with_it_and_is_told_nothing_more() {
    let stage = Stage::new();
    stage.world.admit(&gateway(3), None, true, stage.now().at);
    let (_, token) = stage.token(3, APPROVED);
    assert!(stage.happen(3, token, IssuerEvent::TokenSuspend));
    stage.world.dismiss(&gateway(3), stage.now().at);
    let entry = stage.last_entry();
    assert_eq!(
        (&entry["kind"], &entry["outcome"], &entry["gateway"]),
        (&json!("gateway"), &json!("deleted"), &json!("MGW_000003"))
    );
    assert_eq!(
        (stage.state(None)["gateways"].clone(), stage.state(None)["outbox"].clone()),
        (json!([]), json!(0))
    );
    // What a request that was on its way left behind is gone once there is another of that name, who has no receiver.
    stage.token(3, APPROVED);
    stage.world.admit(&gateway(3), None, false, stage.now().at);
    assert_eq!(stage.state(Some(3))["gateways"], json!([]));
    let (_, token) = stage.token(3, APPROVED);
    assert!(stage.happen(3, token, IssuerEvent::TokenSuspend));
    assert_eq!(stage.state(Some(3))["outbox"], 0);
}

#[test]
fn a_gateway_that_begins_anew_has_no_fault_of_its_own_and_the_others_keep_theirs() {
    let stage = Stage::new();
    let faults = &stage.world.setting.faults;
    for n in [1, 2] {
        let gateway = gateway(n);
        let form =
            serde_json::json!({"name": gateway.as_str(), "gateway": gateway.as_str(), "hold": "inOrder"});
        let form = serde_json::from_value(form).expect("a fault");
        faults.set(&form, stage.now().at).expect("set");
    }
    stage.world.reset_gateway(&gateway(1), stage.now().at);
    let left = serde_json::to_value(faults.view(stage.now().at)).expect("JSON");
    assert_eq!((left.as_array().map(Vec::len), &left[0]["name"]), (Some(1), &gateway(2).as_str().into()));
}
