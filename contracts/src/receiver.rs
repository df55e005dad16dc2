//! The receiver suite: D1's side of notifications, played against a receiver, and what it made of them (contract C22 to C27,
//! C35).

mod case;
mod load;
mod play;
mod probe;
mod report;
mod sabotage;
mod side;
mod url;
mod verdict;
mod wire;
mod words;

pub use case::{
    Answer as RightAnswer, Certificate, End, PROBED_MEMBERS, Piece, ReceiverCase, Refused, State, Step,
    TakenAs,
};
pub use load::{receiver_cases, receiver_cases_in};
pub use play::{Came, Delivered, Found, NotRun, ReceiverRan, run_receiver_case, run_receiver_cases};
pub use probe::{Observer, Probed, TokenRef};
pub use report::receiver_report;
pub use sabotage::sabotage_receivers;
pub use side::{Certificates, D1Props, D1Side, ReceiverCredentials, Unreachable};
pub(crate) use url::address;
pub use url::{ReceiverUrl, UrlError};
pub use verdict::judge_receiver_case;
pub(crate) use wire::{Address, Heard, connect_plainly};
