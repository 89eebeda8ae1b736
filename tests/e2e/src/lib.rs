//! Runs the real `parigot` and real hosts on real guests, and checks what a user would see.
//!
//! The command, the examples and the guests are built on first use, by cargo, go and make. No
//! process that is started here outlives [`DEADLINE`].

mod build;
mod busy;
mod capture;
mod control_pair;
mod declare;
mod hosts;
mod kills;
mod language;
mod manual;
mod nats;
mod process;

pub use build::{
    caches, code_cache, debug_guest, example, example_for_debugger, go_example, go_guest, go_probe,
    guest, guest_file, parigot, protoc, root, shop, streams,
};
pub use busy::{BusyCores, soak};
pub use capture::{Capture, Captured};
pub use control_pair::{CONTROL_PAIR, PairCalls, Ran, StartedWithPair, WithControlPair};
pub use declare::{declaring, service, trapping_inbox};
pub use hosts::{ChildProcess, Deployed, Hosts};
pub use kills::{histogram, kill_times};
pub use language::{Language, PAIRS};
pub use manual::start_on_manual_clock;
pub use nats::Nats;
pub use process::{DEADLINE, Ended, Line, Started, signal, within_deadline};

use std::path::{Path, PathBuf};
use std::process::Command;

use parigot_abi::manifest::{Requirement, Service};

/// A temporary folder with a deployment file and its guests. Dropping it removes the folder.
#[derive(Debug)]
pub struct App {
    folder: tempfile::TempDir,
}

impl App {
    /// Creates a folder with the file `app.toml`: `manifest_version = 1`, followed by `deployment`.
    pub fn new(deployment: &str) -> Self {
        let app = App {
            folder: tempfile::tempdir().expect("a temporary folder must be writable"),
        };
        app.with("app.toml", format!("manifest_version = 1\n{deployment}"))
    }

    /// Adds a file, for example a guest.
    pub fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder.path().join(name), content)
            .expect("a temporary folder must be writable");
        self
    }

    /// Adds a guest that is written in WebAssembly text.
    pub fn with_wat(self, name: &str, text: &str) -> Self {
        self.with(
            name,
            wat::parse_str(text).expect("the text must be a valid module"),
        )
    }

    /// Adds a guest whose wasm file exports and requires services of these names, and never asks to
    /// be launched. Without exports it is a program. A requirement may have the name of a binding:
    /// `x.Kv as cache`.
    pub fn with_service(self, name: &str, exports: &[&str], requires: &[&str]) -> Self {
        let requirement = |text: &&str| {
            let (name, binding) = text.split_once(" as ").unwrap_or((text, ""));
            Requirement {
                service: service(name),
                binding: binding.to_owned(),
            }
        };
        let exports: Vec<_> = exports.iter().map(|name| service(name)).collect();
        let requires: Vec<_> = requires.iter().map(requirement).collect();
        let module = declaring(&exports, &requires, &[]);
        self.with_module(name, exports.is_empty(), module)
    }

    /// Does the same with complete descriptions of the services.
    pub fn with_declaring(self, name: &str, exports: &[Service], requires: &[Service]) -> Self {
        self.with_described(name, exports, requires, &[])
    }

    /// Adds such a guest, which also has descriptors.
    pub fn with_described(
        self,
        name: &str,
        exports: &[Service],
        requires: &[Service],
        descriptors: &[u8],
    ) -> Self {
        let requires: Vec<_> = requires.iter().cloned().map(Into::into).collect();
        let module = declaring(exports, &requires, descriptors);
        self.with_module(name, exports.is_empty(), module)
    }

    fn with_module(self, name: &str, is_program: bool, module: Vec<u8>) -> Self {
        let role = if is_program { "program" } else { "service" };
        self.with_tables(&format!("[{role}.{name}]\nwasm = \"{name}.wasm\"\n"))
            .with(&format!("{name}.wasm"), module)
    }

    /// Adds tables to the deployment.
    pub fn with_tables(self, tables: &str) -> Self {
        let deployment = std::fs::read_to_string(self.file()).expect("`new` has written the file");
        self.with("app.toml", format!("{deployment}{tables}"))
    }

    /// Distributes the guests over processes that this NATS server connects. Each process is a
    /// pair: its name, and the names of its guests, separated by spaces.
    pub fn apart(self, nats: &Nats, processes: &[(&str, &str)]) -> Self {
        // All processes are on this machine, and share its clock.
        let mut tables = format!(
            "[network]
nats = {:?}
clock_skew = \"1ms\"
",
            nats.url()
        );
        for (process, guests) in processes {
            let guests: Vec<_> = guests.split(' ').collect();
            tables += &format!(
                "[process.{process}]
guests = {guests:?}
"
            );
        }
        self.with_tables(&tables)
    }

    /// Returns the folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Returns the path of the deployment file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("app.toml")
    }

    /// Returns the command `parigot run app.toml` in the folder. The app must outlive the process.
    pub fn command(&self) -> Command {
        let mut command = parigot_run(Path::new("app.toml"));
        command.current_dir(self.folder());
        command
    }

    /// Runs a subcommand of `parigot` for `app.toml` in the folder, and waits for its end.
    pub fn run_subcommand(&self, subcommand: &str, arguments: &[&str]) -> Ended {
        let mut command = parigot_with(subcommand, Path::new("app.toml"));
        Started::new(command.args(arguments).current_dir(self.folder())).wait()
    }

    /// Starts `parigot run app.toml` in the folder. The app must outlive the process.
    pub fn start(&self) -> Started {
        Started::new(&mut self.command())
    }

    /// Starts one process of the deployment.
    pub fn start_process(&self, name: &str) -> Started {
        Started::new(self.command().args(["--process", name]))
    }

    /// Runs `parigot run app.toml` in the folder, and waits for its end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }
}

/// Returns the command `parigot run` for a deployment file.
pub fn parigot_run(file: &Path) -> Command {
    parigot_with("run", file)
}

/// Returns a subcommand of `parigot` for a deployment file. All tests share a cache of compiled
/// guests, which is not the user's.
pub fn parigot_with(subcommand: &str, file: &Path) -> Command {
    let mut command = Command::new(parigot());
    command
        .arg(subcommand)
        .arg(file)
        .env("XDG_CACHE_HOME", build::caches());
    command
}

/// Returns the text of a module that takes minutes to compile: each nested loop costs Cranelift
/// more than the one around it.
pub fn slow_to_compile() -> String {
    let loops = "loop ".repeat(2_000);
    let set = "(local.set 0 (i32.add (local.get 0) (local.get 1)))";
    format!(
        "(module (func (param i32 i32) {loops} {set} {}))",
        "(br_if 0 (local.get 0)) end ".repeat(2_000)
    )
}
