//! Reading a journal: NDJSON, as `GET /journal` gives it.

use jiff::Timestamp;
use serde_json::Value;

use super::super::super::exit::Failure;
use super::super::run::happened::Entry;

/// What an entry must have.
const EXPECTED: &str =
    "expected an entry of a journal, an object with `n`, `at` and `kind` as GET /journal gives it";

/// A line of a journal.
#[derive(Debug)]
pub(super) enum Line {
    Entry(Entry),
    /// The entries up to `n` are lost.
    Gap {
        n: u64,
        from: u64,
    },
}

impl Line {
    pub(super) fn n(&self) -> u64 {
        match self {
            Self::Entry(entry) => entry.n,
            Self::Gap { n, .. } => *n,
        }
    }
}

/// The lines of a text that is called so; empty ones are none.
pub(super) fn read(called: &str, text: &[u8]) -> Result<Vec<Line>, Failure> {
    let mut all: Vec<Line> = Vec::new();
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let wrong = |reason: String| Failure::usage(format!("{called}:{}: {reason}", index + 1));
        let one = one(line).map_err(wrong)?;
        if let Some(last) = all.last().filter(|last| last.n() >= one.n()) {
            let (last, found) = (last.n(), one.n());
            let reason = format!(
                "expected a number beyond {last}, found {found}; are these two journals in one file?"
            );
            return Err(wrong(reason));
        }
        all.push(one);
    }
    Ok(all)
}

fn one(line: &[u8]) -> Result<Line, String> {
    let line: Value = serde_json::from_slice(line).map_err(|fault| {
        // The place within the line; what stands there is not told.
        format!("{EXPECTED}; found no JSON (column {})", fault.column())
    })?;
    let number = |member: &str| line.get(member).and_then(Value::as_u64);
    let missing = |member: &str| format!("{EXPECTED}; found no `{member}` of that kind");
    let n = number("n").ok_or_else(|| missing("n"))?;
    let kind = line.get("kind").and_then(Value::as_str).ok_or_else(|| missing("kind"))?;
    if kind == "gap" {
        return Ok(Line::Gap { n, from: number("from").ok_or_else(|| missing("from"))? });
    }
    let at = line.get("at").and_then(Value::as_str).and_then(|at| at.parse::<Timestamp>().ok());
    let at = at.ok_or_else(|| missing("at"))?;
    Ok(Line::Entry(Entry { n, at, line }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_journal_is_told_with_its_line() {
        let good =
            r#"{"n":7,"at":"2026-04-22T10:00:00.000Z","kind":"reset","gateway":null,"correlationId":null}"#;
        let gap = r#"{"n":3,"at":null,"kind":"gap","from":1,"to":3}"#;
        let read = |text: &str| read("j.ndjson", text.as_bytes());
        assert_eq!(read(&format!("{gap}\n\n{good}\n")).expect("lines").len(), 2);
        for (text, wanted) in [
            (format!("{good}\nnonsense\n"), "j.ndjson:2: expected an entry"),
            (format!("{good}\n{good}\n"), "j.ndjson:2: expected a number beyond 7, found 7"),
            ("[]".to_owned(), "found no `n`"),
            (r#"{"n":1,"kind":"clock","at":"noon"}"#.to_owned(), "found no `at`"),
            (r#"{"n":1,"at":"2026-04-22T10:00:00Z"}"#.to_owned(), "found no `kind`"),
            (r#"{"n":1,"kind":"gap"}"#.to_owned(), "found no `from`"),
        ] {
            let told = read(&text).expect_err(&text).error.to_string();
            assert!(told.contains(wanted), "{text}: {told}");
        }
    }
}
