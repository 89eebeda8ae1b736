//! Problems of a deployment, printed for people and for programs.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use miette::{Diagnostic, NamedSource, SourceSpan};
use parigot_host::deployment::{
    ConfigError, Deployment, DeploymentError, Process, UnknownProcess, process_of,
};
use parigot_host::{GraphError, StartProblem, ThreadError};
use serde_json::{Map, Value};

use crate::drawing;
use crate::exit_status::{self, FAILED};
use crate::log::{self, Format, Style};
use crate::program_args::ArgsError;
use crate::stderr::STDERR;

/// One problem of a deployment.
pub(crate) enum Problem<'a> {
    /// The file cannot be read.
    File(&'a DeploymentError),
    /// The file has an error.
    Config(&'a ConfigError),
    /// The deployment has no process of that name.
    Process(&'a UnknownProcess),
    /// The arguments after `--` have no receiver.
    Args(&'a ArgsError),
    /// This command was built without a network.
    Network(&'a NoNetwork),
    /// The system does not start a thread of the command.
    Thread(&'a ThreadError),
    /// A guest cannot run.
    Guest(Pointed<'a>),
}

impl<'a> Problem<'a> {
    /// Returns a problem of a guest, with its position in the file.
    pub(crate) fn of_guest(problem: &'a StartProblem, deployment: &'a Deployment) -> Self {
        Problem::Guest(Pointed::new(problem, deployment))
    }

    /// Prints the problem to stderr, independently of the log level.
    pub(crate) fn print(&self, style: &Style) {
        STDERR.lines(&match style.format {
            Format::Text => drawing::draw(self.error()),
            Format::Json => self.line(style),
        });
    }

    /// Returns an object with the members `guest`, `message`, `at` and `help`, as far as they
    /// apply.
    pub(crate) fn object(&self) -> Value {
        let guest = self.guest().map(|guest| ("guest", guest.into()));
        let members = guest
            .into_iter()
            .chain([("message", self.message().into())])
            .chain(self.rest());
        members
            .map(|(name, value)| (name.to_owned(), value))
            .collect::<Map<_, _>>()
            .into()
    }

    /// Returns a JSON line of the log, with the members `at` and `help`.
    fn line(&self, style: &Style) -> String {
        let (service, message) = (self.guest().map(Into::into), self.message());
        let process = style.process.clone();
        let columns = log::Columns {
            process,
            service,
            message,
            rest: self.rest(),
            ..Default::default()
        };
        columns.json(SystemTime::now(), tracing::Level::ERROR)
    }

    fn error(&self) -> &dyn Diagnostic {
        match self {
            Problem::File(error) => *error,
            Problem::Config(error) => *error,
            Problem::Process(error) => *error,
            Problem::Args(error) => *error,
            Problem::Network(error) => *error,
            Problem::Thread(error) => *error,
            Problem::Guest(pointed) => pointed,
        }
    }

    fn guest(&self) -> Option<&str> {
        match self {
            Problem::Guest(pointed) => pointed.problem.guest(),
            _ => None,
        }
    }

    /// Returns the error and its causes in one line.
    fn message(&self) -> String {
        let error = self.error();
        let causes = std::iter::successors(error.source(), |cause| (*cause).source());
        causes.fold(error.to_string(), |chain, cause| {
            format!("{chain}: {}", cause.to_string().replace('\n', "; "))
        })
    }

    fn rest(&self) -> Vec<(&'static str, Value)> {
        let error = self.error();
        let rest = [
            ("at", place(error)),
            ("help", error.help().map(|help| help.to_string())),
        ];
        rest.into_iter()
            .filter_map(|(name, value)| Some((name, value?.into())))
            .collect()
    }
}

/// Largest number of problems that are printed at once.
const PROBLEMS_MAX: usize = 100;

/// The first problems of a deployment.
#[derive(Default)]
pub(crate) struct Problems<'a> {
    pub(crate) shown: Vec<Problem<'a>>,
    /// Set if there are more.
    pub(crate) has_more: bool,
}

impl<'a> Problems<'a> {
    /// Returns the errors of a deployment file.
    pub(crate) fn of_file(error: &'a DeploymentError) -> Self {
        match error {
            DeploymentError::Refused {
                errors,
                is_complete,
                ..
            } => Problems {
                shown: errors.iter().map(Problem::Config).collect(),
                has_more: !is_complete,
            },
            error => Problems {
                shown: vec![Problem::File(error)],
                has_more: false,
            },
        }
    }

    /// Returns problems of guests.
    pub(crate) fn of_guests(
        problems: impl IntoIterator<Item = &'a StartProblem>,
        deployment: &'a Deployment,
    ) -> Self {
        let mut problems = problems.into_iter();
        let first = problems.by_ref().take(PROBLEMS_MAX);
        Problems {
            shown: first
                .map(|problem| Problem::of_guest(problem, deployment))
                .collect(),
            has_more: problems.next().is_some(),
        }
    }

    pub(crate) fn print(&self, style: &Style) {
        for problem in &self.shown {
            problem.print(style);
        }
        if self.has_more {
            let columns = log::Columns {
                process: style.process.clone(),
                message: "there are more problems: correct these first".to_owned(),
                ..Default::default()
            };
            STDERR.lines(&match style.format {
                Format::Text => format!("{}\n", columns.message),
                Format::Json => columns.json(SystemTime::now(), tracing::Level::ERROR),
            });
        }
    }
}

/// Prints why guests cannot run, and returns the exit status.
pub(crate) fn start_refused<'a>(
    problems: impl IntoIterator<Item = &'a StartProblem>,
    deployment: &Deployment,
    style: &Style,
) -> ExitCode {
    let problems: Vec<_> = problems.into_iter().collect();
    Problems::of_guests(problems.iter().copied(), deployment).print(style);
    exit_status::of_problems(problems)
}

/// Writes the result of a command to stdout, and returns `status`; [`FAILED`] if stdout is full or
/// cannot be written.
///
/// A reader that closes the pipe early is no error: `parigot graph app.toml | head` succeeds.
pub(crate) fn print(text: &str, status: ExitCode) -> ExitCode {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            STDERR.lines(&format!("parigot: cannot write to stdout: {error}\n"));
            FAILED.into()
        }
        _ => status,
    }
}

/// Returns the position of an error: `app.toml:3:8`.
fn place(error: &dyn Diagnostic) -> Option<String> {
    let label = error.labels()?.next()?;
    let before = error
        .source_code()?
        .read_span(&(0, label.offset()).into(), 0, 0)
        .ok()?;
    let text = String::from_utf8_lossy(before.data());
    let (line, column) = drawing::position(&text, text.len());
    Some(format!("{}:{line}:{column}", before.name()?))
}

/// Error of a deployment with processes in a command built without NATS.
#[derive(Debug, Diagnostic)]
#[diagnostic(help("build it with the feature `nats`, which is one of its defaults"))]
pub(crate) struct NoNetwork;

impl fmt::Display for NoNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "this parigot cannot join the processes of the deployment: it was built without NATS",
        )
    }
}

impl Error for NoNetwork {}

/// Start problem of a guest, with its position in the deployment file.
#[derive(Debug, Diagnostic)]
pub(crate) struct Pointed<'a> {
    #[source_code]
    file: NamedSource<Arc<str>>,
    #[label]
    at: Option<SourceSpan>,
    #[help]
    next_step: Option<String>,
    problem: &'a StartProblem,
}

impl<'a> Pointed<'a> {
    fn new(problem: &'a StartProblem, deployment: &'a Deployment) -> Self {
        let guest = deployment
            .guests
            .iter()
            .find(|guest| Some(&*guest.name) == problem.guest());
        let at = guest.map(|guest| guest.span.clone().into());
        Pointed {
            file: deployment.source.clone(),
            at,
            next_step: next_step(problem, deployment),
            problem,
        }
    }
}

fn next_step(problem: &StartProblem, deployment: &Deployment) -> Option<String> {
    let next_step = match problem {
        StartProblem::Unreadable { path, .. } | StartProblem::Module { path, .. }
            if is_rlib(path) || has_rlib(path) =>
        {
            "build the crate as a module: write `crate-type = [\"cdylib\"]` below `[lib]` in its \
             Cargo.toml"
        }
        StartProblem::Unreadable { .. } => {
            "build the guest, or correct the path, which is relative to the deployment file"
        }
        StartProblem::Module { next_step, .. } => next_step,
        StartProblem::CompileTime { .. } => {
            "raise the limit with `--compile-time 10m`: a busy machine or code with hundreds of \
             nested blocks is slow"
        }
        StartProblem::Memory { .. } => "raise `memory` in its table",
        StartProblem::Budget { budget, .. } => {
            return Some(format!(
                "write `budget_max = \"{}ms\"` in its table, or lower `budget_ms` of the method in \
                 its .proto file",
                budget.as_nanos().div_ceil(1_000_000)
            ));
        }
        StartProblem::Network { next_step, .. } => return Some(next_step.clone()),
        StartProblem::Unoffered { .. } => {
            "start the process that exports it, or raise `startup_deadline`"
        }
        StartProblem::Secret { source, .. } => return Some(source.help()),
        StartProblem::Mappings { .. } => {
            "run fewer instances, or raise the limit of the system: `sysctl \
             vm.max_map_count=262144`"
        }
        StartProblem::Thread(error) => return error.help().map(|help| help.to_string()),
        StartProblem::Graph(GraphError::BoundElsewhere {
            guest,
            binding,
            exporter,
            nearest,
            ..
        }) if are_apart(guest, exporter, deployment) => {
            return Some(unbind(guest, binding, exporter, nearest.as_deref()));
        }
        StartProblem::Graph(error) => return Some(next_step_of_graph(error)),
        StartProblem::Schema { .. } => "build both from one version of the .proto file",
        _ => return None,
    };
    Some(next_step.to_owned())
}

const USE_FAKE_STDIO: &str = "remove it from the exports; for tests there are fakes: \
                              `testing::FakeStdio` in Rust, `parigottest.Stdio` in Go";

const BIND_LOCALLY: &str = "bind it to a guest of the same process that exports the service";

const REMOVE_BINDING: &str = "remove it from `bind`: a binding name stands in the guest's code, \
                              as in `requires(KvClient as \"cache\")`";

/// Returns the next step if only other processes export a service, and the exporters differ.
fn share_or_move(service: &str, guest: &str) -> String {
    format!(
        "move one of them to the process of `{guest}`, or write `shared = [\"{service}\"]` in \
         their tables"
    )
}

/// Returns true if another process runs the second guest. In the deployment of one process, the
/// guests of other processes are missing.
fn are_apart(guest: &str, other: &str, deployment: &Deployment) -> bool {
    let name = |guest: &str| process_of(guest, &deployment.processes).map(Process::name);
    name(guest) != name(other) || deployment.guests.iter().all(|guest| guest.name != other)
}

/// Returns the next step after a name was bound to a guest of another process. `local` exports the
/// service in the same process.
fn unbind(guest: &str, binding: &str, exporter: &str, local: Option<&str>) -> String {
    match local {
        Some(local) => format!(
            "`{exporter}` runs in another process: bind `{binding} = \"{local}\"`, or move \
             `{exporter}` to the process of `{guest}`"
        ),
        None => format!(
            "`{exporter}` runs in another process: remove `{binding}` from `bind`, and calls go \
             to the exporters in other processes"
        ),
    }
}

/// Returns true for a Rust library, which is not a guest.
fn is_rlib(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension == "rlib")
}

/// Returns true if cargo has written a Rust library in place of a missing module.
fn has_rlib(path: &Path) -> bool {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    !path.exists() && path.with_file_name(format!("lib{name}.rlib")).exists()
}

/// Returns the next step after an error of the requirements and exports.
fn next_step_of_graph(error: &GraphError) -> String {
    match error {
        GraphError::ExportedTwice {
            service,
            first,
            second,
        } if first != second => format!(
            "remove one of them; to distribute calls over both, write `shared = \
             [\"{service}\"]` in both tables"
        ),
        GraphError::ExportedTwice { .. } => "export the service once".into(),
        GraphError::SharedButNotExported {
            nearest: Some(service),
            ..
        } => format!("did you mean {service}?"),
        GraphError::SharedButNotExported { nearest: None, .. } => {
            "write the full name of a service that the guest exports".into()
        }
        GraphError::Missing {
            nearest: Some((service, guest)),
            ..
        } => format!("did you mean {service}, which `{guest}` exports?"),
        GraphError::Missing { nearest: None, .. } => "add a guest that exports it".into(),
        GraphError::Ambiguous {
            service,
            guest,
            are_elsewhere: true,
            ..
        } => share_or_move(service, guest),
        GraphError::Ambiguous {
            binding, exporters, ..
        } => {
            let first = exporters.first().map_or("", String::as_str);
            format!("write `bind = {{ {binding} = \"{first}\" }}` in its table")
        }
        GraphError::BoundElsewhere {
            binding,
            nearest: Some(nearest),
            ..
        } => format!("did you mean `{binding} = \"{nearest}\"`?"),
        GraphError::BoundElsewhere { nearest: None, .. } => BIND_LOCALLY.into(),
        GraphError::UnknownBinding {
            nearest: Some(nearest),
            ..
        } => format!("did you mean `{nearest}`?"),
        GraphError::UnknownBinding { nearest: None, .. } => REMOVE_BINDING.into(),
        GraphError::ExportedByHost { .. } => USE_FAKE_STDIO.into(),
        GraphError::StdioOfService { guest, .. } => format!(
            "move the reads and writes to a guest in `[program.<name>]` that calls `{guest}`; for \
             messages to people use the log"
        ),
        GraphError::NotAService { guest, .. } => format!("move its table to `[service.{guest}]`"),
        GraphError::NothingExported { guest } => format!(
            "a guest with a `main` function belongs in `[program.{guest}]`, or in \
             `[worker.{guest}]` if its end must not end the deployment; a service must export \
             what it serves, in Go by the generated `Run…` or `parigot.Run` in `main`"
        ),
        GraphError::Cycle { .. } => "break the cycle: remove one of these requirements".into(),
    }
}

impl fmt::Display for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

impl Error for Pointed<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.problem.source()
    }
}
