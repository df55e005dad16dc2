//! What somebody puts up with for a while: cases that are known to fail, cells that have no case yet. Each has a reason
//! and an end, so that nothing is put up with for ever or without being said.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

use serde::Deserialize;
use serde_saphyr::Spanned;

use crate::cells::Cell;
use crate::matrix::Gap;
use crate::standing::Standing;
use crate::yaml::{FileError, YamlFault, parse, text_of};

/// Entries of one file.
const ENTRIES: usize = 1000;
/// The longest pattern.
const LONGEST: usize = 200;
/// The shortest reason.
const SHORTEST_REASON: usize = 10;

/// A day of the calendar, written as `YYYY-MM-DD`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Day(String);

impl TryFrom<String> for Day {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let digits = |range: std::ops::Range<usize>| -> Option<u32> {
            let part = text.get(range)?;
            part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
        };
        let parsed = || {
            let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
            let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
            let last = match month {
                2 => 28 + u32::from(leap),
                4 | 6 | 9 | 11 => 30,
                1..=12 => 31,
                _ => return None,
            };
            let hyphens = text.get(4..5) == Some("-") && text.get(7..8) == Some("-");
            (text.len() == 10 && hyphens && (1..=last).contains(&day)).then_some(())
        };
        match parsed() {
            Some(()) => Ok(Self(text)),
            None => Err(format!("expected a day such as 2026-12-31, found {text:?}; correct it")),
        }
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One thing that is put up with.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Waiver {
    /// The ids of the cases or cells; `*` stands for any letters, slashes too.
    pub pattern: String,
    /// Why it is put up with.
    pub reason: String,
    /// The last day on which it is.
    pub until: Day,
}

/// A list of waivers from one file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waivers {
    file: String,
    entries: Vec<(u64, Waiver)>,
}

/// What waivers make of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Waived {
    /// The cases that failed and are known to, or the cells that lack a case and may; each with the reason and the end.
    pub entries: BTreeMap<String, String>,
    /// Entries that are good for nothing any more; each says what to do.
    pub stale: Vec<String>,
}

impl Waived {
    /// A line for each entry and for each that is good for nothing any more.
    #[must_use]
    pub fn text(&self, kind: &str) -> String {
        let mut text = String::new();
        for (id, reason) in &self.entries {
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "\n{kind}: {id}: {reason}");
        }
        for one in &self.stale {
            let _ = writeln!(text, "\nstale: {one}");
        }
        text
    }
}

impl Waivers {
    /// Reads a file: a YAML list of `{pattern, reason, until}`.
    ///
    /// # Errors
    /// [`FileError`] names the line and what is wrong in it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let file = path.display().to_string();
        let text = text_of(path, &file)?;
        let listed: Vec<Spanned<Waiver>> = parse(&text, &file)?;
        let mut entries: Vec<(u64, Waiver)> = Vec::new();
        for one in listed {
            let (line, column) = (one.referenced.line(), one.referenced.column());
            let twice = entries.iter().find(|(_, other)| other.pattern == one.value.pattern);
            let twice =
                twice.map(|(line, _)| format!("its pattern stands on line {line} already; take one away"));
            let full = || {
                (entries.len() >= ENTRIES)
                    .then(|| format!("expected at most {ENTRIES} entries; mend something"))
            };
            if let Some(reason) = one.value.fault().or(twice).or_else(full) {
                return Err(FileError::Shape(YamlFault::new(&file, &text, (line, column), reason)));
            }
            entries.push((line, one.value));
        }
        Ok(Self { file, entries })
    }

    /// Waivers that did not come from a file.
    #[must_use]
    pub fn new(entries: Vec<Waiver>) -> Self {
        let numbered = (1..).zip(entries).collect();
        Self { file: "the list".to_owned(), entries: numbered }
    }

    /// Holds a list of cases that are known to fail against a run: `all` are the ids of every case there is, `ran` those
    /// that were run, each with whether it passed. `today` is the day of the run.
    #[must_use]
    pub fn of_cases<'a>(
        &self,
        today: &Day,
        all: impl IntoIterator<Item = &'a str> + Clone,
        ran: impl IntoIterator<Item = (&'a str, bool)> + Clone,
    ) -> Waived {
        let mut waived = self.expired(today);
        for (line, one) in &self.entries {
            let at = format!("{}:{line}: {}", self.file, one.pattern);
            if !all.clone().into_iter().any(|case| one.matches(case)) {
                waived.stale.push(format!("{at}: no case has such an id; correct it, or take it away"));
            }
            let of_entry = ran.clone().into_iter().filter(|(case, _)| one.matches(case));
            let (passed, failed): (Vec<_>, Vec<_>) = of_entry.partition(|(_, passed)| *passed);
            if let Some((case, _)) = passed.first() {
                let more = match passed.len() - 1 {
                    0 => String::new(),
                    more => format!(", and {more} more of its cases"),
                };
                let remedy = if failed.is_empty() { "take it away" } else { "narrow it" };
                waived.stale.push(format!("{at}: {case} passes{more}; {remedy}"));
            }
            waived.entries.extend(failed.into_iter().map(|(case, _)| (case.to_owned(), one.told())));
        }
        waived
    }

    /// Holds a list of cells that may lack a case against the gaps there are, and takes those away from them.
    ///
    /// # Errors
    /// What is documented is never put up with: an entry that matches a documented cell, and which.
    pub fn of_gaps(&self, today: &Day, cells: &[Cell], gaps: &mut Vec<Gap>) -> Result<Waived, String> {
        let mut waived = self.expired(today);
        for (line, one) in &self.entries {
            let at = format!("{}:{line}: {}", self.file, one.pattern);
            let matched: Vec<(&Cell, String)> =
                cells.iter().map(|cell| (cell, cell.to_string())).filter(|(_, id)| one.matches(id)).collect();
            if let Some((_, id)) = matched.iter().find(|(cell, _)| cell.standing == Standing::Documented) {
                return Err(format!(
                    "{at}: {id} is documented, and what is documented has no exemption; narrow the pattern, or add a case"
                ));
            }
            if matched.is_empty() {
                waived.stale.push(format!("{at}: no cell has such an id; correct it, or take it away"));
            }
            for (_, id) in matched {
                let gap = Gap::Cell(id.clone());
                if gaps.contains(&gap) {
                    gaps.retain(|other| *other != gap);
                    waived.entries.insert(id, one.told());
                } else if !waived.entries.contains_key(&id) {
                    waived.stale.push(format!("{at}: {id} has a case; narrow it, or take it away"));
                }
            }
        }
        Ok(waived)
    }

    fn expired(&self, today: &Day) -> Waived {
        let over = self.entries.iter().filter(|(_, one)| one.until < *today);
        let said = over.map(|(line, one)| {
            let Waiver { pattern, until, .. } = one;
            format!(
                "{}:{line}: {pattern}: its time ended on {until}; mend what it is about, or decide anew",
                self.file
            )
        });
        Waived { entries: BTreeMap::new(), stale: said.collect() }
    }
}

impl Waiver {
    fn fault(&self) -> Option<String> {
        let length = self.pattern.chars().count();
        if length > LONGEST || !self.pattern.bytes().any(|byte| byte != b'*' && byte != b'/') {
            return Some(format!(
                "`pattern`: expected the id of a case or cell, with * for any letters, of at most {LONGEST} letters and not * alone; say what is meant"
            ));
        }
        let letters = self.reason.trim().chars().count();
        (letters < SHORTEST_REASON).then(|| {
            format!("`reason`: expected {SHORTEST_REASON} letters at least, found {letters}; say why it is put up with")
        })
    }

    fn matches(&self, id: &str) -> bool {
        let mut parts = self.pattern.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = id.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
        rest.ends_with(last)
    }

    fn told(&self) -> String {
        format!("{} (until {})", self.reason.trim(), self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiver(pattern: &str) -> Waiver {
        let until = Day::try_from("2026-12-31".to_owned()).expect("a day");
        Waiver { pattern: pattern.to_owned(), reason: "A reason to wait".to_owned(), until }
    }

    #[test]
    fn a_star_stands_for_any_letters() {
        for (pattern, id, wanted) in [
            ("a/b", "a/b", true),
            ("a/b", "a/bc", false),
            ("a/*", "a/b/c", true),
            ("*/c", "a/b/c", true),
            ("a*b*c", "abc", true),
            ("a*b*c", "a-c", false),
            ("a*bc*c", "abc", false),
            ("*x*", "axb", true),
            ("a*", "b", false),
        ] {
            assert_eq!(waiver(pattern).matches(id), wanted, "{pattern} {id}");
        }
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        for good in ["2026-12-31", "2024-02-29", "2000-02-29", "0001-01-01"] {
            assert!(Day::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "2026-13-01",
            "2026-00-01",
            "2026-04-31",
            "2026-02-29",
            "2100-02-29",
            "2026-1-01",
            "2026/01/01",
            "2026-01-01T00:00:00Z",
            "+026-01-01",
            "tomorrow",
            "２026-01-01",
        ] {
            assert!(Day::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }
}
