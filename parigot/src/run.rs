//! `parigot run`: from a deployment file to an exit status.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use parigot_host::deployment::Deployment;
use parigot_host::{Settings, StartProblem};

use crate::interrupt::{INTERRUPTED, Interrupt, Wish, leave_at_once};
use crate::log::{self, Format};
use crate::report::{Complaint, NoNetwork};
use crate::{Compiling, Run, launch};

/// What the exit statuses mean, for `--help`.
pub(crate) const STATUSES: &str = "\
Exit status: that of the program, or of the first that did not end with 0, and
    1  a guest failed: it panicked, trapped or could not start
    2  the command line is wrong
    3  the deployment was refused: its file, a wasm file, what does not fit, or no server of its network answers
  124  its guests were not ready within its `startup_deadline`
  130  it was stopped by Ctrl-C, SIGTERM or SIGHUP

Without programs it is that of the first service that ended for good and not with 0. Of several processes
it is the first that was not 0 of those with programs; if one without programs fails, all are stopped.";

pub(crate) const FAILED: u8 = 1;
pub(crate) const REFUSED: u8 = 3;

/// Runs a deployment, or one process of it, and returns the exit status.
pub(crate) fn run(run: &Run) -> ExitCode {
    let interrupt = Interrupt::listen();
    if run.leashed {
        stop_at_end_of_stdin(&interrupt);
    }
    let style = run.style();
    let whole = match Deployment::read(&run.file) {
        Ok(deployment) => deployment,
        Err(error) => {
            Complaint::all_of_file(&error)
                .iter()
                .for_each(|kind| kind.tell(&style));
            return REFUSED.into();
        }
    };
    match &run.process {
        None if whole.processes.is_empty() => run_here(run, &whole, &interrupt),
        _ if cfg!(not(feature = "nats")) => {
            Complaint::Network(&NoNetwork).tell(&style);
            REFUSED.into()
        }
        None => launch::launch(run, &whole, &interrupt),
        Some(process) => match whole.of_process(process) {
            Ok(part) => run_here(run, &part, &interrupt),
            Err(error) => {
                Complaint::Process(&error).tell(&style);
                REFUSED.into()
            }
        },
    }
}

/// Runs the guests of a deployment in this process.
fn run_here(run: &Run, deployment: &Deployment, interrupt: &Arc<Interrupt>) -> ExitCode {
    let settings = interrupt.follow_start(settings(&run.compiling, run.log_format == Format::Text));
    let running = match parigot_host::start(deployment, settings) {
        Ok(running) => running,
        Err(error) => return refused(run, error.problems().iter(), deployment),
    };
    let stopper = running.stopper();
    interrupt.stop_with(move |wish| match wish {
        Wish::Stop => stopper.stop(),
        Wish::LeaveAtOnce => leave_at_once(),
    });
    let outcome = running.wait();
    if interrupt.came() {
        INTERRUPTED.into()
    } else {
        outcome.status.into()
    }
}

/// Tells why guests cannot run, and returns the exit status.
pub(crate) fn refused<'a>(
    run: &Run,
    problems: impl Iterator<Item = &'a StartProblem> + Clone,
    deployment: &Deployment,
) -> ExitCode {
    let style = run.style();
    problems
        .clone()
        .for_each(|problem| Complaint::of_guest(problem, deployment).tell(&style));
    let all_failed = problems
        .into_iter()
        .all(|problem| matches!(problem, StartProblem::InitTurn { .. }));
    if all_failed { FAILED } else { REFUSED }.into()
}

/// Stops the guests when whoever holds the other end of stdin lets go of it, or is gone.
fn stop_at_end_of_stdin(interrupt: &Arc<Interrupt>) {
    let interrupt = Arc::clone(interrupt);
    let wait = move || {
        // Nobody writes; an error is an end as well.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        interrupt.stop();
    };
    std::thread::Builder::new()
        .name("parigot leash".into())
        .spawn(wait)
        .expect("a process may have a few threads");
}

/// How the host runs for this command.
pub(crate) fn settings(compiling: &Compiling, is_for_people: bool) -> Settings {
    let shows_progress = is_for_people && log::stderr_can_be_redrawn();
    Settings {
        compile_time_max: *compiling.compile_time,
        code_cache: if compiling.no_cache {
            None
        } else {
            parigot_host::user_code_cache()
        },
        on_compiling: shows_progress
            .then(|| Arc::new(|guests: &[&str]| log::STDERR.compiling(guests)) as _),
        ..Settings::default()
    }
}
