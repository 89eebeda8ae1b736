//! Problems that prevent a start.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::suggest::quoted;
use crate::error::{
    GraphError, GuestFault, ModuleError, ProviderError, SchemaError, SecretError, ThreadError,
};
use crate::limits::Size;

/// Error of a start, with all problems that were found.
///
/// A requirement without an exporter is reported only if all guests have declared their exports.
#[derive(Debug)]
pub struct StartError {
    problems: Vec<StartProblem>,
}

/// Problem of one guest, or of the process that runs the guest.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartProblem {
    /// The wasm file cannot be read.
    #[error("`{guest}`: cannot read {}", path.display())]
    Unreadable {
        /// Name of the guest in the deployment.
        guest: String,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: Arc<io::Error>,
    },
    /// The module cannot be run.
    #[error("`{guest}`: {} cannot be run", path.display())]
    Module {
        /// Name of the guest in the deployment.
        guest: String,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: Arc<dyn Error + Send + Sync>,
        /// Next step, in the words of the guest's language.
        next_step: &'static str,
    },
    /// The module was not compiled in time.
    #[error(
        "`{guest}`: compiling {} takes longer than {} s",
        path.display(),
        time_max.as_secs_f32()
    )]
    CompileTime {
        /// Name of the guest in the deployment.
        guest: String,
        /// Path of the file.
        path: PathBuf,
        /// Time limit.
        time_max: Duration,
    },
    /// The module's initial memory exceeds the limit.
    #[error(
        "`{guest}` starts with {} of memory, and its `memory` is {}",
        Size(*bytes),
        Size(*bytes_max)
    )]
    Memory {
        /// Name of the guest in the deployment.
        guest: String,
        /// Initial memory in bytes.
        bytes: usize,
        /// Limit in bytes.
        bytes_max: usize,
    },
    /// A method declares a larger budget than the deployment allows.
    #[error(
        "`{guest}` declares a budget of {budget:?} for {method}, and its `budget_max` is \
         {budget_max:?}"
    )]
    Budget {
        /// Name of the guest in the deployment.
        guest: String,
        /// Full name of the method.
        method: String,
        /// Declared budget.
        budget: Duration,
        /// Largest budget that a method of the guest may declare.
        budget_max: Duration,
    },
    /// The guest failed before it had declared its exports and requirements.
    #[error("`{guest}` failed in its init turn")]
    InitTurn {
        /// Name of the guest in the deployment.
        guest: String,
        /// Cause.
        source: Box<dyn Error + Send + Sync>,
    },
    /// No process exports a service that the guest requires by name.
    ///
    /// The methods of such a service must be known before the launch.
    #[error(
        "`{guest}` requires {service} by name, and no process has exported it within {within:?}: \
         its methods must be known before the start"
    )]
    Unoffered {
        /// Name of the guest in the deployment.
        guest: String,
        /// Full name of the service.
        service: String,
        /// Time that the start waited.
        within: Duration,
    },
    /// No process can be found that exports a service which the guest requires by name.
    #[error("`{guest}` requires {service} by name, and no process can be found: {reason}")]
    Undiscoverable {
        /// Name of the guest in the deployment.
        guest: String,
        /// Full name of the service.
        service: String,
        /// Reason with its next step.
        reason: String,
    },
    /// A secret among the environment variables of the guest cannot be read.
    #[error("`{variable}` of `{guest}` cannot be set")]
    Secret {
        /// Name of the guest in the deployment.
        guest: String,
        /// Name of the guest's environment variable.
        variable: String,
        /// Cause.
        source: SecretError,
    },
    /// The process would have more memory mappings than the system allows.
    #[error(
        "too many instances with `{guest}`: {guests} need more memory mappings than \
         vm.max_map_count ({most}) allows; {fit} fit"
    )]
    Mappings {
        /// Name of the guest in the deployment.
        guest: String,
        /// Instances of the process.
        guests: usize,
        /// Instances that fit.
        fit: usize,
        /// Value of `vm.max_map_count`.
        most: usize,
    },
    /// The process cannot join the others of its deployment.
    #[error("process `{process}` cannot join the others")]
    Network {
        /// Name of the process in the deployment.
        process: String,
        /// Cause.
        source: Box<dyn Error + Send + Sync>,
        /// Next step.
        next_step: String,
    },
    /// An edge lists a service that it cannot offer.
    #[error("the edge `{edge}` lists {service}, {kind}")]
    Edge {
        /// Name of the edge.
        edge: String,
        /// Full name of the service.
        service: String,
        /// Reason.
        kind: EdgeProblem,
    },
    /// A provider cannot be opened.
    #[error("the provider `{provider}` cannot be opened")]
    Provider {
        /// Name of the provider.
        provider: String,
        /// Cause, with the next step.
        source: ProviderError,
    },
    /// The system does not start a thread that the host needs.
    #[error(transparent)]
    Thread(#[from] ThreadError),
    /// Requirements and exports do not match.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The schema of the client is incompatible with that of the exporter.
    #[error(
        "incompatible schema for {service}: `{guest}` was built against a different version than \
         `{exporter}` exports"
    )]
    Schema {
        /// Name of the guest in the deployment.
        guest: String,
        /// Name of the exporter.
        exporter: String,
        /// Full name of the service.
        service: String,
        /// First incompatibility.
        source: SchemaError,
    },
}

/// Reason why an edge cannot offer a service.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EdgeProblem {
    /// No guest exports the service.
    #[error("which no guest of the deployment exports")]
    NotExported {
        /// Most similar name of an exported service, if there is one.
        nearest: Option<String>,
    },
    /// Only guests of another process export the service.
    #[error("which `{exporter}` exports in the process `{process}`")]
    Elsewhere {
        /// First guest that exports the service.
        exporter: String,
        /// Process of the guest.
        process: String,
    },
    /// Several guests export the service without sharing it.
    #[error("and calls could go to each of {}", quoted(exporters))]
    Ambiguous {
        /// Guests that export the service.
        exporters: Vec<String>,
    },
}

impl StartError {
    /// Returns the problems, sorted by the guests' names; at least one.
    pub fn problems(&self) -> &[StartProblem] {
        &self.problems
    }

    /// Creates the error of a process that cannot join the others.
    pub(crate) fn of_network(
        process: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
        next_step: impl Into<String>,
    ) -> Self {
        StartError {
            problems: vec![StartProblem::Network {
                process: process.to_owned(),
                source: source.into(),
                next_step: next_step.into(),
            }],
        }
    }

    /// Returns an error if there are problems.
    pub(crate) fn unless_none(problems: Vec<StartProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StartError { problems })
        }
    }
}

impl From<ThreadError> for StartError {
    fn from(error: ThreadError) -> Self {
        StartError {
            problems: vec![error.into()],
        }
    }
}

/// Formats the first problem and the number of problems, in one line.
impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.problems[..] {
            [only] => only.fmt(f),
            all => write!(f, "{} (the first of {} problems)", all[0], all.len()),
        }
    }
}

impl Error for StartError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problems[0].source()
    }
}

impl StartProblem {
    /// Returns the name of the guest with the problem; `None` for a problem of the process.
    pub fn guest(&self) -> Option<&str> {
        Some(match self {
            StartProblem::Network { .. }
            | StartProblem::Edge { .. }
            | StartProblem::Provider { .. }
            | StartProblem::Thread(_) => return None,
            StartProblem::Unreadable { guest, .. }
            | StartProblem::Module { guest, .. }
            | StartProblem::InitTurn { guest, .. }
            | StartProblem::CompileTime { guest, .. }
            | StartProblem::Memory { guest, .. }
            | StartProblem::Budget { guest, .. }
            | StartProblem::Unoffered { guest, .. }
            | StartProblem::Undiscoverable { guest, .. }
            | StartProblem::Mappings { guest, .. }
            | StartProblem::Secret { guest, .. }
            | StartProblem::Schema { guest, .. } => guest,
            StartProblem::Graph(error) => error.guest(),
        })
    }

    /// Creates the problem of a guest whose file cannot be read.
    pub(crate) fn unreadable(guest: &str, path: &Path, source: Arc<io::Error>) -> Self {
        StartProblem::Unreadable {
            guest: guest.to_owned(),
            path: path.to_owned(),
            source,
        }
    }

    /// Creates the problem of a guest whose module cannot be run.
    pub(crate) fn module(guest: &str, path: &Path, error: impl Into<Arc<ModuleError>>) -> Self {
        let guest = guest.to_owned();
        let path = path.to_owned();
        let error = error.into();
        match *error {
            ModuleError::CompileTime { time_max } => StartProblem::CompileTime {
                guest,
                path,
                time_max,
            },
            ModuleError::Memory { bytes, bytes_max } => StartProblem::Memory {
                guest,
                bytes,
                bytes_max,
            },
            _ => StartProblem::Module {
                guest,
                path,
                next_step: error.next_step(),
                source: error,
            },
        }
    }

    /// Creates the problem of a guest that did not complete its init turn.
    pub(crate) fn init_turn(guest: &str, fault: GuestFault) -> Self {
        StartProblem::InitTurn {
            guest: guest.to_owned(),
            source: fault.into(),
        }
    }
}
