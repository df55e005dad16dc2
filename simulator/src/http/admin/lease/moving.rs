//! A lease while the clock is moved under it, and the clock while it is moved without any.

use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;

use super::{Desk, MOST_STILL, Refused, judged};

/// An advance that goes on: until this is dropped the lease that it was asked for with does not end, and nobody gets one
/// under which the clock could be moved, or has to stand still.
pub(in crate::http::admin) struct Passage<'a> {
    desk: &'a Desk,
    lease: Option<String>,
    _places: Option<OwnedSemaphorePermit>,
}

impl Desk {
    /// As [`Desk::check`], for an advance that begins, whose turn it is.
    pub(in crate::http::admin) fn begin(
        &self,
        lease: Option<&str>,
        moves: bool,
    ) -> Result<Passage<'_>, Refused> {
        let now = self.made.elapsed();
        let mut held = self.living(now);
        let passage = |lease, places| Passage { desk: self, lease, _places: places };
        if let Some(own) = judged(&held, lease, moves, now)? {
            held[own].moving = true;
            return Ok(passage(Some(held[own].id.clone()), None));
        }
        let places = moves.then(|| Arc::clone(&self.places).try_acquire_many_owned(MOST_STILL));
        Ok(passage(None, places.transpose().map_err(|_| Refused::Busy)?))
    }
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        let Some(id) = &self.lease else { return };
        let now = self.desk.made.elapsed();
        let mut held = self.desk.living(now);
        if let Some(at) = held.iter().position(|lease| lease.id == *id) {
            let lease = &mut held[at];
            lease.moving = false;
            lease.ends = lease.ends.max(now + lease.lasts);
            if lease.given_back {
                held.remove(at);
            }
        }
        drop(held);
        self.desk.renewed.send_replace(());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::tests::{MINUTE, after, asks, still, taken};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_lease_does_not_end_while_its_own_advance_goes_on_and_lasts_as_long_again_from_its_end() {
        let desk = Desk::new();
        let lease = taken(&desk, "ci").await.expect("free");
        let passage = desk.begin(Some(&lease), true).expect("its own");
        after(600).await;
        let moving = || Refused::Moving { holder: "ci".into() };
        assert_eq!(desk.check(None, true), Err(moving()));
        assert_eq!(taken(&desk, "another").await, Err(moving()));
        assert_eq!(still(&desk, "another").await, Err(moving()));
        drop(passage);
        after(59).await;
        assert_eq!(taken(&desk, "another").await, Err(Refused::InUse { holder: "ci".into(), seconds: 2 }));
        after(1).await;
        assert!(taken(&desk, "another").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_given_back_while_its_advance_goes_on_ends_with_it() {
        let desk = Desk::new();
        let lease = taken(&desk, "ci").await.expect("free");
        let passage = desk.begin(Some(&lease), true).expect("its own");
        assert_eq!(desk.give_back(&lease), Ok(()));
        assert_eq!(
            (desk.give_back(&lease), desk.renew(&lease, MINUTE).is_ok()),
            (Err(Refused::Ended), false)
        );
        let waits = desk.ask(asks("another", false, 60));
        let (given, ()) = tokio::join!(waits, async {
            after(30).await;
            drop(passage);
        });
        assert_eq!(given.map(|given| given.holder), Ok("another".into()));
        assert_eq!(desk.made.elapsed(), Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn while_anybody_moves_the_clock_nobody_gets_it_or_has_it_stand_still() {
        let desk = Desk::new();
        let passage = desk.begin(None, true).expect("free for all");
        assert_eq!(taken(&desk, "ci").await, Err(Refused::Busy));
        assert_eq!(still(&desk, "ci").await, Err(Refused::Busy));
        drop(passage);
        // What is due by now may be awaited beside them.
        let _passage = desk.begin(None, false).expect("free for all");
        assert!(still(&desk, "ci").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_a_lease_whose_advance_went_on_beyond_its_end_waits_for_the_new_one() {
        let desk = Desk::new();
        let lease = taken(&desk, "ci").await.expect("free");
        let passage = desk.begin(Some(&lease), true).expect("its own");
        let (given, ()) = tokio::join!(desk.ask(asks("another", false, 200)), async {
            after(90).await;
            tokio::task::yield_now().await;
            drop(passage);
        });
        assert_eq!(given.map(|given| given.holder), Ok("another".into()));
        assert_eq!(desk.made.elapsed(), Duration::from_secs(150));
    }
}
