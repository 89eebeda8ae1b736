//! The code cache: what modules were compiled to, kept from one start to the next.
//!
//! An entry is a file that is named after its key, the SHA-256 of all that the code depends on: the module, the engine that
//! compiled it, and [`LAYOUT`]. It holds a checksum, the SHA-256 of key and code, and then the code. So an entry that was cut short,
//! damaged, or moved to another name is noticed before a byte of it is believed, and made anew.
//!
//! Code that is loaded is code that runs outside of any sandbox. Hence the folder must be the user's alone, and every
//! entry too: see [`is_private`].
//!
//! The cache is an aid: whatever fails in here costs time, never a start.

use std::fs::{self, DirBuilder, File, Metadata};
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};
use wasmtime::{Engine, Module};

/// How keys are made and entries laid out. Another number makes all entries foreign.
const LAYOUT: u32 = 1;

const HASH_BYTES: usize = 32;

/// How long an entry is kept that no start has used.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);

/// How long a file may take to be written. Older ones have lost their writer.
const WRITING_MAX: Duration = Duration::from_secs(3_600);

/// What all entries together may take.
const FOLDER_BYTES_MAX: u64 = 1 << 30;

/// Entries of one engine in one folder.
#[derive(Clone)]
pub(crate) struct Cache {
    folder: PathBuf,
    /// Has taken what the keys of this engine begin with.
    key: Sha256,
}

/// The place of one module's code, whether or not there is any yet.
pub(crate) struct Entry<'a> {
    cache: &'a Cache,
    key: [u8; HASH_BYTES],
    path: PathBuf,
}

/// Why an entry is not used, although it is there.
#[derive(Debug, thiserror::Error)]
enum Unusable {
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    #[error("other users can write to it")]
    NotPrivate,
    #[error("its checksum is wrong")]
    Checksum,
    #[error("the engine refuses it: {0}")]
    Refused(wasmtime::Error),
}

/// Where `parigot run` keeps compiled guests: in the user's caches (<https://specifications.freedesktop.org/basedir-spec/>), if there is
/// such a folder.
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
    /// Opens the cache in a folder, which is made if it is not there. Says in the log why there is none.
    pub(crate) fn open(folder: &Path, engine: &Engine) -> Option<Self> {
        match make_private(folder) {
            Ok(true) => {
                let mut key = KeyHasher(Sha256::new());
                LAYOUT.hash(&mut key);
                engine.precompile_compatibility_hash().hash(&mut key);
                Some(Cache {
                    folder: folder.to_owned(),
                    key: key.0,
                })
            }
            Ok(false) => {
                tracing::warn!(
                    "compiled guests are not kept: other users can write to {}",
                    folder.display()
                );
                None
            }
            Err(error) => {
                tracing::debug!(
                    "compiled guests are not kept: {}: {error}",
                    folder.display()
                );
                None
            }
        }
    }

    /// The place of the code of a binary module.
    pub(crate) fn entry(&self, module: &[u8]) -> Entry<'_> {
        let key: [u8; HASH_BYTES] = self.key.clone().chain_update(module).finalize().into();
        let name: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        Entry {
            cache: self,
            key,
            path: self.folder.join(name).with_extension("code"),
        }
    }

    /// Removes what has not been used for long, and then the oldest until the rest is small enough.
    fn prune(&self, now: SystemTime) -> io::Result<()> {
        let mut kept = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            let Some(age_max) = age_max(&path) else {
                continue;
            };
            // Another start may just have removed it.
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
    /// The module, if its code is here and sound.
    pub(crate) fn load(&self, engine: &Engine) -> Option<Module> {
        match self.read(engine) {
            Ok(module) => Some(module),
            Err(Unusable::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => None,
            Err(unusable) => {
                tracing::debug!(
                    "a cached module is made anew: {}: {unusable}",
                    self.path.display()
                );
                None
            }
        }
    }

    fn read(&self, engine: &Engine) -> Result<Module, Unusable> {
        let mut file = File::open(&self.path)?;
        let metadata = file.metadata()?;
        if !is_private(&metadata) {
            return Err(Unusable::NotPrivate);
        }
        let mut entry = Vec::with_capacity(metadata.len() as usize);
        file.read_to_end(&mut entry)?;
        let (checksum, code) = entry.split_first_chunk().ok_or(Unusable::Checksum)?;
        if *checksum != self.checksum(code) {
            return Err(Unusable::Checksum);
        }
        // SAFETY: `code` is what `Module::serialize` has returned. The checksum says that it is whole, and that it was written
        // for this key. `is_private` says that nobody but this user (or root) has written it, and this user's processes write such
        // files in `write` alone. It is in this process's memory, where no writer reaches it between check and use. Code of
        // another version of the engine has another key, and would be refused.
        let module = unsafe { Module::deserialize(engine, code) }.map_err(Unusable::Refused)?;
        // When it was used last, for `prune`.
        let touched = file.set_modified(SystemTime::now());
        if let Err(error) = touched {
            tracing::debug!(
                "cannot mark a cached module as used: {}: {error}",
                self.path.display()
            );
        }
        Ok(module)
    }

    /// Keeps the module's code.
    pub(crate) fn store(&self, module: &Module) {
        let stored = self
            .write(module)
            .and_then(|()| self.cache.prune(SystemTime::now()));
        if let Err(error) = stored {
            tracing::debug!(
                "cannot keep a compiled module: {}: {error}",
                self.path.display()
            );
        }
    }

    /// Writes the entry under a name that nobody reads, and then gives it its own: a reader sees all of it or none, and of
    /// several writers the last one wins.
    fn write(&self, module: &Module) -> io::Result<()> {
        let code = module.serialize().map_err(io::Error::other)?;
        // Only has to differ from those of other starts: no guest sees it, and so it does not come of the seed.
        let unique = RandomState::new().hash_one(std::process::id());
        let temporary = self.path.with_extension(format!("{unique:016x}.tmp"));
        let written = create_private(&temporary).and_then(|mut file| {
            file.write_all(&self.checksum(&code))?;
            file.write_all(&code)?;
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

/// Lets what implements `Hash` go into a SHA-256.
struct KeyHasher(Sha256);

impl Hasher for KeyHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        unreachable!("a key is taken whole")
    }
}

/// How long a file of ours is kept; `None` for a file that is not ours, and not touched.
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
            tracing::debug!(
                "cannot remove from the code cache: {}: {error}",
                path.display()
            );
        }
        _ => {}
    }
}

/// Makes a folder for this user alone, and tells whether it is that; it may have been there.
fn make_private(folder: &Path) -> io::Result<bool> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)?;
    Ok(is_private(&fs::metadata(folder)?))
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(path)
}

/// Whether it belongs to the user who runs this process, and nobody else can write to it.
#[cfg(unix)]
fn is_private(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    // SAFETY: it takes nothing, touches no memory and cannot fail.
    let user = unsafe { libc::geteuid() };
    metadata.uid() == user && metadata.mode() & 0o022 == 0
}

/// Whether nobody else can write to it, which the user's profile, where caches lie, sees to.
#[cfg(not(unix))]
fn is_private(_: &Metadata) -> bool {
    true
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
    /// The same, and a custom section without name or content.
    const OTHER: &[u8] = b"\0asm\x01\0\0\0\0\x01\0";

    const HOUR: Duration = Duration::from_secs(3_600);
    const DAY: Duration = Duration::from_secs(24 * 3_600);

    struct Fixture {
        folder: TempDir,
        engine: Engine,
        cache: Cache,
    }

    fn fixture() -> Fixture {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let engine = Engine::default();
        let cache =
            Cache::open(&folder.path().join("a/b"), &engine).expect("the folder can be made");
        Fixture {
            folder,
            engine,
            cache,
        }
    }

    impl Fixture {
        fn store(&self, wasm: &[u8]) -> Entry<'_> {
            let entry = self.cache.entry(wasm);
            entry.store(&Module::from_binary(&self.engine, wasm).expect("it is a module"));
            entry
        }

        /// A file of so many bytes, none of them written, that was used so long ago.
        fn add(&self, name: &str, bytes: u64, age: Duration) {
            let file = create_private(&self.cache.folder.join(name))
                .expect("the folder can be written to");
            file.set_len(bytes).expect("it takes no space");
            file.set_modified(SystemTime::now() - age)
                .expect("it is ours");
        }

        fn names(&self) -> Vec<String> {
            let files = fs::read_dir(&self.cache.folder).expect("the folder is there");
            let name = |file: io::Result<fs::DirEntry>| {
                file.expect("it can be read").file_name().into_string()
            };
            let mut names: Vec<_> = files
                .map(|file| name(file).expect("names are text"))
                .collect();
            names.sort();
            names
        }
    }

    /// The name of an entry whose key is this digit throughout.
    fn named(digit: char) -> String {
        format!("{}.code", digit.to_string().repeat(2 * HASH_BYTES))
    }

    #[test]
    fn what_was_stored_is_loaded() {
        let fixture = fixture();
        assert!(fixture.cache.entry(EMPTY).load(&fixture.engine).is_none());
        let entry = fixture.store(EMPTY);
        assert!(entry.load(&fixture.engine).is_some());
        assert!(fixture.cache.entry(OTHER).load(&fixture.engine).is_none());
        assert_eq!(fixture.names().len(), 1, "no temporary file is left");
    }

    #[test]
    fn another_engine_has_other_entries() {
        let fixture = fixture();
        let entry = fixture.store(EMPTY);
        let engine =
            Engine::new(wasmtime::Config::new().epoch_interruption(true)).expect("it is supported");
        let cache = Cache::open(&fixture.cache.folder, &engine).expect("the folder is there");
        assert_ne!(cache.entry(EMPTY).key, entry.key);
    }

    #[test]
    fn each_changed_byte_is_noticed() {
        let fixture = fixture();
        let entry = fixture.store(EMPTY);
        let sound = fs::read(&entry.path).expect("it is there");
        for at in (0..sound.len())
            .step_by(997)
            .chain([HASH_BYTES, sound.len() - 1])
        {
            let mut damaged = sound.clone();
            damaged[at] ^= 1;
            fs::write(&entry.path, damaged).expect("the folder can be written to");
            assert!(
                matches!(entry.read(&fixture.engine), Err(Unusable::Checksum)),
                "byte {at}"
            );
        }
        for bytes in [0, 1, HASH_BYTES, HASH_BYTES + 1, sound.len() - 1] {
            fs::write(&entry.path, &sound[..bytes]).expect("the folder can be written to");
            assert!(
                matches!(entry.read(&fixture.engine), Err(Unusable::Checksum)),
                "{bytes} bytes"
            );
        }
        let longer = [&sound[..], b"\n"].concat();
        fs::write(&entry.path, longer).expect("the folder can be written to");
        assert!(matches!(
            entry.read(&fixture.engine),
            Err(Unusable::Checksum)
        ));
    }

    #[test]
    fn the_entry_of_another_module_is_noticed() {
        let fixture = fixture();
        let (entry, other) = (fixture.store(EMPTY), fixture.store(OTHER));
        fs::rename(&other.path, &entry.path).expect("both are in one folder");
        assert!(matches!(
            entry.read(&fixture.engine),
            Err(Unusable::Checksum)
        ));
    }

    #[test]
    fn what_is_no_code_is_refused_whatever_its_checksum() {
        let fixture = fixture();
        let entry = fixture.cache.entry(EMPTY);
        let content = [&entry.checksum(b"hello")[..], b"hello"].concat();
        create_private(&entry.path)
            .expect("it is not there")
            .write_all(&content)
            .expect("it can be written to");
        assert!(matches!(
            entry.read(&fixture.engine),
            Err(Unusable::Refused(_))
        ));
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_write_to_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let fixture = fixture();
        let mode = |path: &Path| {
            fs::metadata(path)
                .expect("it is there")
                .permissions()
                .mode()
                & 0o777
        };
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours")
        };
        let entry = fixture.store(EMPTY);
        assert_eq!(
            (mode(&entry.path), mode(&fixture.cache.folder)),
            (0o600, 0o700)
        );
        assert_eq!(
            mode(&fixture.folder.path().join("a")),
            0o700,
            "folders that are made on the way are private too"
        );

        allow(&entry.path, 0o620);
        assert!(matches!(
            entry.read(&fixture.engine),
            Err(Unusable::NotPrivate)
        ));
        allow(&fixture.cache.folder, 0o702);
        assert!(Cache::open(&fixture.cache.folder, &fixture.engine).is_none());
        allow(&fixture.cache.folder, 0o755);
        assert!(Cache::open(&fixture.cache.folder, &fixture.engine).is_some());
    }

    #[test]
    fn what_is_not_used_for_long_goes() {
        let fixture = fixture();
        fixture.add(&named('a'), 1, 29 * DAY);
        fixture.add(&named('b'), 1, 31 * DAY);
        fixture.add(
            &format!("{}.0123456789abcdef.tmp", "c".repeat(64)),
            1,
            HOUR / 2,
        );
        fixture.add(
            &format!("{}.0123456789abcdef.tmp", "d".repeat(64)),
            1,
            2 * HOUR,
        );
        fixture
            .cache
            .prune(SystemTime::now())
            .expect("the folder can be read");
        assert_eq!(
            fixture.names(),
            [
                named('a'),
                format!("{}.0123456789abcdef.tmp", "c".repeat(64))
            ]
        );
    }

    #[test]
    fn use_keeps_an_entry() {
        let fixture = fixture();
        let entry = fixture.store(EMPTY);
        let file = File::options()
            .write(true)
            .open(&entry.path)
            .expect("it is ours");
        file.set_modified(SystemTime::now() - 31 * DAY)
            .expect("it is ours");
        assert!(entry.load(&fixture.engine).is_some());
        fixture
            .cache
            .prune(SystemTime::now())
            .expect("the folder can be read");
        assert!(entry.load(&fixture.engine).is_some());
    }

    #[test]
    fn the_oldest_go_when_all_are_too_big() {
        let fixture = fixture();
        let third = FOLDER_BYTES_MAX / 3;
        for (digit, age) in [
            ('a', 3 * HOUR),
            ('b', HOUR),
            ('c', 4 * HOUR),
            ('d', 2 * HOUR),
        ] {
            fixture.add(&named(digit), third, age);
        }
        fixture
            .cache
            .prune(SystemTime::now())
            .expect("the folder can be read");
        assert_eq!(fixture.names(), ['a', 'b', 'd'].map(named));
    }

    #[test]
    fn other_peoples_files_are_left_alone() {
        let fixture = fixture();
        let names = ["aa.code", "notes.code", "notes.tmp", "notes.txt"];
        for name in names {
            fixture.add(name, FOLDER_BYTES_MAX, 1_000 * DAY);
        }
        fixture
            .cache
            .prune(SystemTime::now())
            .expect("the folder can be read");
        assert_eq!(fixture.names(), names);
    }
}
