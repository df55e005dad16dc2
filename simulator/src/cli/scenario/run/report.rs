//! What a run came to, in files.

mod html;
mod json;
mod junit;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::super::super::args::{RunScenarios, ScenarioFiles};
use super::super::super::exit::Failure;
use super::super::super::{say, targets};
use super::played::Played;
use super::unplayed::Unplayed;

/// The files that were asked for, open already.
pub(super) struct Reports {
    junit: Option<(PathBuf, File)>,
    json: Option<(PathBuf, File)>,
    transcript: Option<Target>,
    html: Option<Target>,
}

/// One file, or a folder with a file for each scenario.
enum Target {
    File(PathBuf, File),
    Folder(PathBuf),
}

impl Reports {
    /// Opens the reports of the whole run, so that what cannot be written is known before anything is played, and what is
    /// there of an earlier run is gone whatever comes of this one.
    pub(super) fn open(args: &RunScenarios) -> Result<Self, Failure> {
        let ScenarioFiles { junit, json, transcript, html } = &args.files;
        let [junit_at, json_at, transcript_at, html_at] = [
            ("--junit", junit.as_deref()),
            ("--json", json.as_deref()),
            ("--transcript", transcript.as_deref()),
            ("--html", html.as_deref()),
        ];
        let inputs = args.paths.iter().chain(&args.admin_token_file);
        let inputs: Vec<&Path> = inputs.map(PathBuf::as_path).collect();
        targets::check(&[junit_at, json_at, transcript_at, html_at], &inputs)?;
        for each in [transcript_at, html_at] {
            targets::distinct(&[junit_at, json_at, each])?;
        }
        let one =
            |path: &Option<PathBuf>| path.as_ref().map(|path| Ok((path.clone(), create(path)?))).transpose();
        Ok(Self { junit: one(junit)?, json: one(json)?, transcript: None, html: None })
    }

    /// Opens those of each scenario: files, or folders for several.
    pub(super) fn open_each(&mut self, files: &ScenarioFiles, several: bool) -> Result<(), Failure> {
        if !several {
            targets::distinct(&[
                ("--transcript", files.transcript.as_deref()),
                ("--html", files.html.as_deref()),
            ])?;
        }
        let target = |path: &Option<PathBuf>| -> Result<Option<Target>, Failure> {
            let Some(path) = path else { return Ok(None) };
            if several || path.is_dir() {
                fs::create_dir_all(path).map_err(|fault| Failure::file("make the folder", path, &fault))?;
                return Ok(Some(Target::Folder(path.clone())));
            }
            Ok(Some(Target::File(path.clone(), create(path)?)))
        };
        (self.transcript, self.html) = (target(&files.transcript)?, target(&files.html)?);
        Ok(())
    }

    /// Of what was played, and of what was not.
    pub(super) fn write(self, all: &[Played], unplayed: &[Unplayed]) -> Result<(), Failure> {
        if let Some((path, file)) = self.junit {
            let text = junit::junit(all, unplayed).map_err(Failure::internal)?;
            write(&path, file, &text)?;
        }
        if let Some((path, file)) = self.json {
            write(&path, file, &json::json(all, unplayed))?;
        }
        write_each(self.transcript, "txt", all, Played::transcript)?;
        write_each(self.html, "html", all, html::html)
    }
}

/// Writes a text of each scenario.
fn write_each(
    target: Option<Target>,
    ending: &str,
    all: &[Played],
    text: impl Fn(&Played) -> String,
) -> Result<(), Failure> {
    match target {
        None => Ok(()),
        Some(Target::File(path, file)) => {
            let text: Vec<String> = all.iter().map(text).collect();
            write(&path, file, &(text.join("\n\n") + "\n"))
        }
        Some(Target::Folder(folder)) => {
            for played in all {
                let path = folder.join(format!("{}.{ending}", played.name));
                let written = create(&path)?.write_all((text(played) + "\n").as_bytes());
                written.map_err(|fault| Failure::file("write", &path, &fault))?;
            }
            say(&format!("wrote {} files to {}", all.len(), folder.display()));
            Ok(())
        }
    }
}

fn create(path: &Path) -> Result<File, Failure> {
    File::create(path).map_err(|fault| Failure::file("write", path, &fault))
}

fn write(path: &Path, mut file: File, text: &str) -> Result<(), Failure> {
    file.write_all(text.as_bytes()).map_err(|fault| Failure::file("write", path, &fault))?;
    say(&format!("wrote {}", path.display()));
    Ok(())
}
