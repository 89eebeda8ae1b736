//! A second user of the system, who attacks the folders above a cache while starts use the cache.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use super::*;

/// User and group without rights, on most systems.
const ATTACKER: u32 = 65_534;

/// Rounds of the attack during which starts run.
const ROUNDS: u32 = 200;

const DEADLINE: Duration = Duration::from_secs(120);

/// Script of the attacker, in the folder with the cases. `foreign` has an entry with code of the
/// attacker under the name, and with the checksum, of the victim's entry. Each round exchanges:
///
/// - a link in a sticky folder that leads to the private folder, or to the attacker's;
/// - a folder in a sticky folder that the victim creates if it is missing;
/// - a folder of the victim in a folder that all users may write to;
///
/// and tries to write into the private folder. The foreign entry in the open folder belongs to the
/// victim: a server that stores uploads writes such files.
const ATTACK: &str = "
cp -r foreign sticky/theirs
cp -r foreign open/theirs
mv open/upload open/theirs/code/*
while echo round; do
    ln -sfn ../private sticky/link
    mv -T sticky/theirs sticky/new && mv -T sticky/new sticky/theirs
    ln -sfn theirs sticky/link
    mv -T open/cache open/taken && mv -T open/theirs open/cache
    cp foreign/code/* private/code/
    mv -T open/cache open/theirs && mv -T open/taken open/cache
done 2>/dev/null";

/// Running attacker. Dropping it ends the attack.
struct Attacker(Child);

impl Drop for Attacker {
    fn drop(&mut self) {
        // The next `echo` of the script fails, because the reader of its pipe is gone.
        drop(self.0.stdout.take());
        let _ = self.0.wait();
    }
}

impl Attacker {
    /// Starts the attack as another user.
    fn start(folder: &Path) -> Self {
        let is_root = user_id() == 0;
        let mut command = if is_root {
            let mut command = Command::new("sh");
            command.uid(ATTACKER).gid(ATTACKER);
            command
        } else {
            let mut command = Command::new("sudo");
            command.args(["--non-interactive", "--user=#65534", "sh"]);
            command
        };
        command.args(["-c", ATTACK]).current_dir(folder);
        let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
        Attacker(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

fn user_id() -> u32 {
    let own = fs::metadata("/proc/self").expect("Linux must show the process");
    std::os::unix::fs::MetadataExt::uid(&own)
}

/// Returns a module whose export has this name.
fn module(export: &str) -> Vec<u8> {
    wat::parse_str(format!("(module (func (export {export:?})))")).expect("the text is a module")
}

/// Creates the folders of the cases, with the attacker's entry, which is intact but for its code.
fn cases(root: &Path, engine: &Engine) {
    let set_mode = |folder: &Path, mode| {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode)).expect("the folder is ours");
    };
    set_mode(root, 0o755);
    for (name, mode) in [("sticky", 0o1777), ("open", 0o777), ("private", 0o755)] {
        fs::create_dir(root.join(name)).expect("the folder must be writable");
        set_mode(&root.join(name), mode);
    }
    fs::create_dir(root.join("open/cache")).expect("the folder must be writable");
    let foreign = root.join("foreign/code");
    let cache = Cache::open(&foreign, engine).expect("the folder must be private");
    let code = engine
        .precompile_module(&module("foreign"))
        .expect("the bytes are a module");
    let entry = cache.entry(&digest(&module("own")));
    entry.store(&code);
    assert!(entry.load(engine).is_some(), "the entry must be intact");
    for folder in [root.join("foreign"), foreign] {
        set_mode(&folder, 0o755);
    }
    set_mode(&entry.path, 0o644);
    let upload = root.join("open/upload");
    fs::copy(&entry.path, upload).expect("the folder must be writable");
}

/// Number of starts by their outcome.
#[derive(Debug, Default)]
struct Starts {
    refused: u32,
    compiled: u32,
    loaded: u32,
    foreign: u32,
}

impl Starts {
    /// Uses a cache as a start does: loads the code, or compiles and stores the module.
    fn start(&mut self, folder: &Path, engine: &Engine, own: &[u8]) {
        let Some(cache) = Cache::open(folder, engine) else {
            self.refused += 1;
            return;
        };
        let bytes = module("own");
        let entry = cache.entry(&digest(&bytes));
        match entry.load(engine) {
            Some(loaded) if loaded.get_export("own").is_some() => self.loaded += 1,
            Some(_) => self.foreign += 1,
            None => {
                self.compiled += 1;
                entry.store(own);
            }
        }
    }
}

#[test]
fn another_user_cannot_make_a_start_run_foreign_code() {
    let folder = tempfile::tempdir().expect("a temporary folder must be available");
    let root = folder.path();
    let engine = Engine::default();
    cases(root, &engine);
    let own = engine
        .precompile_module(&module("own"))
        .expect("the bytes are a module");
    // The private folder exists before the attack, so that the link leads to a cache.
    let mut starts = Starts::default();
    starts.start(&root.join("private/code"), &engine, &own);
    let mut attacker = Attacker::start(root);
    let lines = attacker.0.stdout.take().expect("stdout is a pipe");
    let rounds = AtomicU32::new(0);
    let begun = Instant::now();
    std::thread::scope(|scope| {
        let rounds = &rounds;
        scope.spawn(move || {
            let mut lines = BufReader::new(lines).lines();
            while rounds.load(Ordering::Relaxed) < ROUNDS && lines.next().is_some() {
                rounds.fetch_add(1, Ordering::Relaxed);
            }
            // A dead attacker ends the starts as well; the count below fails then.
            if rounds.load(Ordering::Relaxed) < ROUNDS {
                rounds.store(u32::MAX, Ordering::Relaxed);
            }
        });
        while rounds.load(Ordering::Relaxed) < ROUNDS && begun.elapsed() < DEADLINE {
            for case in ["sticky/link/code", "sticky/new/code", "open/cache/code"] {
                starts.start(&root.join(case), &engine, &own);
            }
            // Only then can the attacker put a folder of that name in place again.
            let _ = fs::remove_dir_all(root.join("sticky/new"));
        }
    });
    assert_eq!(
        rounds.load(Ordering::Relaxed),
        ROUNDS,
        "no second user attacked: run the tests as root, or let `sudo --non-interactive \
         --user=#65534 sh` run without a password"
    );
    assert_eq!(starts.foreign, 0, "{starts:?}");
    // The attack reached starts before, during and after the exchange of folders.
    assert!(
        starts.refused > 0 && starts.compiled > 0 && starts.loaded > 0,
        "{starts:?}"
    );
    println!("{starts:?}");
}
