//! Where the reports of a run go.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use d1_contracts::{Paint, Report};

use super::super::args::{ColorWhen, ReportFiles, Run};
use super::super::exit::Failure;
use super::super::{say, targets};
use crate::clock::{Clock, ClockMode, rfc3339};
use crate::domain::Moment;

#[derive(Debug, Clone, Copy)]
enum Format {
    Json,
    Junit,
    Markdown,
    Html,
    Har,
}

impl Format {
    const fn option(self) -> &'static str {
        match self {
            Self::Json => "--json",
            Self::Junit => "--junit",
            Self::Markdown => "--md",
            Self::Html => "--html",
            Self::Har => "--har",
        }
    }

    fn text(self, report: &Report) -> Result<String, Failure> {
        Ok(match self {
            Self::Json => report.json(),
            Self::Junit => report.junit().map_err(Failure::internal)?,
            Self::Markdown => report.markdown(),
            Self::Html => report.html(),
            Self::Har => report.har(&rfc3339(Moment::from_ms(Clock::new(ClockMode::Real).now_ms()))),
        })
    }
}

/// The files that were asked for, open already.
pub(super) struct Reports(Vec<(Format, PathBuf, File)>);

impl Reports {
    /// Opens every file that was asked for, so that one that cannot be written is known before anything is run.
    pub(super) fn open(args: &Run) -> Result<Self, Failure> {
        let files: &ReportFiles = &args.reports;
        let asked = [
            (Format::Json, &files.json),
            (Format::Junit, &files.junit),
            (Format::Markdown, &files.md),
            (Format::Html, &files.html),
            (Format::Har, &files.har),
        ];
        let named = asked.map(|(format, path)| (format.option(), path.as_deref()));
        let inputs: Vec<&Path> =
            args.known_failing.iter().chain(&args.exempt).map(PathBuf::as_path).collect();
        targets::check(&named, &inputs)?;
        targets::distinct(&named)?;
        let mut open: Vec<(Format, PathBuf, File)> = Vec::new();
        for (format, path) in asked {
            let Some(path) = path else { continue };
            let file = File::create(path).map_err(|fault| cannot_write(format, path, &fault))?;
            open.push((format, path.clone(), file));
        }
        Ok(Self(open))
    }

    pub(super) fn write(self, report: &Report) -> Result<(), Failure> {
        for (format, path, mut file) in self.0 {
            let text = format.text(report)?;
            file.write_all(text.as_bytes()).map_err(|fault| cannot_write(format, &path, &fault))?;
            say(&format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

fn cannot_write(format: Format, path: &Path, fault: &std::io::Error) -> Failure {
    Failure::resource(format!("{} {}: cannot be written: {fault}", format.option(), path.display()))
}

/// Whether what is printed may have colours.
pub(super) fn paint(when: ColorWhen) -> Paint {
    let no_color = || std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colour = match when {
        ColorWhen::Always => true,
        ColorWhen::Never => false,
        ColorWhen::Auto => std::io::stdout().is_terminal() && !no_color(),
    };
    if colour { Paint::Colour } else { Paint::Plain }
}
