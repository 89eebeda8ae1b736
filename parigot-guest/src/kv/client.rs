//! Client of a store.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::future::IntoFuture;
use core::time::Duration;

use super::KvClient;
use super::scan::Scan;
use super::v1::{
    BatchOp, BatchRequest, Check, DeleteRequest, GetRequest, SetRequest, batch_op, kv,
};
use crate::call::Call;
use crate::context::Context;
use crate::error::LocateError;

/// A key-value store. Cheap to clone.
#[derive(Clone)]
pub struct Kv {
    pub(super) client: KvClient,
}

impl Kv {
    /// Returns the store that the deployment grants to the guest.
    ///
    /// # Errors
    ///
    /// If the guest does not require [`KvClient`], or is not launched yet.
    pub fn locate(cx: &Context) -> Result<Self, LocateError> {
        KvClient::locate(cx).map(|client| Kv { client })
    }

    /// Returns the store that the deployment binds to a name: `requires(KvClient as "cache")`.
    ///
    /// # Errors
    ///
    /// If the guest does not require the name, or is not launched yet.
    pub fn locate_named(cx: &Context, binding: &str) -> Result<Self, LocateError> {
        KvClient::locate_named(cx, binding).map(|client| Kv { client })
    }

    /// Returns the entry of a key: `kv.get("a").await?.entry`.
    pub fn get(&self, key: impl Into<String>) -> Call<kv::Get> {
        self.client.get(GetRequest { key: key.into() })
    }

    /// Creates or replaces the entry of a key: `kv.set("a", "1").await?`.
    pub fn set(&self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Set {
        Set {
            client: self.client.clone(),
            request: set_request(key, value),
        }
    }

    /// Deletes the entry of a key: `kv.delete("a").await?.existed`.
    pub fn delete(&self, key: impl Into<String>) -> Delete {
        Delete {
            client: self.client.clone(),
            request: DeleteRequest {
                key: key.into(),
                if_revision: None,
            },
        }
    }

    /// Reads the entries whose keys begin with a prefix, in the order of keys.
    pub fn scan(&self, prefix: impl Into<String>) -> Scan {
        Scan::new(self.client.clone(), prefix.into())
    }

    /// Creates a batch, whose operations run at once: all of them, or none.
    pub fn batch(&self) -> Batch {
        Batch {
            client: self.client.clone(),
            request: BatchRequest::default(),
        }
    }
}

impl fmt::Debug for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kv").finish_non_exhaustive()
    }
}

fn set_request(key: impl Into<String>, value: impl Into<Vec<u8>>) -> SetRequest {
    SetRequest {
        key: key.into(),
        value: value.into(),
        if_revision: None,
        ttl_s: 0,
    }
}

/// Returns whole seconds: a part of a second counts as one, because 0 means no end.
fn whole_seconds(ttl: Duration) -> u32 {
    let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

/// A write, which runs when it is awaited.
///
/// Fails with [`KvErr::RevisionMismatch`](super::KvErr) if a condition is not met.
#[must_use = "a write runs when it is awaited"]
pub struct Set {
    client: KvClient,
    request: SetRequest,
}

impl Set {
    /// Requires that the key has no entry.
    pub fn if_absent(self) -> Self {
        self.if_revision(0)
    }

    /// Requires that the entry has this revision.
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.request.if_revision = Some(revision);
        self
    }

    /// Lets the entry expire after this time. Parts of a second count as one.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.request.ttl_s = whole_seconds(ttl);
        self
    }
}

impl IntoFuture for Set {
    type Output = <Call<kv::Set> as Future>::Output;
    type IntoFuture = Call<kv::Set>;

    fn into_future(self) -> Call<kv::Set> {
        self.client.set(self.request)
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("key", &self.request.key)
            .finish_non_exhaustive()
    }
}

/// A deletion, which runs when it is awaited.
#[must_use = "a deletion runs when it is awaited"]
pub struct Delete {
    client: KvClient,
    request: DeleteRequest,
}

impl Delete {
    /// Requires that the entry has this revision.
    pub fn if_revision(mut self, revision: u64) -> Self {
        self.request.if_revision = Some(revision);
        self
    }
}

impl IntoFuture for Delete {
    type Output = <Call<kv::Delete> as Future>::Output;
    type IntoFuture = Call<kv::Delete>;

    fn into_future(self) -> Call<kv::Delete> {
        self.client.delete(self.request)
    }
}

impl fmt::Debug for Delete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Delete")
            .field("key", &self.request.key)
            .finish_non_exhaustive()
    }
}

/// Operations that run at once when the batch is awaited: all of them, or none. A batch has 1 to
/// 100 operations on different keys.
///
/// ```no_run
/// # async fn test(kv: parigot_guest::kv::Kv, revision: u64) -> Result<(), parigot_guest::Error> {
/// let batch = kv.batch().set("a", "1").delete("b").check("c", revision);
/// let revisions = batch.await?.revisions;
/// # Ok(())
/// # }
/// ```
#[must_use = "a batch runs when it is awaited"]
pub struct Batch {
    client: KvClient,
    request: BatchRequest,
}

impl Batch {
    /// Writes an entry.
    pub fn set(self, key: impl Into<String>, value: impl Into<Vec<u8>>) -> Self {
        self.op(batch_op::Op::Set(set_request(key, value)))
    }

    /// Writes an entry with a lifetime or a condition.
    pub fn set_with(self, request: SetRequest) -> Self {
        self.op(batch_op::Op::Set(request))
    }

    /// Deletes an entry.
    pub fn delete(self, key: impl Into<String>) -> Self {
        self.op(batch_op::Op::Delete(DeleteRequest {
            key: key.into(),
            if_revision: None,
        }))
    }

    /// Requires the revision of an entry without a change; 0 requires that the key has none.
    pub fn check(self, key: impl Into<String>, revision: u64) -> Self {
        self.op(batch_op::Op::Check(Check {
            key: key.into(),
            revision,
        }))
    }

    fn op(mut self, op: batch_op::Op) -> Self {
        self.request.ops.push(BatchOp { op: Some(op) });
        self
    }
}

impl IntoFuture for Batch {
    type Output = <Call<kv::Batch> as Future>::Output;
    type IntoFuture = Call<kv::Batch>;

    fn into_future(self) -> Call<kv::Batch> {
        self.client.batch(self.request)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("ops", &self.request.ops.len())
            .finish_non_exhaustive()
    }
}
