//! A fault that is set: what it has met so far, and whether it strikes the next.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::time::Duration;

use super::Struck;
use super::fault::{Act, Answer, AnswerBody, CallEffect, Fault, RetryAfter};
use super::read::usual_object;
use crate::chance::Chance;
use crate::domain::Moment;

/// So many streams are told apart by one fault; those beyond share one.
const MOST_STREAMS: usize = 10_000;

/// A fault with its counters.
#[derive(Debug)]
pub(super) struct Standing {
    /// Tells it from an earlier fault of the same name.
    pub(super) number: u64,
    pub(super) fault: Arc<Fault>,
    pub(super) until: Option<Moment>,
    pub(super) matched: u64,
    pub(super) applied: u64,
    /// Calls that it strikes if their answer has a body.
    pub(super) awaited: u64,
    underway: Arc<()>,
    /// That its time is over stands in the journal.
    pub(super) has_ended: bool,
    streams: HashMap<u64, Stream>,
    window: Option<Window>,
}

/// One path of calls, or the notifications of one token: draws and rows are its own, so that what happens
/// elsewhere changes neither.
#[derive(Debug, Default)]
struct Stream {
    matched: u64,
    in_a_row: u32,
}

/// The calls of a limit since a moment.
#[derive(Debug, Clone, Copy)]
struct Window {
    began: Moment,
    calls: u64,
}

/// A strike, with what tells it from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Strike {
    /// Which of the matches of its stream it is, counted from 1.
    pub(super) in_stream: u64,
}

impl Standing {
    pub(super) fn new(number: u64, fault: Arc<Fault>, now: Moment) -> Self {
        let until = fault.when.lasts.map(|lasts| now.after(lasts));
        Self {
            number,
            fault,
            until,
            matched: 0,
            applied: 0,
            awaited: 0,
            underway: Arc::default(),
            has_ended: false,
            streams: HashMap::new(),
            window: None,
        }
    }

    /// It strikes nothing any more.
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| now >= until)
            || self.fault.when.times.is_some_and(|times| self.applied.saturating_add(self.awaited) >= times)
    }

    /// Somebody is at it whom it has struck.
    pub(super) fn is_underway(&self) -> bool {
        Arc::strong_count(&self.underway) > 1
    }

    pub(super) fn struck<A>(&self, act: A) -> Struck<A> {
        let name = Arc::clone(&self.fault.name);
        Struck { name, number: self.number, act, _underway: Arc::clone(&self.underway) }
    }

    /// Counts a match of `stream`, and whether it is struck.
    pub(super) fn meet(&mut self, chance: Chance, stream: &str, now: Moment) -> Option<Strike> {
        if self.is_over(now) {
            return None;
        }
        self.matched = self.matched.saturating_add(1);
        let matched = self.matched;
        let when = self.fault.when;
        let name = Arc::clone(&self.fault.name);
        let own = self.stream(stream);
        own.matched = own.matched.saturating_add(1);
        let in_stream = own.matched;
        let drawn = |probability| chance.fraction_of(&format!("{name} {stream}"), in_stream) < probability;
        let wanted = when.nth.is_none_or(|nth| matched == nth)
            && when.every.is_none_or(|every| matched.is_multiple_of(every))
            && when.most_in_a_row.is_none_or(|most| own.in_a_row < most)
            && when.probability.is_none_or(drawn);
        if !wanted {
            own.in_a_row = 0;
            return None;
        }
        own.in_a_row = own.in_a_row.saturating_add(1);
        Some(Strike { in_stream })
    }

    /// What befalls a call that is struck; a limit that is not used up lets it pass.
    pub(super) fn act(
        &mut self,
        effect: &CallEffect,
        strike: Strike,
        (chance, stream, now): (Chance, &str, Moment),
    ) -> Option<Act> {
        Some(match effect {
            CallEffect::Act(act) => act.clone(),
            CallEffect::Latency(latency) => {
                let name = format!("{} latency {stream}", self.fault.name);
                Act::Wait(latency.of(chance.fraction_of(&name, strike.in_stream)))
            }
            CallEffect::Limit { calls, per } => Act::Answer(Arc::new(self.beyond(*calls, *per, now)?)),
        })
    }

    /// The refusal of a call beyond the limit.
    fn beyond(&mut self, most: u64, per: Option<Duration>, now: Moment) -> Option<Answer> {
        let running = self.window.filter(|window| per.is_none_or(|per| now < window.began.after(per)));
        let mut window = running.unwrap_or(Window { began: now, calls: 0 });
        window.calls = window.calls.saturating_add(1);
        self.window = Some(window);
        if window.calls <= most {
            return None;
        }
        let left = |per| window.began.after(per).as_ms() - now.as_ms();
        let seconds = per.map(|per| u64::try_from(left(per)).unwrap_or(0).div_ceil(1000));
        Some(Answer {
            status: 429,
            retry_after: seconds.map(RetryAfter::Seconds),
            body: AnswerBody::Json(usual_object(429)),
        })
    }

    fn stream(&mut self, stream: &str) -> &mut Stream {
        let mut hasher = DefaultHasher::new();
        stream.hash(&mut hasher);
        let key = hasher.finish();
        let known = self.streams.len() < MOST_STREAMS || self.streams.contains_key(&key);
        self.streams.entry(if known { key } else { 0 }).or_default()
    }
}
