//! The scenario language: bad days of a payment-token API as YAML files.
//!
//! [`load`] reads a file with all that it includes, tells everything that is wrong with it at once, and gives a
//! [`Scenario`] in which nothing is left to resolve. Pure but for the reader of files that it is handed: no socket, no
//! clock, no chance.

mod broken;
mod check;
mod expectation;
mod explain;
mod finding;
mod hostile;
mod load;
mod members;
mod node;
mod parameters;
mod scalar;
mod stage;
mod step;
#[cfg(test)]
mod tests;
mod words;

pub(crate) use expectation::{
    CallWait, Calls, ExpectCalls, ExpectNotifications, Expectation, Expected, Header, HowMany, Never,
    NeverWhat, NotificationWait, Notifications, Since, TokenExpectation, Wait,
};
pub(crate) use explain::{counted, explain, step_kinds, told, told_calls, told_notifications};
pub(crate) use finding::{Findings, Place, Weight, nearest};
pub(crate) use hostile::Fault;
pub(crate) use load::{MAX_STEPS, Scenario, is_part, load};
pub(crate) use members::{Named, is_name, shown};
pub(crate) use scalar::Scalar;
pub(crate) use stage::{AuthClock, Caller, Card, CardGiven, Gateway, Receiver, ReceiverAt, Stage};
pub(crate) use step::{
    Action, Advance, Call, Certificate, Forge, ForgeAnswer, Gives, Issuer, ReceiverMode, ReceiverStep,
    Request, Skew, Step, Target,
};
pub(crate) use words::{CardSource, Forgery, TransactionType};
