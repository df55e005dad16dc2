//! Scripted hostility: faults that are set over the admin port (or by a profile) and strike calls,
//! connections and notifications by where, when and chance.
//!
//! Whether a fault strikes is decided here alone, and written into the journal. What a strike does is the
//! business of who was struck: `http`, `tls` and the outbox. Draws are a pure function of the seed, the
//! fault's name, the stream (one path of calls, the notifications of one token) and a number in it.

mod ends;
mod fault;
mod form;
mod later;
mod read;
mod standing;
mod strike;

pub(crate) use fault::{Act, Answer, AnswerBody, Notice, RetryAfter};
pub(crate) use form::{BadCertificate, FaultForm, HandshakeFault, HoldOrder, Malformed, ResetAt, StallAt};
pub(crate) use later::later_members;
pub(crate) use read::{FaultError, FaultErrorKind, check, form as read_form};

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde_json::Value;

use crate::chance::Chance;
use crate::clock::rfc3339;
use crate::domain::{Moment, Pan};
use crate::journal::{self, Fact, Journal};
use ends::Stalled;
use fault::{Effect, Fault};
use read::wrong;
use standing::Standing;

/// The faults of `--hostile`.
const HOSTILE: &str = include_str!("faults/hostile.yaml");
/// Faults that are set at once.
pub(crate) const MOST: usize = 256;

/// The faults of the hostile profile.
pub(crate) fn hostile_profile() -> Result<Vec<FaultForm>, FaultError> {
    serde_saphyr::from_str(HOSTILE).map_err(|fault| wrong("hostile.yaml", fault.to_string()))
}

/// Bits of [`Faults::armed`].
const CALLS: u8 = 1;
const CARDS: u8 = 2;
const CONNECTIONS: u8 = 4;
const NOTIFICATIONS: u8 = 8;

/// The faults of one sandbox.
pub(crate) struct Faults {
    /// What there is a fault for: all that is looked at while there is none.
    armed: AtomicU8,
    state: Mutex<State>,
    chance: Chance,
    known: Known,
    journal: Arc<Journal>,
}

/// What a fault may name.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The test cards by name.
    pub(crate) cards: HashMap<String, Pan>,
    /// Whether certificates can be signed as D1's own is.
    pub(crate) authority: bool,
}

#[derive(Default)]
struct State {
    standing: Vec<Standing>,
    made: u64,
    stalled: Vec<Stalled>,
    stalls: u64,
}

/// It strikes nothing any more, nothing is held by it, and nobody is at it whom it has struck.
fn is_done(one: &Standing, now: Moment) -> bool {
    one.is_over(now) && Lifted::of(one).holds.is_none() && !one.is_underway()
}

/// A call as faults see it: who calls by the certificate, what the path names.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    pub(crate) operation: &'static str,
    pub(crate) gateway: &'a str,
    pub(crate) path: &'a str,
    pub(crate) correlation: Option<&'a str>,
    /// Known once the JWE of createToken is open.
    pub(crate) card: Option<&'a Pan>,
}

/// A notification as faults see it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Queued<'a> {
    pub(crate) gateway: &'a str,
    pub(crate) merchant: &'a str,
    pub(crate) token: &'a str,
}

/// What has befallen somebody, and which fault it was.
#[derive(Debug, Clone)]
pub(crate) struct Struck<A> {
    pub(crate) name: Arc<str>,
    pub(crate) number: u64,
    pub(crate) act: A,
    /// As long as it lasts, the fault is not forgotten.
    pub(super) _underway: Arc<()>,
}

/// A fault that is lifted, and in which order what it holds is to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lifted {
    pub(crate) number: u64,
    pub(crate) holds: Option<HoldOrder>,
}

impl Lifted {
    fn of(gone: &Standing) -> Self {
        let holds = match gone.fault.effect {
            Effect::Notification(Notice::Hold(order)) => Some(order),
            _ => None,
        };
        Self { number: gone.number, holds }
    }
}

/// A fault as the admin port shows it.
#[derive(Debug, Serialize)]
pub(crate) struct FaultView {
    #[serde(flatten)]
    fault: Value,
    /// What its selectors have met.
    matched: u64,
    /// What it has struck of that.
    applied: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    /// It strikes nothing any more: its time or its number is used up.
    over: bool,
}

impl Faults {
    pub(crate) fn new(chance: Chance, known: Known, journal: Arc<Journal>) -> Arc<Self> {
        let (armed, state) = (AtomicU8::new(0), Mutex::default());
        Arc::new(Self { armed, state, chance, known, journal })
    }

    /// Sets a fault and returns its name.
    ///
    /// Who calls this also sees to its end: see `World::set_fault`.
    pub(crate) fn set(&self, form: &FaultForm, now: Moment) -> Result<Arc<str>, FaultError> {
        let mut state = self.lock();
        let number = state.made + 1;
        let fault = Arc::new(read::read(form, &format!("fault-{number}"), &self.known)?);
        let name = Arc::clone(&fault.name);
        // What strikes nothing any more gives way, to its own name and, the oldest first, to any; not what still holds
        // something.
        if let Some(at) = state.standing.iter().position(|one| one.fault.name == name) {
            let expected = "a name that no other fault has; DELETE that first";
            self.give_way(&mut state, Some(at), now)
                .ok_or_else(|| FaultError { kind: FaultErrorKind::Taken, ..wrong("name", expected) })?;
        }
        if state.standing.len() >= MOST {
            let over = state.standing.iter().position(|one| is_done(one, now));
            self.give_way(&mut state, over, now).ok_or_else(|| FaultError {
                kind: FaultErrorKind::Full,
                ..wrong("body", format!("at most {MOST} faults at once; DELETE one first"))
            })?;
        }
        state.made = number;
        self.note_whole(now, &fault, "set");
        state.standing.push(Standing::new(number, fault, now));
        self.rearm(&state);
        Ok(name)
    }

    /// Takes out the fault at this place if it is done with.
    fn give_way(&self, state: &mut State, at: Option<usize>, now: Moment) -> Option<()> {
        let at = at.filter(|at| is_done(&state.standing[*at], now))?;
        let gone = state.standing.remove(at);
        self.gone(state, &gone, now);
        Some(())
    }

    /// Sets the faults of the hostile profile.
    pub(crate) fn set_hostile(&self, now: Moment) -> Result<(), FaultError> {
        hostile_profile()?.iter().try_for_each(|form| self.set(form, now).map(drop))
    }

    /// Lifts the fault of this name; nothing if there is none.
    ///
    /// Who calls this also releases what the fault holds: see `World::lift_fault`.
    pub(crate) fn lift(&self, name: &str, now: Moment) -> Option<Lifted> {
        let mut state = self.lock();
        let at = state.standing.iter().position(|one| &*one.fault.name == name)?;
        let gone = state.standing.remove(at);
        self.gone(&mut state, &gone, now);
        Some(Lifted::of(&gone))
    }

    /// Lifts all faults.
    pub(crate) fn lift_all(&self, now: Moment) -> Vec<Lifted> {
        let mut state = self.lock();
        let all = std::mem::take(&mut state.standing);
        for gone in &all {
            self.gone(&mut state, gone, now);
        }
        all.iter().map(Lifted::of).collect()
    }

    /// Lifts the faults that name this gateway. What they hold is for who calls this to drop.
    pub(crate) fn lift_of(&self, gateway: &str, now: Moment) {
        let mut state = self.lock();
        let of = |one: &Standing| one.fault.gateways.iter().any(|id| id == gateway);
        let (gone, kept): (Vec<_>, Vec<_>) = std::mem::take(&mut state.standing).into_iter().partition(of);
        state.standing = kept;
        for gone in &gone {
            self.gone(&mut state, gone, now);
        }
    }

    /// Every fault, in the order in which they were set and strike.
    pub(crate) fn view(&self, now: Moment) -> Vec<FaultView> {
        let view = |one: &Standing| FaultView {
            fault: one.fault.shown.clone(),
            matched: one.matched,
            applied: one.applied,
            until: one.until.map(rfc3339),
            over: one.is_over(now),
        };
        self.lock().standing.iter().map(view).collect()
    }

    /// All that a sandbox without faults pays.
    fn is_armed(&self, wanted: u8) -> bool {
        self.armed.load(Ordering::Relaxed) & wanted != 0
    }

    fn rearm(&self, state: &State) {
        let bits = state.standing.iter().map(|one| match one.fault.effect {
            Effect::Call(_) if one.fault.card.is_some() => CARDS,
            Effect::Call(_) => CALLS,
            Effect::Connection(_) => CONNECTIONS,
            Effect::Notification(_) => NOTIFICATIONS,
        });
        self.armed.store(bits.fold(0, |all, bit| all | bit), Ordering::Relaxed);
    }

    fn gone(&self, state: &mut State, gone: &Standing, now: Moment) {
        self.rearm(state);
        self.note_whole(now, &gone.fault, "lifted");
        state.let_go_by(gone.number);
    }

    fn note(&self, now: Moment, correlation: Option<&str>, fault: journal::Fault<'_>) -> u64 {
        let gateway = fault.gateway;
        self.journal.record(now, gateway, correlation, &Fact::Fault(fault))
    }

    /// Of a fault itself, not of a strike.
    fn note_whole(&self, now: Moment, fault: &Fault, what: &'static str) -> u64 {
        let (gateway, gateways) = match &*fault.gateways {
            [one] => (Some(one.as_str()), &[][..]),
            several => (None, several),
        };
        let asked = (what == "set").then_some(&fault.shown);
        let new = journal::Fault::new(&fault.name, what, fault.effect.name());
        self.note(now, None, journal::Fault { gateway, gateways, asked, ..new })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faults").field("armed", &self.armed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
