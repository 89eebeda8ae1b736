//! The file of a store: opening, and the settings of SQLite.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::owner::{Owner, OwnerError};

/// Number in the header of our files: "pgkv".
const APPLICATION_ID: i32 = 0x7067_6b76;

/// Version of the schema that this parigot writes.
pub(super) const SCHEMA: i32 = 1;

/// Size of a page of the file in bytes.
const PAGE_BYTES: u64 = 4096;

/// Bytes of the write-ahead log that are kept for its next use: 16 MiB.
const JOURNAL_BYTES_MAX: u32 = 16 << 20;

/// The tables. `entries` has a row number: a table without one keeps values of some hundred bytes
/// in its index, and is many times slower.
const TABLES: &str = "
    CREATE TABLE entries (
        id INTEGER PRIMARY KEY,
        key BLOB NOT NULL UNIQUE,
        value BLOB NOT NULL,
        revision INTEGER NOT NULL,
        modified_ms INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        checksum INTEGER NOT NULL
    );
    CREATE INDEX expiring ON entries (expires_ms) WHERE expires_ms > 0;
    CREATE TABLE store (revision INTEGER NOT NULL, clock_ms INTEGER NOT NULL);
    INSERT INTO store VALUES (0, 0);
";

/// Error of opening a store.
#[derive(Debug, thiserror::Error)]
pub(super) enum OpenError {
    #[error("the folder of {} does not exist", .0.display())]
    NoFolder(PathBuf),
    #[error("{} is used by {owner}", path.display())]
    Owned { path: PathBuf, owner: String },
    #[error("{} is not a key-value store of parigot", .0.display())]
    Foreign(PathBuf),
    #[error(
        "{} has the schema {found} of a newer parigot; this one knows {SCHEMA}",
        path.display()
    )]
    Newer { path: PathBuf, found: i32 },
    #[error("{}: {source}", path.display())]
    System { path: PathBuf, source: io::Error },
    #[error("{}: {source}", path.display())]
    Sqlite {
        path: PathBuf,
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// Returns the next step.
    pub(super) fn help(&self) -> String {
        match self {
            OpenError::NoFolder(path) => {
                let folder = path.parent().unwrap_or(Path::new("."));
                format!("create the folder: `mkdir -p {}`", folder.display())
            }
            OpenError::Owned { .. } => {
                "stop that process, or give each deployment a store of its own".into()
            }
            OpenError::Foreign(_) => "correct the path, or move the file away".into(),
            OpenError::Newer { .. } => "run the newer parigot, which has written the file".into(),
            OpenError::System { .. } | OpenError::Sqlite { .. } => {
                "check the file, its permissions and the room on its disk".into()
            }
        }
    }
}

/// An open file, which no other process can use.
pub(super) struct StoreFile {
    path: PathBuf,
    size_bytes_max: u64,
    pub(super) connection: Connection,
    /// After the connection: the lock is released when the file is closed.
    _owner: Owner,
}

impl StoreFile {
    /// Opens the file of a store, or creates it.
    ///
    /// # Errors
    ///
    /// If another process uses the file, if the file is no store or that of a newer parigot, or
    /// with the error of SQLite.
    pub(super) fn open(path: &Path, size_bytes_max: u64) -> Result<Self, OpenError> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        if folder.is_some_and(|folder| !folder.is_dir()) {
            return Err(OpenError::NoFolder(path.to_owned()));
        }
        let owner = Owner::lock(path).map_err(|error| match error {
            OwnerError::Owned(owner) => OpenError::Owned {
                path: path.to_owned(),
                owner,
            },
            OwnerError::System(source) => OpenError::System {
                path: path.to_owned(),
                source,
            },
        })?;
        Ok(StoreFile {
            path: path.to_owned(),
            size_bytes_max,
            connection: connect(path, size_bytes_max)?,
            _owner: owner,
        })
    }

    /// Closes the file and opens it again. An error of a commit leaves open which pages the system
    /// has written, so the state in memory cannot be trusted.
    ///
    /// # Errors
    ///
    /// If the file cannot be opened.
    pub(super) fn reopen(&mut self) -> Result<(), OpenError> {
        let closed = Connection::open_in_memory().map_err(|error| sqlite(&self.path, error))?;
        drop(std::mem::replace(&mut self.connection, closed));
        self.connection = connect(&self.path, self.size_bytes_max)?;
        Ok(())
    }
}

fn sqlite(path: &Path, source: rusqlite::Error) -> OpenError {
    let path = path.to_owned();
    match source.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => OpenError::Foreign(path),
        _ => OpenError::Sqlite { path, source },
    }
}

fn connect(path: &Path, size_bytes_max: u64) -> Result<Connection, OpenError> {
    let error = |source| sqlite(path, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(error)?;
    // Before the first access.
    connection
        .execute_batch("PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = 0;")
        .map_err(error)?;
    let number = |sql: &str| connection.query_one(sql, [], |row| row.get::<_, i32>(0));
    let application = number("PRAGMA application_id").map_err(error)?;
    let schema = number("PRAGMA user_version").map_err(error)?;
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(error)?;
    let is_new = (application, schema, tables) == (0, 0, 0);
    if !is_new && application != APPLICATION_ID {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if schema > SCHEMA {
        return Err(OpenError::Newer {
            path: path.to_owned(),
            found: schema,
        });
    }
    if is_new {
        // Only before the first table.
        let first = connection.execute_batch("PRAGMA auto_vacuum = INCREMENTAL;");
        first.map_err(error)?;
    }
    let pages_max = size_bytes_max / PAGE_BYTES;
    // With `synchronous = NORMAL` a loss of power would take back acknowledged writes.
    let settings = format!(
        "PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA journal_size_limit = {JOURNAL_BYTES_MAX};
         PRAGMA cell_size_check = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA max_page_count = {pages_max};"
    );
    connection.execute_batch(&settings).map_err(error)?;
    if is_new {
        let create = format!(
            "BEGIN; {TABLES} PRAGMA application_id = {APPLICATION_ID}; \
             PRAGMA user_version = {SCHEMA}; COMMIT;"
        );
        connection.execute_batch(&create).map_err(error)?;
    }
    Ok(connection)
}
