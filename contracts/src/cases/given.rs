//! What a natural case is about: the state of D1 in which the answer comes by itself. Named states with parameters, so that
//! whoever keeps a D1 can bring them about.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Case, whole_number};

/// The farthest that a clock is off: a day, in seconds.
const MOST_SECONDS: u32 = 86_400;

/// The state of D1 before the call. What is left out is as it is for a gateway that is onboarded and has done nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Given {
    /// What D1 makes of the gateway.
    #[serde(default)]
    pub gateway: GivenGateway,
    /// The merchant that the call names.
    #[serde(default)]
    pub merchant: GivenMerchant,
    /// The token that the call names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<GivenToken>,
    /// The card that is tokenized.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub card: Option<GivenCard>,
    /// What becomes of the first access token.
    #[serde(default)]
    pub access_token: GivenAccessToken,
    /// How the client's clock is off D1's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock: Option<GivenClock>,
}

/// What D1 makes of the gateway.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenGateway {
    /// It knows the gateway, its certificate and its keys.
    #[default]
    Onboarded,
    /// It is D1 of the other environment, for which the gateway's certificate is not (contract C2).
    OfTheOtherEnvironment,
}

/// The merchant that the call names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenMerchant {
    /// One that the gateway has registered.
    #[default]
    Onboarded,
    /// One that D1 does not know.
    Unknown,
}

/// The token that the call names.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GivenToken {
    /// Its state.
    pub state: GivenTokenState,
    /// The name of the test card that it is for.
    #[serde(default = "approved")]
    pub card: String,
}

/// The state of a token (contract C21), or that there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenTokenState {
    /// It can be paid with.
    Active,
    /// The issuer has suspended it.
    Suspended,
    /// It was deleted.
    Deleted,
    /// There never was one.
    Unknown,
}

/// The card that is tokenized.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct GivenCard {
    /// Its name in the table of test cards.
    pub name: String,
    /// The end that is sent with it (`MMYY`), if not that of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exp: Option<String>,
}

/// What becomes of the first access token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenAccessToken {
    /// It is good until its end.
    #[default]
    Kept,
    /// D1 forgets it as soon as it was given out.
    Forgotten,
}

/// How the client's clock is off D1's, in seconds. Whose clock is right cannot be seen on the wire: D1's is moved, so that
/// every client can be shown it, one whose clock cannot be set as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GivenClock {
    /// The client's is ahead.
    AheadS(#[serde(deserialize_with = "whole_number")] u32),
    /// The client's is behind.
    BehindS(#[serde(deserialize_with = "whole_number")] u32),
    /// Both are right until there is an access token; then the client's steps back.
    StepsBackS(#[serde(deserialize_with = "whole_number")] u32),
}

fn approved() -> String {
    "approve".to_owned()
}

impl GivenClock {
    const fn seconds(self) -> u32 {
        match self {
            Self::AheadS(seconds) | Self::BehindS(seconds) | Self::StepsBackS(seconds) => seconds,
        }
    }
}

/// For reports.
impl fmt::Display for GivenClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AheadS(seconds) => write!(f, "the client's clock is {seconds} s ahead of D1's"),
            Self::BehindS(seconds) => write!(f, "the client's clock is {seconds} s behind D1's"),
            Self::StepsBackS(seconds) => {
                write!(f, "the client's clock steps {seconds} s back once it has an access token")
            }
        }
    }
}

impl Given {
    /// The names of test cards in it.
    pub fn cards(&self) -> impl Iterator<Item = &str> {
        let of_token = self.token.iter().map(|token| token.card.as_str());
        of_token.chain(self.card.iter().map(|card| card.name.as_str()))
    }
}

/// What is wrong with what a case says of itself as a natural one. The first part is in `case.schema.json` too.
pub(super) fn check(case: &Case, given: &Given) -> Result<(), String> {
    for name in given.cards() {
        let of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.starts_with('-') || name.len() > 64 || !name.bytes().all(of_name) {
            return Err("`card`: expected the name of a test card; `d1sim cards` prints them".to_owned());
        }
    }
    if let Some(exp) = given.card.as_ref().and_then(|card| card.exp.as_deref())
        && !is_end(exp)
    {
        return Err("`exp`: expected the end of a card as MMYY, such as '0120'; correct it".to_owned());
    }
    if let Some(clock) = given.clock
        && !(1..=MOST_SECONDS).contains(&clock.seconds())
    {
        return Err(format!("`clock`: expected 1 to {MOST_SECONDS} seconds; correct it"));
    }
    check_together(case, given).map_err(|reason| format!("`given`: {reason}"))
}

fn is_end(exp: &str) -> bool {
    let month = exp.get(..2).and_then(|month| month.parse::<u8>().ok());
    exp.len() == 4
        && exp.bytes().all(|byte| byte.is_ascii_digit())
        && month.is_some_and(|month| (1..=12).contains(&month))
}

/// What goes with the operation, and with what else is given.
fn check_together(case: &Case, given: &Given) -> Result<(), String> {
    let operation = case.operation();
    let names_token = ["getToken", "createTransaction", "deleteToken"].contains(&operation);
    if names_token != given.token.is_some() {
        let wanted = if names_token { "a `token`" } else { "no `token`" };
        return Err(format!("expected {wanted} for a case of {operation}; correct one of the two"));
    }
    if operation != "createToken" && (given.card.is_some() || given.merchant == GivenMerchant::Unknown) {
        return Err("`card` and an unknown `merchant` go with createToken alone; take them away".to_owned());
    }
    let asks_for_access = ["getAccessToken", "createMerchant"].contains(&operation);
    let apart = given.clock.is_some() || given.gateway != GivenGateway::Onboarded;
    if apart && !asks_for_access {
        return Err("`clock` and another `gateway` go with getAccessToken and createMerchant alone: nobody could bring about \
                    more; take them away"
            .to_owned());
    }
    let states = [
        given.clock.is_some(),
        given.gateway != GivenGateway::Onboarded,
        given.access_token != GivenAccessToken::Kept,
    ];
    if states.into_iter().filter(|state| *state).count() > 1 {
        return Err("expected one of `clock`, `gateway` and `access_token`; make a case of each".to_owned());
    }
    let strange = case.answers.iter().any(|turn| {
        turn.fault.is_some() || turn.always || turn.body.as_ref().is_some_and(|body| !body.is_object())
    });
    if strange {
        return Err("expected `answers` without `fault` and `always`, their bodies objects: they say what D1 answers by \
                    itself; correct them"
            .to_owned());
    }
    Ok(())
}
