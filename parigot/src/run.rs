//! `parigot run`: from a deployment file to an exit status.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use parigot_host::deployment::{Deployment, DeploymentError};
use parigot_host::{GraphError, Refusal, Settings, Stopper};

use crate::Run;
use crate::log::{self, Format};

/// What the exit statuses mean, for `--help`.
pub(crate) const STATUSES: &str = "\
Exit status: that of the program, or of the first that did not end with 0, and
    1  a guest failed: it panicked, trapped or could not start
    2  the command line is wrong
    3  the deployment was refused: its file, a wasm file, or what does not fit
  130  it was stopped by Ctrl-C, SIGTERM or SIGHUP";

const FAILED: u8 = 1;
const REFUSED: u8 = 3;
const INTERRUPTED: u8 = 130;

/// Runs a deployment and returns the exit status.
pub(crate) fn run(Run { file, log_format, no_cache, .. }: &Run) -> ExitCode {
    let interrupt = Arc::new(Interrupt::default());
    interrupt.listen();
    let deployment = match Deployment::read(file) {
        Ok(deployment) => deployment,
        Err(DeploymentError::Refused { mistakes, .. }) => {
            mistakes.iter().for_each(|mistake| report(*log_format, mistake, None));
            return REFUSED.into();
        }
        Err(error) => {
            report(*log_format, &error, None);
            return REFUSED.into();
        }
    };
    let shows_progress = *log_format == Format::Text && log::stderr_can_be_redrawn();
    let settings = Settings {
        code_cache: if *no_cache { None } else { code_cache() },
        on_compiling: shows_progress.then(|| Arc::new(|guests: &[&str]| log::STDERR.compiling(guests)) as _),
        ..Settings::default()
    };
    let running = match parigot_host::start(&deployment, settings) {
        Ok(running) => running,
        Err(error) => {
            for refusal in error.refusals() {
                report(*log_format, &Pointed::new(refusal, &deployment), Some(refusal.guest()));
            }
            let all_failed = error.refusals().iter().all(|refusal| matches!(refusal, Refusal::FirstTurn { .. }));
            return if all_failed { FAILED } else { REFUSED }.into();
        }
    };
    interrupt.stop_with(running.stopper());
    let outcome = running.wait();
    if interrupt.came() { INTERRUPTED.into() } else { outcome.status.into() }
}

/// Where the user's caches lie (<https://specifications.freedesktop.org/basedir-spec/>), the folder of this command.
fn code_cache() -> Option<PathBuf> {
    let set = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let caches = set.filter(|folder| folder.is_absolute()).or_else(|| Some(std::env::home_dir()?.join(".cache")))?;
    caches.is_absolute().then(|| caches.join("parigot").join("code"))
}

/// Ctrl-C, and what else asks a process to end (SIGTERM, SIGHUP): the first stops the guests, the second leaves at once.
#[derive(Default)]
struct Interrupt {
    came: AtomicBool,
    stopper: OnceLock<Stopper>,
}

impl Interrupt {
    fn listen(self: &Arc<Self>) {
        let interrupt = Arc::clone(self);
        let heard = ctrlc::set_handler(move || interrupt.hear());
        if let Err(error) = heard {
            tracing::warn!("Ctrl-C will not stop the guests in order: {error}");
        }
    }

    fn hear(&self) {
        if self.came.swap(true, Ordering::SeqCst) {
            std::process::exit(INTERRUPTED.into());
        }
        tracing::info!("stopping the guests; another Ctrl-C leaves at once");
        if let Some(stopper) = self.stopper.get() {
            stopper.stop();
        }
    }

    /// Hands over what stops the guests, now that they run. A Ctrl-C may have come before.
    fn stop_with(&self, stopper: Stopper) {
        let stopper = self.stopper.get_or_init(|| stopper);
        if self.came() {
            stopper.stop();
        }
    }

    fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }
}

/// What keeps a deployment from starting, with the guest's place in the file.
#[derive(Debug, Diagnostic)]
struct Pointed<'a> {
    #[source_code]
    file: NamedSource<Arc<str>>,
    #[label]
    at: Option<SourceSpan>,
    #[help]
    next_step: Option<&'static str>,
    refusal: &'a Refusal,
}

impl<'a> Pointed<'a> {
    fn new(refusal: &'a Refusal, deployment: &'a Deployment) -> Self {
        let guest = deployment.guests.iter().find(|guest| guest.name == refusal.guest());
        let at = guest.map(|guest| guest.span.clone().into());
        Pointed { file: deployment.source.clone(), at, next_step: next_step(refusal), refusal }
    }
}

fn next_step(refusal: &Refusal) -> Option<&'static str> {
    Some(match refusal {
        Refusal::Unreadable { .. } => "build the guest, or mend the path: it is relative to the deployment file",
        Refusal::Module { .. } => {
            "a guest is a library crate on parigot-guest of this version, built for wasm32-unknown-unknown"
        }
        Refusal::Graph(GraphError::ExportedTwice { .. }) => "leave one of them out",
        Refusal::Graph(GraphError::Missing { .. }) => "add a guest that exports it",
        Refusal::Graph(GraphError::Cycle { .. }) => "let one of them do without the next",
        _ => return None,
    })
}

impl fmt::Display for Pointed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.refusal.fmt(f)
    }
}

impl Error for Pointed<'_> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.refusal.source()
    }
}

/// Tells an error, whatever the log's level.
fn report(format: Format, error: &dyn Diagnostic, service: Option<&str>) {
    log::STDERR.lines(&match format {
        Format::Text => drawn(error),
        Format::Json => object(error, service),
    });
}

/// An error with the line that it points at, what led to it, and what to do about it.
fn drawn(error: &dyn Diagnostic) -> String {
    let theme = if log::stderr_takes_colour() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    GraphicalReportHandler::new_themed(theme)
        .with_width(120)
        .render_report(&mut text, error)
        .expect("writing to a string does not fail");
    text + "\n"
}

/// The same as a line of the log, with the members `at` and `help`.
fn object(error: &dyn Diagnostic, service: Option<&str>) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    let message = causes.fold(error.to_string(), |chain, cause| format!("{chain}: {cause}"));
    let rest = [("at", place(error)), ("help", error.help().map(|help| help.to_string()))];
    let rest = rest.into_iter().filter_map(|(name, value)| Some((name, value?.into()))).collect();
    let columns = log::Columns { service: service.map(Into::into), message, rest, ..Default::default() };
    columns.json(SystemTime::now(), tracing::Level::ERROR)
}

/// `app.toml:3:8`, where an error points at.
fn place(error: &dyn Diagnostic) -> Option<String> {
    let label = error.labels()?.next()?;
    let before = error.source_code()?.read_span(&(0, label.offset()).into(), 0, 0).ok()?;
    let text = String::from_utf8_lossy(before.data());
    let (line, column) = (text.matches('\n').count() + 1, text.chars().rev().take_while(|c| *c != '\n').count() + 1);
    Some(format!("{}:{line}:{column}", before.name()?))
}
