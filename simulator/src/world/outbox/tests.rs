use super::*;
use crate::domain::{EventType, LastFour, Month, Pan, TokenState};

fn four() -> LastFour {
    Pan::parse("4000000000000002").expect("a number").last_four()
}

fn update(sequence: u32) -> Update {
    Update {
        id: u128::from(sequence),
        kind: EventType::TokenSuspended,
        state: TokenState::Suspended,
        card_last_four: four(),
        card_expiry: Month::FIRST,
        token_last_four: four(),
        token_expiry: Month::FIRST,
        sequence,
        at: Moment::from_ms(0),
        dpan: None,
    }
}

fn gateway() -> GatewayId {
    GatewayId::parse("MGW_000001").expect("an id")
}

fn outbox(tokens_of_updates: &[u128]) -> Outbox {
    let mut outbox = Outbox::default();
    outbox.tell(gateway());
    for (sequence, token) in (1..).zip(tokens_of_updates) {
        let whose = (gateway(), MerchantId::from_number(1), TokenId::from_number(*token));
        outbox.push(whose, update(sequence), Moment::from_ms(0), None);
    }
    outbox
}

fn sequences(jobs: &[Job]) -> Vec<u32> {
    jobs.iter().map(|job| job.update.sequence).collect()
}

const NOW: Moment = Moment::from_ms(0);

#[test]
fn a_tokens_next_notification_waits_for_the_one_before_it() {
    let mut outbox = outbox(&[1, 1, 2]);
    let first = outbox.take_due(&gateway(), NOW, 9);
    assert_eq!(sequences(&first), [1, 3]);
    assert!(outbox.take_due(&gateway(), NOW, 9).is_empty());
    assert!(outbox.settle(&first[0], Settled::Over));
    assert_eq!(sequences(&outbox.take_due(&gateway(), NOW, 9)), [2]);
}

#[test]
fn a_retry_comes_back_when_it_is_due_with_the_same_body() {
    let mut outbox = outbox(&[1]);
    let job = outbox.take_due(&gateway(), NOW, 1).remove(0);
    let at = Moment::from_ms(1000);
    assert!(outbox.settle(&job, Settled::Again { at, body: Some(Bytes::from_static(b"{}")) }));
    assert!(outbox.take_due(&gateway(), Moment::from_ms(999), 1).is_empty());
    let again = outbox.take_due(&gateway(), at, 1).remove(0);
    assert_eq!((again.attempt, again.body.as_deref()), (2, Some(&b"{}"[..])));
}

#[test]
fn a_job_from_before_a_reset_settles_nothing() {
    let mut old = outbox(&[1]);
    let job = old.take_due(&gateway(), NOW, 1).remove(0);
    let mut new = old.emptied();
    let whose = (job.gateway.clone(), job.merchant, job.token);
    new.push(whose, update(7), NOW, None);
    assert!(!new.settle(&job, Settled::Over));
    assert_eq!(new.len(), 1);
}

#[test]
fn gateways_take_turns_in_the_order_in_which_things_fell_due() {
    let mut outbox = outbox(&[1]);
    let other = GatewayId::parse("MGW_000002").expect("an id");
    let whose = (other.clone(), MerchantId::from_number(2), TokenId::from_number(2));
    outbox.push(whose, update(9), NOW, None);
    assert!(outbox.is_turn_of(&gateway()) && !outbox.is_turn_of(&other));
    let job = outbox.take_due(&gateway(), NOW, 1).remove(0);
    assert!(!outbox.is_turn_of(&other), "one at a time");
    outbox.settle(&job, Settled::Again { at: Moment::from_ms(1), body: None });
    assert!(outbox.is_turn_of(&other) && !outbox.is_turn_of(&gateway()));
}

#[test]
fn what_is_due_is_taken_and_settled() {
    let mut outbox = outbox(&[1]);
    assert!(!outbox.is_taken(NOW), "due");
    let job = outbox.take_due(&gateway(), NOW, 1).remove(0);
    assert_eq!((outbox.is_taken(NOW), outbox.taken()), (true, 1), "on its way");
    let at = Moment::from_ms(1000);
    outbox.settle(&job, Settled::Again { at, body: None });
    assert_eq!((outbox.is_taken(NOW), outbox.is_taken(at), outbox.taken()), (true, false, 0));
    assert_eq!((outbox.next_after(NOW), outbox.next_after(at)), (Some(at), None));
}

/// The order in which a struck sequence of one token's notifications goes out, until nothing is due by `until`.
fn order_of(struck: &[Option<Notice>], until: Moment) -> (Outbox, Vec<u32>) {
    let mut outbox = Outbox::default();
    outbox.tell(gateway());
    for (sequence, notice) in (1..).zip(struck) {
        let whose = (gateway(), MerchantId::from_number(1), TokenId::from_number(1));
        outbox.push(whose, update(sequence), NOW, notice.map(|notice| (7, notice)));
    }
    let out = drained(&mut outbox, until);
    (outbox, out)
}

fn drained(outbox: &mut Outbox, until: Moment) -> Vec<u32> {
    let mut out = Vec::new();
    while let Some(job) = outbox.take_due(&gateway(), until, 1).pop() {
        out.push(job.update.sequence);
        assert!(outbox.settle(&job, Settled::Over));
    }
    out
}

const SOON: Moment = Moment::from_ms(10_000);
const TEN: Duration = Duration::from_secs(10);

#[test]
fn faults_repeat_drop_and_swap_and_the_rest_keeps_its_order() {
    let swap = Some(Notice::Reorder(TEN));
    for (struck, wanted) in [
        (vec![None, Some(Notice::Duplicate(2)), None], vec![1, 2, 2, 2, 3]),
        (vec![None, Some(Notice::Drop), None], vec![1, 3]),
        (vec![swap, None, None], vec![2, 1, 3]),
        (vec![swap, swap, swap, swap], vec![2, 1, 4, 3]),
        (vec![swap, Some(Notice::Duplicate(1))], vec![2, 2, 1]),
    ] {
        let (outbox, out) = order_of(&struck, NOW);
        assert_eq!((out, outbox.len()), (wanted, 0), "{struck:?}");
    }
}

#[test]
fn who_waits_in_vain_for_the_next_goes_at_the_end_of_its_wait() {
    let (mut outbox, out) = order_of(&[Some(Notice::Reorder(TEN))], Moment::from_ms(9_999));
    assert_eq!((out, outbox.next_after(NOW)), (vec![], Some(SOON)));
    assert_eq!(drained(&mut outbox, SOON), [1]);
    // The next one is nobody's second any more.
    let whose = (gateway(), MerchantId::from_number(1), TokenId::from_number(1));
    outbox.push(whose, update(2), SOON, None);
    assert_eq!((drained(&mut outbox, SOON), outbox.len()), (vec![2], 0));
}

#[test]
fn who_was_not_accepted_while_it_waited_for_the_next_is_tried_again_when_it_said_and_no_sooner() {
    let mut outbox = Outbox::default();
    outbox.tell(gateway());
    let whose = || (gateway(), MerchantId::from_number(1), TokenId::from_number(1));
    outbox.push(whose(), update(1), NOW, Some((7, Notice::Reorder(TEN))));
    let first = outbox.take_due(&gateway(), SOON, 1).remove(0);
    let (later, body) = (Moment::from_ms(70_000), Some(Bytes::from_static(b"{}")));
    assert!(outbox.settle(&first, Settled::Again { at: later, body: body.clone() }));
    outbox.push(whose(), update(2), SOON, None);
    assert_eq!(drained(&mut outbox, SOON), [2], "the first was told to wait");
    let again = outbox.take_due(&gateway(), later, 1).remove(0);
    assert_eq!((again.update.sequence, again.attempt, &again.body), (1, 2, &body));
    assert!(outbox.settle(&again, Settled::Over) && outbox.len() == 0);
}

#[test]
fn what_is_held_of_a_gateway_counts_among_what_it_waits_for() {
    let (outbox, _) = order_of(&[Some(Notice::Hold(HoldOrder::InOrder)), None], Moment::from_ms(-1));
    let other = GatewayId::parse("MGW_000002").expect("an id");
    assert_eq!((outbox.len(), outbox.len_of(&gateway()), outbox.len_of(&other)), (2, 2, 0));
}

#[test]
fn a_delay_holds_up_what_stands_behind_it() {
    let (mut outbox, out) = order_of(&[None, Some(Notice::Delay(TEN)), None], NOW);
    assert_eq!((out, outbox.len()), (vec![1], 2));
    assert_eq!(drained(&mut outbox, SOON), [2, 3]);
}

#[test]
fn what_is_held_goes_when_it_is_released_in_either_order_and_holds_up_nothing() {
    for (order, wanted) in [(HoldOrder::InOrder, [1, 2]), (HoldOrder::Reversed, [2, 1])] {
        let hold = Some(Notice::Hold(order));
        let (mut outbox, out) = order_of(&[hold, hold, None], NOW);
        assert_eq!((out, outbox.len(), outbox.is_taken(SOON)), (vec![3], 2, true));
        outbox.release(8, order, NOW);
        assert!(outbox.is_taken(SOON), "another fault's");
        outbox.release(7, order, NOW);
        assert_eq!((drained(&mut outbox, NOW), outbox.len()), (wanted.to_vec(), 0));
    }
}

#[test]
fn one_gateway_is_forgotten_and_the_others_are_not() {
    let mut outbox = outbox(&[1, 1, 2, 3]);
    let other = GatewayId::parse("MGW_000002").expect("an id");
    outbox.tell(other.clone());
    let whose = (other.clone(), MerchantId::from_number(2), TokenId::from_number(9));
    outbox.push(whose, update(9), NOW, None);
    let (ours, theirs) = (outbox.take_due(&gateway(), NOW, 2), outbox.take_due(&other, NOW, 1));
    assert_eq!((outbox.len_of(&gateway()), outbox.len_of(&other), outbox.taken()), (4, 1, 3));
    outbox.forget(&gateway());
    assert_eq!((outbox.len_of(&gateway()), outbox.len(), outbox.taken()), (0, 1, 1));
    assert!(ours.iter().all(|job| !outbox.is_of_now(job) && !outbox.settle(job, Settled::Over)));
    assert!(outbox.is_of_now(&theirs[0]) && outbox.settle(&theirs[0], Settled::Over));
    assert_eq!((outbox.len(), outbox.taken(), outbox.is_taken(NOW)), (0, 0, true));
    assert!(outbox.is_told(&gateway()), "what comes is told");
    outbox.dismiss(&gateway());
    assert!(!outbox.is_told(&gateway()) && outbox.is_told(&other));
}
