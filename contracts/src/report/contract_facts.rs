//! What the contract says of a cell: its operation, its answer and its code, each with standing and source.

use crate::cells::{Cell, Shown};
use crate::fault::pointer_step;
use crate::judge::Contract;
use crate::standing::{Standing, sources_of};

/// One line of the contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContractFact {
    /// `operation`, `answer` or `errorCode`.
    pub(super) of: &'static str,
    pub(super) text: String,
    /// Nothing where the document does not say.
    pub(super) standing: Option<Standing>,
    pub(super) sources: Vec<String>,
}

impl ContractFact {
    /// `choice; C17, S15`.
    pub(super) fn standing_and_source(&self) -> String {
        let standing = self.standing.map_or("of no standing", Standing::word);
        format!("{standing}; {}", self.sources.join(", "))
    }
}

/// What the contract says of a cell, from the operation down. Of a derived cell it knows the operation alone.
pub(super) fn facts(contract: &Contract, cell: &Cell) -> Vec<ContractFact> {
    let Some(operation) = contract.operations().find(|one| one.id() == cell.operation) else {
        return Vec::new();
    };
    let at =
        pointer_step(&pointer_step("/paths", operation.path_template()), &operation.method().to_lowercase());
    let path = format!("{} {}{}", operation.method(), operation.base_path(), operation.path_template());
    let mut facts: Vec<ContractFact> =
        fact(contract, &at, "operation", "summary").map(|one| prefixed(&path, one)).into_iter().collect();
    let Shown::Answer { status, code } = &cell.shown else { return facts };
    let at = pointer_step(&pointer_step(&at, "responses"), &status.to_string());
    let at = contract.document().resolve_pointer(&at);
    facts.extend(at.and_then(|at| fact(contract, &at, "answer", "description")));
    let answer = operation.answer(*status);
    let known = answer.into_iter().flat_map(crate::operation::Answer::error_codes);
    let wanted = code.as_deref().unwrap_or("none");
    facts.extend(known.filter(|one| one.code == wanted).map(|one| ContractFact {
        of: "errorCode",
        text: format!("{}: {}", one.code, one.meaning),
        standing: one.standing,
        sources: one.sources.clone(),
    }));
    facts
}

fn prefixed(path: &str, fact: ContractFact) -> ContractFact {
    ContractFact { text: format!("{path}: {}", fact.text), ..fact }
}

fn fact(contract: &Contract, at: &str, of: &'static str, member: &str) -> Option<ContractFact> {
    let element = contract.document().at(at)?;
    let word = |name: &str| element.get(name).and_then(serde_json::Value::as_str);
    Some(ContractFact {
        of,
        text: word(member)?.trim().to_owned(),
        standing: word("x-standing").and_then(Standing::from_word),
        sources: sources_of(element, "x-source").unwrap_or_default(),
    })
}
