//! Where scenario files come from: the disk, or the library that is built in.

use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::super::exit::Failure;
use super::nothing;
use crate::scenario::{is_part, nearest};

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

/// What is neither there nor in the library, with what comes near it.
pub(super) fn unknown(path: &Path) -> Failure {
    let name = path.display().to_string();
    if name.contains(['.', '/']) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let beside = files_of(folder.unwrap_or(Path::new("."))).unwrap_or_default();
        let beside = beside.iter().map(|file| file.strip_prefix("./").unwrap_or(file));
        let hint = nearest(&name, beside);
        return Failure::resource(format!("cannot read {name}: there is no such file{hint}"));
    }
    let file = ["yaml", "yml"]
        .map(|ending| format!("{name}.{ending}"))
        .into_iter()
        .find(|file| Path::new(file).exists());
    let hint = match file {
        Some(file) => format!("; did you mean `{file}`?"),
        None => near_in_library(&name),
    };
    Failure::usage(format!("{name}: neither a file nor a scenario of the library{hint}"))
}

/// `; did you mean ...?`, or where all names are.
pub(super) fn near_in_library(name: &str) -> String {
    let library: Vec<String> = built_in().into_iter().map(|known| known.file.replace(".yaml", "")).collect();
    let near = nearest(name, library.iter().map(String::as_str));
    if near.is_empty() { "; `d1sim scenario list` prints its names".to_owned() } else { near }
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
