//! Reading cases, strictly: what is misspelled is refused with its file and line.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Case, Count, Turn};
use crate::matrix::Planned;

/// The folder of the receiver cases.
pub(crate) const OUTBOUND: &str = "outbound";
/// The deepest folder below the cases.
const DEPTH: usize = 4;
/// More requests than this no case expects: a bound beyond it would hold for a client that never ends.
const MOST_REQUESTS: u32 = 20;
/// Files that hold no cases, but what cases are made of.
const MADE_OF: [&str; 2] = ["good.yaml", "transport.yaml"];
/// The largest file of cases.
const MAX_BYTES: u64 = 1024 * 1024;

/// Why cases cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaseError {
    /// A file or folder cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A file that is not as the schema of cases says.
    #[error("{file}:{line}:{column}: {reason}")]
    Shape {
        /// Which.
        file: String,
        /// The line, from 1.
        line: u64,
        /// The column, from 1.
        column: u64,
        /// What is wrong.
        reason: String,
    },
    /// A case that cannot be meant.
    #[error("{file}: case {id}: {reason}")]
    Meaning {
        /// Which file.
        file: String,
        /// Which case.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// The good answer of each operation, given where a script has ended.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
pub struct GoodAnswers(BTreeMap<String, Turn>);

impl GoodAnswers {
    /// Those that are built in.
    ///
    /// # Errors
    /// [`CaseError`], which would be a fault of this package.
    pub fn built_in() -> Result<Self, CaseError> {
        read(include_str!("../../cases/good.yaml"), "good.yaml")
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
    ];
    let files = files.map(|(name, text)| (name.to_owned(), text.to_owned()));
    gather(files.into_iter().map(Ok), check)
}

/// The cases of a folder: every `.yaml` file in it and in its folders, but `good.yaml` and `transport.yaml`, of which cases
/// are made, and what is below `outbound`, which are [receiver cases](crate::receiver_cases_in).
///
/// # Errors
/// [`CaseError`] names the file and what is wrong in it.
pub fn cases_in(folder: &Path) -> Result<Vec<Case>, CaseError> {
    let mut paths = find(folder)?;
    paths.retain(|path| !path.starts_with(folder.join(OUTBOUND)));
    gather(read_files(folder, paths), check)
}

/// The text of each file, by its name below the folder.
pub(crate) fn read_files(
    folder: &Path,
    paths: Vec<PathBuf>,
) -> impl Iterator<Item = Result<(String, String), CaseError>> {
    paths.into_iter().map(move |path| {
        let name = path.strip_prefix(folder).unwrap_or(&path).display().to_string();
        let fault = |source| CaseError::Io { path: path.clone(), source };
        if fs::metadata(&path).map_err(fault)?.len() > MAX_BYTES {
            let reason = format!("expected at most {MAX_BYTES} bytes");
            return Err(CaseError::Shape { file: name, line: 1, column: 1, reason });
        }
        Ok((name, fs::read_to_string(&path).map_err(fault)?))
    })
}

/// The files of cases in a folder and its folders.
pub(crate) fn find(folder: &Path) -> Result<Vec<PathBuf>, CaseError> {
    let mut paths = Vec::new();
    find_below(folder, DEPTH, &mut paths)?;
    paths.sort();
    Ok(paths)
}

fn find_below(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), CaseError> {
    let fault = |source| CaseError::Io { path: folder.to_owned(), source };
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if path.is_dir() && depth > 0 {
            find_below(&path, depth - 1, found)?;
        } else if path.extension().is_some_and(|ending| ending == "yaml")
            && !MADE_OF.iter().any(|made_of| path.ends_with(made_of))
        {
            found.push(path);
        }
    }
    Ok(())
}

/// All cases of files, in the order of their ids.
pub(crate) fn gather<C: DeserializeOwned + Planned>(
    files: impl Iterator<Item = Result<(String, String), CaseError>>,
    check: impl Fn(&C) -> Result<(), String>,
) -> Result<Vec<C>, CaseError> {
    let (mut cases, mut ids) = (Vec::new(), BTreeSet::new());
    for file in files {
        let (name, text) = file?;
        for case in read::<Vec<C>>(&text, &name)? {
            let wrong = check(&case).err();
            let twice = || (!ids.insert(case.id().to_owned())).then(|| "its id stands twice".to_owned());
            if let Some(reason) = wrong.or_else(twice) {
                return Err(CaseError::Meaning { file: name, id: case.id().to_owned(), reason });
            }
            cases.push(case);
        }
    }
    cases.sort_by(|one: &C, other| one.id().cmp(other.id()));
    Ok(cases)
}

/// YAML 1.2 without the words of 1.1, so that a code `NO` stays text; faults come without the lines around them.
pub(super) fn read<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, CaseError> {
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|fault| {
        let (line, column) = fault.location().map_or((1, 1), |place| (place.line(), place.column()));
        CaseError::Shape { file: file.to_owned(), line, column, reason: fault.to_string() }
    })
}

/// What holds for the cases of both sides.
pub(crate) fn check_head(id: &str, why: &str, source: &[String]) -> Result<(), String> {
    let parts: Vec<&str> = id.split('/').collect();
    if parts.len() != 5 || parts.iter().any(|part| part.is_empty()) {
        return Err("expected an id of five parts: SIDE/OPERATION/STATUS/CODE/NAME".to_owned());
    }
    if why.trim().len() < 20 {
        return Err("expected `why` to say what goes wrong for the users of a client that fails".to_owned());
    }
    if source.is_empty() {
        return Err("expected `source` to name the numbers in the contract".to_owned());
    }
    Ok(())
}

fn check(case: &Case) -> Result<(), String> {
    check_head(&case.id, &case.why, &case.source)?;
    let parts: Vec<&str> = case.id.split('/').collect();
    for count in [Some(case.expect.attempts), case.expect.access_tokens].into_iter().flatten() {
        if matches!(count, Count::Between { min, max } if min == 0 || min > max || max > MOST_REQUESTS) {
            return Err(format!("expected bounds of requests from 1 to {MOST_REQUESTS}, found {count}"));
        }
    }
    let endless = case.answers.iter().rev().skip(1).any(|turn| turn.always);
    if endless {
        return Err("`always` may stand on the last answer alone: nothing after it would be given".to_owned());
    }
    let fits = |turn: &Turn| {
        let code = turn.body.as_ref().and_then(|body| body.get("errorCode")).and_then(Value::as_str);
        turn.status.to_string() == parts[2] && code.unwrap_or("none") == parts[3]
    };
    // A cell of good answers is shown by the good answer that stands at the end of every script.
    if !parts[2].starts_with('2') && !case.answers.iter().any(fits) {
        return Err("none of its answers is that of its cell".to_owned());
    }
    Ok(())
}
