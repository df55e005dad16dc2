//! Options of the commands about refusals: which there are, and why one was met.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct Errors {
    /// Only those with this in `OPERATION/STATUS/CODE`, e.g. createToken or /503/
    #[arg(value_name = "PART")]
    pub(in crate::cli) part: Option<String>,
    /// As JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct Explain {
    /// A number of the journal, or a correlation id; both are told where it may be either; without it the last refusal
    #[arg(value_name = "ID")]
    pub(in crate::cli) id: Option<String>,
    /// The admin port of the sandbox
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8444", conflicts_with = "journal")]
    pub(in crate::cli) admin: String,
    /// The file whose content the admin port asks for as a bearer
    #[arg(long, value_name = "FILE", conflicts_with = "journal")]
    pub(in crate::cli) admin_token_file: Option<PathBuf>,
    /// A journal in a file, as `GET /journal` gives it
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) journal: Option<PathBuf>,
}
