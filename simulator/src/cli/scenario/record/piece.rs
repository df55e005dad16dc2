//! What a scenario is put together of: steps, and comments on what is no step.

use jiff::Timestamp;

use super::yaml::{Yaml, comment};

/// Steps after which D1 notifies; a call does so with few test cards alone.
const CAUSES: [&str; 4] = ["issuer", "lift", "advance", "forge"];

/// A part of the list of steps.
#[derive(Debug)]
pub(super) enum Piece {
    Step {
        /// The journal's number of what it plays again.
        n: u64,
        step: Yaml,
    },
    /// Entries that are not played.
    Note { first: u64, last: u64, count: u64, why: String },
}

impl Piece {
    pub(super) fn note(n: u64, why: impl Into<String>) -> Self {
        Self::Note { first: n, last: n, count: 1, why: why.into() }
    }

    pub(super) fn text(&self) -> String {
        match self {
            Self::Step { step, .. } => step.step(),
            Self::Note { first, last, count: 1, why } if first == last => {
                format!("  # journal {first}: {}\n", comment(why))
            }
            Self::Note { first, last, count, why } => {
                let entries = if *count == 1 { "1 entry".to_owned() } else { format!("{count} entries") };
                format!("  # journal {first} to {last}, {entries}: {}\n", comment(why))
            }
        }
    }
}

/// The pieces so far, and where the clock of the scenario stands behind them.
pub(super) struct Pieces {
    pub(super) all: Vec<Piece>,
    pub(super) now: Timestamp,
    /// The first step since a notification was tried, and the first of those that make one: whatever the receiver does next
    /// must be told before it.
    first: Option<usize>,
    first_cause: Option<usize>,
}

impl Pieces {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { all: Vec::new(), now, first: None, first_cause: None }
    }

    pub(super) fn step(&mut self, n: u64, kind: &str, step: Yaml) {
        self.first.get_or_insert(self.all.len());
        if CAUSES.contains(&kind) {
            self.first_cause.get_or_insert(self.all.len());
        }
        self.all.push(Piece::Step { n, step: Yaml::one(kind, step) });
    }

    /// A comment; entries that follow each other for one reason have one.
    pub(super) fn note(&mut self, n: u64, why: impl Into<String>) {
        let new = why.into();
        if let Some(Piece::Note { last, count, why, .. }) = self.all.last_mut()
            && *why == new
        {
            (*last, *count) = (n, *count + 1);
            return;
        }
        self.all.push(Piece::note(n, new));
    }

    /// Lets time pass up to a moment, in whole seconds unless it has to be exact.
    pub(super) fn advance_to(&mut self, n: u64, to: Timestamp, exact: bool) {
        let gap = to.duration_since(self.now);
        let unit = if exact { 1 } else { 1000 };
        let millis = u64::try_from(gap.as_millis()).unwrap_or_default();
        let millis = (millis + unit / 2) / unit * unit;
        if millis > 0 {
            let by = std::time::Duration::from_millis(millis);
            self.step(n, "advance", Yaml::text(crate::scenario::shown(by)));
            self.now = self.now.checked_add(by).unwrap_or(to);
        }
    }

    /// A step of the receiver's, that has to come before what happened at this moment.
    pub(super) fn before(&mut self, n: u64, at: Timestamp, step: Yaml) -> Result<(), ()> {
        let instant = jiff::SignedDuration::from_millis(1);
        if let Ok(just_before) = at.checked_sub(instant)
            && just_before >= self.now
        {
            self.advance_to(n, just_before, true);
            self.step(n, "receiver", step);
            return Ok(());
        }
        let at = self.first_cause.or(self.first).ok_or(())?;
        self.all.insert(at, Piece::Step { n, step: Yaml::one("receiver", step) });
        Ok(())
    }

    /// A notification was tried.
    pub(super) fn tried(&mut self) {
        (self.first, self.first_cause) = (None, None);
    }

    pub(super) fn any_step(&self) -> bool {
        self.all.iter().any(|piece| matches!(piece, Piece::Step { .. }))
    }
}
