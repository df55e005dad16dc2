use proptest::prelude::*;

use super::*;
use crate::model::Dpan;

fn network_token(number: u32) -> NetworkToken {
    NetworkToken::new(Dpan::new(format!("99999900{number:08}")), "1131")
}

fn record(sequence: Option<u64>, state: Option<&str>, dpan: Option<u32>) -> TokenRecord {
    let position = Position { sequence, ..Position::default() };
    TokenRecord {
        state: state.map(|text| TokenState::from(text.to_owned())),
        network_token: dpan.map(network_token),
        member_positions: MemberPositions {
            state: state.map(|_| position.clone()).unwrap_or_default(),
            network_token: dpan.map(|_| position.clone()).unwrap_or_default(),
            ..MemberPositions::default()
        },
        position,
        ..TokenRecord::default()
    }
}

fn key(token: &str) -> TokenKey {
    TokenKey {
        gateway_id: GatewayId::new("MGW_000001").expect("an id"),
        merchant_id: MerchantId::new("10610027312").expect("an id"),
        token_id: TokenId::new(token).expect("an id"),
    }
}

#[test]
fn it_does_not_matter_whether_the_creation_or_the_event_is_written_first() {
    let created = record(None, Some("ACTIVE"), Some(1));
    let suspended = record(Some(1), Some("SUSPENDED"), None);
    let mut one = created.clone();
    one.absorb(&suspended);
    let mut other = suspended;
    other.absorb(&created);
    assert_eq!(one, other);
    assert_eq!(one.state, Some(TokenState::Suspended));
    assert!(one.network_token.is_some());
}

#[test]
fn a_late_event_brings_the_dpan_that_no_other_one_carries() {
    let mut kept = record(None, Some("ACTIVE"), Some(1));
    kept.absorb(&record(Some(2), Some("SUSPENDED"), None));
    kept.absorb(&record(Some(1), Some("ACTIVE"), Some(2)));
    assert_eq!(kept.state, Some(TokenState::Suspended));
    assert_eq!(kept.network_token, Some(network_token(2)));
}

#[test]
fn a_late_event_brings_what_the_newest_one_does_not_tell_of() {
    let event = |sequence, digits: Option<&str>| {
        let mut event = record(Some(sequence), Some("ACTIVE"), None);
        event.card_last_digits = digits.map(str::to_owned);
        event.member_positions.card_last_digits = event.position.clone();
        event
    };
    let mut kept = event(1, Some("0001"));
    kept.absorb(&event(3, None));
    kept.absorb(&event(2, Some("0002")));
    assert_eq!((kept.card_last_digits.as_deref(), kept.position.sequence), (Some("0002"), Some(3)));
}

#[test]
fn what_was_fetched_repairs_the_store_and_yields_to_what_came_meanwhile() {
    let known = record(Some(5), Some("SUSPENDED"), Some(5));
    let fetched = record(None, Some("ACTIVE"), Some(7)).as_of(Some(&known));
    let mut kept = known.clone();
    kept.absorb(&fetched);
    assert_eq!(
        (kept.state.clone(), kept.network_token.clone()),
        (fetched.state.clone(), Some(network_token(7)))
    );
    // An event from before the call that is delivered again changes nothing; the next one does.
    kept.absorb(&known);
    assert_eq!(kept.state, Some(TokenState::Active));
    kept.absorb(&record(Some(6), Some("DELETED"), None));
    assert_eq!((kept.state, kept.network_token), (Some(TokenState::Deleted), Some(network_token(7))));

    let mut overtaken = known.clone();
    overtaken.absorb(&record(Some(6), Some("DELETED"), None));
    overtaken.absorb(&fetched);
    assert_eq!(overtaken.state, Some(TokenState::Deleted));
    assert_eq!(overtaken.network_token, Some(network_token(7)));
}

#[test]
fn a_payment_makes_its_dpan_known() {
    let payment = Payment {
        transaction_id: "tx-1".to_owned(),
        network_token: network_token(3),
        cryptogram: serde_json::from_str("\"AAECAw==\"").expect("a cryptogram"),
        eci: None,
        cryptogram_expiry_date: None,
    };
    let mut kept = record(None, Some("ACTIVE"), None);
    kept.absorb(&TokenRecord::from(&payment));
    assert_eq!((kept.state, kept.network_token), (Some(TokenState::Active), Some(network_token(3))));
}

#[tokio::test]
async fn a_bounded_store_forgets_the_token_that_came_first() {
    let store = MemoryStore::bounded(2);
    for token in ["a", "b", "a", "c"] {
        store.apply(&key(token), &record(Some(1), None, None)).await.expect("applied");
    }
    assert!(store.get(&key("a")).await.expect("read").is_none());
    assert!(store.get(&key("b")).await.expect("read").is_some());
    assert!(store.get(&key("c")).await.expect("read").is_some());
}

/// A legal history: events in the order of their numbers, of which some carry a DPAN, and the creation before all.
fn history() -> impl Strategy<Value = Vec<TokenRecord>> {
    let event = (prop_oneof![Just("ACTIVE"), Just("SUSPENDED"), Just("NEW")], any::<bool>());
    (any::<bool>(), proptest::collection::vec(event, 1..8)).prop_map(|(dpan, events)| {
        let created = record(None, Some("ACTIVE"), dpan.then_some(0));
        let numbered = events.into_iter().zip(1_u32..);
        let events = numbered.map(|((state, dpan), number)| {
            record(Some(u64::from(number)), Some(state), dpan.then_some(number))
        });
        std::iter::once(created).chain(events).collect()
    })
}

proptest! {
    #[test]
    fn any_order_repetition_and_redelivery_of_a_history_converges(
        (history, arrivals) in history().prop_flat_map(|history| {
            let all: Vec<usize> = (0..history.len()).collect();
            let again = proptest::collection::vec(0..history.len(), 0..8);
            let arrivals = again.prop_map(move |again| [all.clone(), again].concat()).prop_shuffle();
            (Just(history), arrivals)
        }),
    ) {
        let mut kept = TokenRecord::default();
        for index in arrivals {
            kept.absorb(&history[index]);
        }
        let newest = history.last().expect("the creation at least");
        prop_assert_eq!(&kept.state, &newest.state);
        prop_assert_eq!(kept.position.sequence, newest.position.sequence);
        let last_with_dpan = history.iter().rev().find(|record| record.network_token.is_some());
        prop_assert_eq!(kept.network_token, last_with_dpan.and_then(|record| record.network_token.clone()));
    }
}
