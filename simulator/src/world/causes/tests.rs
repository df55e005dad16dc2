use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::chance::Chance;
use crate::clock::{Clock, ClockMode};
use crate::domain::{Behaviour, MerchantId};
use crate::faults::{Faults, Known};
use crate::journal::{Delivery, Journal};
use crate::world::{Limits, PresentedCard, Setting, Settled};

const PAN: &str = "4000000000000002";
const SOON: &str = "4000000000000010";

fn gateway(n: u32) -> GatewayId {
    GatewayId::parse(&format!("MGW_{n:06}")).expect("an id")
}

fn clock() -> Clock {
    Clock::new(ClockMode::Manual { start_ms: 1_776_852_000_000 })
}

fn world(outbox: usize) -> World {
    let soon = Behaviour::Soon { seconds: 5, event: IssuerEvent::TokenSuspend };
    let journal = Arc::new(Journal::new());
    let setting = Setting {
        chance: Chance::new(1),
        cards: HashMap::from([(Pan::parse(SOON).expect("a number"), soon)]),
        receivers: vec![gateway(1), gateway(2)],
        limits: Limits { outbox, ..Limits::default() },
        in_turn: false,
        faults: Faults::new(Chance::new(1), Known::default(), Arc::clone(&journal)),
    };
    World::new(setting, journal).expect("randomness")
}

fn merchant(world: &World, n: u32) -> MerchantId {
    let asker = Asker { gateway: &gateway(n), correlation: None };
    world.create_merchant(asker, "Shop", clock().now()).expect("room").0
}

fn token(world: &World, n: u32, merchant: MerchantId, pan: &str) -> Token {
    let card = PresentedCard {
        pan: Pan::parse(pan).expect("a number"),
        expiry: Month::from_mmyy("1230").expect("a month"),
    };
    let asker = Asker { gateway: &gateway(n), correlation: None };
    world.create_token(asker, merchant, &card, clock().now()).expect("approved")
}

fn tell(world: &World, n: u32, token: &Token, event: IssuerEvent) -> Result<u64, Refusal> {
    world.issuer_event(&gateway(n), token.id, event, &Particulars::default(), clock().now())
}

fn waiting(world: &World, n: u32) -> usize {
    world.take_due(&gateway(n), clock().now().at, 100).len()
}

#[test]
fn a_replaced_card_changes_every_live_token_of_it_at_every_gateway() {
    let world = world(100);
    let (one, two) = (merchant(&world, 1), merchant(&world, 2));
    let (first, second) = (token(&world, 1, one, PAN), token(&world, 1, one, PAN));
    let other = token(&world, 2, two, PAN);
    let stranger = token(&world, 2, two, "4000000000000028");
    tell(&world, 1, &second, IssuerEvent::TokenDelete).expect("done");
    assert_eq!(waiting(&world, 1), 1);
    tell(&world, 1, &first, IssuerEvent::CardReplace).expect("done");
    let (first_now, other_now) = (
        world.token(&gateway(1), one, first.id).expect("live"),
        world.token(&gateway(2), two, other.id).expect("live"),
    );
    assert_ne!(first_now.dpan, first.dpan);
    assert_ne!(other_now.dpan, other.dpan);
    assert_ne!(first_now.dpan, other_now.dpan);
    assert_eq!(first_now.card_last_four, other_now.card_last_four);
    assert_eq!(world.token(&gateway(2), two, stranger.id).expect("live").dpan, stranger.dpan);
    assert_eq!((waiting(&world, 1), waiting(&world, 2)), (1, 1));
    // The tokens follow the new card.
    tell(&world, 2, &other, IssuerEvent::CardDelete).expect("done");
    assert_eq!(world.token(&gateway(1), one, first.id).err(), Some(Refusal::UnknownToken));
}

#[test]
fn a_forbidden_cause_changes_nothing_and_tells_nobody() {
    let world = world(100);
    let token = token(&world, 1, merchant(&world, 1), PAN);
    let refused = tell(&world, 1, &token, IssuerEvent::TokenResume);
    assert!(matches!(refused, Err(Refusal::ForbiddenState { .. })));
    assert_eq!(waiting(&world, 1), 0);
    assert_eq!(tell(&world, 2, &token, IssuerEvent::TokenSuspend), Err(Refusal::UnknownToken));
}

#[test]
fn a_full_outbox_refuses_a_cause_whole_and_puts_off_a_planned_one() {
    let world = world(1);
    let shop = merchant(&world, 1);
    let (first, _second) = (token(&world, 1, shop, PAN), token(&world, 1, shop, PAN));
    let planned = token(&world, 1, shop, SOON);
    let full = tell(&world, 1, &first, IssuerEvent::CardRenew);
    assert!(matches!(full, Err(Refusal::Full { .. })));
    tell(&world, 1, &first, IssuerEvent::TokenSuspend).expect("room for one");

    let clock = clock();
    clock.advance_to(clock.now().at.after(Duration::from_secs(5))).expect("manual");
    while world.fire_some(&clock) {}
    assert_eq!(world.token(&gateway(1), shop, planned.id).expect("live").state, TokenState::Active);
    let job = world.take_due(&gateway(1), clock.now().at, 1).remove(0);
    world.settle(&job, Settled::Over, "", Delivery::default());
    clock.advance_to(clock.now().at.after(PUT_OFF)).expect("manual");
    while world.fire_some(&clock) {}
    assert_eq!(world.token(&gateway(1), shop, planned.id).expect("live").state, TokenState::Suspended);
}

#[test]
fn a_full_outbox_holds_up_nobody_who_is_not_told() {
    let world = world(1);
    let (shop, silent) = (merchant(&world, 1), merchant(&world, 3));
    tell(&world, 1, &token(&world, 1, shop, PAN), IssuerEvent::TokenSuspend).expect("room for one");
    let untold = token(&world, 3, silent, "4000000000000028");
    tell(&world, 3, &untold, IssuerEvent::TokenSuspend).expect("needs no room");
}

#[test]
fn a_reset_forgets_what_was_planned() {
    let world = world(100);
    token(&world, 1, merchant(&world, 1), SOON);
    assert!(world.next_planned().is_some());
    world.reset(clock().now().at);
    assert_eq!(world.next_planned(), None);
}

#[test]
fn no_identifier_comes_back_after_a_reset() {
    let world = world(100);
    let made = || {
        let shop = merchant(&world, 1);
        let token = token(&world, 1, shop, PAN);
        tell(&world, 1, &token, IssuerEvent::TokenSuspend).expect("done");
        let event = world.take_due(&gateway(1), clock().now().at, 1).remove(0).update.id;
        (shop, token.id, token.dpan, token.par, event)
    };
    let before = made();
    world.reset(clock().now().at);
    let after = made();
    assert_ne!((before.0, before.1), (after.0, after.1));
    assert!(before.2 != after.2 && before.3 != after.3 && before.4 != after.4);
}
