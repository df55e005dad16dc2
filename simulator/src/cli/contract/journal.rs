//! `d1sim contract coverage --journal`: the answers that a sandbox has given, against the documents.

use std::path::Path;

use d1_contracts::{JournalVerdict, inbound, judge_journal, outbound};

use super::super::exit::{Exit, Failure};
use super::super::{journal, print};
use super::natural::NaturalD1;

/// Prints which cells a journal has touched: that of a file, or of the sandbox whose admin port a URL names.
pub(super) fn coverage(from: &str, token_file: Option<&Path>) -> Result<(), Failure> {
    let lines = if from.starts_with("http://") || from.starts_with("https://") {
        journal::fetched("--journal", from, token_file)?
    } else {
        journal::saved(Path::new(from))?
    };
    let verdict = judged(&lines).map_err(|reason| Failure::usage(format!("--journal {from}: {reason}")))?;
    print(&verdict.text());
    if verdict.answers == 0 {
        let error = format!("--journal {from}: there is no answer in it").into();
        return Err(Failure { exit: Exit::NothingRan, error });
    }
    gate(&verdict)
}

/// Judges what the real D1 of natural cases has answered in a run, if there were some.
pub(super) fn judge_run(d1: &NaturalD1) -> Result<(), Failure> {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::internal)?;
    let lines = runtime.block_on(d1.journal()).map_err(harness)?;
    if lines.is_empty() {
        return Ok(());
    }
    let verdict = judged(&lines).map_err(harness)?;
    print(&verdict.summary());
    gate(&verdict)
}

fn harness(reason: String) -> Failure {
    Failure { exit: Exit::Harness, error: reason.into() }
}

fn judged(lines: &str) -> Result<JournalVerdict, String> {
    let contracts = inbound().and_then(|inbound| Ok((inbound, outbound()?)));
    let (inbound, outbound) = contracts.map_err(|fault| fault.to_string())?;
    judge_journal(&inbound, &outbound, lines).map_err(|fault| fault.to_string())
}

fn gate(verdict: &JournalVerdict) -> Result<(), Failure> {
    match verdict.strangers.len() {
        0 => Ok(()),
        count => {
            let error = format!("the journal holds {count} answers that no document lists, see above").into();
            Err(Failure { exit: Exit::CaseFailed, error })
        }
    }
}
