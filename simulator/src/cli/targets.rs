//! Files that a command writes beside what it prints: nothing that it reads, nothing by a slip, and each once.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use super::exit::Failure;

/// An option that names a file, and the file, if it was given.
pub(super) type Target<'a> = (&'static str, Option<&'a Path>);

/// Refuses files that the command reads, and YAML files that are there: whoever forgets the name of a report names the
/// next argument, which is a scenario or a list.
pub(super) fn check(targets: &[Target<'_>], inputs: &[&Path]) -> Result<(), Failure> {
    let inputs: Vec<Identity> = inputs.iter().filter_map(|input| Identity::of(input)).collect();
    for (option, path) in targets {
        let Some(path) = path else { continue };
        let shown = path.display();
        if path.as_os_str() == "-" {
            let hint = "expected the name of a file; /dev/stdout is one";
            return Err(Failure::usage(format!("{option} {shown}: {hint}")));
        }
        let yaml =
            path.extension().is_some_and(|ending| ["yaml", "yml"].iter().any(|known| ending == *known));
        let read = Identity::of(path).is_some_and(|identity| inputs.contains(&identity));
        if read || (yaml && path.is_file()) {
            let why =
                if read { "it is read by this command" } else { "it is there already, and a YAML file" };
            let hint = "a report would overwrite it; name another file, e.g. report.xml";
            return Err(Failure::usage(format!("{option} {shown}: {why}: {hint}")));
        }
    }
    Ok(())
}

/// Refuses one file for two reports.
pub(super) fn distinct(targets: &[Target<'_>]) -> Result<(), Failure> {
    let mut known: Vec<(&str, Identity)> = Vec::new();
    for (option, path) in targets {
        let Some((path, identity)) = path.and_then(|path| Some((path, Identity::of(path)?))) else {
            continue;
        };
        if let Some((other, _)) = known.iter().find(|(_, known)| *known == identity) {
            let path = path.display();
            return Err(Failure::usage(format!("{other} and {option} name the same file: {path}")));
        }
        known.push((option, identity));
    }
    Ok(())
}

/// What makes a file the same one, by whatever name.
#[derive(PartialEq, Eq)]
enum Identity {
    There(u64, u64),
    NotYet(PathBuf),
}

impl Identity {
    /// A device, such as /dev/null, may be named more than once, and so may a folder.
    fn of(path: &Path) -> Option<Self> {
        if let Ok(known) = fs::metadata(path) {
            return known.is_file().then(|| Self::There(known.dev(), known.ino()));
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        Some(Self::NotYet(folder.join(path.file_name()?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(result: Result<(), Failure>) -> String {
        result.err().map(|failure| failure.error.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_file_is_known_by_whatever_name_and_one_that_is_read_or_yaml_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("day.yaml"), "scenario: 1").expect("written");
        fs::write(at("list"), "[]").expect("written");
        std::os::unix::fs::symlink(at("list"), at("link")).expect("linked");
        let (yaml, link, list, new) = (at("day.yaml"), at("link"), at("list"), at("new.yaml"));
        let twice = at("sub/../new.yaml");
        fs::create_dir(at("sub")).expect("a folder");
        assert!(said(check(&[("--junit", Some(&yaml))], &[])).contains("a YAML file"));
        assert!(said(check(&[("--junit", Some(&link))], &[&list])).contains("it is read by this command"));
        assert!(said(check(&[("--junit", Some(Path::new("-")))], &[])).contains("/dev/stdout"));
        assert_eq!(said(check(&[("--junit", Some(&new)), ("--json", None)], &[&list])), "");
        let both = [("--junit", Some(list.as_path())), ("--json", Some(link.as_path()))];
        assert!(said(distinct(&both)).starts_with("--junit and --json name the same file: "));
        assert!(
            said(distinct(&[("--junit", Some(&new)), ("--json", Some(&twice))])).contains("the same file")
        );
        let null = Path::new("/dev/null");
        assert_eq!(said(distinct(&[("--junit", Some(null)), ("--json", Some(null))])), "");
    }
}
