//! Reading cases, strictly: what is misspelled is refused with its file and line.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::sense::{check, check_good};
use super::{Case, Turn, whole_number};
use crate::yaml::{FileError, parse, text_of};

/// The deepest folder below the cases.
pub(crate) const DEPTH: usize = 4;
/// Files of cases in one folder and those below it.
const FILES: usize = 1000;
/// The file that holds no cases, but the answers that end scripts.
const GOOD: &str = "good.yaml";
/// The file of the faults that these can meet.
pub(super) const FAULTS: &str = "transport.yaml";
/// The folder of what receivers are shown, which is read elsewhere.
pub(crate) const OF_RECEIVERS: &str = "outbound";

/// Why cases cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file that cannot be read, or is not as the schema of cases says.
    #[error(transparent)]
    File(#[from] FileError),
    /// A case that cannot be meant.
    #[error("{file}:{line}: case {id}: {reason}")]
    Meaning {
        /// Which file.
        file: String,
        /// The line on which the case begins, from 1.
        line: u64,
        /// Which case.
        id: String,
        /// What is wrong with it, what was expected, and what to do.
        reason: String,
    },
    /// A case that expects what does not follow from the document.
    #[error("{0}")]
    Disagrees(crate::agreement::Disagreement),
    /// A folder without a case.
    #[error("no case in {}: expected files that end in .yaml, each with a list of cases", folder.display())]
    Empty {
        /// Which.
        folder: PathBuf,
    },
}

/// The good answer of each operation, given where a script has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct GoodAnswers(BTreeMap<String, Turn>);

/// An answer with which nothing is wrong, and that is given for ever.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    #[serde(deserialize_with = "whole_number")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Option<Value>,
}

impl GoodAnswers {
    /// Those that are built in.
    ///
    /// # Errors
    /// [`CaseError`], which would be a fault of this package.
    pub fn built_in() -> Result<Self, CaseError> {
        Self::read(include_str!("../../cases/good.yaml"))
    }

    /// Those of a folder of cases; nothing if it has no `good.yaml`.
    ///
    /// # Errors
    /// [`CaseError`] names the file and what is wrong in it.
    pub fn in_folder(folder: &Path) -> Result<Option<Self>, CaseError> {
        let path = folder.join(GOOD);
        if !path.exists() {
            return Ok(None);
        }
        Self::read(&text_of(&path, GOOD)?).map(Some)
    }

    fn read(text: &str) -> Result<Self, CaseError> {
        let mut answers = BTreeMap::new();
        for (operation, one) in parse::<BTreeMap<String, Spanned<Answer>>>(text, GOOD)? {
            let (Answer { status, headers, body }, line) = (one.value, one.referenced.line());
            let turn = Turn { status, headers, body, fault: None, always: false };
            if let Err(reason) = check_good(&operation, &turn) {
                return Err(CaseError::Meaning { file: GOOD.to_owned(), line, id: operation, reason });
            }
            answers.insert(operation, turn);
        }
        Ok(Self(answers))
    }

    /// The good answer of an operation.
    #[must_use]
    pub fn of(&self, operation: &str) -> Option<&Turn> {
        self.0.get(operation)
    }
}

/// The cases that are built in, in the order of their ids.
///
/// # Errors
/// [`CaseError`], which would be a fault of this package.
pub fn built_in_cases() -> Result<Vec<Case>, CaseError> {
    let files = [
        ("inbound/getAccessToken.yaml", include_str!("../../cases/inbound/getAccessToken.yaml")),
        ("inbound/createMerchant.yaml", include_str!("../../cases/inbound/createMerchant.yaml")),
        ("inbound/createToken.yaml", include_str!("../../cases/inbound/createToken.yaml")),
        ("inbound/getToken.yaml", include_str!("../../cases/inbound/getToken.yaml")),
        ("inbound/createTransaction.yaml", include_str!("../../cases/inbound/createTransaction.yaml")),
        ("inbound/deleteToken.yaml", include_str!("../../cases/inbound/deleteToken.yaml")),
        ("natural.yaml", include_str!("../../cases/natural.yaml")),
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    gather(files.into_iter().map(Ok))
}

/// The literal cases of a folder: every `.yaml` file in it and in its folders, but `good.yaml`, `transport.yaml` and what
/// stands in `outbound`.
///
/// # Errors
/// [`CaseError`] names the file and what is wrong in it; a folder without a case is an error too.
pub fn cases_in(folder: &Path) -> Result<Vec<Case>, CaseError> {
    let mut paths = Vec::new();
    find(folder, DEPTH, &mut paths)?;
    paths.sort();
    let cases = gather(paths.into_iter().map(|path| {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        Ok((name.clone(), text_of(&path, &name)?))
    }))?;
    if cases.is_empty() {
        return Err(CaseError::Empty { folder: folder.to_owned() });
    }
    Ok(cases)
}

/// The files of cases in a folder and its folders.
pub(crate) fn find(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), FileError> {
    let fault = |source| FileError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() {
            if depth > 0 && !path.ends_with(OF_RECEIVERS) {
                find(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "yaml")
            && ![GOOD, FAULTS].iter().any(|made_of| path.ends_with(made_of))
        {
            if found.len() >= FILES {
                let reason = format!("expected at most {FILES} files of cases");
                return Err(fault(std::io::Error::other(reason)));
            }
            found.push(path);
        }
    }
    Ok(())
}

fn gather(files: impl Iterator<Item = Result<(String, String), CaseError>>) -> Result<Vec<Case>, CaseError> {
    let mut cases: Vec<Case> = Vec::new();
    let mut places: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for file in files {
        let (name, text) = file?;
        for one in parse::<Vec<Spanned<Case>>>(&text, &name)? {
            let (case, line) = (one.value, one.referenced.line());
            let twice = |(file, line): &(String, u64)| {
                format!("its id stands at {file}:{line} already; give one of the two another last part")
            };
            let wrong = check(&case).err().or_else(|| places.get(&case.id).map(twice));
            if let Some(reason) = wrong {
                return Err(CaseError::Meaning { file: name, line, id: case.id, reason });
            }
            places.insert(case.id.clone(), (name.clone(), line));
            cases.push(case);
        }
    }
    cases.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(cases)
}
