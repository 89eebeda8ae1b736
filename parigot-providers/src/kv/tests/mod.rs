//! The store on SQLite: the contract of the service, and damage of the file.

mod contract;
mod file;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parigot_guest::kv::KvErr;
use parigot_guest::kv::v1::{DeleteRequest, Entry, GetRequest, SetRequest, kv};
use parigot_guest::{CallError, Method};
use parigot_host::clock::Clock;
use parigot_host::deployment::{ProviderError, ProviderSpec};
use parigot_host::provider::{Provider, ProviderCaller};

use super::Kv;

/// Wall clock that a test sets.
#[derive(Default)]
struct TestClock(AtomicU64);

impl Clock for TestClock {
    fn monotonic_ns(&self) -> u64 {
        0
    }

    fn wall_ns(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn real_time_until(&self, _: u64) -> Option<Duration> {
        None
    }

    fn on_moved(&self, _: Box<dyn Fn() + Send>) {}
}

/// A store that a test calls.
struct TestStore {
    caller: ProviderCaller,
    clock: Arc<TestClock>,
}

type Outcome<M> = Result<<M as Method>::Response, CallError<KvErr>>;

fn spec(path: &Path) -> ProviderSpec {
    let path = path.to_str().expect("the path must be UTF-8");
    ProviderSpec::new("sessions", "kv").with("path", path)
}

fn open(spec: &ProviderSpec) -> Result<TestStore, ProviderError> {
    let clock = Arc::new(TestClock::default());
    clock.0.store(1_000_000_000_000_000_000, Ordering::SeqCst);
    let serve = Kv::new(Arc::clone(&clock) as _).open(spec)?;
    let caller = ProviderCaller::start(serve);
    Ok(TestStore { caller, clock })
}

/// Opens a store in a file.
#[track_caller]
fn store(path: &Path) -> TestStore {
    open(&spec(path)).unwrap_or_else(|error| panic!("{error}"))
}

impl TestStore {
    fn call<M: Method<Error = KvErr>>(&self, request: M::Request) -> Outcome<M> {
        self.caller.call::<M>(request)
    }

    fn set(&self, key: &str, value: impl Into<Vec<u8>>) -> Result<u64, CallError<KvErr>> {
        let set = self.call::<kv::Set>(SetRequest {
            key: key.into(),
            value: value.into(),
            ..SetRequest::default()
        });
        set.map(|response| response.revision)
    }

    fn get(&self, key: &str) -> Result<Option<Entry>, CallError<KvErr>> {
        let get = self.call::<kv::Get>(GetRequest { key: key.into() });
        get.map(|response| response.entry)
    }

    fn delete(&self, key: &str) -> Result<bool, CallError<KvErr>> {
        let delete = self.call::<kv::Delete>(DeleteRequest {
            key: key.into(),
            if_revision: None,
        });
        delete.map(|response| response.existed)
    }
}

/// Returns the error of the store.
#[track_caller]
fn error<T: std::fmt::Debug>(outcome: Result<T, CallError<KvErr>>) -> KvErr {
    let error = outcome.expect_err("the call must fail");
    *error
        .service_error()
        .unwrap_or_else(|| panic!("the store must decide: {error}"))
}
