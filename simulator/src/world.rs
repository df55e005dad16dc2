//! The state of the sandbox behind one narrow door.
//!
//! Every change is one commit: the new state, its journal entries and its notifications happen
//! together under one lock, or nothing does. Delivery is somebody else's job.

mod agenda;
mod causes;
mod fired;
mod forged;
mod gateways;
mod outbox;
mod passage;
mod payments;
mod state;
mod tokens;
mod view;

pub(crate) use causes::Particulars;
pub(crate) use fired::{NAMES, Wanted};
pub(crate) use forged::Forgery;
pub(crate) use outbox::{Job, Settled};
pub(crate) use passage::{Halt, Halted, Passed, Turn, Way};
pub(crate) use payments::{Payment, TransactionKind};
pub(crate) use state::{Merchant, PresentedCard};

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use aws_lc_rs::hmac;
use tokio::sync::watch;

use crate::chance::{Chance, NoRandomness, Stream, secret_bytes};
use crate::domain::{Behaviour, Fingerprint, GatewayId, MerchantId, Moment, Now, Pan, Refusal};
use crate::faults::{FaultError, FaultForm, Faults, Lifted};
use crate::journal::{Delivery, Fact, Journal, Transition};
use fired::Fired;
use state::State;

/// How much the sandbox holds before it says that it is full.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) merchants: usize,
    pub(crate) tokens: usize,
    pub(crate) outbox: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { merchants: 2_000_000, tokens: 2_000_000, outbox: 100_000 }
    }
}

/// What a world is made of.
#[derive(Debug)]
pub(crate) struct Setting {
    pub(crate) chance: Chance,
    pub(crate) cards: HashMap<Pan, Behaviour>,
    /// The gateways of the start that have a receiver. Others get no notifications.
    pub(crate) receivers: Vec<GatewayId>,
    pub(crate) limits: Limits,
    /// One delivery at a time among all gateways, in the order in which they fell due, so that the same
    /// run leaves the same journal.
    pub(crate) in_turn: bool,
    pub(crate) faults: Arc<Faults>,
}

/// Merchants, cards, tokens and the notifications not yet delivered.
pub(crate) struct World {
    state: Mutex<State>,
    setting: Setting,
    /// Of this process alone: fingerprints mean nothing elsewhere.
    fingerprints: hmac::Key,
    journal: Arc<Journal>,
    apart: RwLock<gateways::Apart>,
    moved: watch::Sender<()>,
    /// Held by whoever moves the manual clock.
    advancing: Arc<tokio::sync::Mutex<()>>,
}

/// Who asks, and under which name the journal is to remember it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) gateway: &'a GatewayId,
    pub(crate) correlation: Option<&'a str>,
}

impl World {
    pub(crate) fn new(setting: Setting, journal: Arc<Journal>) -> Result<Self, NoRandomness> {
        let fingerprints = hmac::Key::new(hmac::HMAC_SHA256, &secret_bytes()?);
        let (moved, advancing) = (watch::Sender::new(()), Arc::default());
        let (mut state, apart) = (State::default(), RwLock::default());
        for gateway in &setting.receivers {
            state.outbox.tell(gateway.clone());
        }
        Ok(Self { state: Mutex::new(state), setting, fingerprints, journal, apart, moved, advancing })
    }

    /// Registers a merchant. Two calls with one name make two merchants (C16).
    pub(crate) fn create_merchant(
        &self,
        asker: Asker<'_>,
        name: &str,
        now: Now,
    ) -> Result<(MerchantId, Merchant), Refusal> {
        let mut state = self.lock();
        state.room_for_merchant(self.setting.limits)?;
        // The first digit keeps the number at eleven digits without leading zeros.
        let drawn = self.setting.chance.distinct(Stream::Merchant, state.next_merchant(), 10);
        let id = MerchantId::from_number(10_000_000_000 + drawn);
        let merchant = Merchant { name: name.into(), created: now.at };
        state.add_merchant(asker.gateway, id, merchant.clone());
        let made =
            Transition { cause: "merchant.created", merchant_id: id.to_string(), ..Transition::default() };
        self.note(asker, now.at, made);
        Ok((id, merchant))
    }

    /// Forgets merchants, tokens and notifications, also those that are being delivered.
    pub(crate) fn reset(&self, now: Moment) {
        let mut state = self.lock();
        self.setting.faults.lift_all(now);
        state.reset();
        self.journal.record(now, None, None, &Fact::Reset);
        self.moved.send_replace(());
    }

    /// Sets a fault and returns its name.
    pub(crate) fn set_fault(&self, form: &FaultForm, now: Moment) -> Result<Arc<str>, FaultError> {
        let name = self.setting.faults.set(form, now)?;
        // It may end sooner than whatever else is to come.
        self.moved.send_replace(());
        Ok(name)
    }

    /// Lifts a fault and lets go what it holds. `false` if none has this name.
    pub(crate) fn lift_fault(&self, name: &str, now: Moment) -> bool {
        // What is queued meanwhile waits for the lock: either it is held and let go, or not struck.
        let lifted = self.setting.faults.lift(name, now);
        self.release(lifted.as_slice(), now);
        lifted.is_some()
    }

    /// Lifts all faults and lets go what they hold.
    pub(crate) fn lift_faults(&self, now: Moment) {
        let lifted = self.setting.faults.lift_all(now);
        self.release(&lifted, now);
    }

    fn release(&self, lifted: &[Lifted], now: Moment) {
        let mut state = self.lock();
        for fault in lifted {
            if let Some(order) = fault.holds {
                state.outbox.release(fault.number, order, now);
            }
        }
        self.moved.send_replace(());
    }

    /// Changes whenever something may have fallen due earlier than it seemed before.
    pub(crate) fn moved(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }

    /// A bearer that was asked for under `correlation` ends.
    pub(crate) fn access_token_ends(&self, gateway: &GatewayId, correlation: &Arc<str>, at: Moment) {
        let mut state = self.lock();
        let next = state.agenda.next();
        state.agenda.access_token_ends(at, gateway.clone(), Arc::clone(correlation));
        self.tell_if_sooner(&state, next);
    }

    /// A bearer has ended before its time: nothing of it falls due any more.
    pub(crate) fn access_token_revoked(&self, gateway: &GatewayId, correlation: &Arc<str>, ends: Moment) {
        self.lock().agenda.access_token_revoked(ends, gateway, correlation);
    }

    /// The bearer that a job's receiver has given is used no more from `at` on; without a moment there is
    /// none. A job from before a reset says nothing.
    pub(crate) fn receiver_token_ends(&self, job: &Job, at: Option<Moment>) {
        let mut state = self.lock();
        if state.outbox.is_of_now(job) {
            let next = state.agenda.next();
            state.agenda.receiver_token_ends(&job.gateway, at);
            self.tell_if_sooner(&state, next);
        }
    }

    /// The earliest moment at which anything but a notification falls due.
    pub(crate) fn next_planned(&self) -> Option<Moment> {
        self.planned(&self.lock())
    }

    fn planned(&self, state: &State) -> Option<Moment> {
        state.agenda.next().into_iter().chain(self.setting.faults.next_end()).min()
    }

    /// The earliest moment at which a gateway is to be notified; nothing while it is another's turn.
    pub(crate) fn next_due(&self, gateway: &GatewayId) -> Option<Moment> {
        let state = self.lock();
        let turn = !self.setting.in_turn || (!state.firing && state.outbox.is_turn_of(gateway));
        state.outbox.next_due(gateway).filter(|_| turn)
    }

    /// A gateway's notifications that are due, each marked as being delivered until it is settled.
    pub(crate) fn take_due(&self, gateway: &GatewayId, now: Moment, most: usize) -> Vec<Job> {
        let mut state = self.lock();
        match self.setting.in_turn {
            true if state.firing || !state.outbox.is_turn_of(gateway) => Vec::new(),
            true => state.outbox.take_due(gateway, now, most.min(1)),
            false => state.outbox.take_due(gateway, now, most),
        }
    }

    /// Ends one attempt of a job and records it, as `forgotten` if there was a reset meanwhile.
    pub(crate) fn settle(&self, job: &Job, settled: Settled, correlation: &str, delivery: Delivery<'_>) {
        let mut state = self.lock();
        let delivery = match state.outbox.settle(job, settled) {
            true => delivery,
            false => Delivery { outcome: "forgotten", next_at: None, ..delivery },
        };
        let (gateway, outcome) = (Some(job.gateway.as_str()), delivery.outcome);
        let n = self.journal.record(job.taken_at, gateway, Some(correlation), &Fact::Delivery(delivery));
        if let Some(log) = &mut state.fired {
            log.add(Fired::delivery(job, outcome, correlation, n));
        }
        self.moved.send_replace(());
    }

    /// Wakes whoever waits for what falls due, if something falls due earlier than `next` by now.
    fn tell_if_sooner(&self, state: &State, next: Option<Moment>) {
        let sooner = |at| next.is_none_or(|next| at < next);
        if state.agenda.next().is_some_and(sooner) {
            self.moved.send_replace(());
        }
    }

    /// What a card is known by. The gateways of the configuration share their cards, as the real ones do; the
    /// cards of every other gateway are its own, or its circle's, so that what befalls one concerns nobody else.
    fn fingerprint(&self, gateway: &GatewayId, pan: &Pan) -> Fingerprint {
        let mut card = hmac::Context::with_key(&self.fingerprints);
        card.update(pan.digits().as_bytes());
        if let Some(circle) = self.apart.read().unwrap_or_else(PoisonError::into_inner).circle_of(gateway) {
            card.update(&circle.to_be_bytes());
        }
        let tag = card.sign();
        let mut bytes = [0_u8; 32];
        bytes.copy_from_slice(tag.as_ref());
        Fingerprint(bytes)
    }

    fn note(&self, asker: Asker<'_>, at: Moment, transition: Transition<'_>) -> u64 {
        let gateway = Some(asker.gateway.as_str());
        self.journal.record(at, gateway, asker.correlation, &Fact::Transition(transition))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic under the lock is a fault of ours; the state is whole, since commits come last.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
