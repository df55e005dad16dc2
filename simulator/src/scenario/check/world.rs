//! What is known of the world between two steps.

use std::collections::{BTreeMap, BTreeSet};

use d1_fixtures::IssuerEvent;
use jiff::Timestamp;

use crate::scenario::finding::Place;
use crate::scenario::words::{EventType, Operation, TokenState};

/// What is known; what somebody outside can have changed is not.
#[derive(Debug, Default)]
pub(super) struct World {
    /// With their gateways, as far as they are known.
    pub(super) merchants: BTreeMap<String, Option<String>>,
    pub(super) tokens: BTreeMap<String, TokenKnown>,
    /// The faults that are set, and where.
    pub(super) faults: BTreeMap<String, Place>,
    /// All that were ever set.
    pub(super) ever: BTreeSet<String>,
    /// Those that are set and end by nothing but a `lift`.
    pub(super) lasting: BTreeSet<String>,
    /// A fault has answered in D1's place.
    pub(super) answered: bool,
    /// The calls that steps have made, and the token of each that had one.
    pub(super) calls: Vec<(Operation, Option<String>)>,
    /// Codes that a fault answers.
    pub(super) codes: BTreeSet<String>,
    /// What test cards have planned.
    pub(super) planned: Vec<IssuerEvent>,
    /// Something has happened of which a receiver hears.
    pub(super) told: bool,
    /// Of which a receiver hears because a step says so: which token, which event.
    pub(super) events: Vec<(String, EventType)>,
    /// A step could not be read: what it would have done is not known.
    pub(super) unsure: bool,
    /// There was a step `issuer`.
    pub(super) issued: bool,
    /// Until when cards are good, by their names and numbers, where a step has said or drawn it; `None` if it was drawn.
    pub(super) good_until: BTreeMap<(String, u32), Option<u32>>,
    /// So many cards were replaced.
    pub(super) replacements: u32,
    /// Certificates or clocks of our client may be wrong.
    pub(super) client_troubled: bool,
    /// The clock stands here or later.
    pub(super) clock: Option<Timestamp>,
}

#[derive(Debug, Clone)]
pub(super) struct TokenKnown {
    pub(super) card: Option<String>,
    pub(super) merchant: Option<String>,
    /// Which of the card's numbers it is of: 0 for the one that the stage gives, another after each replacement.
    pub(super) number: u32,
    /// `None` if it is not known.
    pub(super) state: Option<TokenState>,
    /// Its card plans something, so that its state is not known once the clock moves.
    pub(super) soon: bool,
    /// Its card does something after the first transaction.
    pub(super) after_first_use: bool,
}

/// The clock goes no further.
pub(super) fn last_moment() -> Timestamp {
    // 2100-01-01T00:00:00Z
    Timestamp::from_second(4_102_444_800).unwrap_or(Timestamp::MAX)
}

impl World {
    /// What was planned may have happened by now.
    pub(super) fn soon_happens(&mut self) {
        for token in
            self.tokens.values_mut().filter(|token| token.soon && token.state != Some(TokenState::Deleted))
        {
            token.state = None;
        }
    }

    pub(super) fn state_of(&self, token: &str) -> Option<TokenState> {
        self.tokens.get(token).and_then(|token| token.state)
    }

    pub(super) fn set_state(&mut self, token: &str, state: Option<TokenState>) {
        if let Some(token) = self.tokens.get_mut(token) {
            token.state = state;
        }
    }

    /// A step that could not be read may have done anything.
    pub(super) fn unsettle(&mut self) {
        self.tokens.values_mut().for_each(|token| token.state = None);
        (self.unsure, self.client_troubled, self.told, self.answered) = (true, true, true, true);
    }

    /// Whether nothing but states and cards decides how calls end, and how often they are sent: no fault was ever set, and
    /// no time has passed.
    pub(super) fn calm(&self) -> bool {
        self.ever.is_empty() && !self.client_troubled && self.clock.is_none()
    }

    /// Whether anything can make a call end otherwise than states and cards say.
    pub(super) fn troubled(&self) -> bool {
        !self.faults.is_empty() || self.client_troubled
    }
}
