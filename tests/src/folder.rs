//! The sandbox folder that the tests share. The only file here that reads the system's time.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use d1_fixtures::{Plan, write_sandbox};
use tempfile::TempDir;
use time::OffsetDateTime;

/// Kept as long as a test holds it, so that the last one takes the folder away.
static SHARED: Mutex<Weak<Folder>> = Mutex::new(Weak::new());

/// A folder as `d1sim init` writes it, in a temporary place.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    /// The folder that all tests running at this moment share. Nobody changes what is in it; a test may add files.
    #[must_use]
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        shared.upgrade().unwrap_or_else(|| {
            let fresh = Arc::new(Self::make(&Plan::new(Self::now())));
            *shared = Arc::downgrade(&fresh);
            fresh
        })
    }

    /// A folder of one's own, as planned.
    #[must_use]
    pub fn make(plan: &Plan) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        write_sandbox(folder.path(), plan, false).expect("a sandbox folder");
        Self(folder)
    }

    /// The present time, for certificates: TLS goes by it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "TLS goes by the present time")]
    pub fn now() -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    /// Where the folder is.
    #[must_use]
    pub fn root(&self) -> &Path {
        self.0.path()
    }

    /// Where a file of the folder is.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.root().join(name)
    }

    /// The text of a file.
    #[must_use]
    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|fault| panic!("{name}: {fault}"))
    }

    /// The bytes of a file.
    #[must_use]
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        self.text(name).into_bytes()
    }

    /// Adds a file.
    pub fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    }
}
