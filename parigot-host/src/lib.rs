//! The host of parigot: runs a set of guests in one process, or its part of one that spans several,
//! and carries their calls.
//!
//! ```no_run
//! use parigot_host::{Settings, deployment::Deployment};
//!
//! let deployment = Deployment::read("helloworld.toml".as_ref())?;
//! let running = parigot_host::start(&deployment, Settings::default())?;
//! std::process::exit(running.wait().status.into());
//! # #[allow(unreachable_code, reason = "gives the example its type")]
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | responsibility |
//! |---|---|
//! | [`deployment`] | the TOML file: guests, processes, limits |
//! | `compile` | from a `.wasm` file to checked machine code; the code cache |
//! | `guest` | one isolated guest: engine, memory, stack, CPU budget |
//! | `start` | from compiled guests to a bound, ordered set; [`schema`] compatibility |
//! | `kernel` | scheduling, routing of calls, lifecycle, supervision |
//! | `network` | proxies for services of other processes; transport over NATS |
//! | [`provider`] | services for guests that Rust code of the host serves |
//! | [`client`] | calls from outside of the guests |
//! | [`descriptors`] | descriptors of the guests, and JSON of messages (feature) |
//! | `stdio` | standard input and output for programs |
//! | `log`, `error` | log events and rate limits; all error texts |
//! | `testing` | a host whose order, time and faults a test controls (feature) |
//! | [`clock`], `random` | the sources of time and randomness |
//! | `host`, `settings`, `limits` | start and end of a deployment; settings; all limits |

pub mod client;
pub mod clock;
mod compile;
pub mod deployment;
pub mod descriptors;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod guest;
mod host;
mod kernel;
mod limits;
mod log;
#[cfg_attr(not(feature = "nats"), path = "network/disabled.rs")]
mod network;
pub mod provider;
mod random;
mod regular_file;
mod settings;
mod start;
mod stdio;
#[cfg(feature = "testing")]
pub mod testing;

pub use crate::compile::child::{CompilerCommand, compile_stdin};
pub use crate::compile::code_cache::of_user as user_code_cache;
#[cfg(feature = "nats")]
pub use crate::error::NetworkError;
pub use crate::error::{EdgeProblem, GraphError, StartError, StartProblem, ThreadError};
pub use crate::host::{Outcome, Pending, Running, Stopper, start};
pub use crate::kernel::lifecycle::FAILED as FAILED_STATUS;
pub use crate::limits::{COMPILE_MEMORY_BYTES_MAX_DEFAULT, COMPILE_TIME_MAX_DEFAULT};
pub use crate::log::events::LOG_FIELDS;
pub use crate::settings::{OnCompiling, OnWaiting, Settings};
pub use crate::start::check::{CheckReport, GuestReport, Requirement, Warning, check};
pub use crate::start::{Exported, schema};
