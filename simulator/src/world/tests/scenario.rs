//! What happens in a scenario: written as YAML, so that a counterexample can be pasted into a test.

use std::fmt;

use proptest::prelude::*;
use serde::Deserialize;

use super::{MERCHANTS, PANS};
use crate::domain::IssuerEvent;

/// Steps in order.
#[derive(Clone, Deserialize)]
pub(super) struct Scenario {
    pub(super) steps: Vec<Step>,
}

/// One doing. Merchants and cards have numbers from 0; tokens are numbered as they are made, and one that never was may be
/// named too.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    Tokenize {
        merchant: usize,
        card: usize,
    },
    Get {
        token: usize,
        gateway: usize,
    },
    Pay {
        token: usize,
    },
    Delete {
        token: usize,
    },
    /// `months`: the new date lies so many months after the present one; `pan`: of which card the replacement has the number.
    Event {
        token: usize,
        event: String,
        months: Option<i16>,
        pan: Option<usize>,
    },
    Pass {
        seconds: u32,
    },
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tokenize { merchant, card } => {
                write!(f, "tokenize: {{merchant: {merchant}, card: {card}}}")
            }
            Self::Get { token, gateway } => write!(f, "get: {{token: {token}, gateway: {gateway}}}"),
            Self::Pay { token } => write!(f, "pay: {{token: {token}}}"),
            Self::Delete { token } => write!(f, "delete: {{token: {token}}}"),
            Self::Event { token, event, months, pan } => {
                write!(f, "event: {{token: {token}, event: {event}")?;
                if let Some(months) = months {
                    write!(f, ", months: {months}")?;
                }
                if let Some(pan) = pan {
                    write!(f, ", pan: {pan}")?;
                }
                f.write_str("}")
            }
            Self::Pass { seconds } => write!(f, "pass: {{seconds: {seconds}}}"),
        }
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("steps:\n")?;
        self.steps.iter().try_for_each(|step| writeln!(f, "  - {step}"))
    }
}

/// What proptest prints of the least scenario that fails.
impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{self}")
    }
}

pub(super) fn any_scenario() -> impl Strategy<Value = Scenario> {
    // Few tokens, so that most steps concern one that is there.
    let token = || 0..6_usize;
    let event = proptest::sample::select(IssuerEvent::ALL.map(|event| event.as_str().to_owned()).to_vec());
    let months = proptest::option::of(prop_oneof![Just(0_i16), Just(-1), 1..50_i16]);
    let step = prop_oneof![
        3 => (0..MERCHANTS, 0..PANS.len()).prop_map(|(merchant, card)| Step::Tokenize { merchant, card }),
        1 => (token(), 0..MERCHANTS).prop_map(|(token, gateway)| Step::Get { token, gateway }),
        3 => token().prop_map(|token| Step::Pay { token }),
        1 => token().prop_map(|token| Step::Delete { token }),
        6 => (token(), event, months, proptest::option::of(0..3_usize))
            .prop_map(|(token, event, months, pan)| Step::Event { token, event, months, pan }),
        1 => (0..12_u32).prop_map(|seconds| Step::Pass { seconds }),
    ];
    // Forty steps on average; a scenario must be free to lose steps, so that a fault is shrunk.
    proptest::collection::vec(step, 1..80).prop_map(|steps| Scenario { steps })
}
