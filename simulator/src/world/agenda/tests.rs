use super::*;
use crate::domain::{Fingerprint, LastFour, MerchantId};

fn gateway() -> GatewayId {
    GatewayId::parse("MGW_000001").expect("an id")
}

fn token(number: u128, card: &str, own: &str) -> Token {
    let month = |text| Month::from_mmyy(text).expect("a month");
    Token {
        id: TokenId::from_number(number),
        gateway: gateway(),
        merchant: MerchantId::from_number(1),
        state: TokenState::Active,
        card: Fingerprint([0; 32]),
        card_last_four: LastFour::of_dpan(1234),
        card_expiry: month(card),
        dpan: 9_999_990_000_000_010,
        token_expiry: month(own),
        par: [b'A'; 29],
        created: Moment::from_ms(0),
        sequence: 0,
        first_use: None,
    }
}

const NOW: Moment = Moment::from_ms(1_776_852_000_000);

fn taken(agenda: &mut Agenda) -> Vec<(i64, String)> {
    let all = std::iter::from_fn(|| agenda.take(Moment::from_ms(i64::MAX)));
    all.map(|(at, due)| (at.as_ms(), format!("{due:?}"))).collect()
}

#[test]
fn all_is_taken_in_the_order_of_moments_and_then_of_planning() {
    let mut agenda = Agenda::default();
    let (late, early) = (Moment::from_ms(20), Moment::from_ms(10));
    let event = Scheduled { token: TokenId::from_number(1), event: IssuerEvent::TokenSuspend };
    agenda.plan(late, event);
    agenda.access_token_ends(late, gateway(), "a".into());
    agenda.plan(early, event);
    assert_eq!((agenda.next(), agenda.events()), (Some(early), 2));
    assert!(agenda.take(Moment::from_ms(9)).is_none());
    let order: Vec<(i64, bool)> =
        taken(&mut agenda).into_iter().map(|(at, due)| (at, due.starts_with("Event"))).collect();
    assert_eq!(order, [(10, true), (20, true), (20, false)]);
    assert_eq!((agenda.next(), agenda.events()), (None, 0));
}

#[test]
fn a_receiver_has_one_token_and_the_old_one_ends_unnoticed() {
    let mut agenda = Agenda::default();
    let (first, second) = (Moment::from_ms(10), Moment::from_ms(20));
    agenda.receiver_token_ends(&gateway(), Some(first));
    agenda.receiver_token_ends(&gateway(), Some(second));
    assert_eq!(agenda.next(), Some(second));
    agenda.receiver_token_ends(&gateway(), None);
    assert_eq!(agenda.next(), None);
    agenda.receiver_token_ends(&gateway(), Some(first));
    assert_eq!(taken(&mut agenda).len(), 1);
    agenda.receiver_token_ends(&gateway(), Some(first));
    assert_eq!(agenda.next(), Some(first), "another one that ends then");
}

#[test]
fn a_token_is_expected_to_expire_as_it_stands_and_once() {
    let mut agenda = Agenda::default();
    let (old, new) = (token(1, "0626", "0430"), token(1, "0629", "0430"));
    agenda.expect(&old, NOW);
    assert_eq!(agenda.next(), Some(old.card_expiry.end()));
    agenda.forget(&old);
    agenda.expect(&new, NOW);
    agenda.expect(&token(2, "0430", "0430"), NOW);
    let order: Vec<String> = taken(&mut agenda).into_iter().map(|(_, due)| due).collect();
    assert_eq!(order.len(), 4, "{order:?}");
    assert!(order[0].starts_with("Card") && order[1].starts_with("Card") && order[3].starts_with("Token"));
    // Another change after its end does not bring the end back.
    agenda.expect(&new, new.token_expiry.end());
    assert_eq!(agenda.next(), None);
    agenda.expect(&Token { state: TokenState::Deleted, ..new }, NOW);
    assert_eq!(agenda.next(), None);
}

/// A year of months, whatever the number of tokens: nothing is sought among those that are not due.
#[test]
fn many_tokens_make_few_moments() {
    let mut agenda = Agenda::default();
    for number in 0..100_000 {
        let month = format!("{:02}30", number % 12 + 1);
        agenda.expect(&token(number, &month, &month), NOW);
    }
    assert_eq!(agenda.expiries.len(), 12);
    assert_eq!(taken(&mut agenda).len(), 200_000);
}
