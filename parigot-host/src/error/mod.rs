//! What the host says when something is wrong: the texts stand here, in rooms by whom they are told.
//!
//! [`mistake`] is for who wrote a deployment file, [`refusal`] and `network` for who starts it, [`fault`] for who reads the log, [`failure`] for a
//! guest whose call no callee answers. The last two are kept apart: a failure ends a call, a fault ends an instance.

mod failure;
mod fault;
mod mistake;
#[cfg(feature = "nats")]
mod network;
mod refusal;
pub(crate) mod suggest;

pub(crate) use failure::{Absence, Failure};
pub(crate) use fault::{Blocked, Breach, Culprit, Ending, Fault, OverBudget};
pub(crate) use mistake::Complaint;
pub use mistake::{DeploymentError, Mistake, UnknownProcess};
#[cfg(feature = "nats")]
pub use network::NetworkError;
pub use refusal::{GraphError, Refusal, StartError};
pub(crate) use refusal::{ModuleError, TooLarge};
