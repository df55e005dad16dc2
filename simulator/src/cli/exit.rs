//! Exit codes: one enum for the whole binary.

use std::error::Error;
use std::process::ExitCode;

/// What `d1sim` exits with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// A case of the contract suite failed.
    CaseFailed = 1,
    /// A cell of the contract has no case, or a case no cell.
    Gap = 2,
    /// There was nothing to run.
    NothingRan = 3,
    /// The contract suite itself failed.
    Harness = 4,
    /// Something that is put up with has come to its end, or there is nothing to put up with.
    Stale = 5,
    /// A client that is broken on purpose passes every case of the contract suite, or a case notices none.
    Survivor = 6,
    /// The command line, a configuration or an input file is not as it must be.
    Usage = 64,
    /// A fault of ours.
    Internal = 70,
    /// A port or a file cannot be had.
    Resource = 71,
    /// `exec`: the command was not run, for a reason of ours.
    Exec = 125,
    /// `exec`: the command is there and cannot be run.
    CommandUnusable = 126,
    /// `exec`: the command is not there.
    CommandNotFound = 127,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command ends early, and with which code.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) exit: Exit,
    pub(super) error: Box<dyn Error + Send + Sync>,
}

impl Failure {
    pub(super) fn usage(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    pub(super) fn internal(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Internal, error: error.into() }
    }

    pub(super) fn resource(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { exit: Exit::Resource, error: error.into() }
    }

    /// A file that cannot be read or written.
    pub(super) fn file(doing: &str, path: &std::path::Path, fault: &std::io::Error) -> Self {
        Self::resource(format!("cannot {doing} {}: {fault}", path.display()))
    }
}
