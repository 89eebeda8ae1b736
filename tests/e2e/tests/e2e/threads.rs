//! Limits of the system on threads: a start that needs more is refused, and the error names the
//! thread, the reason and the next step.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use e2e::{App, Ended, Nats, Started, guest};

/// An app that runs as a user without other processes, so that a limit counts the app's threads.
///
/// Root becomes a user of that number, whom no limit of root concerns. Other users get a user
/// namespace, where the count begins at 0.
struct Limited {
    app: App,
    /// `None` if the tests do not run as root.
    user: Option<u32>,
}

impl Limited {
    /// Prepares an app; `number` tells apart the tests of a process.
    fn new(app: App, number: u32) -> Self {
        let is_root = fs::metadata("/proc/self").map(|own| own.uid() == 0);
        let is_root = is_root.expect("Linux must show the process");
        let user = is_root.then(|| 20_000 + (std::process::id() * 4 + number) % 40_000);
        let folder = app.folder();
        // The other user may reach neither the target folder nor the app.
        fs::copy(e2e::parigot(), folder.join("parigot")).expect("the command must be built");
        fs::set_permissions(folder, Permissions::from_mode(0o755)).expect("the folder is ours");
        fs::create_dir(folder.join("caches")).expect("the folder must be writable");
        chown(folder.join("caches"), user, user).expect("root may give away a folder");
        Limited { app, user }
    }

    /// Runs the app with at most that many threads.
    fn run(&self, threads: &str, arguments: &[&str]) -> Ended {
        let mut command = match self.user {
            Some(user) => {
                let mut command = Command::new("prlimit");
                command.uid(user).gid(user);
                command
            }
            None => {
                let mut command = Command::new("unshare");
                command.args(["--user", "prlimit"]);
                command
            }
        };
        let run = self.app.command();
        command
            .arg(format!("--nproc={threads}"))
            .arg("./parigot")
            .args(run.get_args())
            .args(arguments)
            .env("XDG_CACHE_HOME", self.app.folder().join("caches"))
            .current_dir(self.app.folder());
        Started::new(&mut command).wait()
    }

    /// Raises the limit from 1 until the app succeeds. Checks the error of each limit before, and
    /// returns the names of the missing threads.
    #[track_caller]
    fn check_each_limit(&self) -> BTreeSet<String> {
        let filled = self.run("1000", &[]);
        assert_eq!(filled.status, Some(0), "{}", filled.stderr);
        let mut names = BTreeSet::new();
        for threads in 1..1_000 {
            let ended = self.run(&threads.to_string(), &[]);
            if ended.status == Some(0) {
                return names;
            }
            names.insert(missing_thread(&ended));
        }
        panic!("the app must succeed at some limit");
    }
}

/// Checks the error of a missing thread, and returns the thread's name.
#[track_caller]
fn missing_thread(ended: &Ended) -> String {
    let text = &ended.stderr;
    assert!(matches!(ended.status, Some(1 | 3)), "{text}");
    assert!(!text.contains("panicked"), "{text}");
    // Long lines of an error are broken between words.
    let words = text.split_whitespace().filter(|word| *word != "│");
    let line = words.collect::<Vec<_>>().join(" ");
    assert!(line.contains("Resource temporarily unavailable"), "{text}");
    assert!(
        line.contains("`ulimit -u` for the user, `pids.max`"),
        "{text}"
    );
    let after = line.split_once("cannot start the thread `");
    let name = after.and_then(|(_, after)| after.split_once('`'));
    name.expect("the thread must be named").0.to_owned()
}

#[track_caller]
fn assert_named(names: &BTreeSet<String>, expected: &[&str]) {
    for name in expected {
        assert!(names.contains(*name), "{name}: {names:?}");
    }
}

#[test]
fn each_missing_thread_of_a_run_is_named() {
    let app = App::new("[program.stdio]\nwasm = 'stdio.wasm'\nargs = ['cat']\n")
        .with("stdio.wasm", guest("stdio"));
    let names = Limited::new(app, 0).check_each_limit();
    let of_command = ["parigot log", "parigot signal"];
    let of_host = ["boot", "ticks", "timers", "restarts", "worker"];
    let of_host = of_host.map(|name| format!("parigot {name}"));
    assert_named(&names, &of_command);
    assert_named(&names, &of_host.each_ref().map(String::as_str));
    assert_named(&names, &["parigot stdin", "parigot stdout"]);
}

#[test]
fn a_missing_thread_of_the_compiler_is_named() {
    let app = App::new("[program.bare]\nwasm = 'bare.wasm'\n").with("bare.wasm", guest("bare"));
    let app = Limited::new(app, 1);
    // The main thread, and those of the log, the signals, the boot and the ticks.
    let ended = app.run("5", &["--no-cache"]);
    assert_eq!(missing_thread(&ended), "parigot compile");
}

#[test]
fn each_missing_thread_of_a_process_group_is_named() {
    let nats = Nats::start();
    let app = App::new("[program.bare]\nwasm = 'bare.wasm'\n").with("bare.wasm", guest("bare"));
    let app = Limited::new(app.apart(&nats, &[("all", "bare")]), 2);
    let names = app.check_each_limit();
    assert_named(&names, &["parigot check", "parigot parent"]);
    assert_named(&names, &["parigot network", "parigot lookup"]);
}
