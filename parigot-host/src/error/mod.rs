//! What the host says when something is wrong: the texts stand here, in rooms by whom they are told.
//!
//! [`mistake`] is for who wrote a deployment file, [`problem`] and `network` for who starts it, [`fault`] for who reads the log, [`failure`] for a
//! guest whose call no callee answers. The last two are kept apart: a failure ends a call, a fault ends an instance.

mod config;
mod failure;
mod fault;
#[cfg(feature = "nats")]
mod network;
mod start;
pub(crate) mod suggest;

pub(crate) use config::ConfigErrorKind;
pub use config::{ConfigError, DeploymentError, UnknownProcess};
pub(crate) use failure::{Failure, Unavailable};
pub(crate) use fault::{ActiveCall, Blocked, Breach, Ending, GuestFault, OverBudget};
#[cfg(feature = "nats")]
pub use network::NetworkError;
pub use start::{GraphError, StartError, StartProblem};
pub(crate) use start::{ModuleError, TooLarge};
