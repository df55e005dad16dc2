//! What is wrong with a scenario, where, and what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::journal::is_strange;

/// The longest part of a line that is shown.
const SHOWN: usize = 100;
/// So many findings are kept; who has more begins with these.
const MAX_FINDINGS: usize = 100;

/// A place in a scenario file, or an option of the command line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The file, as messages call it; the option, if it is one.
    pub(crate) file: Arc<str>,
    /// The line, from 1; 0 of an option.
    pub(crate) line: u64,
    /// The column, from 1.
    pub(crate) column: u64,
}

impl Place {
    pub(crate) fn start_of(file: &str) -> Self {
        Self { file: file.into(), line: 1, column: 1 }
    }

    /// An option of the command line, which has no lines.
    pub(super) fn option(option: &str) -> Self {
        Self { file: option.into(), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line == 0 {
            return f.write_str(&self.file);
        }
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Weight {
    /// The form is wrong: the JSON Schema refuses it too.
    Form,
    /// The form is right, the sense is not: a name that nothing has, a state that cannot be.
    Sense,
    /// It can be played, but is hardly what was meant.
    Hint,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) place: Place,
    pub(crate) weight: Weight,
    /// What was expected, what was found, what to do.
    pub(crate) reason: String,
    /// The line itself, as far as it is shown; empty if there is none.
    shown: String,
}

/// `FILE:LINE:COLUMN: REASON`, and below it the line with a mark under the column.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hint = if self.weight == Weight::Hint { "hint: " } else { "" };
        write!(f, "{}: {hint}{}", self.place, self.reason)?;
        let before = usize::try_from(self.place.column).unwrap_or(usize::MAX).saturating_sub(1);
        if self.shown.is_empty() || before >= SHOWN {
            return Ok(());
        }
        let number = self.place.line.to_string();
        let margin = " ".repeat(number.len());
        write!(f, "\n{number} | {}\n{margin} | {}^", self.shown, " ".repeat(before))
    }
}

/// Collects what is wrong, each thing once, and knows the texts of all files that were read.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    found: BTreeSet<Finding>,
    texts: BTreeMap<Arc<str>, Arc<str>>,
}

impl Findings {
    pub(super) fn remember(&mut self, file: &str, text: &str) {
        self.texts.insert(file.into(), text.trim_start_matches('\u{feff}').into());
    }

    pub(super) fn form(&mut self, place: &Place, reason: impl Into<String>) {
        self.add(place, Weight::Form, reason.into());
    }

    pub(super) fn sense(&mut self, place: &Place, reason: impl Into<String>) {
        self.add(place, Weight::Sense, reason.into());
    }

    pub(super) fn hint(&mut self, place: &Place, reason: impl Into<String>) {
        self.add(place, Weight::Hint, reason.into());
    }

    fn add(&mut self, place: &Place, weight: Weight, reason: String) {
        if self.found.len() >= MAX_FINDINGS {
            return;
        }
        // No line has the number of an option, which is 0.
        let line = usize::try_from(place.line).unwrap_or(usize::MAX).wrapping_sub(1);
        let text = self.texts.get(&place.file).map_or("", AsRef::as_ref);
        // What the file says may be meant for a terminal.
        let without = |letter: char, instead: char| if is_strange(letter) { instead } else { letter };
        let shown = masked(text.lines().nth(line).unwrap_or_default());
        let shown = shown.chars().take(SHOWN).map(|letter| without(letter, ' ')).collect();
        let reason = masked(&reason).chars().map(|letter| without(letter, '\u{FFFD}')).collect();
        self.found.insert(Finding { place: place.clone(), weight, reason, shown });
    }

    /// How many there are that are more than hints.
    pub(super) fn faults(&self) -> usize {
        self.found.iter().filter(|finding| finding.weight != Weight::Hint).count()
    }

    /// Whether there is anything but hints.
    pub(crate) fn any_fault(&self) -> bool {
        self.faults() > 0
    }

    /// In the order of files, lines and columns.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Finding> {
        self.found.iter()
    }
}

/// What could be a card number, but for its last four digits: it may be a real one. The length stays, and so the columns.
fn masked(text: &str) -> String {
    let (mut out, mut run) = (String::with_capacity(text.len()), String::new());
    let end = |run: &mut String, out: &mut String| {
        let hidden = if run.len() >= 12 { run.len() - 4 } else { 0 };
        out.extend(std::iter::repeat_n('*', hidden));
        out.push_str(&run[hidden..]);
        run.clear();
    };
    for letter in text.chars() {
        if letter.is_ascii_digit() {
            run.push(letter);
        } else {
            end(&mut run, &mut out);
            out.push(letter);
        }
    }
    end(&mut run, &mut out);
    out
}

/// `; did you mean ...?` with the word that is nearest, or nothing if none is near.
pub(crate) fn nearest<'w>(found: &str, known: impl IntoIterator<Item = &'w str>) -> String {
    let near = known.into_iter().map(|word| (distance(found, word), word)).min();
    match near {
        Some((far, word)) if far <= found.len().max(word.len()) / 3 => format!("; did you mean `{word}`?"),
        _ => String::new(),
    }
}

/// How many letters must be put in, taken out or changed to make one word of the other; small and capital letters are alike.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (above, letter) in one.to_lowercase().chars().take(SHOWN).enumerate() {
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
        let known = ["createToken", "getToken", "deleteToken"];
        assert_eq!(nearest("createTokn", known), "; did you mean `createToken`?");
        assert_eq!(nearest("gettoken", known), "; did you mean `getToken`?");
        assert_eq!(nearest("pay", known), "");
        assert_eq!(nearest("x", []), "");
    }

    #[test]
    fn card_numbers_show_their_last_four_digits() {
        assert_eq!(
            masked("pan: \"9999990000000014\" # 12345678901"),
            "pan: \"************0014\" # 12345678901"
        );
        assert_eq!(masked("123456789012"), "********9012");
    }

    #[test]
    fn what_speaks_to_a_terminal_is_not_told() {
        let mut findings = Findings::default();
        let place = Place { file: "a.yaml".into(), line: 1, column: 1 };
        findings.form(&place, "unknown member `\u{1b}[2J\u{fffe}`");
        let told = findings.all().next().expect("one").reason.clone();
        assert_eq!(told, "unknown member `\u{fffd}[2J\u{fffd}`");
    }

    #[test]
    fn a_finding_shows_its_line_with_a_mark_and_is_kept_once() {
        let mut findings = Findings::default();
        findings.remember("a.yaml", "one\ntwo three\n");
        let place = Place { file: "a.yaml".into(), line: 2, column: 5 };
        findings.sense(&place, "no");
        findings.sense(&place, "no");
        let all: Vec<String> = findings.all().map(ToString::to_string).collect();
        assert_eq!(all, ["a.yaml:2:5: no\n2 | two three\n  |     ^"]);
    }
}
