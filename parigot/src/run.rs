//! `parigot run`: from a deployment file to an exit status.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use parigot_host::deployment::Deployment;
use parigot_host::{Refusal, Settings, Stopper};

use crate::log::{self, Format};
use crate::report::Complaint;
use crate::{Compiling, Run};

/// What the exit statuses mean, for `--help`.
pub(crate) const STATUSES: &str = "\
Exit status: that of the program, or of the first that did not end with 0, and
    1  a guest failed: it panicked, trapped or could not start
    2  the command line is wrong
    3  the deployment was refused: its file, a wasm file, or what does not fit
  124  its guests were not ready within its `startup_deadline`
  130  it was stopped by Ctrl-C, SIGTERM or SIGHUP

Without programs it is that of the first service that ended for good and not with 0.";

const FAILED: u8 = 1;
pub(crate) const REFUSED: u8 = 3;
const INTERRUPTED: u8 = 130;

/// Runs a deployment and returns the exit status.
pub(crate) fn run(Run { file, log_format, compiling, .. }: &Run) -> ExitCode {
    let interrupt = Arc::new(Interrupt::default());
    interrupt.listen();
    let deployment = match Deployment::read(file) {
        Ok(deployment) => deployment,
        Err(error) => {
            Complaint::all_of_file(&error).iter().for_each(|complaint| complaint.tell(*log_format));
            return REFUSED.into();
        }
    };
    let settings = interrupt.follow_compiling(settings(compiling, *log_format == Format::Text));
    let running = match parigot_host::start(&deployment, settings) {
        Ok(running) => running,
        Err(error) => {
            let refusals = error.refusals().iter();
            refusals.for_each(|refusal| Complaint::of_guest(refusal, &deployment).tell(*log_format));
            let all_failed = error.refusals().iter().all(|refusal| matches!(refusal, Refusal::FirstTurn { .. }));
            return if all_failed { FAILED } else { REFUSED }.into();
        }
    };
    interrupt.stop_with(running.stopper());
    let outcome = running.wait();
    if interrupt.came() { INTERRUPTED.into() } else { outcome.status.into() }
}

/// How the host runs for this command.
pub(crate) fn settings(compiling: &Compiling, is_for_people: bool) -> Settings {
    let shows_progress = is_for_people && log::stderr_can_be_redrawn();
    Settings {
        compile_time_max: *compiling.compile_time,
        code_cache: if compiling.no_cache { None } else { parigot_host::user_code_cache() },
        on_compiling: shows_progress.then(|| Arc::new(|guests: &[&str]| log::STDERR.compiling(guests)) as _),
        ..Settings::default()
    }
}

/// Ctrl-C, and what else asks a process to end (SIGTERM, SIGHUP): the first stops the guests, the second leaves at once. So does the first
/// while a guest is being compiled, which may take minutes and cannot be stopped: nothing runs yet.
#[derive(Default)]
struct Interrupt {
    came: AtomicBool,
    compiles: AtomicBool,
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
        if self.came.swap(true, Ordering::SeqCst) || self.compiles.load(Ordering::SeqCst) {
            leave_at_once();
        }
        tracing::info!("stopping the guests; another Ctrl-C leaves at once");
        if let Some(stopper) = self.stopper.get() {
            stopper.stop();
        }
    }

    /// The same settings, by which it learns when guests are being compiled.
    fn follow_compiling(self: &Arc<Self>, settings: Settings) -> Settings {
        let (interrupt, tell) = (Arc::clone(self), settings.on_compiling.clone());
        let on_compiling = move |guests: &[&str]| {
            interrupt.compiles.store(!guests.is_empty(), Ordering::SeqCst);
            if interrupt.came() {
                leave_at_once();
            }
            tell.iter().for_each(|tell| tell(guests));
        };
        Settings { on_compiling: Some(Arc::new(on_compiling)), ..settings }
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

fn leave_at_once() -> ! {
    std::process::exit(INTERRUPTED.into())
}
