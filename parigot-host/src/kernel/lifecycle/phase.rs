//! Phases of a guest, and the results of their transitions.

use crate::deployment::Role;

/// Exit status of a deployment whose start failed, and of a guest that failed without a status of
/// its own.
pub const FAILED: u8 = 1;

/// Exit status of a deployment whose start exceeded its deadline.
pub(crate) const TIMED_OUT: u8 = 124;

/// Role of a guest in the end of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GuestKind {
    Service,
    Program,
    /// Has a `main` function like a program, and is restarted like a service.
    Worker,
    /// Represents other processes, and never keeps a deployment running.
    Proxy,
}

impl From<Role> for GuestKind {
    fn from(role: Role) -> Self {
        match role {
            Role::Service => GuestKind::Service,
            Role::Program => GuestKind::Program,
            Role::Worker => GuestKind::Worker,
        }
    }
}

/// Phase of a guest, in the order of the phases: comparisons mean "has come as far as".
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The instance has ended, and the supervisor will restart the service.
    Restarting,
    /// The code runs and has not requested its launch.
    Starting,
    /// The guest has requested its launch, and a dependency is not met.
    Waiting,
    /// The guest has been launched; a service now prepares itself.
    Launched,
    /// The guest accepts calls.
    Ready,
    /// The guest has ended permanently.
    Ended,
}

/// A service that guests require. All guests are given by their indices.
#[derive(Debug, Default)]
pub(crate) struct Dependency {
    /// Exporters, at least one, in ascending order.
    pub(crate) exporters: Vec<usize>,
    /// Requirers in ascending order. A guest that requires the service twice is listed twice.
    pub(crate) required_by: Vec<usize>,
}

/// A guest that must be notified of its launch.
///
/// The generation protects a restarted guest: a worker may deliver the notification late, and the
/// next generation has not requested its launch yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Launched {
    pub(crate) guest: usize,
    pub(crate) generation: u32,
}

/// Permission to restart a guest whose instance has ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum RestartPermit {
    /// The guest may be restarted.
    Granted,
    /// The guest could never be launched, because this dependency has ended permanently.
    Lost { exporter: usize },
    /// The guest was never ready, so the start has failed; or the deployment is stopping.
    Refused,
}

/// A guest that can never be launched, because a dependency has ended permanently; or the proxy for
/// callers of such a service.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unlaunchable {
    pub(crate) guest: usize,
    pub(crate) phase: Phase,
    /// An earlier instance of the guest was ready.
    pub(crate) was_ready: bool,
}

/// A guest that delays the end of the start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Unready {
    pub(crate) guest: usize,
    pub(crate) phase: Phase,
    /// Exporters of unmet dependencies that are not ready.
    pub(crate) lacks: Vec<usize>,
}
