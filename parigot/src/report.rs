//! What is wrong with a deployment, told to people and to programs.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::sync::Arc;
use std::time::SystemTime;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use parigot_host::deployment::{ConfigError, Deployment, DeploymentError, UnknownProcess};
use parigot_host::{GraphError, StartProblem};
use serde_json::{Map, Value};

use crate::log::{self, Format, Style};

/// One thing that is wrong with a deployment.
pub(crate) enum Complaint<'a> {
    /// Its file cannot be read.
    File(&'a DeploymentError),
    /// Something in the file is wrong.
    ConfigError(&'a ConfigError),
    /// It has no process of that name.
    Process(&'a UnknownProcess),
    /// This command cannot join processes.
    Network(&'a NoNetwork),
    /// A guest cannot be run.
    Guest(Pointed<'a>),
}

impl<'a> Complaint<'a> {
    /// All that is wrong with a deployment file.
    pub(crate) fn all_of_file(error: &'a DeploymentError) -> Vec<Self> {
        match error {
            DeploymentError::Refused { errors, .. } => {
                errors.iter().map(Complaint::ConfigError).collect()
            }
            error => vec![Complaint::File(error)],
        }
    }

    /// What is wrong with a guest, with its place in the file.
    pub(crate) fn of_guest(problem: &'a StartProblem, deployment: &'a Deployment) -> Self {
        Complaint::Guest(Pointed::new(problem, deployment))
    }

    /// Tells it on stderr, whatever the log's level.
    pub(crate) fn tell(&self, style: &Style) {
        log::STDERR.lines(&match style.format {
            Format::Text => self.drawn(),
            Format::Json => self.line(style),
        });
    }

    /// It with the members `guest`, `message`, `at` and `help`, less those that there are none of.
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

    /// It with the line that it points at, what led to it, and what to do about it.
    fn drawn(&self) -> String {
        let theme = if log::stderr_takes_colour() {
            GraphicalTheme::unicode()
        } else {
            GraphicalTheme::unicode_nocolor()
        };
        let mut text = String::new();
        GraphicalReportHandler::new_themed(theme)
            .with_width(120)
            .render_report(&mut text, self.error())
            .expect("writing to a string does not fail");
        text + "\n"
    }

    /// It as a line of the log, with the members `at` and `help`.
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
            Complaint::File(error) => *error,
            Complaint::ConfigError(mistake) => *mistake,
            Complaint::Process(error) => *error,
            Complaint::Network(error) => *error,
            Complaint::Guest(pointed) => pointed,
        }
    }

    fn guest(&self) -> Option<&str> {
        match self {
            Complaint::Guest(pointed) => pointed.problem.guest(),
            _ => None,
        }
    }

    /// It and what led to it.
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

/// Writes what was asked for to stdout. A reader that has seen enough is no reason to fail.
pub(crate) fn print(text: &str) {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    drop(written);
}

/// `app.toml:3:8`, where an error points at.
fn place(error: &dyn Diagnostic) -> Option<String> {
    let label = error.labels()?.next()?;
    let before = error
        .source_code()?
        .read_span(&(0, label.offset()).into(), 0, 0)
        .ok()?;
    let text = String::from_utf8_lossy(before.data());
    let (line, column) = (
        text.matches('\n').count() + 1,
        text.chars().rev().take_while(|c| *c != '\n').count() + 1,
    );
    Some(format!("{}:{line}:{column}", before.name()?))
}

/// The deployment has processes, and this command was built without what joins them.
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

/// What keeps a guest from running, with its place in the file.
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
            next_step: next_step(problem),
            problem,
        }
    }
}

fn next_step(problem: &StartProblem) -> Option<String> {
    let next_step = match problem {
        StartProblem::Unreadable { .. } => {
            "build the guest, or mend the path: it is relative to the deployment file"
        }
        StartProblem::Module { .. } => {
            "a guest is a library crate on parigot-guest of this version, built for wasm32-unknown-unknown"
        }
        StartProblem::CompileTime { .. } => {
            "give it longer with `--compile-time`; what takes so long is code that is nested hundreds deep"
        }
        StartProblem::Memory { .. } => "let it have more: `memory` in its table",
        StartProblem::Network { next_step, .. } => return Some(next_step.clone()),
        StartProblem::Unoffered { .. } => {
            "start the process that has it, or give the start longer: `startup_deadline`"
        }
        StartProblem::Mappings { .. } => {
            "run fewer, or let the system give it more: `sysctl vm.max_map_count=262144`"
        }
        StartProblem::Graph(GraphError::ExportedTwice {
            service,
            first,
            second,
        }) if first != second => {
            return Some(format!(
                "leave one of them out; if calls shall be spread over both, write `shared = [\"{service}\"]` in the tables of both"
            ));
        }
        StartProblem::Graph(GraphError::ExportedTwice { .. }) => "a guest exports a service once",
        StartProblem::Graph(GraphError::SharedInVain {
            nearest: Some(service),
            ..
        }) => {
            return Some(format!("did you mean {service}?"));
        }
        StartProblem::Graph(GraphError::SharedInVain { nearest: None, .. }) => {
            "write the full name of a service that it exports"
        }
        StartProblem::Graph(GraphError::Missing {
            nearest: Some((service, guest)),
            ..
        }) => {
            return Some(format!("did you mean {service}, which `{guest}` exports?"));
        }
        StartProblem::Graph(GraphError::Missing { nearest: None, .. }) => {
            "add a guest that exports it"
        }
        StartProblem::Graph(GraphError::Cycle { .. }) => "let one of them do without the next",
        StartProblem::Schema { .. } => "build both from one version of the .proto file",
        _ => return None,
    };
    Some(next_step.to_owned())
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
