//! Notifications that are not yet delivered: one queue a token, so that their order is kept (C24).

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::domain::{GatewayId, MerchantId, Moment, TokenId, Update};

/// One notification on its way.
#[derive(Clone)]
pub(crate) struct Job {
    pub(crate) gateway: GatewayId,
    pub(crate) merchant: MerchantId,
    pub(crate) token: TokenId,
    pub(crate) update: Arc<Update>,
    /// Counts from 1.
    pub(crate) attempt: u32,
    /// When this attempt was taken out: retries are counted from here, however long it lasts.
    pub(crate) taken_at: Moment,
    /// The body as it was sent before, so that every attempt sends the same bytes.
    pub(crate) body: Option<Bytes>,
    /// Another one after each reset of its gateway.
    pub(crate) epoch: u64,
}

/// How an attempt ended, for the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Delivered, refused for good, or given up: the next of the token may go.
    Over,
    /// To be tried again with the same body.
    Again { at: Moment, body: Option<Bytes> },
}

#[derive(Default)]
pub(super) struct Outbox {
    queues: HashMap<TokenId, VecDeque<Job>>,
    /// The head of each queue that is not being delivered, by gateway: one that cannot be reached
    /// holds up no other.
    due: HashMap<GatewayId, BTreeSet<(Moment, u64, TokenId)>>,
    len: usize,
    /// Jobs that were taken and are not settled.
    taken: usize,
    order: u64,
    /// The gateways that are told, each with the epoch that its jobs are of.
    told: HashMap<GatewayId, u64>,
    epochs: u64,
}

impl Outbox {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// So many are for this gateway.
    pub(super) fn len_of(&self, gateway: &GatewayId) -> usize {
        let of = |queue: &&VecDeque<Job>| queue.front().is_some_and(|job| job.gateway == *gateway);
        self.queues.values().filter(of).map(VecDeque::len).sum()
    }

    /// From now on this gateway is told.
    pub(super) fn tell(&mut self, gateway: GatewayId) {
        self.epochs += 1;
        self.told.insert(gateway, self.epochs);
    }

    pub(super) fn is_told(&self, gateway: &GatewayId) -> bool {
        self.told.contains_key(gateway)
    }

    /// Drops what this gateway was to be told; no job of it that was taken can settle anything.
    pub(super) fn forget(&mut self, gateway: &GatewayId) {
        let waiting = self.due.remove(gateway).map_or(0, |due| due.len());
        let theirs = |queue: &mut VecDeque<Job>| queue.front().is_some_and(|job| job.gateway == *gateway);
        let dropped: Vec<_> = self.queues.extract_if(|_, queue| theirs(queue)).collect();
        self.len -= dropped.iter().map(|(_, queue)| queue.len()).sum::<usize>();
        self.taken -= dropped.len() - waiting;
        if self.is_told(gateway) {
            self.tell(gateway.clone());
        }
    }

    /// The same, and nothing is told it any more.
    pub(super) fn part(&mut self, gateway: &GatewayId) {
        self.forget(gateway);
        self.told.remove(gateway);
    }

    pub(super) fn push(
        &mut self,
        (gateway, merchant, token): (GatewayId, MerchantId, TokenId),
        update: Update,
        now: Moment,
    ) {
        let job = Job {
            gateway: gateway.clone(),
            merchant,
            token,
            update: Arc::new(update),
            attempt: 1,
            taken_at: now,
            body: None,
            epoch: self.told.get(&gateway).copied().unwrap_or_default(),
        };
        let queue = self.queues.entry(token).or_default();
        queue.push_back(job);
        self.len += 1;
        if queue.len() == 1 {
            self.make_due(now, &gateway, token);
        }
    }

    pub(super) fn next_due(&self, gateway: &GatewayId) -> Option<Moment> {
        self.due.get(gateway)?.first().map(|(at, _, _)| *at)
    }

    /// The earliest moment after `now` at which anything is due.
    pub(super) fn next_after(&self, now: Moment) -> Option<Moment> {
        let later = (now.after(Duration::from_millis(1)), 0, TokenId::from_number(0));
        self.due.values().filter_map(|due| due.range(later..).next()).map(|(at, _, _)| *at).min()
    }

    /// Nothing that is due by now has still to be taken.
    pub(super) fn is_taken(&self, now: Moment) -> bool {
        self.due.values().all(|due| due.first().is_none_or(|(at, _, _)| *at > now))
    }

    /// So many are being delivered.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// Nothing is being delivered, and what falls due first is for this gateway.
    pub(super) fn is_turn_of(&self, gateway: &GatewayId) -> bool {
        let firsts = self.due.iter().filter_map(|(gateway, due)| Some((*due.first()?, gateway)));
        self.taken == 0 && firsts.min().is_some_and(|(_, first)| first == gateway)
    }

    pub(super) fn take_due(&mut self, gateway: &GatewayId, now: Moment, most: usize) -> Vec<Job> {
        let mut jobs = Vec::new();
        let Some(due) = self.due.get_mut(gateway) else { return jobs };
        while jobs.len() < most {
            let Some(&(at, _, token)) = due.first() else { break };
            if at > now {
                break;
            }
            due.pop_first();
            let head = self.queues.get(&token).and_then(VecDeque::front);
            jobs.extend(head.map(|head| Job { taken_at: now, ..head.clone() }));
        }
        self.taken += jobs.len();
        jobs
    }

    /// No reset has forgotten it.
    pub(super) fn is_of_now(&self, job: &Job) -> bool {
        self.told.get(&job.gateway) == Some(&job.epoch)
    }

    /// Ends an attempt. `false` for a job taken before a reset: it has nothing left to settle.
    pub(super) fn settle(&mut self, job: &Job, settled: Settled) -> bool {
        if !self.is_of_now(job) {
            return false;
        }
        let Some(queue) = self.queues.get_mut(&job.token) else { return false };
        self.taken -= 1;
        match settled {
            Settled::Again { at, body } => {
                if let Some(head) = queue.front_mut() {
                    head.attempt += 1;
                    head.body = body;
                }
                self.make_due(at, &job.gateway, job.token);
            }
            Settled::Over => {
                queue.pop_front();
                self.len -= 1;
                if queue.is_empty() {
                    self.queues.remove(&job.token);
                } else {
                    self.make_due(job.taken_at, &job.gateway, job.token);
                }
            }
        }
        true
    }

    /// An empty outbox that no job of this one can settle anything in.
    pub(super) fn emptied(&self) -> Self {
        let mut empty = Self { epochs: self.epochs, ..Self::default() };
        for gateway in self.told.keys() {
            empty.tell(gateway.clone());
        }
        empty
    }

    fn make_due(&mut self, at: Moment, gateway: &GatewayId, token: TokenId) {
        self.order += 1;
        let due = (at, self.order, token);
        match self.due.get_mut(gateway) {
            Some(all) => all.insert(due),
            None => self.due.entry(gateway.clone()).or_default().insert(due),
        };
    }
}

#[cfg(test)]
mod tests {
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
            outbox.push(whose, update(sequence), Moment::from_ms(0));
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
    fn gateways_take_turns_in_the_order_in_which_things_fell_due() {
        let mut outbox = outbox(&[1]);
        let other = GatewayId::parse("MGW_000002").expect("an id");
        let whose = (other.clone(), MerchantId::from_number(2), TokenId::from_number(2));
        outbox.push(whose, update(9), NOW);
        assert!(outbox.is_turn_of(&gateway()) && !outbox.is_turn_of(&other));
        let job = outbox.take_due(&gateway(), NOW, 1).remove(0);
        assert!(!outbox.is_turn_of(&other), "one at a time");
        outbox.settle(&job, Settled::Again { at: Moment::from_ms(1), body: None });
        assert!(outbox.is_turn_of(&other) && !outbox.is_turn_of(&gateway()));
    }

    #[test]
    fn a_job_from_before_a_reset_settles_nothing() {
        let mut old = outbox(&[1]);
        let job = old.take_due(&gateway(), NOW, 1).remove(0);
        let mut new = old.emptied();
        let whose = (job.gateway.clone(), job.merchant, job.token);
        new.push(whose, update(7), NOW);
        assert!(!new.settle(&job, Settled::Over));
        assert_eq!(new.len(), 1);
    }

    #[test]
    fn one_gateway_is_forgotten_and_the_others_are_not() {
        let mut outbox = outbox(&[1, 1, 2, 3]);
        let other = GatewayId::parse("MGW_000002").expect("an id");
        outbox.tell(other.clone());
        let whose = (other.clone(), MerchantId::from_number(2), TokenId::from_number(9));
        outbox.push(whose, update(9), NOW);
        let (ours, theirs) = (outbox.take_due(&gateway(), NOW, 2), outbox.take_due(&other, NOW, 1));
        assert_eq!((outbox.len_of(&gateway()), outbox.len_of(&other), outbox.taken()), (4, 1, 3));
        outbox.forget(&gateway());
        assert_eq!((outbox.len_of(&gateway()), outbox.len(), outbox.taken()), (0, 1, 1));
        assert!(ours.iter().all(|job| !outbox.is_of_now(job) && !outbox.settle(job, Settled::Over)));
        assert!(outbox.is_of_now(&theirs[0]) && outbox.settle(&theirs[0], Settled::Over));
        assert_eq!((outbox.len(), outbox.taken(), outbox.is_taken(NOW)), (0, 0, true));
        assert!(outbox.is_told(&gateway()), "what comes is told");
        outbox.part(&gateway());
        assert!(!outbox.is_told(&gateway()) && outbox.is_told(&other));
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
}
