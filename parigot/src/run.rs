//! `parigot run`: from a deployment file to an exit status.

use std::io;
use std::process::ExitCode;
use std::sync::Arc;

use parigot_host::deployment::Deployment;
use parigot_host::{Running, Settings, ThreadError};

use crate::cli::Run;
use crate::edge;
use crate::exit_status::{self, Ended, FAILED, REFUSED};
use crate::host_settings::{for_debugger, settings};
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
    if run.debug && run.process.is_none() {
        // A debugger has one process.
        deployment.processes.clear();
    }
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
    let mut settings = Settings {
        stdin,
        ..settings(&run.compiling, run.log_format == Format::Text)
    };
    if run.debug {
        settings = match for_debugger(settings) {
            Ok(settings) => settings,
            Err(error) => {
                Problem::Thread(&error).print(&run.style());
                return REFUSED.into();
            }
        };
        if deployment.network.is_some() {
            tracing::warn!(
                "the clocks of the other processes go on while a debugger has stopped this one: \
                 calls between them may fail"
            );
        }
    }
    let settings = interrupt.follow_start(settings);
    // Before the compilation, which takes long.
    let listeners = match edge::bind(deployment) {
        Ok(listeners) => listeners,
        Err(error) => {
            Problem::Edge(&error).print(&run.style());
            return REFUSED.into();
        }
    };
    let mut running = match parigot_host::start(deployment, settings) {
        Ok(running) => running,
        Err(error) => return start_refused(error.problems(), deployment, &run.style()),
    };
    let edge = match listeners.serve(&mut running) {
        Ok(edge) => edge,
        Err(error) => {
            Problem::Thread(&error).print(&run.style());
            return FAILED.into();
        }
    };
    stop_on_request(&running, interrupt);
    let outcome = running.wait();
    edge.close();
    let ended = Ended {
        status: outcome.status,
        was_cut_off: outcome.was_cut_off,
    };
    exit_status::of_outcome(ended, interrupt.signal())
}

/// Stops the deployment at a request, or ends the process at the second one.
fn stop_on_request(running: &Running, interrupt: &Arc<Interrupt>) {
    let stopper = running.stopper();
    let exiting = Arc::clone(interrupt);
    interrupt.stop_with(move |request| match request {
        ShutdownRequest::Stop => stopper.stop(),
        ShutdownRequest::Exit => exiting.exit_immediately(),
    });
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
