//! The cells: everything that a client can be shown, computed from the documents, so that none can be forgotten.

use std::fmt;

use crate::judge::Contract;
use crate::operation::{Answer, ErrorCode, Operation};
use crate::standing::Standing;

/// Who is shown the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// D1 answers a merchant gateway.
    Inbound,
    /// A merchant gateway answers D1.
    Outbound,
}

impl Side {
    /// `inbound` or `outbound`, the first part of a cell's id.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Inbound => "inbound",
            Self::Outbound => "outbound",
        }
    }
}

/// One thing that a client can be shown: operation, status and `errorCode`. (Each answer of the contract has one media
/// type at most, so that it adds no dimension.)
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Who is shown it.
    pub side: Side,
    /// The `operationId`.
    pub operation: String,
    /// The status.
    pub status: u16,
    /// The `errorCode`; nothing for an answer that has none.
    pub code: Option<String>,
    /// The weakest of the standings of operation, status and code.
    pub standing: Standing,
}

/// `SIDE/OPERATION/STATUS/CODE`, with `none` for an answer without a code.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code.as_deref().unwrap_or("none");
        write!(f, "{}/{}/{}/{code}", self.side.word(), self.operation, self.status)
    }
}

/// The documented cells of a contract: one for each code of each answer of each operation, in the order of their ids.
#[must_use]
pub fn documented_cells(contract: &Contract, side: Side) -> Vec<Cell> {
    let mut cells: Vec<Cell> =
        contract.operations().flat_map(|operation| cells_of(operation, side)).collect();
    cells.sort();
    cells
}

fn cells_of(operation: &Operation, side: Side) -> Vec<Cell> {
    let mut cells = Vec::new();
    for answer in operation.answers() {
        // A class of statuses (`5XX`) or `default` is no single thing to be shown; the documents list none.
        let Ok(status) = answer.status().parse() else { continue };
        let cell = |code: Option<&ErrorCode>| Cell {
            side,
            operation: operation.id().to_owned(),
            status,
            code: code.map(|code| code.code.clone()).filter(|code| code != "none"),
            standing: weakest(operation, answer, code),
        };
        let mut codes = answer.error_codes().peekable();
        if codes.peek().is_none() {
            cells.push(cell(None));
        }
        cells.extend(codes.map(|code| cell(Some(code))));
    }
    cells
}

/// What the document does not say is no better than a choice.
fn weakest(operation: &Operation, answer: &Answer, code: Option<&ErrorCode>) -> Standing {
    let known = |standing: Option<Standing>| standing.unwrap_or(Standing::Choice);
    let of_code = code.map_or(Standing::Documented, |code| known(code.standing));
    known(operation.standing()).max(known(answer.standing())).max(of_code)
}
