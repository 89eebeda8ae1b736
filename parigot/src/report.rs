//! Problems of a deployment, printed for people and for programs.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::ops::Range;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::SystemTime;

use miette::{Diagnostic, NamedSource, SourceSpan};
use parigot_host::deployment::{
    ConfigError, Deployment, DeploymentError, ProviderError, UnknownProcess,
};
use parigot_host::{StartProblem, ThreadError};
use serde_json::{Map, Value};

use crate::drawing;
use crate::exit_status::{self, FAILED};
use crate::log::{self, Format, Style};
use crate::next_step::next_step;
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
    /// An edge cannot listen.
    Edge(&'a dyn Diagnostic),
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
            Problem::Edge(error) => *error,
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
        let at = match problem {
            StartProblem::Edge { edge, service, .. } => span_of_exposed(deployment, edge, service),
            StartProblem::Provider { provider, source } => {
                span_of_provider(deployment, provider, source)
            }
            _ => span_of_guest(deployment, problem.guest()),
        };
        let at = at.map(SourceSpan::from);
        Pointed {
            file: deployment.source.clone(),
            at,
            next_step: next_step(problem, deployment),
            problem,
        }
    }
}

/// Returns the position of a guest.
fn span_of_guest(deployment: &Deployment, name: Option<&str>) -> Option<Range<usize>> {
    let mut guests = deployment.guests.iter();
    let guest = guests.find(|guest| Some(&*guest.name) == name)?;
    Some(guest.span.clone())
}

/// Returns the position of an error in the table of a provider.
fn span_of_provider(
    deployment: &Deployment,
    name: &str,
    error: &ProviderError,
) -> Option<Range<usize>> {
    let mut providers = deployment.providers.iter();
    let provider = providers.find(|provider| provider.name == name)?;
    Some(error.span().unwrap_or(provider.span.clone()))
}

/// Returns the position of a service in the table of an edge.
fn span_of_exposed(deployment: &Deployment, edge: &str, service: &str) -> Option<Range<usize>> {
    let edge = deployment.edges.iter().find(|other| other.name == edge)?;
    let mut services = edge.services.iter();
    let exposed = services.find(|exposed| exposed.name == service)?;
    Some(exposed.span.clone())
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
