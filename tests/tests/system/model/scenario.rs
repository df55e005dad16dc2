//! What happens in a scenario: written as YAML, so that a counterexample can be pasted into a test. The words are those of
//! the simulator's own scenarios.

use std::fmt;

use proptest::prelude::*;
use serde::Deserialize;

/// Cards of a scenario that are approved; the one after them is declined.
pub(super) const GOOD_CARDS: usize = 3;
/// The issuer's doings (contract C25), and whether a date and a number may come with them.
pub(super) const EVENTS: [(&str, bool, bool); 7] = [
    ("token.suspend", false, false),
    ("token.resume", false, false),
    ("token.delete", false, false),
    ("card.delete", false, false),
    ("token.extend", true, false),
    ("card.renew", true, false),
    ("card.replace", true, true),
];

/// Steps in order.
#[derive(Clone, Deserialize)]
pub(super) struct Scenario {
    pub(super) steps: Vec<Step>,
}

/// One doing. Merchants, cards and tokens have numbers from 0, in the order in which they come to be; merchants and tokens
/// that never were may be named too.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Step {
    Register,
    Tokenize {
        merchant: usize,
        card: usize,
    },
    /// Through a merchant that need not be the token's own.
    Get {
        token: usize,
        merchant: usize,
    },
    Pay {
        token: usize,
    },
    Delete {
        token: usize,
    },
    /// `months`: the date that is given lies so many months after the card's; `pan`: of which card the replacement has the
    /// number.
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
            Self::Register => f.write_str("register"),
            Self::Tokenize { merchant, card } => {
                write!(f, "tokenize: {{merchant: {merchant}, card: {card}}}")
            }
            Self::Get { token, merchant } => write!(f, "get: {{token: {token}, merchant: {merchant}}}"),
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
    let token = || 0..4_usize;
    let months = proptest::option::of(prop_oneof![Just(0_i16), Just(-1), 1..50_i16]);
    let event = (token(), 0..EVENTS.len(), months, proptest::option::of(0..GOOD_CARDS), 0..8_u8);
    let event = event.prop_map(|(token, event, months, pan, care)| {
        let (event, dated, numbered) = EVENTS[event];
        // Now and then something comes with an event that must not.
        let (months, pan) = (months.filter(|_| dated || care == 0), pan.filter(|_| numbered || care == 0));
        Step::Event { token, event: event.to_owned(), months, pan }
    });
    let step = prop_oneof![
        1 => Just(Step::Register),
        4 => (0..3_usize, 0..=GOOD_CARDS).prop_map(|(merchant, card)| Step::Tokenize { merchant, card }),
        1 => (token(), 0..3_usize).prop_map(|(token, merchant)| Step::Get { token, merchant }),
        3 => token().prop_map(|token| Step::Pay { token }),
        1 => token().prop_map(|token| Step::Delete { token }),
        7 => event,
        1 => (1..4000_u32).prop_map(|seconds| Step::Pass { seconds }),
    ];
    // A merchant and a token to begin with, and fifteen steps on average; a scenario must be free to lose steps, so that a
    // fault is shrunk.
    proptest::collection::vec(step, 10..20).prop_map(|steps| {
        let first = [Step::Register, Step::Tokenize { merchant: 0, card: 0 }];
        Scenario { steps: first.into_iter().chain(steps).collect() }
    })
}
