//! What a receiver of the suite's own keeps of tokens, and what an event changes in it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::receiver_breaks::ReceiverBreak;
use crate::receiver::{PROBED_MEMBERS, Probed};

/// All tokens by their paths.
#[derive(Default)]
pub(super) struct Tokens(BTreeMap<String, Kept>);

#[derive(Default)]
struct Kept {
    members: BTreeMap<String, String>,
    sequence: Option<u64>,
    seen: BTreeSet<String>,
    last: String,
    events: u32,
}

impl Tokens {
    /// What a probe is told of the token at this path.
    pub(super) fn probed(&self, path: &str) -> Option<Probed> {
        let kept = self.0.get(path)?;
        let token = PROBED_MEMBERS.map(|name| (name.to_owned(), kept.members.get(name).cloned()));
        Some(Probed { token: token.into(), events: Some(kept.events) })
    }

    /// Whether the event was taken over before.
    pub(super) fn knows(&self, path: &str, event: &str, broken: Option<ReceiverBreak>) -> bool {
        self.0.get(path).is_some_and(|kept| match broken {
            Some(ReceiverBreak::NoDeduplication) => false,
            Some(ReceiverBreak::DeduplicatesByArrival) => true,
            Some(ReceiverBreak::RemembersLastEvent) => kept.last == event,
            _ => kept.seen.contains(event),
        })
    }

    /// Takes an event over. Of what is older than what is known nothing but its having come is noted.
    pub(super) fn take(
        &mut self,
        path: &str,
        event: &str,
        members: &Map<String, Value>,
        broken: Option<ReceiverBreak>,
    ) {
        let kept = self.0.entry(path.to_owned()).or_default();
        kept.events += 1;
        kept.seen.insert(event.to_owned());
        event.clone_into(&mut kept.last);
        let sequence = members.get("sequence").and_then(Value::as_u64);
        let stale = sequence.is_some() && sequence < kept.sequence;
        if stale && broken != Some(ReceiverBreak::ArrivalOrderEvents) {
            return;
        }
        kept.sequence = sequence.or(kept.sequence);
        for name in PROBED_MEMBERS {
            if let Some(value) = members.get(name).and_then(Value::as_str) {
                kept.members.insert(name.to_owned(), value.to_owned());
            }
        }
    }
}
