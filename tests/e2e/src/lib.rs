//! Runs the real `parigot` on real guests, and looks at what a person would see.
//!
//! The command, the example and the guests of `tests/guests` are built on first use, by cargo and make, as a user would. No
//! process that is started here outlives [`DEADLINE`].

mod build;
mod capture;
mod declare;
mod hosts;
mod kills;
mod language;
mod load;
mod manual;
mod nats;
mod neighbours;
mod process;

pub use build::{
    code_cache, example, go_example, go_guest, go_probe, guest, guest_file, parigot, pizzeria,
    protoc, root,
};
pub use capture::{Capture, Captured};
pub use declare::{declaring, service, without_room};
pub use hosts::{Deployed, Elsewhere, Hosts};
pub use kills::{histogram, kill_times};
pub use language::{Language, PAIRS};
pub use load::{Load, soak};
pub use manual::start_on_manual_clock;
pub use nats::Nats;
pub use neighbours::{BesideNeighbours, NEIGHBOURS, Ran, StartedBeside, Tally};
pub use process::{DEADLINE, Ended, Line, Started, signal};

use std::path::{Path, PathBuf};
use std::process::Command;

use parigot_abi::manifest::Service;

/// A folder with a deployment file and what it names; gone when dropped.
#[derive(Debug)]
pub struct App {
    folder: tempfile::TempDir,
}

impl App {
    /// Makes a folder that holds `app.toml`: `manifest_version = 1` and then `deployment`.
    pub fn new(deployment: &str) -> Self {
        let app = App {
            folder: tempfile::tempdir().expect("a temporary folder can be made"),
        };
        app.with("app.toml", format!("manifest_version = 1\n{deployment}"))
    }

    /// Adds a file, for example a guest.
    pub fn with(self, name: &str, content: impl AsRef<[u8]>) -> Self {
        std::fs::write(self.folder.path().join(name), content)
            .expect("the folder can be written to");
        self
    }

    /// Adds a guest that is written in WebAssembly text.
    pub fn with_wat(self, name: &str, text: &str) -> Self {
        self.with(name, wat::parse_str(text).expect("the text is a module"))
    }

    /// Adds a service to the deployment, with a wasm file that exports and requires services of these names and never asks to be launched.
    pub fn with_service(self, name: &str, exports: &[&str], requires: &[&str]) -> Self {
        let list = |names: &[&str]| names.iter().map(|name| service(name)).collect::<Vec<_>>();
        self.with_declaring(name, &list(exports), &list(requires))
    }

    /// The same with all that there is to say of services.
    pub fn with_declaring(self, name: &str, exports: &[Service], requires: &[Service]) -> Self {
        self.with_tables(&format!("[service.{name}]\nwasm = \"{name}.wasm\"\n"))
            .with(&format!("{name}.wasm"), declaring(exports, requires))
    }

    /// Adds tables to the deployment.
    pub fn with_tables(self, tables: &str) -> Self {
        let deployment = std::fs::read_to_string(self.file()).expect("it was written");
        self.with("app.toml", format!("{deployment}{tables}"))
    }

    /// Spreads its guests over processes that a server joins: the name of each, and the names of its guests with spaces between.
    pub fn apart(self, nats: &Nats, processes: &[(&str, &str)]) -> Self {
        // They are all on this machine, and have one clock.
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

    /// Its folder.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its deployment file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("app.toml")
    }

    /// `parigot run app.toml` in its folder, which must be there until the process ends.
    pub fn command(&self) -> Command {
        let mut command = parigot_run(Path::new("app.toml"));
        command.current_dir(self.folder());
        command
    }

    /// Runs `parigot`, that subcommand and `app.toml` in its folder, with more arguments, to the end.
    pub fn ask(&self, subcommand: &str, arguments: &[&str]) -> Ended {
        let mut command = parigot_with(subcommand, Path::new("app.toml"));
        Started::new(command.args(arguments).current_dir(self.folder())).wait()
    }

    /// Starts `parigot run app.toml` in its folder, which must be there until the process ends.
    pub fn start(&self) -> Started {
        Started::new(&mut self.command())
    }

    /// Starts one process of it.
    pub fn start_process(&self, name: &str) -> Started {
        Started::new(self.command().args(["--process", name]))
    }

    /// Runs `parigot run app.toml` in its folder to the end.
    pub fn run(&self) -> Ended {
        self.start().wait()
    }
}

/// `parigot run` for a deployment file.
pub fn parigot_run(file: &Path) -> Command {
    parigot_with("run", file)
}

/// A subcommand of `parigot` for a deployment file. Compiled guests are kept for the next test, and apart from those of the user.
pub fn parigot_with(subcommand: &str, file: &Path) -> Command {
    let mut command = Command::new(parigot());
    command
        .arg(subcommand)
        .arg(file)
        .env("XDG_CACHE_HOME", build::caches());
    command
}

/// The text of a module that takes minutes to compile: each loop costs Cranelift more than the one around it.
pub fn slow_to_compile() -> String {
    let (loops, set) = (
        "loop ".repeat(2_000),
        "(local.set 0 (i32.add (local.get 0) (local.get 1)))",
    );
    format!(
        "(module (func (param i32 i32) {loops} {set} {}))",
        "(br_if 0 (local.get 0)) end ".repeat(2_000)
    )
}
