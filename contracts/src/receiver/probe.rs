//! Looking into a receiver: what it knows of a token, and states that only its owner can bring about.

use std::collections::BTreeMap;

use super::case::State;
use crate::subject::BoxFuture;

/// A token of the run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRef {
    /// The gateway.
    pub gateway_id: String,
    /// The merchant.
    pub merchant_id: String,
    /// The token.
    pub token_id: String,
}

/// What a receiver knows of a token. What it does not tell is not judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Probed {
    /// Members by the names of [`PROBED_MEMBERS`](super::PROBED_MEMBERS); nothing for one that it knows no value of.
    pub token: BTreeMap<String, Option<String>>,
    /// How many events were handed on, repetitions not counted.
    pub events: Option<u32>,
}

/// Whoever can look into a receiver under test.
pub trait Observer: Send + Sync {
    /// What the receiver knows of a token; nothing if it has never heard of it. The text of a fault says why it cannot be
    /// told, without any value.
    fn look<'a>(&'a self, token: &'a TokenRef) -> BoxFuture<'a, Result<Option<Probed>, String>>;

    /// Brings the receiver into a state, or back into its usual one. False if that cannot be done.
    fn enter<'a>(&'a self, state: Option<State>) -> BoxFuture<'a, bool>;
}
