//! What a user puts up with: cases that are known to fail, cells without a case. The only reader of today's date here.

use std::path::Path;

use d1_contracts::{Cell, Day, FileError, Gap, Waived, Waivers};

use super::super::exit::{Exit, Failure};

/// A list of cases that are known to fail; none without a file.
pub(super) struct Known(Option<Waivers>);

pub(super) fn known(file: Option<&Path>) -> Result<Known, Failure> {
    Ok(Known(file.map(Waivers::read).transpose().map_err(failure)?))
}

impl Known {
    /// What the list makes of a run: `all` are the ids of every case there is, `ran` those that were run, each with
    /// whether it passed.
    pub(super) fn judge<'a>(
        &self,
        all: impl IntoIterator<Item = &'a str> + Clone,
        ran: impl IntoIterator<Item = (&'a str, bool)> + Clone,
    ) -> Result<Waived, Failure> {
        let Some(waivers) = &self.0 else { return Ok(Waived::default()) };
        Ok(waivers.of_cases(&today()?, all, ran))
    }
}

/// Takes the cells that may lack a case away from the gaps.
pub(super) fn exempt(file: Option<&Path>, cells: &[Cell], gaps: &mut Vec<Gap>) -> Result<Waived, Failure> {
    let Some(file) = file else { return Ok(Waived::default()) };
    let waivers = Waivers::read(file).map_err(failure)?;
    waivers.of_gaps(&today()?, cells, gaps).map_err(Failure::usage)
}

pub(super) fn gate(stale: usize) -> Result<(), Failure> {
    if stale == 0 {
        return Ok(());
    }
    let error =
        format!("{stale} entries of what is put up with are good for nothing any more, see above").into();
    Err(Failure { exit: Exit::Stale, error })
}

fn failure(error: FileError) -> Failure {
    match error {
        FileError::Io { .. } => Failure::resource(error),
        _ => Failure::usage(error),
    }
}

fn today() -> Result<Day, Failure> {
    let date = super::super::init::now()?.date();
    let text = format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day());
    Day::try_from(text).map_err(Failure::internal)
}
