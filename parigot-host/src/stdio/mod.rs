//! Standard input and output for programs: the service `parigot.stdio.v1.Stdio`.
//!
//! A [`service`] is a built-in guest that exports the service. It exists only if a guest requires
//! the service. The kernel has no I/O, so two [`streams`] threads read and write. The guest sends
//! them work, and they put the results into a queue and wake the guest.
//!
//! ```text
//! program → kernel → service → streams → stdin, stdout
//!                       ↑ results ┘
//! ```
//!
//! Nothing is lost or dropped:
//!
//! - The reader reads when a call asks for input, and no more than the call asks for. Input that
//!   arrives for a cancelled call is kept for the next one.
//! - A call that writes is answered after the write, so a slow reader of stdout slows down the
//!   programs. Each accepted call is carried out, even if its caller has ended.
//! - The guest exits after its last write. A write that blocks ends with the process, at the
//!   `shutdown_deadline`.

pub(crate) mod proxy;
mod service;
mod streams;
#[cfg(all(test, unix))]
mod tests;

/// Full name of the service.
pub(crate) const SERVICE: &str = parigot_guest::stdio::v1::stdio::SERVICE.name;

/// Name of the built-in guest in the log. Names of a deployment's guests have no slash.
pub(crate) const NAME: &str = "host/stdio";
