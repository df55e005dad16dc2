//! The cells: everything that a client can be shown, computed from the documents, so that none can be forgotten.

use std::fmt;

use crate::cases::Case;
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

/// One thing that a client can be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Who is shown it.
    pub side: Side,
    /// The `operationId`.
    pub operation: String,
    /// What is shown.
    pub shown: Shown,
    /// How well it is known that it can be shown.
    pub standing: Standing,
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shown {
    /// An answer of the contract. (Each has one media type at most, so that it adds no dimension.)
    Answer {
        /// The status.
        status: u16,
        /// The `errorCode`; nothing for an answer that has none.
        code: Option<String>,
    },
    /// An answer that differs from those of the contract in a way that a client must put up with: the rule's name.
    Derived(String),
    /// A fault of what carries the answers: its name.
    Transport(String),
}

/// What kind of cell it is; counted apart, since the vendor's public pages show few answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Answers that the contract lists.
    Answers,
    /// Changes of them that a client must put up with.
    Derived,
    /// Faults of the network, of TLS, of HTTP, of bodies, for each class of operations.
    Transport,
}

impl Family {
    /// The family as reports name it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Answers => "answers",
            Self::Derived => "derived",
            Self::Transport => "transport",
        }
    }
}

impl Cell {
    /// Its family.
    #[must_use]
    pub fn family(&self) -> Family {
        match self.shown {
            Shown::Answer { .. } => Family::Answers,
            Shown::Derived(_) => Family::Derived,
            Shown::Transport(_) => Family::Transport,
        }
    }
}

/// `SIDE/OPERATION/STATUS/CODE`, with `none` for an answer without a code; `SIDE/OPERATION/derived/RULE`, or
/// `SIDE/OPERATION/transport/FAULT`.
impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/", self.side.word(), self.operation)?;
        match &self.shown {
            Shown::Answer { status, code } => write!(f, "{status}/{}", code.as_deref().unwrap_or("none")),
            Shown::Derived(rule) => write!(f, "derived/{rule}"),
            Shown::Transport(fault) => write!(f, "transport/{fault}"),
        }
    }
}

/// The cells of cases that are made, of derived rules and of faults; those of others are left out. How well an operation
/// is known does not matter to them: that D1 may change any of its answers without notice is documented (\[D10\]); what
/// may be concluded from a fault is our choice.
#[must_use]
pub fn made_cells(cases: &[Case]) -> Vec<Cell> {
    let shown = |case: &Case| match case.id.split('/').collect::<Vec<_>>()[..] {
        [_, _, "derived", rule, _] => Some(Shown::Derived(rule.to_owned())),
        [_, _, "transport", fault, _] => Some(Shown::Transport(fault.to_owned())),
        _ => None,
    };
    let cell = |case: &Case| {
        Some(Cell {
            side: Side::Inbound,
            operation: case.operation().to_owned(),
            shown: shown(case)?,
            standing: case
                .source
                .iter()
                .filter_map(|source| Standing::of_source(source))
                .max()
                .unwrap_or(Standing::Choice),
        })
    };
    let mut cells: Vec<Cell> = cases.iter().filter_map(cell).collect();
    cells.sort();
    cells.dedup();
    cells
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
            shown: Shown::Answer {
                status,
                code: code.map(|code| code.code.clone()).filter(|code| code != "none"),
            },
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
