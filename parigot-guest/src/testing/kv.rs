//! Fake of a key-value store.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Bound;
use core::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::fake::Fake;
use crate::failure::Failure;
use crate::kv::KvErr;
use crate::kv::store::{KeyRange, Table, Transaction};
use crate::kv::v1::{Entry, GetRequest, SetRequest, kv};
use crate::method::Method;

/// Wall time at the zero of the test's clock: the default of the hosts of tests, 2000-01-01 00:00
/// UTC.
const START_MS: i64 = 946_684_800_000;

/// Key-value store in memory, for the guests of a test. Entries expire on the clock of the test. A
/// clone is the same store.
///
/// ```no_run
/// # use parigot_guest::Definition;
/// # use parigot_guest::testing::{FakeKv, TestGuest};
/// # fn test(visits: fn() -> Definition) {
/// let sessions = FakeKv::new("sessions");
/// sessions.set("last", "yesterday");
/// let mut visits = TestGuest::new(visits).fake(sessions.fake()).start();
/// assert_eq!(visits.wait_for_exit(), 0);
/// assert_eq!(sessions.get("last").as_deref(), Some(&b"today"[..]));
/// # }
/// ```
///
/// [`fake`](FakeKv::fake) is an ordinary fake: its methods can be replaced, for example by
/// `fake.on::<kv::Set>(|_| Err(KvErr::StoreFull))`.
#[derive(Clone)]
pub struct FakeKv {
    fake: Fake,
    state: Arc<Mutex<FakeEntries>>,
}

#[derive(Default)]
struct FakeEntries {
    entries: BTreeMap<String, Entry>,
    revision: u64,
    /// Time of the host in nanoseconds.
    clock: Arc<AtomicU64>,
}

impl FakeKv {
    /// Creates an empty store. `name` is its name in frames and faults: the provider's name in the
    /// deployment.
    pub fn new(name: impl Into<String>) -> Self {
        let fake = Fake::new(name);
        let entries = FakeEntries {
            clock: fake.clock(),
            ..FakeEntries::default()
        };
        let kv = FakeKv {
            fake,
            state: Arc::new(Mutex::new(entries)),
        };
        kv.on::<kv::Get>(|store, request| store.get(&request));
        kv.on::<kv::Set>(|store, request| store.set(request));
        kv.on::<kv::Delete>(|store, request| store.delete(&request));
        kv.on::<kv::Scan>(|store, request| store.scan(&request));
        kv.on::<kv::Batch>(|store, request| store.batch(request));
        kv
    }

    /// Returns the fake, for the hosts of tests.
    pub fn fake(&self) -> &Fake {
        &self.fake
    }

    /// Writes an entry that does not expire.
    ///
    /// # Panics
    ///
    /// If key or value exceed the limits of the service.
    pub fn set(&self, key: impl Into<String>, value: impl Into<Vec<u8>>) {
        let request = SetRequest {
            key: key.into(),
            value: value.into(),
            ..SetRequest::default()
        };
        let set = run(&self.state, |store| store.set(request));
        set.unwrap_or_else(|failure| panic!("{failure}"));
    }

    /// Returns the value of a key.
    ///
    /// # Panics
    ///
    /// If the key exceeds the limits of the service.
    pub fn get(&self, key: impl Into<String>) -> Option<Vec<u8>> {
        let request = GetRequest { key: key.into() };
        let get = run(&self.state, |store| store.get(&request));
        let response = get.unwrap_or_else(|failure| panic!("{failure}"));
        response.entry.map(|entry| entry.value)
    }

    /// Serves a method by a closure.
    fn on<M: Method<Error = KvErr>>(
        &self,
        serve: impl Fn(
            &mut Transaction<'_, FakeEntries>,
            M::Request,
        ) -> Result<M::Response, Failure<KvErr>>
        + Send
        + 'static,
    ) {
        let state = Arc::clone(&self.state);
        self.fake.answer::<M>(move |request| {
            let served = run(&state, |store| serve(store, request));
            served.map_or_else(super::Answer::error, super::Answer::ok)
        });
    }
}

/// Runs operations at the present time.
fn run<R>(
    state: &Mutex<FakeEntries>,
    serve: impl FnOnce(&mut Transaction<'_, FakeEntries>) -> R,
) -> R {
    let mut state = lock(state);
    let now_ns = state.clock.load(Ordering::SeqCst);
    let mut transaction = Transaction {
        now_ms: START_MS + (now_ns / 1_000_000) as i64,
        revision: state.revision,
        table: &mut *state,
    };
    let result = serve(&mut transaction);
    state.revision = transaction.revision;
    result
}

impl Table for FakeEntries {
    type Error = Failure<KvErr>;

    fn find(&mut self, key: &str) -> Result<Option<Entry>, Failure<KvErr>> {
        Ok(self.entries.get(key).cloned())
    }

    fn put(&mut self, entry: &Entry) -> Result<(), Failure<KvErr>> {
        self.entries.insert(entry.key.clone(), entry.clone());
        Ok(())
    }

    fn remove(&mut self, key: &str) -> Result<Option<i64>, Failure<KvErr>> {
        Ok(self.entries.remove(key).map(|entry| entry.expires_ms))
    }

    fn scan(
        &mut self,
        range: &KeyRange<'_>,
        visit: &mut dyn FnMut(Entry) -> bool,
    ) -> Result<(), Failure<KvErr>> {
        let behind = range.behind.map_or(Bound::Unbounded, Bound::Excluded);
        let has_prefix = |entry: &&Entry| entry.key.starts_with(range.prefix);
        let mut entries: Vec<&Entry> = match range.descending {
            false => self.entries.range::<str, _>((behind, Bound::Unbounded)),
            true => self.entries.range::<str, _>((Bound::Unbounded, behind)),
        }
        .map(|(_, entry)| entry)
        .filter(has_prefix)
        .collect();
        if range.descending {
            entries.reverse();
        }
        let _ = entries.into_iter().cloned().all(visit);
        Ok(())
    }
}

impl fmt::Debug for FakeKv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeKv")
            .field("name", &self.fake.name())
            .finish_non_exhaustive()
    }
}

fn lock(state: &Mutex<FakeEntries>) -> MutexGuard<'_, FakeEntries> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
