//! The code cache: a second start compiles nothing, and whatever lies in its folder, the guests run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

use e2e::{App, Ended, Started, guest};
use parigot_host::Settings;
use parigot_host::deployment::Deployment;

const COMPILED: &str = "compiled";
const CACHED: &str = "compiled before, taken from the cache";

fn bare() -> App {
    App::new("[program.bare]\nwasm = \"bare.wasm\"\n").with("bare.wasm", guest("bare"))
}

/// `parigot run app.toml` with a cache of the app's own.
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

/// Checks that the guest has run, and where its code came from.
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
    let files =
        fs::read_dir(app.folder().join("caches/parigot/code")).expect("the folder was made");
    files
        .map(|file| file.expect("it can be read").path())
        .collect()
}

/// Checks that after `damage` to the entry the guest is compiled anew, which is said, and that the next start has it from the cache.
#[track_caller]
fn check_made_anew(damage: impl Fn(&Path), reason: &str) {
    let app = bare();
    check(&run(&app), COMPILED);
    let [entry] = &entries(&app)[..] else {
        panic!("one guest, one entry")
    };
    damage(entry);
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = format!(
        "a cached module is made anew: {}: {reason}",
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
fn a_damaged_entry_is_made_anew() {
    let damage = |entry: &Path| {
        let mut content = fs::read(entry).expect("it is there");
        let middle = content.len() / 2;
        content[middle] ^= 1;
        fs::write(entry, content).expect("it is ours");
    };
    check_made_anew(damage, "its checksum is wrong");
}

#[test]
fn an_entry_that_was_cut_short_is_made_anew() {
    let damage = |entry: &Path| {
        let bytes = fs::metadata(entry).expect("it is there").len();
        fs::File::options()
            .write(true)
            .open(entry)
            .and_then(|file| file.set_len(bytes - 1))
            .expect("it is ours");
    };
    check_made_anew(damage, "its checksum is wrong");
}

#[test]
fn a_foreign_file_is_made_anew() {
    let damage = |entry: &Path| {
        fs::write(entry, "no code, but a text that is longer than a checksum").expect("it is ours")
    };
    check_made_anew(damage, "its checksum is wrong");
}

#[cfg(unix)]
#[test]
fn an_entry_that_others_can_write_to_is_made_anew() {
    use std::os::unix::fs::PermissionsExt;
    let damage = |entry: &Path| {
        fs::set_permissions(entry, fs::Permissions::from_mode(0o666)).expect("it is ours")
    };
    check_made_anew(damage, "other users can write to it");
}

#[cfg(unix)]
#[test]
fn a_folder_that_others_can_write_to_is_not_used() {
    use std::os::unix::fs::PermissionsExt;
    let app = bare();
    check(&run(&app), COMPILED);
    let folder = app.folder().join("caches/parigot/code");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o777)).expect("it is ours");
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = format!(
        "compiled guests are not kept: other users can write to {}",
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
fn several_starts_at_once_do_not_fight() {
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
        assert!(!ended.stderr.contains("made anew"), "{}", ended.stderr);
    }
    assert_eq!(entries(&app).len(), 1, "no temporary file is left");
    check(&run(&app), CACHED);
}

#[test]
fn a_cache_that_cannot_be_written_stops_nobody() {
    let app = bare().with("caches", "a file where the folder would be");
    let ended = run(&app);
    check(&ended, COMPILED);
    let said = |line: &e2e::Line| {
        line.level == "DEBUG" && line.message.starts_with("compiled guests are not kept: ")
    };
    assert!(ended.log().iter().any(said), "{}", ended.stderr);
}

#[test]
fn what_is_no_guest_is_refused_from_the_cache_too() {
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
fn whoever_wants_to_know_is_told_what_is_being_compiled() {
    let app = bare();
    let deployment = Deployment::read(&app.file()).expect("the file is right");
    let told = || {
        let told = Arc::new(Mutex::new(Vec::new()));
        let tell = {
            let told = Arc::clone(&told);
            move |guests: &[&str]| told.lock().expect("one at a time").push(guests.join(" "))
        };
        let code_cache = Some(app.folder().join("code"));
        let settings = Settings {
            code_cache,
            on_compiling: Some(Arc::new(tell)),
            ..Settings::default()
        };
        assert_eq!(
            parigot_host::start(&deployment, settings)
                .expect("it starts")
                .wait()
                .status,
            0
        );
        std::mem::take(&mut *told.lock().expect("one at a time"))
    };
    assert_eq!(told(), ["bare", ""]);
    assert_eq!(told(), [""; 0], "what is in the cache is not compiled");
}
