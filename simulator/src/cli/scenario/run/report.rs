//! What a run came to, in files.

mod html;
mod json;
mod junit;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::super::super::args::ScenarioFiles;
use super::super::super::exit::Failure;
use super::super::super::say;
use super::played::Played;

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
    /// Opens what was asked for, so that what cannot be written is known before anything is played.
    pub(super) fn open(files: &ScenarioFiles, several: bool) -> Result<Self, Failure> {
        let one =
            |path: &Option<PathBuf>| path.as_ref().map(|path| Ok((path.clone(), create(path)?))).transpose();
        let target = |path: &Option<PathBuf>| -> Result<Option<Target>, Failure> {
            let Some(path) = path else { return Ok(None) };
            if several || path.is_dir() {
                fs::create_dir_all(path).map_err(|fault| Failure::file("make the folder", path, &fault))?;
                return Ok(Some(Target::Folder(path.clone())));
            }
            Ok(Some(Target::File(path.clone(), create(path)?)))
        };
        Ok(Self {
            junit: one(&files.junit)?,
            json: one(&files.json)?,
            transcript: target(&files.transcript)?,
            html: target(&files.html)?,
        })
    }

    /// `not_played` are the names of those that the run did not come to.
    pub(super) fn write(self, all: &[Played], not_played: &[String]) -> Result<(), Failure> {
        if let Some((path, file)) = self.junit {
            let text = junit::junit(all, not_played).map_err(Failure::internal)?;
            write(&path, file, &text)?;
        }
        if let Some((path, file)) = self.json {
            write(&path, file, &json::json(all, not_played))?;
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
