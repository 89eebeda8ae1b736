//! Key-value store on SQLite: the kind `kv`.
//!
//! | key | value | default |
//! |---|---|---|
//! | `path` | file of the store, created if missing | – |
//! | `max_size` | largest size of the file, from `1MiB` to `1024GiB` | `1GiB` |
//!
//! One thread serves all calls of a store. It takes the calls that wait, at most 256, runs them in
//! one transaction and answers them after the commit. So calls that arrive together share one sync
//! of the disk.
//!
//! | file | responsibility |
//! |---|---|
//! | `file.rs` | opening: owner, settings of SQLite, version of the schema |
//! | `owner.rs` | the lock that keeps other processes from the file |
//! | `table.rs` | entries as rows, with a checksum each |
//! | `engine.rs` | calls in groups, each with one commit |

mod engine;
mod file;
mod owner;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use parigot_guest::Service;
use parigot_guest::kv::v1::kv;
use parigot_host::clock::{Clock, SystemClock};
use parigot_host::deployment::{ProviderError, ProviderSpec};
use parigot_host::provider::{Provider, Serve};

use self::engine::Engine;
use self::file::StoreFile;

const SIZE_BYTES_DEFAULT: u64 = 1 << 30;
const SIZE_BYTES_MIN: u64 = 1 << 20;
const SIZE_BYTES_MAX: u64 = 1 << 40;

/// Provider of key-value stores.
pub struct Kv {
    clock: Arc<dyn Clock>,
}

/// Keys of a store's table.
struct KvSettings {
    path: PathBuf,
    size_bytes_max: u64,
}

impl Kv {
    /// Creates the provider with a clock, whose wall time decides about the expiry of entries.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Kv { clock }
    }
}

impl Default for Kv {
    /// Creates the provider with the clock of the machine.
    fn default() -> Self {
        Kv::new(Arc::new(SystemClock::new()))
    }
}

impl std::fmt::Debug for Kv {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kv").finish_non_exhaustive()
    }
}

impl KvSettings {
    fn read(spec: &ProviderSpec) -> Result<Self, ProviderError> {
        spec.has_only(&["path", "max_size"])?;
        let size_bytes_max = spec.size("max_size")?.unwrap_or(SIZE_BYTES_DEFAULT);
        if !(SIZE_BYTES_MIN..=SIZE_BYTES_MAX).contains(&size_bytes_max) {
            let help = "write a size from \"1MiB\" to \"1024GiB\"";
            return Err(spec.error("max_size", "`max_size` is out of range", help));
        }
        let path = spec.path("path")?.ok_or_else(|| {
            let help = format!("add the file of the store: `path = \"{}.db\"`", spec.name);
            spec.error("path", "its table has no `path`", help)
        })?;
        Ok(KvSettings {
            path,
            size_bytes_max,
        })
    }
}

impl Provider for Kv {
    fn kind(&self) -> &'static str {
        "kv"
    }

    fn service(&self) -> &'static Service {
        &kv::SERVICE
    }

    fn check(&self, spec: &ProviderSpec) -> Result<(), ProviderError> {
        KvSettings::read(spec).map(drop)
    }

    fn open(&self, spec: &ProviderSpec) -> Result<Serve, ProviderError> {
        let KvSettings {
            path,
            size_bytes_max,
        } = KvSettings::read(spec)?;
        let file = StoreFile::open(&path, size_bytes_max)
            .map_err(|error| spec.error("path", error.to_string(), error.help()))?;
        let engine = Engine::new(&spec.name, file, Arc::clone(&self.clock));
        Ok(Box::new(move |calls| engine.serve(calls)))
    }
}
