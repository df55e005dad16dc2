//! The suite's YAML files, read strictly: what cannot be meant is refused with its place, what was expected, and what to do.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;
/// The longest part of a line that is shown.
const SHOWN: usize = 100;

/// A place in a file, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct YamlFault {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: u64,
    /// The column, from 1.
    pub column: u64,
    /// What is wrong, what was expected, and what to do.
    pub reason: String,
    /// The line itself, as far as it is shown; empty if there is none.
    pub shown: String,
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// It cannot be read at all.
    #[error("cannot read {}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// It is not as it must be.
    #[error("{0}")]
    Shape(YamlFault),
}

/// `FILE:LINE:COLUMN: REASON`, and below it the line with a mark under the column.
impl fmt::Display for YamlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, line, column, reason, shown } = self;
        write!(f, "{file}:{line}:{column}: {reason}")?;
        let before = usize::try_from(*column).unwrap_or(usize::MAX).saturating_sub(1);
        if shown.is_empty() || before >= SHOWN {
            return Ok(());
        }
        let (number, margin) = (line.to_string(), " ".repeat(line.to_string().len()));
        write!(f, "\n{number} | {shown}\n{margin} | {}^", " ".repeat(before))
    }
}

impl YamlFault {
    /// A fault at a place of a text.
    pub(crate) fn new(file: &str, text: &str, (line, column): (u64, u64), reason: impl Into<String>) -> Self {
        let index = usize::try_from(line).unwrap_or(usize::MAX).saturating_sub(1);
        let shown = text.lines().nth(index).unwrap_or_default();
        let clean = |letter: char| if letter.is_control() { ' ' } else { letter };
        let shown = shown.chars().take(SHOWN).map(clean).collect();
        Self { file: file.to_owned(), line, column, reason: reason.into(), shown }
    }
}

/// The text of a file of a bounded length, which messages call `name`.
pub(crate) fn text_of(path: &Path, name: &str) -> Result<String, FileError> {
    let fault = |source| FileError::Io { path: path.to_owned(), source };
    let mut bytes = Vec::new();
    let opened = File::open(path).map_err(fault)?;
    if !opened.metadata().map_err(fault)?.is_file() {
        let reason = "expected a file of YAML, found something else of this name; take it away".to_owned();
        return Err(FileError::Shape(YamlFault::new(name, "", (1, 1), reason)));
    }
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(fault)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        let reason = format!("expected at most {MAX_BYTES} bytes, found more; split the file");
        return Err(FileError::Shape(YamlFault::new(name, "", (1, 1), reason)));
    }
    String::from_utf8(bytes).map_err(|fault| {
        let bytes = fault.as_bytes();
        let good = String::from_utf8_lossy(&bytes[..fault.utf8_error().valid_up_to()]).into_owned();
        let line = good.matches('\n').count() as u64 + 1;
        let column = good.rsplit('\n').next().unwrap_or_default().chars().count() as u64 + 1;
        let reason = "expected UTF-8, found a byte that is none; save the file as UTF-8";
        FileError::Shape(YamlFault::new(name, &good, (line, column), reason))
    })
}

/// YAML 1.2 without the words of 1.1, so that a code `NO` stays text; a number or a truth value is no text unless quoted.
pub(crate) fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, FileError> {
    let blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---";
    if text.lines().all(blank) {
        let reason = "expected content, found none but comments; write it, or delete the file";
        return Err(FileError::Shape(YamlFault::new(file, text, (1, 1), reason)));
    }
    let options = serde_saphyr::options! { strict_booleans: true, no_schema: true, with_snippet: false };
    serde_saphyr::from_str_with_options(text, options).map_err(|fault| {
        let place = fault.location().map_or((1, 1), |place| (place.line(), place.column()));
        FileError::Shape(YamlFault::new(file, text, place, reason(&fault)))
    })
}

fn reason(fault: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error::{
        DuplicateMappingKey, SerdeMissingField, SerdeUnknownField, SerdeUnknownVariant,
    };
    match fault.without_snippet() {
        SerdeUnknownField { field, expected, .. } => unknown(field, "member", expected),
        SerdeUnknownVariant { variant, expected, .. } => unknown(variant, "value", expected),
        SerdeMissingField { field, .. } => format!("expected a member `{field}`, found none; add it"),
        DuplicateMappingKey { key, .. } => {
            let key = key.as_deref().unwrap_or("a member");
            format!("`{key}` stands twice in one place; expected it once, take one of the two away")
        }
        // The place is told already.
        other => {
            let text = other.to_string();
            text.split(" at line ").next().unwrap_or_default().to_owned()
        }
    }
}

fn unknown(found: &str, kind: &str, expected: &[&str]) -> String {
    let known = if expected.is_empty() { "nothing here".to_owned() } else { expected.join(", ") };
    let hint = nearest(found, expected);
    format!("unknown {kind} `{found}`; expected one of {known}{hint}")
}

/// `; did you mean ...?` with the word that is nearest, or nothing if none is near.
pub(crate) fn nearest(found: &str, known: &[&str]) -> String {
    let near = known.iter().map(|word| (distance(found, word), word)).min();
    match near {
        Some((far, word)) if far <= found.len().max(word.len()) / 3 => format!("; did you mean `{word}`?"),
        _ => String::new(),
    }
}

/// How many letters must be put in, taken out or changed to make one word of the other; small and capital letters are alike.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.to_lowercase().chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = above + 1;
        for (column, wanted) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *wanted);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_proposed_and_a_far_one_is_not() {
        let known = ["outcome", "retryable", "ambiguous"];
        assert_eq!(nearest("outcom", &known), "; did you mean `outcome`?");
        assert_eq!(nearest("Retriable", &known), "; did you mean `retryable`?");
        assert_eq!(nearest("colour", &known), "");
        assert_eq!(nearest("x", &[]), "");
        for (one, other, wanted) in [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3)] {
            assert_eq!(distance(one, other), wanted, "{one} {other}");
        }
    }
}
