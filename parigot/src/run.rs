//! `parigot run`: from a deployment file to an exit status.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use parigot_host::deployment::Deployment;
use parigot_host::{Settings, ThreadError};

use crate::cli::Run;
use crate::exit_status::{self, Ended, FAILED, REFUSED};
use crate::host_settings::settings;
use crate::interrupt::{Interrupt, ShutdownRequest};
use crate::log::Format;
use crate::process_group;
use crate::program_args::pass_args;
use crate::report::{NoNetwork, Problem, Problems, start_refused};
use crate::{stdin, thread};

/// Runs a deployment, or one process of a deployment, and returns the exit status.
pub(crate) fn run(run: &Run) -> ExitCode {
    let style = run.style();
    let interrupt = match listen(run) {
        Ok(interrupt) => interrupt,
        Err(error) => {
            Problem::Thread(&error).print(&style);
            return REFUSED.into();
        }
    };
    let mut deployment = match Deployment::read(&run.file) {
        Ok(deployment) => deployment,
        Err(error) => {
            Problems::of_file(&error).print(&style);
            return REFUSED.into();
        }
    };
    let refuse = |problem: Problem<'_>| {
        problem.print(&style);
        REFUSED.into()
    };
    if cfg!(not(feature = "nats")) && !deployment.processes.is_empty() {
        return refuse(Problem::Network(&NoNetwork));
    }
    if let Some(process) = &run.process {
        deployment = match deployment.of_process(process) {
            Ok(part) => part,
            Err(error) => return refuse(Problem::Process(&error)),
        };
    }
    let program = match pass_args(run, &mut deployment) {
        Ok(program) => program,
        Err(error) => return refuse(Problem::Args(&error)),
    };
    if deployment.processes.is_empty() {
        run_here(run, &deployment, &interrupt)
    } else {
        process_group::run(run, &deployment, program.as_deref(), &interrupt)
    }
}

/// Starts the threads that wait for a request to stop.
fn listen(run: &Run) -> Result<Arc<Interrupt>, ThreadError> {
    let interrupt = Interrupt::listen()?;
    if run.exit_with_stdin {
        stop_at_end_of_stdin(&interrupt)?;
    }
    Ok(interrupt)
}

/// Runs the guests of a deployment in this process.
fn run_here(run: &Run, deployment: &Deployment, interrupt: &Arc<Interrupt>) -> ExitCode {
    let stdin = match stdin::of_programs(run) {
        Ok(stdin) => stdin.map(Arc::new),
        Err(error) => {
            tracing::error!("cannot open the standard input of programs: {error}");
            return FAILED.into();
        }
    };
    let settings = Settings {
        stdin,
        ..settings(&run.compiling, run.log_format == Format::Text)
    };
    let settings = interrupt.follow_start(settings);
    let running = match parigot_host::start(deployment, settings) {
        Ok(running) => running,
        Err(error) => return start_refused(error.problems(), deployment, &run.style()),
    };
    let stopper = running.stopper();
    let exiting = Arc::clone(interrupt);
    interrupt.stop_with(move |request| match request {
        ShutdownRequest::Stop => stopper.stop(),
        ShutdownRequest::Exit => exiting.exit_immediately(),
    });
    let outcome = running.wait();
    let ended = Ended {
        status: outcome.status,
        was_cut_off: outcome.was_cut_off,
    };
    exit_status::of_outcome(ended, interrupt.signal())
}

/// Stops the guests when stdin closes: the parent process holds the other end of the pipe.
fn stop_at_end_of_stdin(interrupt: &Arc<Interrupt>) -> Result<(), ThreadError> {
    let interrupt = Arc::clone(interrupt);
    let wait = move || {
        // The parent writes nothing, so the copy ends when the pipe closes; an error is an end too.
        let _ = io::copy(&mut io::stdin(), &mut io::sink());
        interrupt.stop();
    };
    thread::spawn("parigot parent", wait).map(drop)
}
