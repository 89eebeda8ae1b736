//! `parigot run`: from a deployment file to an exit status.

use std::error::Error;
use std::fmt;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, NamedSource, SourceSpan};
use parigot_host::deployment::{Deployment, DeploymentError};
use parigot_host::{GraphError, Settings, StartError, Stopper};

use crate::log;

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

/// Runs the deployment in `file` and returns the exit status.
pub(crate) fn run(file: &Path) -> ExitCode {
    let interrupt = Arc::new(Interrupt::default());
    interrupt.listen();
    let deployment = match Deployment::read(file) {
        Ok(deployment) => deployment,
        Err(DeploymentError::Refused { mistakes, .. }) => {
            mistakes.iter().for_each(|mistake| print(mistake));
            return REFUSED.into();
        }
        Err(error) => {
            print(&error);
            return REFUSED.into();
        }
    };
    let running = match parigot_host::start(&deployment, Settings::default()) {
        Ok(running) => running,
        Err(error) => {
            let status = if matches!(error, StartError::FirstTurn { .. }) { FAILED } else { REFUSED };
            print(&Refusal::new(error, &deployment));
            return status.into();
        }
    };
    interrupt.stop_with(running.stopper());
    let outcome = running.wait();
    if interrupt.came() { INTERRUPTED.into() } else { outcome.status.into() }
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

/// A deployment that was read and could not be started, with the guest's place in the file.
#[derive(Debug, Diagnostic)]
struct Refusal {
    #[source_code]
    file: NamedSource<Arc<str>>,
    #[label]
    at: Option<SourceSpan>,
    #[help]
    next_step: Option<&'static str>,
    error: StartError,
}

impl Refusal {
    fn new(error: StartError, deployment: &Deployment) -> Self {
        let guest = deployment.guests.iter().find(|guest| guest.name == error.guest());
        Refusal {
            file: deployment.source.clone(),
            at: guest.map(|guest| guest.span.clone().into()),
            next_step: next_step(&error),
            error,
        }
    }
}

fn next_step(error: &StartError) -> Option<&'static str> {
    Some(match error {
        StartError::Unreadable { .. } => "build the guest, or mend the path: it is relative to the deployment file",
        StartError::Module { .. } => {
            "a guest is a library crate on parigot-guest of this version, built for wasm32-unknown-unknown"
        }
        StartError::Graph(GraphError::ExportedTwice { .. }) => "leave one of them out",
        StartError::Graph(GraphError::Missing { .. }) => "add a guest that exports it",
        StartError::Graph(GraphError::Cycle { .. }) => "let one of them do without the next",
        _ => return None,
    })
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Refusal {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// Prints an error with the line that it points at, what led to it, and what to do about it.
fn print(error: &dyn Diagnostic) {
    let theme = if log::stderr_takes_colour() { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let mut text = String::new();
    GraphicalReportHandler::new_themed(theme)
        .with_width(120)
        .render_report(&mut text, error)
        .expect("writing to a string does not fail");
    drop(writeln!(io::stderr().lock(), "{text}"));
}
