//! Entries as rows of the file, each with a checksum.

use parigot_guest::Failure;
use parigot_guest::kv::KvErr;
use parigot_guest::kv::store::{KeyRange, Table};
use parigot_guest::kv::v1::Entry;
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row, params};

/// Failure of an operation in a transaction.
#[derive(Debug)]
pub(super) enum TableError {
    /// The store has decided: the request cannot be served. Nothing was changed.
    Refused(Failure<KvErr>),
    /// SQLite has failed. The transaction must be rolled back.
    Sqlite(rusqlite::Error),
}

impl From<Failure<KvErr>> for TableError {
    fn from(failure: Failure<KvErr>) -> Self {
        TableError::Refused(failure)
    }
}

impl From<rusqlite::Error> for TableError {
    fn from(error: rusqlite::Error) -> Self {
        TableError::Sqlite(error)
    }
}

/// Returns the error of the service for an error of SQLite that concerns one request: no room, or
/// a damaged page.
pub(super) fn service_error(error: &rusqlite::Error) -> Option<KvErr> {
    match error.sqlite_error_code()? {
        ErrorCode::DiskFull => Some(KvErr::StoreFull),
        ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Some(KvErr::DataLoss),
        _ => None,
    }
}

/// The table of entries, in a transaction of a connection.
pub(super) struct Entries<'c>(pub(super) &'c Connection);

const COLUMNS: &str = "key, value, revision, modified_ms, expires_ms, checksum";

impl Table for Entries<'_> {
    type Error = TableError;

    fn find(&mut self, key: &str) -> Result<Option<Entry>, TableError> {
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE key = ?1");
        let mut statement = self.0.prepare_cached(&sql)?;
        let found = statement.query_one([key.as_bytes()], Stored::read);
        found
            .optional()?
            .map(|stored| stored.checked(key))
            .transpose()
    }

    fn put(&mut self, entry: &Entry) -> Result<(), TableError> {
        let sql = format!(
            "INSERT INTO entries ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (key) DO UPDATE SET value = ?2, revision = ?3, modified_ms = ?4,
             expires_ms = ?5, checksum = ?6"
        );
        let mut statement = self.0.prepare_cached(&sql)?;
        statement.execute(params![
            entry.key.as_bytes(),
            entry.value,
            entry.revision as i64,
            entry.modified_ms,
            entry.expires_ms,
            checksum(entry),
        ])?;
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<Option<i64>, TableError> {
        let sql = "DELETE FROM entries WHERE key = ?1 RETURNING expires_ms";
        let mut statement = self.0.prepare_cached(sql)?;
        let removed = statement.query_one([key.as_bytes()], |row| row.get(0));
        Ok(removed.optional()?)
    }

    fn scan(
        &mut self,
        range: &KeyRange<'_>,
        visit: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), TableError> {
        let KeyRange {
            prefix,
            behind,
            descending,
        } = *range;
        // No byte of UTF-8 is 0xff, so this key is behind all keys with the prefix, and before all
        // greater keys without it.
        let behind_all = [prefix.as_bytes(), &[0xff]].concat();
        let behind = behind.map(str::as_bytes);
        let (sql, low, high) = match descending {
            false => {
                let low = behind.unwrap_or_default();
                let sql = "key > ?1 AND key >= ?3 AND key < ?2 ORDER BY key";
                (sql, low, &*behind_all)
            }
            true => {
                let high = behind.unwrap_or(&behind_all);
                let sql = "key >= ?1 AND key >= ?3 AND key < ?2 ORDER BY key DESC";
                (sql, &b""[..], high)
            }
        };
        let sql = format!("SELECT {COLUMNS} FROM entries WHERE {sql}");
        let mut statement = self.0.prepare_cached(&sql)?;
        let mut rows = statement.query(params![low, high, prefix.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let stored = Stored::read(row)?;
            let key = String::from_utf8_lossy(&stored.key).into_owned();
            if !visit(stored.checked(&key)?) {
                break;
            }
        }
        Ok(())
    }
}

/// Row as it is in the file, possibly damaged.
struct Stored {
    key: Vec<u8>,
    value: Vec<u8>,
    revision: i64,
    modified_ms: i64,
    expires_ms: i64,
    checksum: u32,
}

impl Stored {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Stored {
            key: row.get(0)?,
            value: row.get(1)?,
            revision: row.get(2)?,
            modified_ms: row.get(3)?,
            expires_ms: row.get(4)?,
            checksum: row.get(5)?,
        })
    }

    /// Returns the entry of a key, or the error of a damaged one.
    fn checked(self, key: &str) -> Result<Entry, TableError> {
        let is_of_key = self.key == key.as_bytes();
        let entry = Entry {
            key: key.to_owned(),
            value: self.value,
            revision: self.revision as u64,
            modified_ms: self.modified_ms,
            expires_ms: self.expires_ms,
        };
        if is_of_key && checksum(&entry) == self.checksum {
            return Ok(entry);
        }
        let message = "the checksum of an entry differs: the file is damaged; restore a backup, or \
                       delete or replace the entry";
        Err(KvErr::DataLoss.with_message(message).into())
    }
}

/// Returns the checksum of an entry. SQLite has none: a flipped bit in a value would be returned.
fn checksum(entry: &Entry) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&entry.revision.to_le_bytes());
    hasher.update(&entry.modified_ms.to_le_bytes());
    hasher.update(&entry.expires_ms.to_le_bytes());
    // Its length, so that no byte moves between key and value.
    hasher.update(&(entry.key.len() as u64).to_le_bytes());
    hasher.update(entry.key.as_bytes());
    hasher.update(&entry.value);
    hasher.finalize()
}
