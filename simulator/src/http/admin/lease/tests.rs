use super::*;

pub(super) const MINUTE: Duration = Duration::from_secs(60);

pub(super) fn asks(holder: &str, still: bool, wait: u64) -> Ask {
    let whose = Whose::Holder(holder.into());
    Ask { whose, still, lasts: MINUTE, wait: Duration::from_secs(wait) }
}

pub(super) async fn taken(desk: &Desk, holder: &str) -> Result<String, Refused> {
    desk.ask(asks(holder, false, 0)).await.map(|given| given.id)
}

pub(super) async fn still(desk: &Desk, holder: &str) -> Result<String, Refused> {
    desk.ask(asks(holder, true, 0)).await.map(|given| given.id)
}

/// Of the paused time.
pub(super) async fn after(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
}

#[tokio::test(start_paused = true)]
async fn who_holds_the_clock_moves_it_alone_until_it_is_given_back() {
    let desk = Desk::new();
    assert_eq!(desk.check(None, true), Ok(()), "free for all");
    let lease = taken(&desk, "ci 42").await.expect("free");
    after(10).await;
    let in_use = || Refused::InUse { holder: "ci 42".into(), seconds: 51 };
    assert_eq!(desk.check(Some(&lease), true), Ok(()));
    for moves in [true, false] {
        assert_eq!(desk.check(None, moves), Err(in_use()));
        assert_eq!(desk.check(Some("another"), moves), Err(in_use()));
    }
    assert_eq!(taken(&desk, "another").await, Err(in_use()));
    assert_eq!(still(&desk, "another").await, Err(in_use()));
    assert_eq!(desk.give_back("another"), Err(Refused::Ended));
    assert_eq!(desk.give_back(&lease), Ok(()));
    assert_eq!(desk.check(None, true), Ok(()));
    assert_eq!(desk.check(Some(&lease), true), Err(Refused::Ended));
    assert_ne!(taken(&desk, "another").await, Ok(lease));
}

#[tokio::test(start_paused = true)]
async fn while_some_need_the_clock_to_stand_still_nobody_moves_it() {
    let desk = Desk::new();
    let (one, other) = (still(&desk, "one").await.expect("free"), still(&desk, "other").await.expect("free"));
    let stands = |holder: &str| Err(Refused::Still { holder: holder.into(), seconds: 61 });
    for lease in [None, Some(one.as_str()), Some("unknown")] {
        assert_eq!(desk.check(lease, true), stands("one"));
    }
    // What is due by now may be awaited by everybody.
    for lease in [None, Some(one.as_str()), Some(other.as_str())] {
        assert_eq!(desk.check(lease, false), Ok(()));
    }
    assert_eq!(desk.check(Some("unknown"), false), Err(Refused::Ended));
    desk.give_back(&one).expect("given");
    assert_eq!(taken(&desk, "mover").await.err(), stands("other").err());
    desk.give_back(&other).expect("given");
    assert!(taken(&desk, "mover").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_lease_ends_by_itself_unless_it_is_renewed() {
    let desk = Desk::new();
    let lease = taken(&desk, "ci").await.expect("free");
    after(59).await;
    assert_eq!(desk.renew(&lease, MINUTE).map(|given| given.holder), Ok("ci".into()));
    tokio::time::advance(Duration::from_millis(59_999)).await;
    assert_eq!(desk.check(Some(&lease), true), Ok(()));
    tokio::time::advance(Duration::from_millis(1)).await;
    assert_eq!(desk.check(None, true), Ok(()));
    assert_eq!(desk.renew(&lease, MINUTE), Err(Refused::Ended));
}

/// Paused time passes by itself once nobody has anything else to do.
#[tokio::test(start_paused = true)]
async fn turns_come_in_the_order_of_asking_when_a_lease_is_given_back_or_ends() {
    let desk = Arc::new(Desk::new());
    let first = still(&desk, "first").await.expect("free");
    let (told, mut turns) = tokio::sync::mpsc::unbounded_channel();
    for (holder, still) in [("mover", false), ("behind", true), ("beside", true)] {
        let (desk, told) = (Arc::clone(&desk), told.clone());
        tokio::spawn(async move {
            let given = desk.ask(asks(holder, still, 600)).await.expect("its turn");
            told.send((holder, given.id)).expect("somebody listens");
        });
        tokio::task::yield_now().await;
    }
    assert_eq!(still(&desk, "late").await, Err(Refused::Still { holder: "first".into(), seconds: 61 }));
    assert!(turns.try_recv().is_err(), "nobody is let in before who asked first");
    desk.give_back(&first).expect("given");
    let before = desk.made.elapsed();
    assert_eq!(turns.recv().await.map(|(holder, _)| holder), Some("mover"));
    assert_eq!(desk.made.elapsed(), before);
    // It is never given back.
    let next = [turns.recv().await, turns.recv().await].map(|told| told.map(|(holder, _)| holder));
    assert_eq!(next, [Some("behind"), Some("beside")]);
    assert_eq!(desk.made.elapsed() - before, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_turn_is_waited_for_no_longer_than_was_asked() {
    let desk = Desk::new();
    taken(&desk, "ci").await.expect("free");
    let before = desk.made.elapsed();
    let refused = desk.ask(asks("another", true, 20)).await;
    assert_eq!(refused, Err(Refused::InUse { holder: "ci".into(), seconds: 41 }));
    assert_eq!(desk.made.elapsed() - before, Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn a_holder_is_named_without_what_may_be_a_card() {
    let desk = Desk::new();
    taken(&desk, "4000000000000002").await.expect("free");
    let refused = desk.check(None, true).expect_err("in use").to_string();
    assert!(!refused.contains("400000000000") && refused.contains("0002"), "{refused}");
}
