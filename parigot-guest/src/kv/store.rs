//! The rules of a key-value store, over a table of entries. The engine of the host and the fake of
//! tests differ only in their tables.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use prost::Message;

use super::KvErr;
use super::v1::{
    BatchOp, BatchRequest, BatchResponse, Conflict, DeleteRequest, DeleteResponse, Entry,
    GetRequest, GetResponse, ScanRequest, ScanResponse, SetRequest, SetResponse, batch_op,
};
use crate::failure::Failure;

const KEY_BYTES_MAX: usize = 512;
const VALUE_BYTES_MAX: usize = 512 << 10;
const BATCH_OPS_MAX: usize = 100;
const BATCH_BYTES_MAX: usize = 1 << 20;
const PAGE_ENTRIES_DEFAULT: usize = 100;
const PAGE_ENTRIES_MAX: usize = 1_000;
const PAGE_BYTES_MAX: usize = 1 << 20;

/// First byte of a page token, which the last key of the page follows.
const ASCENDING: u8 = b'+';
const DESCENDING: u8 = b'-';

/// Table of entries by key, within one transaction. Expired entries may still be in the table.
pub trait Table {
    /// Failure of an operation.
    type Error: From<Failure<KvErr>>;

    /// Returns the entry of a key.
    ///
    /// # Errors
    ///
    /// If the table fails, or the entry is damaged.
    fn find(&mut self, key: &str) -> Result<Option<Entry>, Self::Error>;

    /// Creates or replaces an entry.
    ///
    /// # Errors
    ///
    /// If the table fails or is full.
    fn put(&mut self, entry: &Entry) -> Result<(), Self::Error>;

    /// Removes an entry, and returns its time of expiry; `None` if there was no entry.
    ///
    /// # Errors
    ///
    /// If the table fails.
    fn remove(&mut self, key: &str) -> Result<Option<i64>, Self::Error>;

    /// Passes the entries of a range to `visit`, in order, while `visit` returns true.
    ///
    /// # Errors
    ///
    /// If the table fails, or an entry is damaged.
    fn scan(
        &mut self,
        range: &KeyRange<'_>,
        visit: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), Self::Error>;
}

/// Range of keys: those that begin with a prefix, behind a key.
#[derive(Clone, Copy, Debug)]
pub struct KeyRange<'a> {
    /// Prefix of the keys.
    pub prefix: &'a str,
    /// The range begins behind this key, in its direction.
    pub behind: Option<&'a str>,
    /// True for the descending order.
    pub descending: bool,
}

/// Operations of one transaction.
#[derive(Debug)]
pub struct Transaction<'t, T> {
    /// The table.
    pub table: &'t mut T,
    /// Time in milliseconds since 1970. It must not decrease from one transaction to the next.
    pub now_ms: i64,
    /// Last revision of the store. Each change increases it.
    pub revision: u64,
}

impl<T: Table> Transaction<'_, T> {
    /// Serves `Get`.
    ///
    /// # Errors
    ///
    /// As the service.
    pub fn get(&mut self, request: &GetRequest) -> Result<GetResponse, T::Error> {
        check_key(&request.key)?;
        let entry = self.present(&request.key)?;
        Ok(GetResponse { entry })
    }

    /// Serves `Set`.
    ///
    /// # Errors
    ///
    /// As the service.
    pub fn set(&mut self, request: SetRequest) -> Result<SetResponse, T::Error> {
        check_set(&request)?;
        self.require(0, &request.key, request.if_revision)?;
        let revision = self.put(request)?;
        Ok(SetResponse { revision })
    }

    /// Serves `Delete`.
    ///
    /// # Errors
    ///
    /// As the service.
    pub fn delete(&mut self, request: &DeleteRequest) -> Result<DeleteResponse, T::Error> {
        check_key(&request.key)?;
        self.require(0, &request.key, request.if_revision)?;
        let existed = self.remove(&request.key)?;
        Ok(DeleteResponse { existed })
    }

    /// Serves `Batch`. All conditions are checked before the first change.
    ///
    /// # Errors
    ///
    /// As the service.
    pub fn batch(&mut self, request: BatchRequest) -> Result<BatchResponse, T::Error> {
        let ops = check_batch(request)?;
        for (index, op) in (0..).zip(&ops) {
            let revision = match op {
                batch_op::Op::Set(set) => set.if_revision,
                batch_op::Op::Delete(delete) => delete.if_revision,
                batch_op::Op::Check(check) => Some(check.revision),
            };
            self.require(index, key_of(op), revision)?;
        }
        let mut revisions = Vec::new();
        for op in ops {
            revisions.push(match op {
                batch_op::Op::Set(set) => self.put(set)?,
                batch_op::Op::Delete(delete) => {
                    self.remove(&delete.key)?;
                    0
                }
                batch_op::Op::Check(_) => 0,
            });
        }
        Ok(BatchResponse { revisions })
    }

    /// Serves `Scan`.
    ///
    /// # Errors
    ///
    /// As the service.
    pub fn scan(&mut self, request: &ScanRequest) -> Result<ScanResponse, T::Error> {
        let range = KeyRange {
            prefix: &request.prefix,
            behind: behind(request)?,
            descending: request.descending,
        };
        let limit = match request.limit as usize {
            0 => PAGE_ENTRIES_DEFAULT,
            limit => limit.min(PAGE_ENTRIES_MAX),
        };
        let now_ms = self.now_ms;
        let mut entries: Vec<Entry> = Vec::new();
        let mut bytes = 0;
        let mut has_more = false;
        self.table.scan(&range, &mut |mut entry| {
            if is_expired(&entry, now_ms) {
                return true;
            }
            if request.keys_only {
                entry.value.clear();
            }
            bytes += entry.encoded_len();
            has_more = entries.len() == limit || bytes > PAGE_BYTES_MAX && !entries.is_empty();
            if !has_more {
                entries.push(entry);
            }
            !has_more
        })?;
        let next_page_token = match entries.last() {
            Some(last) if has_more => page_token(&last.key, request.descending),
            _ => Vec::new(),
        };
        Ok(ScanResponse {
            entries,
            next_page_token,
        })
    }

    /// Returns the entry of a key that has not expired.
    fn present(&mut self, key: &str) -> Result<Option<Entry>, T::Error> {
        let now_ms = self.now_ms;
        let entry = self.table.find(key)?;
        Ok(entry.filter(|entry| !is_expired(entry, now_ms)))
    }

    /// Checks the revision of an entry; `None` requires nothing.
    fn require(&mut self, op: u32, key: &str, required: Option<u64>) -> Result<(), T::Error> {
        let Some(required) = required else {
            return Ok(());
        };
        let revision = self.present(key)?.map_or(0, |entry| entry.revision);
        if revision == required {
            return Ok(());
        }
        let message = format!("revision {required} is required, and {revision} is present");
        let conflict = Conflict {
            op,
            key: key.into(),
            revision,
        };
        let mismatch = KvErr::RevisionMismatch.with_message(message);
        Err(mismatch.with_detail(&conflict).into())
    }

    fn put(&mut self, request: SetRequest) -> Result<u64, T::Error> {
        self.revision += 1;
        let expires_ms = match request.ttl_s {
            0 => 0,
            ttl_s => self.now_ms + i64::from(ttl_s) * 1_000,
        };
        self.table.put(&Entry {
            key: request.key,
            value: request.value,
            revision: self.revision,
            modified_ms: self.now_ms,
            expires_ms,
        })?;
        Ok(self.revision)
    }

    fn remove(&mut self, key: &str) -> Result<bool, T::Error> {
        let removed = self.table.remove(key)?;
        let existed = removed.is_some_and(|expires_ms| !is_over(expires_ms, self.now_ms));
        self.revision += u64::from(existed);
        Ok(existed)
    }
}

fn is_expired(entry: &Entry, now_ms: i64) -> bool {
    is_over(entry.expires_ms, now_ms)
}

fn is_over(expires_ms: i64, now_ms: i64) -> bool {
    expires_ms != 0 && expires_ms <= now_ms
}

fn check_key(key: &str) -> Result<(), Failure<KvErr>> {
    let message = match key.len() {
        0 => "the key is empty".into(),
        bytes if bytes > KEY_BYTES_MAX => {
            format!("the key has {bytes} bytes; a key has at most {KEY_BYTES_MAX}")
        }
        _ if key.contains('\0') => "the key contains a NUL".into(),
        _ => return Ok(()),
    };
    Err(KvErr::BadKey.with_message(message))
}

fn check_set(SetRequest { key, value, .. }: &SetRequest) -> Result<(), Failure<KvErr>> {
    check_key(key)?;
    match value.len() {
        bytes if bytes > VALUE_BYTES_MAX => Err(KvErr::TooLarge.with_message(format!(
            "the value has {bytes} bytes; a value has at most {VALUE_BYTES_MAX}"
        ))),
        _ => Ok(()),
    }
}

fn check_batch(request: BatchRequest) -> Result<Vec<batch_op::Op>, Failure<KvErr>> {
    let bad = |message: String| KvErr::BadBatch.with_message(message);
    let count = request.ops.len();
    if !(1..=BATCH_OPS_MAX).contains(&count) {
        let message = format!("the batch has {count} operations; it must have 1 to 100");
        return Err(bad(message));
    }
    let ops = request.ops.into_iter().map(|BatchOp { op }| op);
    let ops: Option<Vec<_>> = ops.collect();
    let ops = ops.ok_or_else(|| bad("an operation of the batch is empty".into()))?;
    let mut keys = BTreeSet::new();
    let mut bytes = 0;
    for op in &ops {
        bytes += key_of(op).len();
        match op {
            batch_op::Op::Set(set) => {
                check_set(set)?;
                bytes += set.value.len();
            }
            op => check_key(key_of(op))?,
        }
        if !keys.insert(key_of(op)) {
            let message = format!("the batch has the key {:?} twice", key_of(op));
            return Err(bad(message));
        }
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(KvErr::TooLarge.with_message(format!(
            "the batch has {bytes} bytes; a batch has at most {BATCH_BYTES_MAX}"
        )));
    }
    Ok(ops)
}

fn key_of(op: &batch_op::Op) -> &str {
    match op {
        batch_op::Op::Set(set) => &set.key,
        batch_op::Op::Delete(delete) => &delete.key,
        batch_op::Op::Check(check) => &check.key,
    }
}

fn page_token(last: &str, descending: bool) -> Vec<u8> {
    let direction = if descending { DESCENDING } else { ASCENDING };
    [&[direction], last.as_bytes()].concat()
}

/// Reads the last key of the previous page from the token of a request.
fn behind(request: &ScanRequest) -> Result<Option<&str>, Failure<KvErr>> {
    let direction = if request.descending {
        DESCENDING
    } else {
        ASCENDING
    };
    let Some((first, key)) = request.page_token.split_first() else {
        return Ok(None);
    };
    let key = core::str::from_utf8(key).ok();
    let key = key.filter(|key| *first == direction && key.starts_with(&request.prefix));
    key.map(Some).ok_or_else(|| {
        let message = "the page token belongs to a request with another prefix or direction";
        KvErr::BadToken.with_message(message)
    })
}
