//! Tokens in a file: a store that outlives its process.

mod row;

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use redb::backends::FileBackend;
use redb::{
    Database, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _, TableDefinition,
};
use zeroize::Zeroizing;

use super::BoxFuture;
use super::store::{StoreError, TokenKey, TokenRecord, TokenStore};
use row::Sealer;

/// The rows by gateway, merchant and token; each is sealed.
const TOKENS: TableDefinition<'_, (&str, &str, &str), &[u8]> = TableDefinition::new("tokens");
/// What the file is, and a row by which a wrong key is known at once.
const ABOUT: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("about");
const FORM: &str = "form";
/// The form of the file and of its rows.
const FORM_1: &[u8] = b"d1-client tokens 1";
const PROOF: &str = "proof";
/// The first bytes of every file of the database.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// The key that seals what a [`DurableStore`] writes: 32 random bytes, kept apart from the file. `Debug` shows none of it.
#[derive(Clone)]
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// A key that was read back from where the gateway keeps its keys.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key.
    ///
    /// # Errors
    /// [`DurableStoreError::Random`] when the system has no randomness to give.
    pub fn generate() -> Result<Self, DurableStoreError> {
        crate::chance::secret_bytes().map(Self).map_err(|_| DurableStoreError::Random)
    }

    /// The bytes, to be kept where the gateway keeps its keys.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoreKey(***)")
    }
}

/// Why a [`DurableStore`] did not succeed. No text of it holds anything that is stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DurableStoreError {
    /// The file can neither be opened nor made.
    #[error("cannot open the token store {}: its folder must exist and be writable", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// Another store, of this process or another one, has the file open.
    #[error("the token store {} is in use: one process at a time opens it", path.display())]
    InUse {
        /// Which.
        path: PathBuf,
    },
    /// The file is something else, or of another version of this library. A store whose very first bytes were destroyed
    /// looks the same.
    #[error(
        "{} is not a token store of this version: name another file; if it should be one, restore it from its backup",
        path.display()
    )]
    Foreign {
        /// Which.
        path: PathBuf,
    },
    /// The file is one of these, and was cut off or changed by somebody else.
    #[error(
        "the token store {} is damaged: restore it from its backup, or move it away and fetch the tokens again into a new one",
        path.display()
    )]
    Corrupted {
        /// Which.
        path: PathBuf,
    },
    /// The file was written under another key.
    #[error("the token store {} was written under another key: give the key it was made with", path.display())]
    WrongKey {
        /// Which.
        path: PathBuf,
    },
    /// A row cannot be opened or read: it was changed by somebody else.
    #[error(
        "a row of the token store is damaged: restore the file from its backup, or forget the token (DurableStore::forget) \
         and fetch it again"
    )]
    Damaged,
    /// The system has no randomness to give.
    #[error("the system gives no randomness")]
    Random,
    /// The database has failed.
    #[error("the token store has failed")]
    Database(#[source] Box<redb::Error>),
    /// The task that worked on the file was cancelled or panicked.
    #[error("the work on the token store was broken off")]
    BrokenOff,
}

impl<E: Into<redb::Error>> From<E> for DurableStoreError {
    fn from(error: E) -> Self {
        Self::Database(Box::new(error.into()))
    }
}

/// A [`TokenStore`] in one file, for a gateway that stores and updates (the first way of contract section 8).
///
/// `apply` returns once the record is on disk: what was answered 204 is there after a crash, a `kill -9` between the
/// commit and the answer included, since D1 then delivers again and the record is merged with itself. Rows are sealed
/// with AES-256-GCM, each bound to its token; the names of gateways, merchants and tokens are in clear.
///
/// One process at a time opens the file. Records are never dropped: a gateway deletes the file of tokens that it no
/// longer needs, or keeps a store of its own.
pub struct DurableStore {
    inner: Arc<Inner>,
}

struct Inner {
    database: Database,
    sealer: Sealer,
}

impl DurableStore {
    /// Opens the store in `path`, or makes it, readable for its owner alone where the system knows that. A file that is
    /// there keeps its mode, since a volume may give it to a group; where others can read or write it, a warning is traced.
    ///
    /// The whole file is checked. Blocks for the time that the disk takes: call it before serving.
    ///
    /// # Errors
    /// [`DurableStoreError`] names the file and what is wrong with it.
    pub fn open(path: &Path, key: &StoreKey) -> Result<Self, DurableStoreError> {
        let unusable = |source| DurableStoreError::File { path: path.to_owned(), source };
        let (file, begins) = file(path).map_err(unusable)?;
        let opened = FileBackend::new(file)
            .and_then(|file| Database::builder().set_check_integrity_on_open(true).create_with_backend(file));
        let database = opened.map_err(|error| match error {
            redb::DatabaseError::DatabaseAlreadyOpen => DurableStoreError::InUse { path: path.to_owned() },
            redb::DatabaseError::Storage(error) => broken(path, &begins, error),
            _ => foreign(path),
        })?;
        let inner = Inner { database, sealer: Sealer::new(key)? };
        inner.prepare(path)?;
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How many tokens are kept. Blocks for the time that the disk takes.
    ///
    /// # Errors
    /// [`DurableStoreError::Database`].
    pub fn count(&self) -> Result<u64, DurableStoreError> {
        Ok(self.inner.database.begin_read()?.open_table(TOKENS)?.len()?)
    }

    /// Forgets a token; says whether there was something of it. For a row that is damaged, so that the token can be
    /// fetched again: nothing is written over such a row.
    ///
    /// # Errors
    /// [`DurableStoreError::Database`], [`DurableStoreError::BrokenOff`].
    pub async fn forget(&self, key: &TokenKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.blocking(move |inner| inner.forget(&key)).await
    }

    /// Runs `work` where it may block.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, DurableStoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let inner = Arc::clone(&self.inner);
        let done = tokio::task::spawn_blocking(move || work(&inner)).await;
        Ok(done.map_err(|_| DurableStoreError::BrokenOff)??)
    }
}

impl Inner {
    /// Makes the tables of a new file; holds an old one against form and key.
    fn prepare(&self, path: &Path) -> Result<(), DurableStoreError> {
        let writing = self.database.begin_write()?;
        {
            let is_new = writing.list_tables()?.next().is_none();
            let mut about = writing.open_table(ABOUT).map_err(|error| match error {
                redb::TableError::Storage(error) => broken(path, MAGIC, error),
                _ => foreign(path),
            })?;
            if is_new {
                about.insert(FORM, FORM_1)?;
                about.insert(PROOF, self.sealer.proof()?.as_slice())?;
                writing.open_table(TOKENS)?;
            }
            if about.get(FORM)?.is_none_or(|form| form.value() != FORM_1) {
                return Err(foreign(path));
            }
            let proven = about.get(PROOF)?.is_some_and(|proof| self.sealer.is_proof(proof.value()));
            if !proven {
                return Err(DurableStoreError::WrongKey { path: path.to_owned() });
            }
        }
        writing.commit()?;
        Ok(())
    }

    fn get(&self, key: &TokenKey) -> Result<Option<TokenRecord>, DurableStoreError> {
        let tokens = self.database.begin_read()?.open_table(TOKENS)?;
        let row = tokens.get(columns(key))?;
        row.map(|row| self.sealer.open(key, row.value())).transpose()
    }

    fn forget(&self, key: &TokenKey) -> Result<bool, DurableStoreError> {
        let writing = self.database.begin_write()?;
        let was_there = writing.open_table(TOKENS)?.remove(columns(key))?.is_some();
        writing.commit()?;
        Ok(was_there)
    }

    fn apply(&self, key: &TokenKey, record: &TokenRecord) -> Result<(), DurableStoreError> {
        // One writer at a time: what is read here is what is replaced.
        let writing = self.database.begin_write()?;
        {
            let mut tokens = writing.open_table(TOKENS)?;
            let known =
                tokens.get(columns(key))?.map(|row| self.sealer.open(key, row.value())).transpose()?;
            let merged = match known {
                Some(mut known) => {
                    known.absorb(record);
                    known
                }
                None => record.clone(),
            };
            tokens.insert(columns(key), self.sealer.seal(key, &merged)?.as_slice())?;
        }
        writing.commit()?;
        Ok(())
    }
}

/// What a failure of the storage means in a file that begins like this.
fn broken(path: &Path, begins: &[u8], error: redb::StorageError) -> DurableStoreError {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    match error {
        redb::StorageError::Io(source) if !matches!(source.kind(), InvalidData | UnexpectedEof) => {
            DurableStoreError::File { path: path.to_owned(), source }
        }
        redb::StorageError::Io(_) | redb::StorageError::Corrupted(_) if begins == MAGIC => {
            DurableStoreError::Corrupted { path: path.to_owned() }
        }
        redb::StorageError::Io(_) | redb::StorageError::Corrupted(_) => foreign(path),
        other => other.into(),
    }
}

fn foreign(path: &Path) -> DurableStoreError {
    DurableStoreError::Foreign { path: path.to_owned() }
}

fn columns(key: &TokenKey) -> (&str, &str, &str) {
    (key.gateway_id.as_str(), key.merchant_id.as_str(), key.token_id.as_str())
}

/// The file, and how it begins.
fn file(path: &Path) -> std::io::Result<(File, Vec<u8>)> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.clone().create_new(true).open(path) {
        Ok(file) => {
            sync_folder(path)?;
            return Ok((file, Vec::new()));
        }
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(fault) => return Err(fault),
    }
    let mut file = options.open(path)?;
    tell_of_others(path, &file)?;
    let mut begins = Vec::new();
    Read::by_ref(&mut file).take(MAGIC.len() as u64).read_to_end(&mut begins)?;
    Ok((file, begins))
}

/// A new name in a folder outlives a crash once the folder is on disk, too.
#[cfg(unix)]
fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn tell_of_others(path: &Path, file: &File) -> std::io::Result<()> {
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata()?.permissions()) & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), mode = format!("{mode:o}"), "others can use the token store's file");
    }
    Ok(())
}

#[cfg(not(unix))]
fn tell_of_others(_: &Path, _: &File) -> std::io::Result<()> {
    Ok(())
}

impl fmt::Debug for DurableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DurableStore").finish_non_exhaustive()
    }
}

impl TokenStore for DurableStore {
    fn get<'a>(&'a self, key: &'a TokenKey) -> BoxFuture<'a, Result<Option<TokenRecord>, StoreError>> {
        let key = key.clone();
        Box::pin(self.blocking(move |inner| inner.get(&key)))
    }

    fn apply<'a>(
        &'a self,
        key: &'a TokenKey,
        record: &'a TokenRecord,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let (key, record) = (key.clone(), record.clone());
        Box::pin(self.blocking(move |inner| inner.apply(&key, &record)))
    }
}

#[cfg(test)]
mod tests;
