//! Notifications that are not yet delivered: one queue a token, so that their order is kept (C24).
//!
//! A fault may take a notification out of that order, when it is queued and never later: into a queue of its
//! own (a *lane*), or aside until the fault is lifted.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::forged::Forgery;
use crate::domain::{GatewayId, MerchantId, Moment, TokenId, Update};
use crate::faults::{HoldOrder, Notice};

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
    /// What is wrong with it on purpose: it is sent once.
    pub(crate) forged: Option<Forgery>,
    /// 0 in the token's own queue.
    pub(crate) lane: u64,
    /// A fault keeps it until then.
    pub(crate) not_before: Moment,
}

/// A queue: a token and 0, or another number for a notification beside the token's order.
type Lane = (TokenId, u64);

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
    queues: HashMap<Lane, VecDeque<Job>>,
    /// The head of each queue that is not being delivered, by gateway: one that cannot be reached
    /// holds up no other.
    due: HashMap<GatewayId, BTreeSet<(Moment, u64, Lane)>>,
    /// Where the notification of a token waits for the next one, to go behind it.
    aside: HashMap<TokenId, Lane>,
    /// Those that wait for a fault to be lifted, by its number.
    held: Vec<(u64, Job)>,
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
        let held = self.held.iter().filter(|(_, job)| job.gateway == *gateway).count();
        held + self.queues.values().filter(of).map(VecDeque::len).sum::<usize>()
    }

    fn epoch_of(&self, gateway: &GatewayId) -> u64 {
        self.told.get(gateway).copied().unwrap_or_default()
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
        let (held, queues) = (self.held.len(), &self.queues);
        self.held.retain(|(_, job)| job.gateway != *gateway);
        self.len -= held - self.held.len();
        self.aside.retain(|_, lane| queues.contains_key(lane));
        if self.is_told(gateway) {
            self.tell(gateway.clone());
        }
    }

    /// The same, and nothing is told it any more.
    pub(super) fn dismiss(&mut self, gateway: &GatewayId) {
        self.forget(gateway);
        self.told.remove(gateway);
    }

    /// Queues a notification as the fault that struck it says; its number comes with it.
    pub(super) fn push(
        &mut self,
        (gateway, merchant, token): (GatewayId, MerchantId, TokenId),
        update: Update,
        now: Moment,
        struck: Option<(u64, Notice)>,
    ) {
        let job = self.job((gateway, merchant, token), update, now);
        let before = self.take_aside(token);
        match struck {
            Some((_, Notice::Drop)) => {}
            Some((fault, Notice::Hold(_))) => {
                self.len += 1;
                self.held.push((fault, job));
            }
            Some((_, Notice::Duplicate(more))) => {
                for _ in 0..=more {
                    self.enqueue(job.clone(), now);
                }
            }
            Some((_, Notice::Delay(by))) => self.enqueue(Job { not_before: now.after(by), ..job }, now),
            // Of two the second completes the swap of the first.
            Some((_, Notice::Reorder(most))) if before.is_none() => {
                let lane = self.new_lane();
                self.aside.insert(token, (token, lane));
                self.enqueue(Job { lane, not_before: now.after(most), ..job }, now);
            }
            Some((_, Notice::Reorder(_))) | None => self.enqueue(job, now),
        }
        if let Some(before) = before {
            self.enqueue(Job { lane: 0, not_before: now, ..before }, now);
        }
    }

    /// Queues a notification that is wrong on purpose, beside the token's order.
    pub(super) fn push_forged(
        &mut self,
        (gateway, merchant, token): (GatewayId, MerchantId, TokenId),
        update: Update,
        (forged, now): (Forgery, Moment),
    ) {
        let lane = self.new_lane();
        let job = self.job((gateway, merchant, token), update, now);
        self.enqueue(Job { forged: Some(forged), lane, ..job }, now);
    }

    /// A notification in its token's own queue, due at once.
    fn job(
        &self,
        (gateway, merchant, token): (GatewayId, MerchantId, TokenId),
        update: Update,
        now: Moment,
    ) -> Job {
        Job {
            epoch: self.epoch_of(&gateway),
            gateway,
            merchant,
            token,
            update: Arc::new(update),
            attempt: 1,
            taken_at: now,
            body: None,
            forged: None,
            lane: 0,
            not_before: now,
        }
    }

    /// Lets go what the fault with this number holds.
    pub(super) fn release(&mut self, fault: u64, order: HoldOrder, now: Moment) {
        let (mut gone, kept): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.held).into_iter().partition(|(holder, _)| *holder == fault);
        self.held = kept;
        if order == HoldOrder::Reversed {
            gone.reverse();
        }
        for (_, job) in gone {
            self.len -= 1;
            self.enqueue(Job { not_before: now, ..job }, now);
        }
    }

    /// The notification of a token that waits for the next one, unless it is on its way by now. Where it was tried and is
    /// to be tried again, its receiver has said when.
    fn take_aside(&mut self, token: TokenId) -> Option<Job> {
        let lane = self.aside.remove(&token)?;
        let job = self.queues.get(&lane)?.front().filter(|job| job.attempt == 1)?;
        let due = self.due.get_mut(&job.gateway)?;
        let waits = due.iter().find(|(_, _, waiting)| *waiting == lane).copied()?;
        due.remove(&waits);
        self.len -= 1;
        self.queues.remove(&lane)?.pop_front()
    }

    fn enqueue(&mut self, job: Job, now: Moment) {
        let (at, gateway, lane) = (job.not_before.max(now), job.gateway.clone(), (job.token, job.lane));
        let queue = self.queues.entry(lane).or_default();
        queue.push_back(job);
        self.len += 1;
        if queue.len() == 1 {
            self.make_due(at, &gateway, lane);
        }
    }

    fn new_lane(&mut self) -> u64 {
        self.order += 1;
        self.order
    }

    pub(super) fn next_due(&self, gateway: &GatewayId) -> Option<Moment> {
        self.due.get(gateway)?.first().map(|(at, _, _)| *at)
    }

    /// The earliest moment after `now` at which anything is due.
    pub(super) fn next_after(&self, now: Moment) -> Option<Moment> {
        let later = (now.after(Duration::from_millis(1)), 0, (TokenId::from_number(0), 0));
        self.due.values().filter_map(|due| due.range(later..).next()).map(|(at, _, _)| *at).min()
    }

    /// Nothing that is due by now has still to be taken.
    pub(super) fn is_taken(&self, now: Moment) -> bool {
        self.due.values().all(|due| due.first().is_none_or(|(at, _, _)| *at > now))
    }

    /// So many are due by now and have still to be taken.
    pub(super) fn due(&self, now: Moment) -> usize {
        let due = |due: &BTreeSet<(Moment, u64, Lane)>| due.iter().take_while(|(at, ..)| *at <= now).count();
        self.due.values().map(due).sum()
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
            let Some(&(at, _, lane)) = due.first() else { break };
            if at > now {
                break;
            }
            due.pop_first();
            let head = self.queues.get(&lane).and_then(VecDeque::front);
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
        let lane = (job.token, job.lane);
        let Some(queue) = self.queues.get_mut(&lane) else { return false };
        self.taken -= 1;
        match settled {
            Settled::Again { at, body } => {
                if let Some(head) = queue.front_mut() {
                    head.attempt += 1;
                    head.body = body;
                }
                self.make_due(at, &job.gateway, lane);
            }
            Settled::Over => {
                queue.pop_front();
                self.len -= 1;
                match queue.front().map(|next| next.not_before.max(job.taken_at)) {
                    Some(at) => self.make_due(at, &job.gateway, lane),
                    None => {
                        self.queues.remove(&lane);
                    }
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

    fn make_due(&mut self, at: Moment, gateway: &GatewayId, lane: Lane) {
        self.order += 1;
        let due = (at, self.order, lane);
        match self.due.get_mut(gateway) {
            Some(all) => all.insert(due),
            None => self.due.entry(gateway.clone()).or_default().insert(due),
        };
    }
}

#[cfg(test)]
mod tests;
