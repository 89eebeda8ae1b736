//! Damage, limits and ownership of the file.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;

use parigot_guest::kv::v1::ScanRequest;

use rusqlite::Connection;

use super::super::file::StoreFile;
use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder must be available")
}

/// Returns the fact and the next step of a store that is not opened.
#[track_caller]
fn refusal(spec: &ProviderSpec) -> String {
    match open(spec) {
        Ok(_) => panic!("the store must be refused"),
        Err(error) => format!("{error}; {}", error.help()),
    }
}

#[test]
fn entries_and_revisions_survive_a_restart() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    let first = store(&path);
    assert_eq!(first.set("a", "1").expect("the store has room"), 1);
    assert!(first.delete("a").expect("deletions need no room"));
    assert_eq!(first.set("b", "2").expect("the store has room"), 3);
    drop(first);
    let second = store(&path);
    let entry = second.get("b").expect("the entry is sound");
    assert_eq!(entry.expect("the entry must exist").value, b"2");
    assert_eq!(second.get("a").expect("the store can be read"), None);
    assert_eq!(second.set("a", "3").expect("the store has room"), 4);
}

#[test]
fn calls_of_many_threads_are_all_answered() {
    let folder = folder();
    let store = store(&folder.path().join("sessions.db"));
    thread::scope(|scope| {
        for worker in 0..16 {
            let store = &store;
            scope.spawn(move || {
                for at in 0..50 {
                    let set = store.set(&format!("{worker}/{at}"), "x");
                    set.expect("the store has room");
                }
            });
        }
    });
    assert_eq!(store.set("last", "x").expect("the store has room"), 801);
}

/// Clock that advances at each reading, so that each transaction has a time of its own.
struct TickingClock(AtomicU64);

impl Clock for TickingClock {
    fn monotonic_ns(&self) -> u64 {
        0
    }

    fn wall_ns(&self) -> u64 {
        self.0.fetch_add(1_000_000, Ordering::SeqCst)
    }

    fn real_time_until(&self, _: u64) -> Option<Duration> {
        None
    }

    fn on_moved(&self, _: Box<dyn Fn() + Send>) {}
}

#[test]
fn calls_that_wait_share_one_commit() {
    let folder = folder();
    let clock = Arc::new(TickingClock(AtomicU64::new(1_000_000)));
    let serve = Kv::new(clock).open(&spec(&folder.path().join("sessions.db")));
    let serve = serve.unwrap_or_else(|error| panic!("{error}"));
    let (begin, begun) = channel();
    let caller = ProviderCaller::start(Box::new(move |calls| {
        begun.recv().expect("the test must begin");
        serve(calls);
    }));
    thread::scope(|scope| {
        for at in 0..50 {
            let caller = &caller;
            scope.spawn(move || {
                let set = caller.call::<kv::Set>(SetRequest {
                    key: format!("key/{at}"),
                    ..SetRequest::default()
                });
                set.expect("the store has room");
            });
        }
        while caller.waiting() < 50 {
            thread::yield_now();
        }
        begin.send(()).expect("the provider must wait");
    });
    let scanned = caller.call::<kv::Scan>(ScanRequest::default());
    let entries = scanned.expect("the store can be read").entries;
    assert_eq!(entries.len(), 50);
    let first = entries[0].modified_ms;
    assert!(entries.iter().all(|entry| entry.modified_ms == first));
}

#[test]
fn a_flipped_byte_is_an_error_of_its_entry_only() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    let first = store(&path);
    first
        .set("a", "the value of a")
        .expect("the store has room");
    first
        .set("b", "the value of b")
        .expect("the store has room");
    drop(first);
    let mut bytes = fs::read(&path).expect("the file must exist");
    let value = b"the value of a";
    let at = bytes
        .windows(value.len())
        .position(|window| window == value);
    bytes[at.expect("the file must have the value")] ^= 1;
    fs::write(&path, bytes).expect("the file must be writable");
    let second = store(&path);
    assert_eq!(error(second.get("a")), KvErr::DataLoss);
    assert!(second.get("b").expect("the entry is sound").is_some());
    second
        .set("a", "new")
        .expect("a damaged entry can be replaced");
    let entry = second.get("a").expect("the entry is sound");
    assert_eq!(entry.expect("the entry must exist").value, b"new");
}

#[test]
fn a_damaged_page_is_an_error_of_the_store() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    let first = store(&path);
    for at in 0..100 {
        let set = first.set(&format!("key {at:03}"), vec![b'v'; 500]);
        set.expect("the store has room");
    }
    drop(first);
    let mut bytes = fs::read(&path).expect("the file must exist");
    // The first pages have the schema. The others hold the entries and their index.
    let end = bytes.len();
    bytes[8 * 4096..end].fill(0xee);
    fs::write(&path, bytes).expect("the file must be writable");
    let second = store(&path);
    let outcomes = (0..100).map(|at| second.get(&format!("key {at:03}")));
    let failed: Vec<_> = outcomes.filter(Result::is_err).map(error).collect();
    assert!(!failed.is_empty(), "some entries must be damaged");
    assert!(
        failed.iter().all(|kind| *kind == KvErr::DataLoss),
        "{failed:?}"
    );
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    drop(store(&path));
    let connection = Connection::open(&path).expect("the file is a database");
    let newer = connection.execute_batch("PRAGMA user_version = 2");
    newer.expect("the file must be writable");
    drop(connection);
    let expected = format!(
        "{} has the schema 2 of a newer parigot; this one knows 1; run the newer parigot, which \
         has written the file",
        path.display()
    );
    assert_eq!(refusal(&spec(&path)), expected);
}

#[test]
fn other_files_are_refused() {
    let folder = folder();
    let path = folder.path().join("other");
    let expected = format!(
        "{} is not a key-value store of parigot; correct the path, or move the file away",
        path.display()
    );
    fs::write(&path, vec![b'x'; 5_000]).expect("the folder must be writable");
    assert_eq!(refusal(&spec(&path)), expected);
    fs::remove_file(&path).expect("the file must exist");
    let connection = Connection::open(&path).expect("the folder must be writable");
    let tables = connection.execute_batch("CREATE TABLE users (name TEXT)");
    tables.expect("the file must be writable");
    drop(connection);
    assert_eq!(refusal(&spec(&path)), expected);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = folder();
    let path = folder.path().join("data/sessions.db");
    let expected = format!(
        "the folder of {} does not exist; create the folder: `mkdir -p {}`",
        path.display(),
        folder.path().join("data").display()
    );
    assert_eq!(refusal(&spec(&path)), expected);
}

#[test]
fn a_file_in_use_is_refused_with_its_owner() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    let first = store(&path);
    let text = refusal(&spec(&path));
    let expected = format!(
        "{} is used by process {} on ",
        path.display(),
        std::process::id()
    );
    assert!(text.starts_with(&expected), "{text}");
    drop(first);
    store(&path);
}

#[test]
fn a_full_store_still_reads_and_deletes() {
    let folder = folder();
    let store = open(&spec(&folder.path().join("sessions.db")).with("max_size", "1MiB"));
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let value = vec![7; 64 << 10];
    let mut count = 0;
    let refused = loop {
        match store.set(&format!("key/{count}"), &*value) {
            Ok(_) => count += 1,
            refused => break refused,
        }
    };
    assert_eq!(error(refused), KvErr::StoreFull);
    assert!((10..16).contains(&count), "{count} values fit");
    assert!(store.get("key/0").expect("the entry is sound").is_some());
    assert!(store.delete("key/0").expect("deletions need no room"));
    store
        .set("key/new", &*value)
        .expect("the deletion has made room");
}

#[test]
fn expired_entries_make_room() {
    let folder = folder();
    let store = open(&spec(&folder.path().join("sessions.db")).with("max_size", "1MiB"));
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    for at in 0..50 {
        let set = store.call::<kv::Set>(SetRequest {
            key: format!("key/{at}"),
            value: vec![7; 64 << 10],
            if_revision: None,
            ttl_s: 1,
        });
        set.expect("expired entries must be deleted");
        store.clock.0.fetch_add(2_000_000_000, Ordering::SeqCst);
    }
}

#[test]
fn a_clock_that_is_set_back_revives_no_entry() {
    let folder = folder();
    let path = folder.path().join("sessions.db");
    let first = store(&path);
    let set = first.call::<kv::Set>(SetRequest {
        key: "a".into(),
        ttl_s: 5,
        ..SetRequest::default()
    });
    set.expect("the store has room");
    first.clock.0.fetch_add(10_000_000_000, Ordering::SeqCst);
    assert_eq!(first.get("a").expect("the store can be read"), None);
    first.clock.0.fetch_sub(10_000_000_000, Ordering::SeqCst);
    assert_eq!(first.get("a").expect("the store can be read"), None);
    first.set("b", "").expect("the store has room");
    drop(first);
    // The new clock shows the time of the write.
    assert_eq!(store(&path).get("a").expect("the store can be read"), None);
}

#[test]
fn wrong_keys_of_the_table_are_refused() {
    let new = || ProviderSpec::new("sessions", "kv");
    for (spec, expected) in [
        (
            new(),
            "its table has no `path`; add the file of the store: `path = \"sessions.db\"`",
        ),
        (
            new().with("path", ""),
            "`path` is empty; name a file, relative to the deployment file",
        ),
        (
            new().with("pth", "x"),
            "unknown key `pth`; did you mean `path`?",
        ),
        (
            new().with("path", "x").with("max_size", "7"),
            "`max_size` is \"7\", which is not a size; write a whole number and KiB, MiB or GiB, \
             such as \"64MiB\"",
        ),
        (
            new().with("path", "x").with("max_size", "1KiB"),
            "`max_size` is out of range; write a size from \"1MiB\" to \"1024GiB\"",
        ),
    ] {
        assert_eq!(refusal(&spec), expected);
        let checked = Kv::default()
            .check(&spec)
            .expect_err("the check must refuse it too");
        assert!(expected.starts_with(&checked.to_string()), "{checked}");
    }
}

#[test]
fn a_file_is_opened_again_with_its_entries() {
    let folder = folder();
    let file = StoreFile::open(&folder.path().join("sessions.db"), 1 << 20);
    let mut file = file.unwrap_or_else(|error| panic!("{error}"));
    let insert = "INSERT INTO entries VALUES (1, x'61', x'31', 1, 0, 0, 0)";
    let inserted = file.connection.execute(insert, []);
    inserted.expect("the file must be writable");
    file.reopen().unwrap_or_else(|error| panic!("{error}"));
    let count = "SELECT count(*) FROM entries";
    let count: i64 = file
        .connection
        .query_one(count, [], |row| row.get(0))
        .expect("the file must be readable");
    assert_eq!(count, 1);
}

#[test]
fn writes_are_synced_before_their_answer() {
    let folder = folder();
    let file = StoreFile::open(&folder.path().join("sessions.db"), 1 << 20);
    let file = file.unwrap_or_else(|error| panic!("{error}"));
    let pragma = |name: &str| {
        let sql = format!("PRAGMA {name}");
        let value = file
            .connection
            .query_one(&sql, [], |row| row.get::<_, rusqlite::types::Value>(0));
        value.expect("the setting must exist")
    };
    // FULL
    assert_eq!(pragma("synchronous"), rusqlite::types::Value::Integer(2));
    assert_eq!(
        pragma("journal_mode"),
        rusqlite::types::Value::Text("wal".into())
    );
}
