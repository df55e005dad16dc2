//! All that a client is to be shown: the cells of the contract and the cases that show them.

use std::path::Path;

use crate::agreement::disagreements;
use crate::cases::{
    Case, CaseError, GoodAnswers, TransportFaults, built_in_cases, cases_in, derived_cases, transport_cases,
};
use crate::cells::{Cell, Side, documented_cells, made_cells};
use crate::judge::Contract;

/// The inbound cases, literal and made, with their cells.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalogue {
    cases: Vec<Case>,
    cells: Vec<Cell>,
    good: GoodAnswers,
}

impl Catalogue {
    /// What is built in.
    ///
    /// # Errors
    /// [`CaseError`], which would be a fault of this package.
    pub fn built_in(contract: &Contract) -> Result<Self, CaseError> {
        let good = GoodAnswers::built_in()?;
        let made_of = (Some(good.clone()), Some(TransportFaults::built_in()?));
        let documented = documented_cells(contract, Side::Inbound);
        Self::new(contract, built_in_cases()?, made_of, good, documented)
    }

    /// The cases of a folder. If `good.yaml` stands in it, its answers end the scripts and cases are derived from them; else
    /// those that are built in end the scripts, and none is derived. If `transport.yaml` stands in it, cases are made of its
    /// faults. The cells are those of what is built in, and whatever the folder makes beyond them, so that a folder from
    /// which something was taken away has gaps.
    ///
    /// # Errors
    /// [`CaseError`] names the file and what is wrong in it.
    pub fn in_folder(contract: &Contract, folder: &Path) -> Result<Self, CaseError> {
        Self::built_in(contract)?.of_folder(contract, folder)
    }

    /// The same beside this one, which is [what is built in](Self::built_in), so that it need not be made for each folder.
    ///
    /// # Errors
    /// As [`Self::in_folder`].
    pub fn of_folder(&self, contract: &Contract, folder: &Path) -> Result<Self, CaseError> {
        let made_of = (GoodAnswers::in_folder(folder)?, TransportFaults::in_folder(folder)?);
        Self::new(contract, cases_in(folder)?, made_of, self.good.clone(), self.cells.clone())
    }

    fn new(
        contract: &Contract,
        mut cases: Vec<Case>,
        (own, faults): (Option<GoodAnswers>, Option<TransportFaults>),
        built_in: GoodAnswers,
        mut cells: Vec<Cell>,
    ) -> Result<Self, CaseError> {
        if let Some(one) = disagreements(contract, &cases).into_iter().next() {
            return Err(CaseError::Disagrees(one));
        }
        let mut made = own.as_ref().map(|good| derived_cases(contract, good)).unwrap_or_default();
        let good = own.unwrap_or(built_in);
        made.extend(faults.map(|faults| transport_cases(&faults, &good)).unwrap_or_default());
        cells.extend(made_cells(&cases));
        cells.extend(made_cells(&made));
        cells.sort();
        cells.dedup();
        cases.extend(made);
        cases.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(Self { cases, cells, good })
    }

    /// The cases, in the order of their ids.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The inbound cells, in the order of their ids.
    #[must_use]
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The answers that end the scripts.
    #[must_use]
    pub fn good(&self) -> &GoodAnswers {
        &self.good
    }
}
