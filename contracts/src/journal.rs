//! The verdict on a journal of the simulator: each answer in it against the documents. What no document lists must not have
//! been answered; what was answered is counted by cell.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};

use crate::cells::{Cell, Shown, Side, documented_cells};
use crate::judge::Contract;
use crate::report::{CATALOGUE, DISCLAIMER};

/// What may be answered to a request of no operation: the certificate's refusal, no such route, no such method (contract
/// C31, C32), and that there is no room (C13).
const OUTSIDE: [(u16, &str); 4] = [
    (403, "FORBIDDEN"),
    (404, "RESOURCE_NOT_FOUND"),
    (405, "METHOD_NOT_ALLOWED"),
    (503, "SERVICE_UNAVAILABLE"),
];

/// Why a journal cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: expected a journal entry as GET /journal gives it: {reason}")]
pub struct JournalError {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong with it; no value is in it.
    pub reason: String,
}

/// An answer that no document lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The number of its entry.
    pub entry: u64,
    /// `inbound/createToken`, or `inbound` for a request of no operation.
    pub of: String,
    /// What was answered, and what is listed.
    pub reason: String,
}

impl fmt::Display for Stranger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {}: {}: {}", self.entry, self.of, self.reason)
    }
}

/// What a journal has shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalVerdict {
    /// How often each cell of both documents was answered, in their order.
    pub cells: Vec<(Cell, usize)>,
    /// What no document lists.
    pub strangers: Vec<Stranger>,
    /// Answers that were judged.
    pub answers: usize,
    /// Entries that the journal no longer had.
    pub lost: u64,
}

/// What of an entry is looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    n: u64,
    kind: String,
    operation: Option<String>,
    call: Option<String>,
    /// Null where no answer began.
    #[serde(default, deserialize_with = "told")]
    status: Option<Option<u16>>,
    /// A fault that was asked for made the answer.
    #[serde(default)]
    forced: bool,
    media_type: Option<String>,
    answer: Option<Map<String, Value>>,
    /// Numbers of a gap, states of a transition.
    from: Option<Value>,
    to: Option<Value>,
}

/// A member that is there, be it null.
fn told<'de, D: Deserializer<'de>>(member: D) -> Result<Option<Option<u16>>, D::Error> {
    Option::deserialize(member).map(Some)
}

/// Judges a journal, given as its lines.
///
/// # Errors
/// [`JournalError`] names the line that is no entry.
pub fn judge_journal(
    inbound: &Contract,
    outbound: &Contract,
    lines: &str,
) -> Result<JournalVerdict, JournalError> {
    let cells = [(inbound, Side::Inbound), (outbound, Side::Outbound)];
    let cells = cells.into_iter().flat_map(|(contract, side)| documented_cells(contract, side));
    let mut verdict = JournalVerdict {
        cells: cells.map(|cell| (cell, 0)).collect(),
        strangers: Vec::new(),
        answers: 0,
        lost: 0,
    };
    let numbered = lines.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    for (place, line) in numbered {
        let error = |reason: String| JournalError { line: place + 1, reason };
        let entry: Entry = serde_json::from_str(line).map_err(|fault| error(in_words(&fault)))?;
        verdict.note(inbound, outbound, &entry).map_err(|reason| error(reason.to_owned()))?;
    }
    Ok(verdict)
}

/// What is wrong with a line, without what stands in it.
fn in_words(fault: &serde_json::Error) -> String {
    let what = match fault.classify() {
        serde_json::error::Category::Data => "a member is missing or of another type",
        _ => "it is not JSON",
    };
    format!("{what}, at column {}", fault.column())
}

impl JournalVerdict {
    fn note(&mut self, inbound: &Contract, outbound: &Contract, entry: &Entry) -> Result<(), &'static str> {
        match entry.kind.as_str() {
            // What was forced follows no document, and where a fault let no answer begin there is none.
            "request" if entry.forced => {}
            "request" => {
                let status = entry.status.ok_or("a request without a `status`")?;
                if let Some(status) = status {
                    self.answers += 1;
                    match &entry.operation {
                        Some(operation) => self.answered(inbound, entry, operation, status),
                        None => self.outside(entry, status),
                    }
                }
            }
            // An attempt without an answer is none of an answer.
            "delivery" | "gatewayToken" => {
                if let Some(status) = entry.status.flatten() {
                    let call = entry.call.as_deref().ok_or("a delivery without a `call`")?;
                    self.answers += 1;
                    self.delivered(outbound, entry, call, status);
                }
            }
            "gap" => {
                let number = |value: &Option<Value>| value.as_ref().and_then(Value::as_u64);
                let (from, to) =
                    number(&entry.from).zip(number(&entry.to)).ok_or("a gap without `from` and `to`")?;
                self.lost += to.saturating_sub(from) + 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// An answer of D1 to an operation.
    fn answered(&mut self, contract: &Contract, entry: &Entry, operation: &str, status: u16) {
        let of = format!("inbound/{operation}");
        let shown = Shown::Answer { status, code: entry.code().map(str::to_owned) };
        let known = self.cells.iter_mut().find(|(cell, _)| {
            cell.side == Side::Inbound && cell.operation == operation && cell.shown == shown
        });
        let Some((_, times)) = known else {
            let code = entry.presentable_code();
            let reason = format!("answered {status} {code}, which the document does not list for it");
            return self.strangers.push(Stranger { entry: entry.n, of, reason });
        };
        *times += 1;
        // A body whose media type is not told of is an entry of an older sandbox.
        let answer =
            contract.operations().find(|one| one.id() == operation).and_then(|one| one.answer(status));
        let listed: Vec<&str> = answer.into_iter().flat_map(|answer| answer.media_types()).collect();
        if let Some(found) = entry.media_type.as_deref().map(essence).filter(|found| !listed.contains(found))
        {
            let wanted = if listed.is_empty() { "none".to_owned() } else { listed.join(" or ") };
            let found = if is_word(found) { found } else { "(one that is none in form)" };
            let reason =
                format!("answered {status} with the media type {found}, and the document lists {wanted}");
            self.strangers.push(Stranger { entry: entry.n, of, reason });
        }
    }

    /// An answer of D1 to a request of no operation.
    fn outside(&mut self, entry: &Entry, status: u16) {
        let code = entry.code().unwrap_or("none");
        if !OUTSIDE.contains(&(status, code)) {
            let code = entry.presentable_code();
            let reason = format!("answered {status} {code} to a request of no operation");
            self.strangers.push(Stranger { entry: entry.n, of: "inbound".to_owned(), reason });
        }
    }

    /// An answer of a receiver. The journal has its status alone: where that can mean more than one cell none is counted.
    fn delivered(&mut self, contract: &Contract, entry: &Entry, call: &str, status: u16) {
        let listed = contract.operations().find(|one| one.id() == call).and_then(|one| one.answer(status));
        if listed.is_none() {
            let reason = format!("a receiver answered {status}, which the document does not list for it");
            let of = format!("outbound/{}", if is_word(call) { call } else { "(no name)" });
            return self.strangers.push(Stranger { entry: entry.n, of, reason });
        }
        let of_status = |cell: &Cell| {
            let same = matches!(cell.shown, Shown::Answer { status: known, .. } if known == status);
            cell.side == Side::Outbound && cell.operation == call && same
        };
        let mut known = self.cells.iter_mut().filter(|(cell, _)| of_status(cell));
        if let (Some((_, times)), None) = (known.next(), known.next()) {
            *times += 1;
        }
    }

    /// The cells that were answered.
    pub fn touched(&self) -> impl Iterator<Item = (&Cell, usize)> {
        self.cells.iter().filter(|(_, times)| *times > 0).map(|(cell, times)| (cell, *times))
    }

    /// For people: every cell with the number of its answers, what no document lists, and the totals.
    #[must_use]
    pub fn text(&self) -> String {
        let mut text = format!("D1 contract catalogue {CATALOGUE}\n{DISCLAIMER}\n\n");
        for (cell, times) in &self.cells {
            // Writing to a String does not fail, here and below.
            let _ = writeln!(text, "{times:>6}  {cell}");
        }
        text.push('\n');
        text.push_str(&self.summary());
        text
    }

    /// For people: what no document lists, and the totals.
    #[must_use]
    pub fn summary(&self) -> String {
        let mut text = String::new();
        for one in &self.strangers {
            let _ = writeln!(text, "not listed: {one}");
        }
        if self.lost > 0 {
            let _ = writeln!(text, "{} entries were no longer in the journal and are not judged", self.lost);
        }
        let (touched, cells) = (self.touched().count(), self.cells.len());
        let _ = write!(
            text,
            "journal: {} answers, {} of them listed by no document; {touched} of {cells} cells answered",
            self.answers,
            self.strangers.len()
        );
        text
    }
}

impl Entry {
    fn code(&self) -> Option<&str> {
        self.answer.as_ref()?.get("shown")?.get("errorCode")?.as_str()
    }

    /// The code, if it has the form of one.
    fn presentable_code(&self) -> &str {
        let code = self.code().unwrap_or("without a code");
        let good = |code: &str| {
            code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
        };
        if self.code().is_none_or(good) { code } else { "with a code that is none in form" }
    }
}

/// A media type without its parameters.
fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}

fn is_word(text: &str) -> bool {
    text.len() <= 64 && text.bytes().all(|byte| byte.is_ascii_alphabetic() || b"/+-.".contains(&byte))
}
