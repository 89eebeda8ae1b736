//! Tests of the code cache, each in a temporary folder.

#[cfg(unix)]
mod two_users;

use std::fs::File;

use tempfile::TempDir;

use super::*;

const EMPTY: &[u8] = b"\0asm\x01\0\0\0";
/// The same module with an empty custom section.
const OTHER: &[u8] = b"\0asm\x01\0\0\0\0\x01\0";

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);

fn digest(module: &[u8]) -> ModuleDigest {
    Sha256::digest(module).into()
}

struct Fixture {
    folder: TempDir,
    engine: Engine,
    cache: Cache,
}

fn fixture() -> Fixture {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let engine = Engine::default();
    let cache =
        Cache::open(&folder.path().join("a/b"), &engine).expect("the folder must be usable");
    Fixture {
        folder,
        engine,
        cache,
    }
}

impl Fixture {
    fn store(&self, wasm: &[u8]) -> Entry<'_> {
        let entry = self.cache.entry(&digest(wasm));
        let code = self.engine.precompile_module(wasm);
        entry.store(&code.expect("the bytes must be a module"));
        entry
    }

    /// Adds a sparse file of this size whose last use was this long ago.
    fn add(&self, name: &str, bytes: u64, age: Duration) {
        let file =
            create_private(&self.cache.folder.join(name)).expect("the folder must be writable");
        file.set_len(bytes)
            .expect("a sparse file must need no space");
        file.set_modified(SystemTime::now() - age)
            .expect("the file must belong to this user");
    }

    fn names(&self) -> Vec<String> {
        let files = fs::read_dir(&self.cache.folder).expect("the folder must exist");
        let name = |file: io::Result<fs::DirEntry>| {
            file.expect("the file must be readable")
                .file_name()
                .into_string()
        };
        let mut names: Vec<_> = files
            .map(|file| name(file).expect("names must be UTF-8"))
            .collect();
        names.sort();
        names
    }
}

/// Returns the name of an entry whose key consists of this digit.
fn named(digit: char) -> String {
    format!("{}.code", digit.to_string().repeat(2 * HASH_BYTES))
}

#[test]
fn a_stored_module_is_loaded() {
    let fixture = fixture();
    assert!(
        fixture
            .cache
            .entry(&digest(EMPTY))
            .load(&fixture.engine)
            .is_none()
    );
    let entry = fixture.store(EMPTY);
    assert!(entry.load(&fixture.engine).is_some());
    assert!(
        fixture
            .cache
            .entry(&digest(OTHER))
            .load(&fixture.engine)
            .is_none()
    );
    assert_eq!(fixture.names().len(), 1, "no temporary file may be left");
}

#[test]
fn another_engine_has_other_entries() {
    let fixture = fixture();
    let entry = fixture.store(EMPTY);
    let engine = Engine::new(wasmtime::Config::new().epoch_interruption(true))
        .expect("the option must be supported");
    let cache = Cache::open(&fixture.cache.folder, &engine).expect("the folder must exist");
    assert_ne!(cache.entry(&digest(EMPTY)).key, entry.key);
}

#[test]
fn a_changed_or_missing_byte_is_detected() {
    let fixture = fixture();
    let entry = fixture.store(EMPTY);
    let sound = fs::read(&entry.path).expect("the entry must exist");
    for at in (0..sound.len())
        .step_by(997)
        .chain([HASH_BYTES, sound.len() - 1])
    {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        fs::write(&entry.path, damaged).expect("the folder must be writable");
        assert!(
            matches!(entry.read(&fixture.engine), Err(Unusable::Checksum)),
            "byte {at}"
        );
    }
    for bytes in [0, 1, HASH_BYTES, HASH_BYTES + 1, sound.len() - 1] {
        fs::write(&entry.path, &sound[..bytes]).expect("the folder must be writable");
        assert!(
            matches!(entry.read(&fixture.engine), Err(Unusable::Checksum)),
            "{bytes} bytes"
        );
    }
    let longer = [&sound[..], b"\n"].concat();
    fs::write(&entry.path, longer).expect("the folder must be writable");
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::Checksum)
    ));
}

#[test]
fn an_entry_of_another_module_is_detected() {
    let fixture = fixture();
    let entry = fixture.store(EMPTY);
    let other = fixture.store(OTHER);
    fs::rename(&other.path, &entry.path).expect("the rename must succeed");
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::Checksum)
    ));
}

#[cfg(unix)]
#[test]
fn an_entry_of_a_terabyte_or_without_end_is_not_read() {
    let fixture = fixture();
    let entry = fixture.cache.entry(&digest(EMPTY));
    let file = create_private(&entry.path).expect("the entry must not exist yet");
    file.set_len(1 << 40)
        .expect("a sparse file must need no space");
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::TooLarge)
    ));
    fs::remove_file(&entry.path).expect("the entry must exist");
    let made = std::process::Command::new("mkfifo")
        .arg(&entry.path)
        .status();
    assert!(made.expect("mkfifo must run").success());
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::Unreadable(_))
    ));
}

#[test]
fn bytes_that_are_no_code_are_rejected() {
    let fixture = fixture();
    let entry = fixture.cache.entry(&digest(EMPTY));
    let content = [&entry.checksum(b"hello")[..], b"hello"].concat();
    create_private(&entry.path)
        .expect("the entry must not exist yet")
        .write_all(&content)
        .expect("the file must be writable");
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::Rejected(_))
    ));
}

#[cfg(unix)]
#[test]
fn files_that_others_can_write_to_are_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture();
    let mode = |path: &Path| {
        fs::metadata(path)
            .expect("the path must exist")
            .permissions()
            .mode()
            & 0o777
    };
    let allow = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))
            .expect("the file must belong to this user")
    };
    let entry = fixture.store(EMPTY);
    assert_eq!(
        (mode(&entry.path), mode(&fixture.cache.folder)),
        (0o600, 0o700)
    );
    assert_eq!(
        mode(&fixture.folder.path().join("a")),
        0o700,
        "created parent folders must be private too"
    );

    allow(&entry.path, 0o620);
    assert!(matches!(
        entry.read(&fixture.engine),
        Err(Unusable::NotPrivate(NotPrivate::Mode))
    ));
    allow(&fixture.cache.folder, 0o702);
    assert!(Cache::open(&fixture.cache.folder, &fixture.engine).is_none());
    allow(&fixture.cache.folder, 0o755);
    assert!(Cache::open(&fixture.cache.folder, &fixture.engine).is_some());
}

#[test]
fn old_entries_and_temporary_files_are_removed() {
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
        .expect("the folder must be readable");
    assert_eq!(
        fixture.names(),
        [
            named('a'),
            format!("{}.0123456789abcdef.tmp", "c".repeat(64))
        ]
    );
}

#[test]
fn a_used_entry_is_kept() {
    let fixture = fixture();
    let entry = fixture.store(EMPTY);
    let file = File::options()
        .write(true)
        .open(&entry.path)
        .expect("the file must belong to this user");
    file.set_modified(SystemTime::now() - 31 * DAY)
        .expect("the file must belong to this user");
    assert!(entry.load(&fixture.engine).is_some());
    fixture
        .cache
        .prune(SystemTime::now())
        .expect("the folder must be readable");
    assert!(entry.load(&fixture.engine).is_some());
}

#[test]
fn the_oldest_entries_are_removed_above_the_limit() {
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
        .expect("the folder must be readable");
    assert_eq!(fixture.names(), ['a', 'b', 'd'].map(named));
}

#[test]
fn foreign_files_are_kept() {
    let fixture = fixture();
    let names = ["aa.code", "notes.code", "notes.tmp", "notes.txt"];
    for name in names {
        fixture.add(name, FOLDER_BYTES_MAX, 1_000 * DAY);
    }
    fixture
        .cache
        .prune(SystemTime::now())
        .expect("the folder must be readable");
    assert_eq!(fixture.names(), names);
}
