//! Code cache: keeps the machine code of modules on disk, from one start to the next.
//!
//! An entry is a file named after its key. The key is the SHA-256 of everything that the code
//! depends on: the digest of the module, the engine that compiled the module, and [`LAYOUT`]. The
//! file holds a checksum, which is the SHA-256 of key and code, and then the code. A file that was
//! cut short, damaged or moved to another name therefore fails the check before any of its code is
//! used, and the module is compiled again.
//!
//! Loaded code runs outside any sandbox. Therefore only the user who runs this process may be able
//! to write to the folder and to the entries, and no other user to the folders above: see
//! [`make_private`].
//!
//! The cache is optional: a failure in this module costs time, and never prevents a start.

#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzed;
mod ownership;
#[cfg(test)]
mod tests;

use std::fs;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

use self::ownership::{NotPrivate, Unsafe, check_private, create_private, make_private};
use crate::guest::backtrace::ModuleDigest;
use crate::regular_file;

/// Version of the keys, of the layout of entries, and of the changes to a module before the
/// compiler. A new number makes all old entries unknown.
const LAYOUT: u32 = 4;

/// Size of a SHA-256 in bytes.
const HASH_BYTES: usize = 32;

/// Time after which an unused entry is removed.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// Time after which a temporary file is removed: its writer must have died.
const WRITING_MAX: Duration = Duration::from_secs(3_600);

/// Largest total size of the entries in bytes; beyond, the longest unused entries are removed.
const FOLDER_BYTES_MAX: u64 = 1 << 30;

/// Entries of one engine in one folder.
#[derive(Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Hash state after the engine, which all keys have in common. The module follows.
    key: Sha256,
}

/// Entry of one module, which may not exist yet.
pub(crate) struct Entry<'a> {
    cache: &'a Cache,
    key: [u8; HASH_BYTES],
    path: PathBuf,
}

/// Reasons not to use an existing entry.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error(transparent)]
    NotPrivate(#[from] NotPrivate),
    #[error("too large")]
    TooLarge,
    #[error("wrong checksum")]
    Checksum,
    #[error("rejected by the engine: {0}")]
    Rejected(wasmtime::Error),
}

/// Returns the folder in which `parigot run` keeps compiled guests: `parigot/code` in the user's
/// cache folder, as the [XDG Base Directory Specification] defines it; `None` if the user has no
/// such folder.
///
/// [XDG Base Directory Specification]: https://specifications.freedesktop.org/basedir-spec/
pub fn of_user() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = set
        .filter(|folder| folder.is_absolute())
        .or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    caches
        .is_absolute()
        .then(|| caches.join("parigot").join("code"))
}

impl Cache {
    /// Opens the cache in a folder, and creates the folder if necessary. Returns `None` and logs
    /// the reason if the folder cannot be used.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Option<Self> {
        match make_private(folder) {
            Ok(Ok(folder)) => {
                let mut key = KeyHasher(Sha256::new());
                LAYOUT.hash(&mut key);
                engine.precompile_compatibility_hash().hash(&mut key);
                Some(Cache { folder, key: key.0 })
            }
            Ok(Err(Unsafe { folder, reason })) => {
                tracing::warn!("code cache disabled: {} {reason}", folder.display());
                None
            }
            Err(error) => {
                tracing::warn!(
                    "code cache disabled: cannot create or read {}: {error}; set XDG_CACHE_HOME to \
                     a writable folder, or run with `--no-cache`",
                    folder.display()
                );
                None
            }
        }
    }

    /// Returns the entry of the module with this digest.
    pub(crate) fn entry(&self, module: &ModuleDigest) -> Entry<'_> {
        let key: [u8; HASH_BYTES] = self.key.clone().chain_update(module).finalize().into();
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Entry {
            cache: self,
            key,
            path: self.folder.join(name).with_extension("code"),
        }
    }

    /// Removes entries that were unused for long. Then removes the longest unused entries until the
    /// rest is small enough.
    fn prune(&self, now: SystemTime) -> io::Result<()> {
        let mut kept = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            let Some(age_max) = age_max(&path) else {
                continue;
            };
            // The file may be missing by now: another start prunes the folder as well.
            let Ok(metadata) = fs::metadata(&path) else {
                continue;
            };
            let used = metadata.modified()?;
            if now.duration_since(used).is_ok_and(|age| age > age_max) {
                remove(&path);
            } else {
                kept.push((used, metadata.len(), path));
            }
        }
        // The last used entries first: they stay.
        kept.sort_unstable_by(|a, b| b.cmp(a));
        let mut bytes = 0_u64;
        for (_, file_bytes, path) in kept {
            bytes = bytes.saturating_add(file_bytes);
            if bytes > FOLDER_BYTES_MAX {
                remove(&path);
            }
        }
        Ok(())
    }
}

impl Entry<'_> {
    /// Returns the module if the entry exists and passes all checks.
    pub(crate) fn load(&self, engine: &Engine) -> Option<Module> {
        match self.read(engine) {
            Ok(module) => Some(module),
            Err(Unusable::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(unusable) => {
                tracing::debug!(
                    "recompiling an unusable cache entry: {}: {unusable}",
                    self.path.display()
                );
                None
            }
        }
    }

    fn read(&self, engine: &Engine) -> Result<Module, Unusable> {
        let file = regular_file::open(&self.path)?;
        let metadata = file.metadata()?;
        check_private(&metadata)?;
        if metadata.len() > FOLDER_BYTES_MAX {
            return Err(Unusable::TooLarge);
        }
        let mut entry = Vec::with_capacity(metadata.len() as usize);
        (&file).take(FOLDER_BYTES_MAX).read_to_end(&mut entry)?;
        let (checksum, code) = entry.split_first_chunk().ok_or(Unusable::Checksum)?;
        if *checksum != self.checksum(code) {
            return Err(Unusable::Checksum);
        }
        // SAFETY: `code` must be the unchanged result of `Engine::precompile_module`.
        // - `check_private`: only this user or root can have written the file, and processes of
        //   this user write files with such names only in `write`.
        // - The checksum: the code is complete and was written for this key.
        // - The bytes were read into this process's memory, so they cannot change between the check
        //   and the use.
        // - Code of another version of the engine has another key, and `deserialize` rejects it.
        let module = unsafe { Module::deserialize(engine, code) }.map_err(Unusable::Rejected)?;
        // `prune` takes the time of modification as the time of the last use.
        let touched = file.set_modified(SystemTime::now());
        if let Err(error) = touched {
            tracing::debug!(
                "cannot update the last use of a cache entry: {}: {error}",
                self.path.display()
            );
        }
        Ok(module)
    }

    /// Writes the module's code, which [`Engine::precompile_module`] has returned, into the entry.
    pub(crate) fn store(&self, code: &[u8]) {
        let stored = self
            .write(code)
            .and_then(|()| self.cache.prune(SystemTime::now()));
        if let Err(error) = stored {
            tracing::warn!(
                "cannot write to the code cache: {}: {error}; set XDG_CACHE_HOME to a writable \
                 folder, or run with `--no-cache`",
                self.path.display()
            );
        }
    }

    /// Writes the entry under a temporary name and renames the file. A reader therefore sees the
    /// whole entry or none, and of several writers the last one wins.
    fn write(&self, code: &[u8]) -> io::Result<()> {
        // Differs between processes and starts. The number does not come from the seed of the host,
        // because no guest sees it.
        let unique = RandomState::new().hash_one(std::process::id());
        let temporary = self.path.with_extension(format!("{unique:016x}.tmp"));
        let written = create_private(&temporary).and_then(|mut file| {
            file.write_all(&self.checksum(code))?;
            file.write_all(code)?;
            fs::rename(&temporary, &self.path)
        });
        if written.is_err() {
            remove(&temporary);
        }
        written
    }

    fn checksum(&self, code: &[u8]) -> [u8; HASH_BYTES] {
        Sha256::new()
            .chain_update(self.key)
            .chain_update(code)
            .finalize()
            .into()
    }
}

/// Adapter that feeds values that implement `Hash` into a SHA-256.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("a key must be the whole SHA-256")
    }
}

/// Returns the time that a file of the cache is kept; `None` for any other file, which `prune` must
/// not remove.
fn age_max(path: &Path) -> Option<Duration> {
    let (key, kind) = path.file_name()?.to_str()?.split_once('.')?;
    let is_hex =
        |text: &str, digits| text.len() == digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    if !is_hex(key, 2 * HASH_BYTES) {
        return None;
    }
    match kind.strip_suffix(".tmp") {
        Some(unique) => is_hex(unique, 16).then_some(WRITING_MAX),
        None => (kind == "code").then_some(UNUSED_MAX),
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::debug!("cannot remove a cache file: {}: {error}", path.display());
        }
        _ => {}
    }
}
