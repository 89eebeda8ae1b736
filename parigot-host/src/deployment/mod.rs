//! The deployment file: guests, their limits, and the processes that run them.
//!
//! ```toml
//! manifest_version = 1
//! startup_deadline = "30s"       # from the first launch until all guests are ready
//! shutdown_deadline = "5s"       # from the first stop request until all have exited
//!
//! [service.greeting]
//! wasm = "build/greeting.wasm"   # relative to this file
//! args = ["--loud"]
//! env = { TONGUE = "french" }
//! memory = "64MiB"               # limit of the linear memory
//! budget = "50ms"                # CPU time between two awaits
//! log = "1MiB"                   # log volume per second, each line charged for its columns
//! deadline = "3s"                # of calls to this service without a deadline of their own
//! restart = "on-failure"         # or "never", or "always"
//! max_restarts = 10              # restarts within `max_seconds`; the next failure is permanent
//! max_seconds = 60
//! replicas = 1                   # instances; calls go to the least busy one
//! shared = ["greeting.v1.Greeting"]   # services with several exporters
//!
//! [program.hello]                # the same keys but for the last six: a program runs once
//! wasm = "build/hello.wasm"
//!
//! [process.front]                # only for several processes; each guest belongs to one
//! guests = ["hello"]
//!
//! [process.back]
//! guests = ["greeting"]
//!
//! [network]                      # the connection between the processes
//! nats = "nats://127.0.0.1:4222" # or a list of servers
//! app = "helloworld"             # separates deployments on one server
//! credentials = "nats.creds"     # no default; relative to this file
//! clock_skew = "1s"              # maximum difference between clocks
//! ```
//!
//! Unknown keys and values are errors. All errors of a file are reported at once, each with its
//! position and the next step.
//!
//! | file | responsibility |
//! |---|---|
//! | `spec.rs` | the result: guests, processes, limits |
//! | `parse.rs` | the file's own keys and the tables of guests |
//! | `parse_network.rs` | processes and `[network]` |
//! | `reader.rs` | single values; collects the errors |

mod parse;
mod parse_network;
mod reader;
mod spec;
#[cfg(test)]
mod tests;

pub use self::spec::{
    CLOCK_SKEW_DEFAULT, Deployment, GuestSpec, MANIFEST_VERSION, MAX_RESTARTS_DEFAULT, Network,
    Process, RESTARTS_WITHIN_DEFAULT, RestartAfter, RestartPolicy, Role, SHUTDOWN_DEADLINE_DEFAULT,
    STARTUP_DEADLINE_DEFAULT, process_of,
};
pub use crate::error::{ConfigError, DeploymentError, UnknownProcess};
pub use crate::limits::{
    BUDGET_DEFAULT, BUDGET_MAX, DEADLINE_DEFAULT, LOG_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT,
    REPLICAS_MAX,
};
