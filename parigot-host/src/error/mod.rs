//! Errors: every text that a user or a caller reads when something goes wrong.
//!
//! | file | errors | read by |
//! |---|---|---|
//! | `config.rs` | deployment file, with position and next step | the user, before the start |
//! | `edge.rs` | as `config.rs`, for edges | the user, before the start |
//! | `provider.rs` | providers in the file, and their opening | the user, before the start |
//! | `graph.rs` | requirements and exports do not match | the user, before the start |
//! | `start.rs` | guests, requirements, network | the user, before the start |
//! | `module.rs` | a module cannot be run | the user, before the start |
//! | `schema.rs` | a client's schema does not fit the exporter's | the user, before the start |
//! | `thread.rs` | the system starts no further thread | the user, before the start |
//! | `secret.rs` | a secret cannot be read | the user, before the start |
//! | `network.rs` | a process cannot join the others | the user, before the start |
//! | `fault.rs` | a guest ends | the log |
//! | `failure/` | a call has no reply: a status with a cause | the caller |

mod config;
mod edge;
mod failure;
mod fault;
mod graph;
mod module;
#[cfg(feature = "nats")]
mod network;
mod provider;
mod schema;
mod secret;
mod start;
pub(crate) mod suggest;
mod thread;

pub use config::{ConfigError, DeploymentError, UnknownProcess};
pub(crate) use config::{ConfigErrorKind, ProcessesErrorKind};
pub(crate) use edge::EdgeErrorKind;
pub(crate) use failure::{Failure, Unavailable};
pub(crate) use fault::{
    ActiveCall, Blocked, Breach, Ending, GuestFault, OverBudget, Stack, after_colon,
};
pub use graph::GraphError;
pub(crate) use module::{GoBuildError, MemoryLimit, ModuleError, TooLarge};
#[cfg(feature = "nats")]
pub use network::NetworkError;
pub use provider::ProviderError;
pub(crate) use provider::ProviderErrorKind;
pub use schema::SchemaError;
pub use secret::SecretError;
pub use start::{EdgeProblem, StartError, StartProblem};
pub use thread::ThreadError;
