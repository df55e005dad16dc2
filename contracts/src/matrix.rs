//! Cells against cases: what is shown to a client, and what is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::cases::{Case, Kind};
use crate::cells::{Cell, Family};
use crate::standing::Standing;

/// Which cases show which cell.
#[derive(Debug, Clone)]
pub struct Matrix {
    rows: Vec<(Cell, Vec<String>)>,
    strays: Vec<String>,
    natural: BTreeSet<String>,
}

/// Why the matrix is not complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// A cell that no case shows.
    Cell(String),
    /// A case that shows no cell of the contract.
    Case(String),
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cell(id) => write!(f, "no case shows {id}: add one below cases/"),
            Self::Case(id) => write!(f, "case {id} shows nothing that the contract lists: correct its id"),
        }
    }
}

/// How many cells of one standing there are, and how many of them are covered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Share {
    /// All cells.
    pub cells: usize,
    /// Those that are covered.
    pub covered: usize,
}

impl Matrix {
    /// Puts cases to their cells.
    #[must_use]
    pub fn new(cells: &[Cell], cases: &[Case]) -> Self {
        let mut by_cell: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for case in cases {
            by_cell.entry(case.cell()).or_default().push(case.id.clone());
        }
        let rows: Vec<_> = cells
            .iter()
            .map(|cell| (cell.clone(), by_cell.remove(cell.to_string().as_str()).unwrap_or_default()))
            .collect();
        let natural = cases.iter().filter(|case| case.kind() == Kind::Natural);
        let natural = natural.map(|case| case.id.clone()).collect();
        Self { rows, strays: by_cell.into_values().flatten().collect(), natural }
    }

    /// Each cell with the ids of its cases.
    pub fn rows(&self) -> impl Iterator<Item = (&Cell, &[String])> {
        self.rows.iter().map(|(cell, cases)| (cell, cases.as_slice()))
    }

    /// How many of these cases D1 answers by itself.
    pub(crate) fn natural(&self, cases: &[String]) -> usize {
        cases.iter().filter(|case| self.natural.contains(*case)).count()
    }

    /// What is missing or stands for nothing.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let bare = self.rows.iter().filter(|(_, cases)| cases.is_empty());
        let cells = bare.map(|(cell, _)| Gap::Cell(cell.to_string()));
        cells.chain(self.strays.iter().cloned().map(Gap::Case)).collect()
    }

    /// The share of the cells of each family and standing whose cases are all among `passed`.
    #[must_use]
    pub fn shares(&self, passed: &BTreeSet<&str>) -> BTreeMap<(Family, Standing), Share> {
        let mut shares: BTreeMap<(Family, Standing), Share> = BTreeMap::new();
        for (cell, cases) in self.rows() {
            let share = shares.entry((cell.family(), cell.standing)).or_default();
            share.cells += 1;
            let covered = !cases.is_empty() && cases.iter().all(|case| passed.contains(case.as_str()));
            share.covered += usize::from(covered);
        }
        shares
    }
}
