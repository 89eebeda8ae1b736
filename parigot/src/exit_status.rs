//! Exit statuses of the command, and how `--help` describes them.
//!
//! The host decides the status of a deployment that ran: `Lifecycle::status` in
//! `parigot-host/src/kernel/lifecycle/` returns the status, which `LifecycleState::end_permanently`
//! records at the end of a guest. This module maps that status, and the problems of a deployment
//! that could not start, to the status of the command. A deployment with several processes combines
//! the statuses of the processes in `ProcessGroup::ended`, in `process_group.rs`.

use std::process::ExitCode;

use parigot_host::StartProblem;
use signal_hook::consts::SIGTERM;

/// A guest failed, or a process could not be started.
pub(crate) const FAILED: u8 = parigot_host::FAILED_STATUS;

/// The deployment was refused before anything ran.
pub(crate) const REFUSED: u8 = 3;

/// Result of the processes of a deployment.
#[derive(Clone, Copy)]
pub(crate) struct Ended {
    /// Status of the deployment without a signal.
    pub(crate) status: u8,
    /// Set if the stop interrupted a program, or a guest that had to be killed.
    pub(crate) was_cut_off: bool,
}

/// Returns the exit status of a deployment that ran, and that `signal` stopped.
///
/// SIGTERM is how supervisors stop a service, so a stop that interrupts no work is a success:
/// systemd, Kubernetes and `timeout` would report each orderly stop as a failure otherwise.
pub(crate) fn of_outcome(outcome: Ended, signal: Option<i32>) -> ExitCode {
    let status = match signal {
        None => outcome.status,
        Some(SIGTERM) if !outcome.was_cut_off => outcome.status,
        Some(signal) => of_signal(signal),
    };
    status.into()
}

/// Returns the exit status of a command that a signal ended: 128 and the number of the signal, as
/// in shells.
pub(crate) fn of_signal(signal: i32) -> u8 {
    u8::try_from(128 + signal).unwrap_or(FAILED)
}

/// Returns the exit status of a deployment that did not start because of `problems`.
pub(crate) fn of_problems<'a>(problems: impl IntoIterator<Item = &'a StartProblem>) -> ExitCode {
    // A guest that ends in its init turn has failed. The host finds all other problems before any
    // guest runs.
    let all_failed = problems
        .into_iter()
        .all(|problem| matches!(problem, StartProblem::InitTurn { .. }));
    if all_failed { FAILED } else { REFUSED }.into()
}

/// Statuses of `parigot run`.
pub(crate) const OF_RUN: &str = "\
Exit status: the status of the program, or the first that is not 0 of several programs, and
    1  a guest failed: it panicked, trapped or could not start
    2  the command line is wrong
    3  the deployment was refused: its file, a wasm file, its requirements, or its network
  124  its guests were not ready within its `startup_deadline`
  129  it was stopped by SIGHUP
  130  it was stopped by Ctrl-C
  143  it was stopped by SIGTERM before a program had ended, or a guest did not exit within the
       `shutdown_deadline`; any other stop by SIGTERM leaves the status as it is

Without programs, the status is that of the first service that ended permanently with a
status other than 0. With several processes, the status is the first that is not 0 among the
processes with programs; if a process without programs fails, all processes are stopped.";

/// Statuses of `parigot check`.
pub(crate) const OF_CHECK: &str = "\
Exit status:
    0  the deployment can start, with warnings or without
    2  the command line is wrong
    3  the deployment cannot start, for the reported reasons, or has warnings with --strict";

/// Statuses of `parigot graph`.
pub(crate) const OF_GRAPH: &str = "\
Exit status:
    0  the deployment was drawn, even if it cannot start: see `parigot check`
    2  the command line is wrong
    3  the deployment cannot be drawn: its file is wrong, or a guest has no manifest";
