//! The deployment file: guests, their limits, and the processes that run them.
//!
//! ```toml
//! manifest_version = 1
//! startup_deadline = "30s"       # from the first launch until all guests are ready
//! shutdown_deadline = "5s"       # from the first stop request until all have exited
//! memory_max = "2GiB"            # memory of all guests of a process together; no default
//!
//! [service.greeting]
//! wasm = "build/greeting.wasm"   # relative to this file
//! args = ["--loud"]
//! env = { TONGUE = "french", TOKEN = { env = "GREETING_TOKEN" } }
//! memory = "64MiB"               # limit of the linear memory
//! budget = "50ms"                # CPU time between two awaits
//! budget_max = "50ms"            # largest budget that a method may declare; default: `budget`
//! log = "1MiB"                   # log volume per second, each line charged for its columns
//! deadline = "3s"                # of calls to this service without a deadline of their own
//! restart = "on-failure"         # or "never", or "always"
//! max_restarts = 10              # restarts within `max_seconds`; the next failure is permanent
//! max_seconds = 60
//! replicas = 1                   # instances; calls go to the least busy one
//! shared = ["greeting.v1.Greeting"]   # services with several exporters
//!
//! [program.hello]                # a program runs once; its keys are those from `wasm` to `log`
//! wasm = "build/hello.wasm"
//!
//! [worker.mail]                  # keys of a program, and the three of restarts
//! wasm = "build/mail.wasm"
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
//! credentials = "nats.creds"     # no default; a path or a secret
//! token = { file = "nats.token" } # no default; or `user` and `password`, or `nkey`
//! tls = { ca = "ca.pem" }        # also `cert` with `key`, and `first`
//! clock_skew = "1s"              # maximum difference between clocks
//! wait = "30s"                   # no default; time in which a start waits for a server
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
//! | `nats_server.rs` | addresses of servers, whose passwords no text shows |
//! | `secret.rs` | values that stand in the environment or in files of their own |
//! | `tls.rs`, `parse_tls.rs` | the table `tls`, the same for all connections and listeners |
//! | `values.rs` | single values; collects the errors |

mod nats_server;
mod parse;
mod parse_network;
mod parse_tls;
mod secret;
mod spec;
#[cfg(test)]
mod tests;
mod tls;
mod values;

#[cfg(feature = "nats")]
pub(crate) use self::nats_server::ServerLogin;
pub use self::nats_server::{InvalidServer, NatsServer};
pub use self::secret::{EnvValue, Secret, SecretText};
pub use self::spec::{
    CLOCK_SKEW_DEFAULT, Deployment, GuestSpec, MANIFEST_VERSION, MAX_RESTARTS_DEFAULT, NatsLogin,
    Network, Process, RESTARTS_WITHIN_DEFAULT, RestartAfter, RestartPolicy, Role,
    SHUTDOWN_DEADLINE_DEFAULT, STARTUP_DEADLINE_DEFAULT, process_of,
};
pub use self::tls::{Identity, Tls};
pub use crate::error::{ConfigError, DeploymentError, SecretError, UnknownProcess};
pub use crate::limits::{
    BUDGET_DEFAULT, BUDGET_MAX, DEADLINE_DEFAULT, LOG_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT,
    REPLICAS_MAX,
};
