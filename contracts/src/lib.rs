//! What the wire of Thales D1 eCom Enablement says, as two OpenAPI 3.1 documents, and a judge that holds an exchange
//! against them.
//!
//! Not affiliated with Thales. The documents are written from public documentation, which can be read only in part:
//! every element says in `x-standing` how well it is known and in `x-source` from where (see [`Standing`]).
//!
//! ```
//! let contract = d1_contracts::inbound()?;
//! let headers = [
//!     ("content-type".to_owned(), "application/json".to_owned()),
//!     ("authorization".to_owned(), "Bearer abc".to_owned()),
//!     ("x-correlation-id".to_owned(), "checkout-42".to_owned()),
//! ];
//! let path = "/ecom/v1/merchant-gateways/MGW_000001/merchants";
//! let body = br#"{"merchantName": "Corner Bookshop"}"#;
//! assert_eq!(contract.judge_request("POST", path, &headers, body), Ok("createMerchant"));
//!
//! let faults = contract.judge_request("POST", path, &headers, br#"{"name": "x"}"#);
//! assert_eq!(faults.expect_err("the member has another name").len(), 2);
//! # Ok::<(), d1_contracts::LoadError>(())
//! ```

mod agreement;
mod broken;
mod cases;
mod catalogue;
mod cells;
mod described;
mod document;
mod elements;
mod fault;
mod form;
mod http2;
mod journal;
mod json;
mod judge;
mod jwe;
mod lint;
mod matrix;
mod natural;
mod operation;
mod receiver;
mod report;
mod runner;
mod sabotage;
mod schema;
mod shim;
mod stage;
mod standing;
mod subject;
mod verdict;
mod waivers;
mod yaml;

pub use agreement::{Disagreement, disagreements};
pub use broken::{Break, BrokenClient, BrokenReceiver, Props, ReceiverBreak, ReceiverProps, Sign};
pub use cases::{
    Case, CaseError, ConnectionFault, Count, Disguise, Edit, End, Ending, Expectation, Fault as AnswerFault,
    Given, GivenAccessToken, GivenCard, GivenClock, GivenGateway, GivenMerchant, GivenToken, GivenTokenState,
    GoodAnswers, Http2Fault, Instead, Kind, Outcome as ReportedOutcome, Piece, Retryable, TlsFault,
    TransportFaults, Turn, Unanswered, built_in_cases, cases_in, derived_cases, transport_cases,
};
pub use catalogue::Catalogue;
pub use cells::{Cell, Family, Shown, Side, documented_cells, made_cells};
pub use document::{Document, LoadError};
pub use elements::{Element, ElementKind};
pub use fault::Fault;
pub use journal::{JournalError, JournalVerdict, Stranger, judge_journal};
pub use judge::{Contract, Matched, inbound, outbound};
pub use jwe::{JweKey, KeyError};
pub use lint::{LintFault, lint};
pub use matrix::{Gap, Matrix, Share};
pub use natural::{ByItself, Settle, Settled, Way};
pub use operation::{Answer, ErrorCode, Operation, Outcome, Parameter, Place, Retry};
pub use receiver::{
    Came, Certificate, Certificates, D1Props, D1Side, Delivered, End as ReceiverEnd, Found, NotRun, Observer,
    PROBED_MEMBERS, Piece as BodyPiece, Probed, ReceiverCase, ReceiverCredentials, ReceiverRan, ReceiverUrl,
    Refused, RightAnswer, State, Step, TakenAs, TokenRef, Unreachable, UrlError, judge_receiver_case,
    receiver_cases, receiver_cases_in, receiver_report, run_receiver_case, run_receiver_cases,
    sabotage_receivers,
};
pub use report::{DISCLAIMER, InWords, Paint, REPORT_SCHEMA, Report, Tally};
pub use runner::{Ran, RunError, run_case, run_cases};
pub use sabotage::{Flaw, KillMatrix, first_kills, sabotage};
pub use shim::{CommandError, Limits, Probe, ProbeError, Shim, ShimCommand, ShimError, ShimFiles};
pub use stage::{Exchange, Now, Play, PlayError, ShownExchange, ShownMessage, Stage, StageTls};
pub use standing::Standing;
pub use subject::{
    Arguments, BoxFuture, CARD, Call, MERCHANT_ID, MERCHANT_NAME, Subject, TOKEN_ID, Task, Told,
};
pub use verdict::{Verdict, WireVerdict, judge_case, judge_wire};
pub use waivers::{Day, Waived, Waiver, Waivers};
pub use yaml::{FileError, YamlFault};

/// The JSON Schema of a file of cases.
pub const CASE_SCHEMA: &str = include_str!("../cases/case.schema.json");

/// The JSON Schema of the good answers, `good.yaml`.
pub const GOOD_SCHEMA: &str = include_str!("../cases/good.schema.json");

/// The JSON Schema of the catalogue of faults, `transport.yaml`. It refers to [`CASE_SCHEMA`] as `case.schema.json`.
pub const TRANSPORT_SCHEMA: &str = include_str!("../cases/transport.schema.json");

/// The JSON Schema of a file of receiver cases.
pub const RECEIVER_CASE_SCHEMA: &str = include_str!("../cases/receiver.schema.json");

/// The text of the inbound document (the merchant gateway calls D1).
pub const INBOUND_YAML: &str = include_str!("../openapi/d1-ecom-inbound.yaml");

/// The text of the outbound document (D1 calls the merchant gateway).
pub const OUTBOUND_YAML: &str = include_str!("../openapi/d1-ecom-outbound.yaml");
