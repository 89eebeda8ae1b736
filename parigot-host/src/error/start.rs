//! Why a deployment cannot be started.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use parigot_abi::{VERSION, Version};

use crate::deployment::GuestSpec;
use crate::error::GuestFault;
use crate::limits::MODULE_BYTES_MAX;
use crate::limits::{Size, TABLE_ENTRIES_MAX};
use crate::start::schema::SchemaError;

/// Why a deployment cannot be started: everything that was found.
///
/// A requirement that nobody exports is told only if all guests have said what they export.
#[derive(Debug)]
pub struct StartError {
    problems: Vec<StartProblem>,
}

/// What is wrong with one guest, or with the process that is to run it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartProblem {
    /// The file with its code cannot be read.
    #[error("`{guest}`: cannot read {}", path.display())]
    Unreadable {
        /// Its name in the deployment.
        guest: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<io::Error>,
    },
    /// Its code cannot be run.
    #[error("`{guest}`: {} cannot be run", path.display())]
    Module {
        /// Its name in the deployment.
        guest: String,
        /// The file.
        path: PathBuf,
        /// Why.
        source: Arc<dyn Error + Send + Sync>,
    },
    /// Its code was not compiled in time.
    #[error("`{guest}`: compiling {} takes longer than {} s", path.display(), time_max.as_secs_f32())]
    CompileTime {
        /// Its name in the deployment.
        guest: String,
        /// The file.
        path: PathBuf,
        /// How long it may take.
        time_max: Duration,
    },
    /// It needs more memory than it may have before it has done anything.
    #[error("`{guest}` begins with {} of memory, and its `memory` is {}", Size(*bytes), Size(*bytes_max))]
    Memory {
        /// Its name in the deployment.
        guest: String,
        /// What it needs.
        bytes: usize,
        /// What it may have.
        bytes_max: usize,
    },
    /// It failed before it had said what it exports and requires.
    #[error("`{guest}` failed in its first turn")]
    InitTurn {
        /// Its name in the deployment.
        guest: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// It requires a service by name alone that is in another process, and what methods that has must be known before it can be launched.
    #[error(
        "`{guest}` requires {service} by its name alone, and no process has offered it within {within:?}: its methods \
         must be known before the start"
    )]
    Unoffered {
        /// Its name in the deployment.
        guest: String,
        /// The service's full name.
        service: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// It is one instance too many for this process, whose mappings of memory the system counts.
    #[error(
        "`{guest}` is one too many: {guests} guests need more mappings of memory than the {most} that the system lets \
         a process have, and {fit} fit"
    )]
    Mappings {
        /// Its name in the deployment.
        guest: String,
        /// How many there are.
        guests: usize,
        /// How many of them there may be.
        fit: usize,
        /// What `vm.max_map_count` says.
        most: usize,
    },
    /// The process cannot join the others of its deployment.
    #[error("process `{process}` cannot join the others")]
    Network {
        /// Its name in the deployment.
        process: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
        /// What is to be done.
        next_step: String,
    },
    /// It does not fit the others.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// Its exporter does not offer what it was built with.
    #[error("`{guest}` was built with another {service} than `{exporter}` offers")]
    Schema {
        /// Its name in the deployment.
        guest: String,
        /// Who exports the service.
        exporter: String,
        /// The service's full name.
        service: String,
        /// What does not fit.
        source: SchemaError,
    },
}

/// What makes a deployment impossible to start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two guests export one service and do not both share it, or one exports it twice.
    #[error("both `{first}` and `{second}` export {service}")]
    ExportedTwice {
        /// The service's full name.
        service: String,
        /// The guest that comes first by name.
        first: String,
        /// The other.
        second: String,
    },
    /// A guest shares what it does not export.
    #[error("`{guest}` shares {service}, which it does not export")]
    SharedInVain {
        /// The service's name in the guest's `shared`.
        service: String,
        /// Who shares it.
        guest: String,
        /// What it exports whose name is most like it, if something is like it.
        nearest: Option<String>,
    },
    /// Nobody exports what a guest requires.
    #[error("`{guest}` requires {service}, which no guest of the deployment exports")]
    Missing {
        /// The service's full name.
        service: String,
        /// Who requires it.
        guest: String,
        /// The exported service whose name is most like it, if one is like it, and who exports it.
        nearest: Option<(String, String)>,
    },
    /// Guests require each other, so that none can be first.
    #[error("these guests wait for each other: {}", path.join(" -> "))]
    Cycle {
        /// Guests, each requiring something of the next; the last is the first again.
        path: Vec<String>,
    },
}

impl GraphError {
    /// The guest that it is about.
    pub fn guest(&self) -> &str {
        match self {
            GraphError::ExportedTwice { second, .. } => second,
            GraphError::SharedInVain { guest, .. } | GraphError::Missing { guest, .. } => guest,
            GraphError::Cycle { path } => &path[0],
        }
    }
}

/// Why a module cannot be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ModuleError {
    #[error("not a WebAssembly module: it does not begin with `\\0asm`")]
    NotWasm,
    #[error("a WebAssembly module that this host cannot compile")]
    Compile(#[source] wasmtime::Error),
    #[error("it has more than {} MiB, the most that are compiled", MODULE_BYTES_MAX >> 20)]
    TooLarge,
    #[error("compiling it takes longer than {time_max:?}")]
    CompileTime { time_max: Duration },
    #[error("begins with {bytes} bytes of memory, and may have {bytes_max}")]
    Memory { bytes: usize, bytes_max: usize },
    #[error("imports `{module}.{name}`, and a guest imports nothing")]
    Import { module: String, name: String },
    #[error("does not export {missing}")]
    Export { missing: String },
    #[error("could not be instantiated")]
    Instantiate(#[source] wasmtime::Error),
    #[error("speaks version {found} of the ABI, and this host speaks {}", VERSION)]
    Abi { found: Version },
}

/// A guest cannot even begin with what it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooLarge {
    #[error("it begins with {} of memory, and its `memory` is {}", Size(*bytes), Size(*bytes_max))]
    Memory { bytes: usize, bytes_max: usize },
    #[error(
        "its table begins with {entries} entries, and {} are the most",
        TABLE_ENTRIES_MAX
    )]
    Table { entries: usize },
}

impl StartError {
    /// What is wrong, sorted by the guests' names; at least one.
    pub fn problems(&self) -> &[StartProblem] {
        &self.problems
    }

    /// A process cannot join the others of its deployment.
    pub(crate) fn of_network(
        process: &str,
        source: impl Into<Box<dyn Error + Send + Sync>>,
        next_step: impl Into<String>,
    ) -> Self {
        let (process, source, next_step) = (process.to_owned(), source.into(), next_step.into());
        StartError {
            problems: vec![StartProblem::Network {
                process,
                source,
                next_step,
            }],
        }
    }

    /// An error, if there are problems.
    pub(crate) fn unless_none(problems: Vec<StartProblem>) -> Result<(), Self> {
        if problems.is_empty() {
            Ok(())
        } else {
            Err(StartError { problems })
        }
    }
}

/// The first problem in one line, for those who do not print them all.
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
    /// The guest that it is about, by its name in the deployment; none if it is the process.
    pub fn guest(&self) -> Option<&str> {
        Some(match self {
            StartProblem::Network { .. } => return None,
            StartProblem::Unreadable { guest, .. }
            | StartProblem::Module { guest, .. }
            | StartProblem::InitTurn { guest, .. }
            | StartProblem::CompileTime { guest, .. }
            | StartProblem::Memory { guest, .. }
            | StartProblem::Unoffered { guest, .. }
            | StartProblem::Mappings { guest, .. }
            | StartProblem::Schema { guest, .. } => guest,
            StartProblem::Graph(error) => error.guest(),
        })
    }

    pub(crate) fn unreadable(spec: &GuestSpec, source: Arc<io::Error>) -> Self {
        StartProblem::Unreadable {
            guest: spec.name.clone(),
            path: spec.wasm.clone(),
            source,
        }
    }

    pub(crate) fn module(spec: &GuestSpec, error: impl Into<Arc<ModuleError>>) -> Self {
        let (guest, path, error) = (spec.name.clone(), spec.wasm.clone(), error.into());
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
                source: error,
            },
        }
    }

    pub(crate) fn init_turn(spec: &GuestSpec, fault: GuestFault) -> Self {
        StartProblem::InitTurn {
            guest: spec.name.clone(),
            source: fault.into(),
        }
    }
}

impl ModuleError {
    pub(crate) fn of_instantiation(error: wasmtime::Error) -> Self {
        match error.downcast_ref() {
            Some(&TooLarge::Memory { bytes, bytes_max }) => {
                ModuleError::Memory { bytes, bytes_max }
            }
            _ => ModuleError::Instantiate(error),
        }
    }
}
