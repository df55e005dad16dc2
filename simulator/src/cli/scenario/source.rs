//! Where scenario files come from: the disk, or the library that is built in.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use super::nothing;
use crate::scenario::is_part;

/// The largest file that is read.
const MAX_BYTES: u64 = 1024 * 1024;
/// So many files of one folder are taken.
const MAX_FILES: usize = 10_000;

/// A scenario file, and how it and what it includes are read.
pub(super) struct Source {
    pub(super) file: String,
    pub(super) read: fn(&str) -> Result<String, String>,
}

/// The library, without what is only included.
pub(super) fn built_in() -> Vec<Source> {
    let files = d1_fixtures::scenario_files().iter().filter(|(file, _)| !is_part(file));
    files.map(|(file, _)| Source { file: (*file).to_owned(), read: read_built_in }).collect()
}

pub(super) fn from_disk(file: String) -> Source {
    Source { file, read: read_file }
}

/// The files, and those of the folders in the order of their names.
pub(super) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Failure> {
    let mut all = Vec::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(|fault| Failure::file("read", path, &fault))?;
        if !kind.is_dir() {
            all.push(from_disk(path.display().to_string()));
            continue;
        }
        let files = files_of(path).map_err(|fault| Failure::file("read", path, &fault))?;
        if files.is_empty() {
            let reason =
                format!("{}: expected scenarios (*.yaml, not beginning with _), found none", path.display());
            return Err(nothing(reason));
        }
        all.extend(files.into_iter().map(from_disk));
    }
    Ok(all)
}

fn files_of(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)?.take(MAX_FILES) {
        let path = entry?.path();
        let yaml = path.extension().is_some_and(|ending| ending == "yaml" || ending == "yml");
        let name = path.display().to_string();
        if yaml && path.is_file() && !is_part(&name) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_built_in(file: &str) -> Result<String, String> {
    let known = d1_fixtures::scenario_files().iter().find(|(name, _)| *name == file);
    known.map(|(_, text)| (*text).to_owned()).ok_or_else(|| "the library has no such file".to_owned())
}

fn read_file(file: &str) -> Result<String, String> {
    // Before it is opened: to open a pipe waits for who writes into it.
    if !fs::metadata(file).map_err(|fault| fault.to_string())?.is_file() {
        return Err("expected a file, found something else of this name".to_owned());
    }
    let opened = File::open(file).map_err(|fault| fault.to_string())?;
    let mut bytes = Vec::new();
    opened.take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(|fault| fault.to_string())?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_BYTES) {
        return Err(format!("expected at most {MAX_BYTES} bytes, found more; split it"));
    }
    String::from_utf8(bytes).map_err(|fault| {
        let good = &fault.as_bytes()[..fault.utf8_error().valid_up_to()];
        let line = good.split(|byte| *byte == b'\n').count();
        format!("expected UTF-8, found a byte in line {line} that is none; save it as UTF-8")
    })
}
