//! Contents of a deployment file: guests, processes, limits.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use miette::NamedSource;

use super::edge::EdgeSpec;
use super::nats_server::NatsServer;
use super::provider::{Grant, ProviderSpec};
use super::secret::{EnvValue, Secret};
use super::tls::Tls;
use crate::error::UnknownProcess;
use crate::limits::{BUDGET_DEFAULT, DEADLINE_DEFAULT, LOG_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT};

/// Supported `manifest_version`.
pub const MANIFEST_VERSION: u32 = 1;

/// Default time from the first launch until all guests must be ready.
pub const STARTUP_DEADLINE_DEFAULT: Duration = Duration::from_secs(30);
/// Default time for all guests together to exit.
pub const SHUTDOWN_DEADLINE_DEFAULT: Duration = Duration::from_secs(5);

/// Default number of restarts within [`RESTARTS_WITHIN_DEFAULT`].
///
/// OTP's default of one in 5 s is meant for small processes that are restarted as a group. A
/// service is restarted alone, and its dependency, for example another machine, may take a while to
/// recover: with exponential backoff, ten restarts cover at least half a minute.
pub const MAX_RESTARTS_DEFAULT: u32 = 10;

/// Default time in which restarts are counted.
pub const RESTARTS_WITHIN_DEFAULT: Duration = Duration::from_secs(60);

/// Default maximum difference between the clocks of two processes.
pub const CLOCK_SKEW_DEFAULT: Duration = Duration::from_secs(1);

/// A valid deployment.
///
/// A whole deployment runs all its guests in this process, even if the file has several processes.
/// The part of one process is returned by [`Deployment::of_process`].
///
/// # Examples
///
/// ```
/// use parigot_host::deployment::Deployment;
///
/// let text = "manifest_version = 1\n[program.hello]\nwasm = 'hello.wasm'";
/// let deployment = Deployment::parse(text, "apps/app.toml".as_ref())?;
/// assert_eq!(deployment.guests[0].wasm.to_str(), Some("apps/hello.wasm"));
/// # Ok::<(), parigot_host::deployment::DeploymentError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Deployment {
    /// The guests, sorted by name; at least one.
    pub guests: Vec<GuestSpec>,
    /// Time until all guests must be ready, from the end of their init turns.
    pub startup_deadline: Duration,
    /// Time for all guests together to exit, from the first stop request.
    pub shutdown_deadline: Duration,
    /// Largest size of the linear memories of all guests of a process together, in bytes; `None`
    /// without a limit.
    pub memory_bytes_max: Option<u64>,
    /// Listeners for clients from outside, sorted by name. A part has those of its process.
    pub edges: Vec<EdgeSpec>,
    /// Providers of standard services, sorted by name. A part has those of its guests.
    pub providers: Vec<ProviderSpec>,
    /// The processes of the file, sorted by name; empty for a single process, and in a part.
    pub processes: Vec<Process>,
    /// Connection of this part with the others; `None` for a whole deployment.
    pub network: Option<Network>,
    /// Name and text of the file, for messages with a position.
    pub source: NamedSource<Arc<str>>,
}

/// One guest of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuestSpec {
    /// Unique name in the file and in the log, made of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Role of the guest.
    pub role: Role,
    /// Path of the wasm file: absolute, or relative to the working directory.
    pub wasm: PathBuf,
    /// Arguments, without a program name in front.
    pub args: Vec<String>,
    /// Environment variables; the host's own are not passed on.
    pub env: BTreeMap<String, EnvValue>,
    /// Limit of the linear memory in bytes: 64 KiB to 4 GiB.
    pub memory_bytes: u64,
    /// CPU time between two awaits.
    pub budget: Duration,
    /// Largest budget that a method of the guest may declare; `None`: the same as `budget`.
    pub budget_max: Option<Duration>,
    /// Log volume in bytes per second, with 64 bytes of overhead per line: 1 KiB to 1 GiB.
    pub log_bytes: u64,
    /// Deadline of calls that bring none; unused for programs and workers, which are not called.
    pub deadline: Duration,
    /// Restart policy; programs are never restarted.
    pub restart: RestartPolicy,
    /// Number of instances, over which calls are distributed: 1 to
    /// [`REPLICAS_MAX`](crate::deployment::REPLICAS_MAX). A program or worker has one.
    pub replicas: u32,
    /// Full names of exported services that other guests may export too; calls are distributed over
    /// all exporters.
    pub shared: Vec<String>,
    /// Guests that export the services which this guest requires by a binding name, by that name.
    pub bind: BTreeMap<String, String>,
    /// Providers that the guest may use.
    pub providers: Vec<Grant>,
    /// Position of the value of `wasm` in the file, in bytes.
    pub span: Range<usize>,
}

impl GuestSpec {
    /// Creates a service with default settings.
    pub fn service(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Service, name, wasm)
    }

    /// Creates a program with default settings.
    pub fn program(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Program, name, wasm)
    }

    /// Creates a worker with default settings.
    pub fn worker(name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec::new(Role::Worker, name, wasm)
    }

    pub(super) fn new(role: Role, name: impl Into<String>, wasm: impl Into<PathBuf>) -> Self {
        GuestSpec {
            name: name.into(),
            role,
            wasm: wasm.into(),
            args: Vec::new(),
            env: BTreeMap::new(),
            memory_bytes: MEMORY_BYTES_DEFAULT,
            budget: BUDGET_DEFAULT,
            budget_max: None,
            log_bytes: LOG_BYTES_DEFAULT,
            deadline: DEADLINE_DEFAULT,
            restart: RestartPolicy::of(role),
            replicas: 1,
            shared: Vec::new(),
            bind: BTreeMap::new(),
            providers: Vec::new(),
            span: 0..0,
        }
    }

    /// Returns the largest budget that a method of the guest may have: at least its own.
    pub fn budget_max(&self) -> Duration {
        self.budget_max.unwrap_or_default().max(self.budget)
    }

    /// Returns the guest with these arguments.
    #[must_use]
    pub fn with_args<I: IntoIterator<Item: Into<String>>>(self, args: I) -> Self {
        GuestSpec {
            args: args.into_iter().map(Into::into).collect(),
            ..self
        }
    }
}

/// Role of a guest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A guest that exports services, from `[service.<name>]`.
    Service,
    /// A guest with a `main` function, from `[program.<name>]`. The deployment ends with its
    /// programs.
    Program,
    /// A guest with a `main` function, from `[worker.<name>]`. It is restarted like a service, and
    /// its end does not end the deployment.
    Worker,
}

/// One of several processes of a deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Names of the guests, sorted; at least one.
    pub guests: Vec<String>,
    /// Names of the edges for which the process listens, sorted.
    pub edges: Vec<String>,
    /// Connection with the other processes; includes the name of the process.
    pub network: Network,
}

/// Connection of a process with the others of its deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Network {
    /// Name of the process, with the same characters as a guest's name.
    pub process: String,
    /// Names of all processes of the deployment, sorted.
    pub processes: Vec<String>,
    /// Name that separates the deployment from others on the same server: letters, digits, `_` and
    /// `-`, since it is a token of NATS subjects.
    pub app: String,
    /// NATS servers; at least one. Any of them is sufficient.
    pub servers: Vec<NatsServer>,
    /// Proof of identity for the servers whose address contains none.
    pub login: Option<NatsLogin>,
    /// TLS settings; `None` if the addresses alone decide on TLS.
    pub tls: Option<Tls>,
    /// Maximum difference between the clocks of the machines: 1 ms to 24 h.
    pub clock_skew: Duration,
    /// Time in which a start waits for a server: 1 ms to 24 h. `None` makes one attempt.
    pub wait: Option<Duration>,
}

/// Proof of identity for a NATS server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NatsLogin {
    /// Contents of a credentials file: a JWT and its seed.
    Credentials(Secret),
    /// A token.
    Token(Secret),
    /// Seed of an nkey, which proves the identity with a signature and is never sent.
    Nkey(Secret),
    /// A user with a password.
    User {
        /// Name of the user.
        user: String,
        /// Password of the user.
        password: Secret,
    },
}

/// Restart policy of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Kinds of end that cause a restart.
    pub after: RestartAfter,
    /// Restarts within the time of `within`: 1 to 1,000. The next failure is permanent.
    pub max_restarts: u32,
    /// Time in which restarts are counted: 1 second to 1 day.
    pub within: Duration,
}

/// Kinds of end that cause a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestartAfter {
    /// No end.
    Never,
    /// A fault, or an exit with a status other than 0.
    Failure,
    /// Every end, except after a stop request.
    Always,
}

impl Deployment {
    /// Returns the part of the deployment that one process runs.
    ///
    /// # Errors
    ///
    /// If the file has no process of that name.
    pub fn of_process(&self, name: &str) -> Result<Self, UnknownProcess> {
        let Some(Process {
            guests,
            edges,
            network,
        }) = self.processes.iter().find(|process| process.name() == name)
        else {
            let known = self.processes.iter().map(Process::name);
            return Err(UnknownProcess::new(
                name,
                self.source.name(),
                known.collect(),
            ));
        };
        let is_in_it = |guest: &&GuestSpec| guests.binary_search(&guest.name).is_ok();
        let listens = |edge: &&EdgeSpec| edges.binary_search(&edge.name).is_ok();
        let guests: Vec<_> = self.guests.iter().filter(is_in_it).cloned().collect();
        let is_granted = |provider: &&ProviderSpec| {
            let mut grants = guests.iter().flat_map(|guest| &guest.providers);
            grants.any(|grant| grant.provider == provider.name)
        };
        Ok(Deployment {
            providers: self.providers.iter().filter(is_granted).cloned().collect(),
            guests: guests.clone(),
            edges: self.edges.iter().filter(listens).cloned().collect(),
            processes: Vec::new(),
            network: Some(network.clone()),
            ..self.clone()
        })
    }
}

impl Process {
    /// Returns the name of the process in the file and in the log.
    pub fn name(&self) -> &str {
        &self.network.process
    }
}

/// Returns the process that runs a guest; `None` if the deployment runs in one process.
pub fn process_of<'a>(guest: &str, processes: &'a [Process]) -> Option<&'a Process> {
    processes
        .iter()
        .find(|process| process.guests.iter().any(|name| name == guest))
}

impl RestartPolicy {
    /// Returns the default policy of a role.
    fn of(role: Role) -> Self {
        let after = match role {
            Role::Service | Role::Worker => RestartAfter::Failure,
            Role::Program => RestartAfter::Never,
        };
        RestartPolicy {
            after,
            max_restarts: MAX_RESTARTS_DEFAULT,
            within: RESTARTS_WITHIN_DEFAULT,
        }
    }
}
