//! The code cache: a second start compiles nothing, and guests run whatever is in the cache folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use e2e::{App, Ended, Started, guest};
use parigot_host::Settings;
use parigot_host::deployment::Deployment;

const COMPILED: &str = "compiled";
const CACHED: &str = "loaded from the code cache";

fn bare() -> App {
    App::new("[program.bare]\nwasm = \"bare.wasm\"\n").with("bare.wasm", guest("bare"))
}

/// Returns the command `parigot run app.toml` with a cache in the app's folder.
fn command(app: &App) -> Command {
    let mut command = app.command();
    command
        .args(["--log-level", "debug"])
        .env("XDG_CACHE_HOME", app.folder().join("caches"));
    command
}

fn run(app: &App) -> Ended {
    Started::new(&mut command(app)).wait()
}

/// Checks that the guest has run, and the origin of its code.
#[track_caller]
fn check(ended: &Ended, origin: &str) {
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    let messages = ended.messages_of("bare");
    assert!(
        messages[0].starts_with(&format!("{origin} ms=")),
        "{origin}: {}",
        ended.stderr
    );
    assert!(
        messages.contains(&"no std in here".to_owned()),
        "{}",
        ended.stderr
    );
}

fn entries(app: &App) -> Vec<PathBuf> {
    let files = fs::read_dir(app.folder().join("caches/parigot/code"))
        .expect("the cache folder must exist");
    files
        .map(|file| file.expect("the folder must be readable").path())
        .collect()
}

/// Checks that the guest is compiled again after `damage` to its cache entry, that the reason is
/// logged, and that the next start uses the new entry.
#[track_caller]
fn check_compiled_again(damage: impl Fn(&Path), reason: &str) {
    let app = bare();
    check(&run(&app), COMPILED);
    let [entry] = &entries(&app)[..] else {
        panic!("one guest, one entry")
    };
    damage(entry);
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = format!(
        "recompiling an unusable cache entry: {}: {reason}",
        entry.display()
    );
    assert!(
        ended
            .log()
            .iter()
            .any(|line| line.level == "DEBUG" && line.message == said),
        "{}",
        ended.stderr
    );
    check(&run(&app), CACHED);
    assert_eq!(entries(&app), [&**entry]);
}

#[test]
fn a_second_start_compiles_nothing() {
    let app = bare();
    check(&run(&app), COMPILED);
    check(&run(&app), CACHED);
    check(
        &Started::new(command(&app).arg("--no-cache")).wait(),
        COMPILED,
    );
}

#[test]
fn guests_of_one_file_share_its_code() {
    let app = App::new("[program.a]\nwasm = \"bare.wasm\"\n[program.b]\nwasm = \"bare.wasm\"\n");
    let app = app.with("bare.wasm", guest("bare"));
    let ended = run(&app);
    assert_eq!(ended.status, Some(0), "{}", ended.stderr);
    assert_eq!(
        ended.stderr.matches("compiled ms=").count(),
        1,
        "{}",
        ended.stderr
    );
    assert_eq!(
        ended.stderr.matches("no std in here").count(),
        2,
        "{}",
        ended.stderr
    );
}

#[test]
fn a_damaged_entry_is_compiled_again() {
    let damage = |entry: &Path| {
        let mut content = fs::read(entry).expect("the file must be readable");
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(entry, content).expect("the file must be writable");
    };
    check_compiled_again(damage, "wrong checksum");
}

#[test]
fn a_truncated_entry_is_compiled_again() {
    let damage = |entry: &Path| {
        let bytes = fs::metadata(entry)
            .expect("the file must be readable")
            .len();
        fs::File::options()
            .write(true)
            .open(entry)
            .and_then(|file| file.set_len(bytes - 1))
            .expect("the file must be writable");
    };
    check_compiled_again(damage, "wrong checksum");
}

#[test]
fn a_foreign_file_is_replaced() {
    let damage = |entry: &Path| {
        fs::write(entry, "no code, but a text that is longer than a checksum")
            .expect("the file must be writable")
    };
    check_compiled_again(damage, "wrong checksum");
}

#[cfg(unix)]
#[test]
fn an_entry_writable_by_others_is_compiled_again() {
    use std::os::unix::fs::PermissionsExt;
    let damage = |entry: &Path| {
        fs::set_permissions(entry, fs::Permissions::from_mode(0o666))
            .expect("the file must be writable")
    };
    check_compiled_again(damage, "is writable by other users: run `chmod go-w` on it");
}

#[cfg(unix)]
#[test]
fn a_folder_writable_by_others_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let app = bare();
    check(&run(&app), COMPILED);
    let folder = app.folder().join("caches/parigot/code");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))
        .expect("the file must be writable");
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = format!(
        "code cache disabled: {} is writable by other users: run `chmod go-w` on it",
        folder.display()
    );
    assert!(
        ended
            .log()
            .iter()
            .any(|line| line.level == "WARN" && line.message == said),
        "{}",
        ended.stderr
    );
}

#[test]
fn concurrent_starts_share_the_cache() {
    let app = bare();
    let starts = [(); 4].map(|()| Started::new(&mut command(&app)));
    for start in starts {
        let ended = start.wait();
        assert_eq!(ended.status, Some(0), "{}", ended.stderr);
        assert!(
            ended
                .messages_of("bare")
                .contains(&"no std in here".to_owned()),
            "{}",
            ended.stderr
        );
        assert!(!ended.stderr.contains("recompiling"), "{}", ended.stderr);
    }
    assert_eq!(entries(&app).len(), 1, "no temporary file is left");
    check(&run(&app), CACHED);
}

#[test]
fn an_unwritable_cache_does_not_stop_guests() {
    let app = bare().with("caches", "a file where the folder would be");
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = |line: &e2e::Line| {
        line.level == "WARN"
            && line
                .message
                .starts_with("code cache disabled: cannot create or read ")
    };
    assert!(ended.log().iter().any(said), "{}", ended.stderr);
}

/// Only root can give a folder to another user. The suite runs as root in containers; elsewhere the
/// folder of root, `/`, is what another user owns.
#[cfg(unix)]
#[test]
fn a_folder_of_another_user_is_named() {
    let app = bare();
    let folder = app.folder().join("caches/parigot/code");
    fs::create_dir_all(&folder).expect("the folder must be writable");
    let is_given = std::os::unix::fs::chown(&folder, Some(12_345), None).is_ok();
    if !is_given {
        fs::remove_dir(&folder).expect("the folder must be empty");
        std::os::unix::fs::symlink("/", &folder).expect("the folder must be writable");
    }
    let ended = run(&app);
    check(&ended, COMPILED);
    let owner = if is_given { 12_345 } else { 0 };
    let said = format!(
        "code cache disabled: {} belongs to the user with id {owner}, ",
        folder.display()
    );
    let said = |line: &e2e::Line| line.level == "WARN" && line.message.starts_with(&said);
    assert!(ended.log().iter().any(said), "{}", ended.stderr);
}

#[test]
fn a_cached_module_is_checked_again() {
    let app = App::new("[program.bare]\nwasm = \"bare.wasm\"\n").with_wat("bare.wasm", "(module)");
    for _ in 0..2 {
        let ended = run(&app);
        assert!(
            ended
                .stderr
                .contains("does not export a memory named `memory`"),
            "{}",
            ended.stderr
        );
        assert_eq!(ended.status, Some(3));
        assert_eq!(entries(&app).len(), 1);
    }
}

#[test]
fn on_compiling_gets_the_names_of_guests() {
    let app = bare();
    let deployment = Deployment::read(&app.file()).expect("the deployment file must be valid");
    let told = || {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = Arc::clone(&told);
            move |guests: &[&str]| {
                told.lock()
                    .expect("no test panics with this lock")
                    .push(guests.join(" "))
            }
        };
        let code_cache = Some(app.folder().join("code"));
        let settings = Settings {
            code_cache,
            on_compiling: Some(Arc::new(tell)),
            ..Settings::default()
        };
        assert_eq!(
            parigot_host::start(&deployment, settings)
                .expect("the deployment must start")
                .wait()
                .status,
            0
        );
        std::mem::take(&mut *told.lock().expect("no test panics with this lock"))
    };
    assert_eq!(told(), ["bare", ""]);
    assert_eq!(told(), [""; 0], "what is in the cache is not compiled");
}
