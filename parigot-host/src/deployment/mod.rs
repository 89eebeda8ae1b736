//! The deployment file: which guests run, and how.
//!
//! ```toml
//! manifest_version = 1
//! startup_deadline = "30s"       # until all guests must be ready, from when the first is launched
//! shutdown_deadline = "5s"       # until all guests must have left, from when the first is told to
//!
//! [service.greeting]
//! wasm = "build/greeting.wasm"   # relative to this file
//! args = ["--loud"]
//! env = { TONGUE = "french" }
//! memory = "64MiB"               # what its linear memory may grow to
//! budget = "50ms"                # of CPU time that it may hold its thread between two awaits
//! log = "1MiB"                   # what it may log in a second, each line counted with its columns
//! deadline = "3s"                # of calls to this service that bring none of their own
//! restart = "on-failure"         # or "never", or "always"
//! max_restarts = 10              # so many in `max_seconds`; one more, and it has failed for good
//! max_seconds = 60
//! replicas = 1                   # instances; a call goes to the least busy
//! shared = ["greeting.v1.Greeting"]   # what others export as well, who say so too
//!
//! [program.hello]                # the same keys, but for the last six: nobody calls a program, and it runs once
//! wasm = "build/hello.wasm"
//!
//! [process.front]                # only if not all are to run in one process; each guest is in one of them
//! guests = ["hello"]
//!
//! [process.back]
//! guests = ["greeting"]
//!
//! [network]                      # what joins the processes
//! nats = "nats://127.0.0.1:4222" # or a list of servers
//! app = "helloworld"             # tells deployments apart that share a server; this file's name without `.toml`
//! credentials = "nats.creds"     # none; relative to this file
//! clock_skew = "1s"              # by how much the clocks of the processes' machines may differ
//! ```
//!
//! Nothing is accepted in silence and nothing is guessed: all that is wrong in a file is reported at once, each mistake with its
//! place and the next step.

mod parse;
mod parse_network;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;

use self::parse::Reader;

pub use crate::limits::{
    BUDGET_DEFAULT, BUDGET_MAX, DEADLINE_DEFAULT, LOG_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT,
    REPLICAS_MAX,
};

pub use crate::error::{ConfigError, DeploymentError, UnknownProcess};

/// The `manifest_version` that this host reads.
pub const MANIFEST_VERSION: u32 = 1;

/// How long a start may take where the file does not say.
pub const STARTUP_DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
/// How long guests may take to leave, all together, where the file does not say.
pub const SHUTDOWN_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);

/// How often a service may be restarted within [`RESTARTS_WITHIN_DEFAULT`] where the file does not say.
///
/// OTP's one in 5 s is meant for processes among many that share a fate. A service stands alone, and what it waits for, another machine say, may
/// take a while to come back: with the pauses that grow between them, ten restarts last for half a minute and more.
pub const MAX_RESTARTS_DEFAULT: u32 = 10;

/// The time in which restarts are counted where the file does not say.
pub const RESTARTS_WITHIN_DEFAULT: Duration = Duration::from_secs(60);

/// By how much the clocks of two processes may differ where the file does not say.
pub const CLOCK_SKEW_DEFAULT: Duration = Duration::from_secs(1);

/// A deployment file that was read and found without errors.
///
/// This is the whole of it: started as it is, all guests run in this process, whatever processes the file has. What one of those
/// runs is a part, which [`Deployment::of_process`] cuts out.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The guests, sorted by name; at least one.
    pub guests: Vec<GuestSpec>,
    /// How long it may take until all guests are ready, from when all of them are compiled and have had their first turn.
    pub startup_deadline: Duration,
    /// How long guests may take to leave, all together, from when the first is told to.
    pub shutdown_deadline: Duration,
    /// The processes that the file spreads the guests over, sorted by name; none if they all run in one, and in a part.
    pub processes: Vec<Process>,
    /// What joins this part with the others of its deployment; `None` for a whole.
    pub network: Option<Network>,
    /// The file's name and text, for messages that point into it.
    pub source: NamedSource<Arc<str>>,
}

/// One guest of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    /// Its name in the file and in the log, made of `a-z`, `0-9`, `_` and `-`; no two guests share one.
    pub name: String,
    /// Whether it serves or runs to an end.
    pub role: Role,
    /// Its wasm file: absolute, or relative to the working directory.
    pub wasm: PathBuf,
    /// Its arguments, without a name of its own in front.
    pub args: Vec<String>,
    /// Its environment; it gets nothing of the host's.
    pub env: BTreeMap<String, String>,
    /// What its linear memory may grow to, in bytes: 64 KiB to 4 GiB.
    pub memory_bytes: u64,
    /// How long it may hold its thread between two awaits, in CPU time.
    pub budget: Duration,
    /// What it may log in a second, in bytes, 64 of which each line takes for its columns: 1 KiB to 1 GiB.
    pub log_bytes: u64,
    /// How long a call to it may take that brings no deadline; a program, which nobody calls, has the default.
    pub deadline: Duration,
    /// Whether it is restarted when it ends; a program never is.
    pub restart: RestartPolicy,
    /// How many instances of it there are, between which calls are spread: 1 to [`REPLICAS_MAX`]. A program has one.
    pub replicas: u32,
    /// The full names of services that it exports and others may export as well: calls are spread over all of them.
    pub shared: Vec<String>,
    /// Where the value of `wasm` stands in the file, in bytes.
    pub span: Range<usize>,
}

impl GuestSpec {
    /// A service of that name and that wasm file, and otherwise as a file says that says no more.
    pub fn service(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Service, name, wasm)
    }

    /// The same for a program.
    pub fn program(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Program, name, wasm)
    }

    fn new(role: Role, name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec {
            name: name.into(),
            role,
            wasm: wasm.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            memory_bytes: MEMORY_BYTES_DEFAULT,
            budget: BUDGET_DEFAULT,
            log_bytes: LOG_BYTES_DEFAULT,
            deadline: DEADLINE_DEFAULT,
            restart: RestartPolicy::of(role),
            replicas: 1,
            shared: Vec::new(),
            span: 0..0,
        }
    }

    /// The same guest with these arguments.
    #[must_use]
    pub fn with_args<I: IntoIterator<Item: Into<String>>>(self, args: I) -> Self {
        GuestSpec {
            args: args.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}

/// What a guest is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// It exports services and is called; from `[service.<name>]`.
    Service,
    /// It has a `main` that ends; from `[program.<name>]`.
    Program,
}

/// One process of a deployment that is spread over several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// The names of its guests, sorted; at least one.
    pub guests: Vec<String>,
    /// How it finds the others, and is found; its name is in here.
    pub network: Network,
}

/// What joins a process with the others of its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// The name of the process, made as a guest's is.
    pub process: String,
    /// What tells the deployment apart from others that share a server: made of letters, digits, `_` and `-`, a token of NATS' subjects.
    pub app: String,
    /// The addresses of NATS servers, any of which will do: `nats://…` or `tls://…`. At least one.
    pub servers: Vec<String>,
    /// The file with what the servers want to know of who connects: absolute, or relative to the working directory.
    pub credentials: Option<PathBuf>,
    /// By how much the clocks of the processes' machines may differ: 1 ms to 24 h.
    pub clock_skew: Duration,
}

/// Whether and how often a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// After which ends.
    pub after: RestartAfter,
    /// How many restarts there may be in the time of `within`: 1 to 1,000. Instead of one more it has failed for good.
    pub max_restarts: u32,
    /// The time in which they are counted: 1 second to a day.
    pub within: Duration,
}

/// The ends after which a service is restarted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAfter {
    /// None.
    Never,
    /// A fault, or leaving with a status that is not 0.
    Failure,
    /// Any, unless it was told to leave.
    Always,
}

impl Deployment {
    /// Reads the deployment file at `path`; paths in it are relative to the folder that it is in.
    ///
    /// # Errors
    ///
    /// If it cannot be read, or with every mistake that is in it.
    pub fn read(path: &Path) -> Result<Self, DeploymentError> {
        let text = std::fs::read_to_string(path).map_err(|source| DeploymentError::Unreadable {
            file: path.to_owned(),
            source,
        })?;
        Self::parse(&text, path)
    }

    /// Reads the text of a deployment file as though it stood at `file`, which need not exist.
    ///
    /// # Errors
    ///
    /// With every mistake that is in it.
    pub fn parse(text: &str, file: &Path) -> Result<Self, DeploymentError> {
        Reader::new(text, file).read()
    }

    /// The part of it that one process runs.
    ///
    /// # Errors
    ///
    /// If the file has no process of that name.
    pub fn of_process(&self, name: &str) -> Result<Self, UnknownProcess> {
        let Some(Process { guests, network }) =
            self.processes.iter().find(|process| process.name() == name)
        else {
            let known = self.processes.iter().map(Process::name);
            return Err(UnknownProcess::new(
                name,
                self.source.name(),
                known.collect(),
            ));
        };
        let is_in_it = |guest: &&GuestSpec| guests.binary_search(&guest.name).is_ok();
        Ok(Deployment {
            guests: self.guests.iter().filter(is_in_it).cloned().collect(),
            processes: Vec::new(),
            network: Some(network.clone()),
            ..self.clone()
        })
    }
}

impl Process {
    /// Its name in the file and in the log.
    pub fn name(&self) -> &str {
        &self.network.process
    }
}

impl RestartPolicy {
    /// Where the file does not say.
    fn of(role: Role) -> Self {
        let after = match role {
            Role::Service => RestartAfter::Failure,
            Role::Program => RestartAfter::Never,
        };
        RestartPolicy {
            after,
            max_restarts: MAX_RESTARTS_DEFAULT,
            within: RESTARTS_WITHIN_DEFAULT,
        }
    }
}
