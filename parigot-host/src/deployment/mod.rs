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
//! providers = ["sessions"]       # or { cache = "sessions" }: binds `KvClient as "cache"`
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
//! edge = ["public"]              # edges for which this process listens
//!
//! [process.back]
//! guests = ["greeting"]
//!
//! [edge.public]                  # listener for clients from outside
//! listen = "127.0.0.1:8080"      # port 0 lets the system choose
//! services = ["greeting.v1.Greeting"]   # all that clients can call
//! headers = ["x-request-id"]     # request headers that become metadata; "*" for all
//! cors = ["https://app.example.com"]    # origins of web pages that may call
//! reflection = false             # true: clients may ask for the schemas
//! deadline = "30s"               # longest time of a call
//! max_message = "4MiB"
//! max_calls = 1000               # calls in flight
//! errors = "brief"               # or "full": messages name guests, files and panics
//!
//! [provider.sessions]            # a store of the host; only the guests that list it reach it
//! kind = "kv"
//! path = "data/sessions.db"      # relative to this file; the further keys depend on the kind
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
//! | `edge.rs`, `parse_edge.rs` | listeners for clients from outside |
//! | `provider.rs`, `parse_provider.rs` | providers of standard services, and grants |
//! | `nats_server.rs` | addresses of servers, whose passwords no text shows |
//! | `secret.rs` | values that stand in the environment or in files of their own |
//! | `tls.rs`, `parse_tls.rs` | the table `tls`, the same for all connections and listeners |
//! | `quantity.rs` | numbers with a unit |
//! | `values.rs` | single values; collects the errors |

mod edge;
mod nats_server;
mod parse;
mod parse_edge;
mod parse_network;
mod parse_provider;
mod parse_tls;
mod provider;
mod quantity;
mod secret;
mod spec;
#[cfg(test)]
mod tests;
mod tls;
mod values;

pub use self::edge::{
    EDGE_CALLS_DEFAULT, EDGE_DEADLINE_DEFAULT, EDGE_MESSAGE_BYTES_DEFAULT, EdgeSpec, ErrorTexts,
    ExposedService, ForwardedHeaders,
};
#[cfg(feature = "nats")]
pub(crate) use self::nats_server::ServerLogin;
pub use self::nats_server::{InvalidServer, NatsServer};
pub use self::provider::{Access, Grant, ProviderSpec};
pub use self::secret::{EnvValue, Secret, SecretText};
pub use self::spec::{
    CLOCK_SKEW_DEFAULT, Deployment, GuestSpec, MANIFEST_VERSION, MAX_RESTARTS_DEFAULT, NatsLogin,
    Network, Process, RESTARTS_WITHIN_DEFAULT, RestartAfter, RestartPolicy, Role,
    SHUTDOWN_DEADLINE_DEFAULT, STARTUP_DEADLINE_DEFAULT, process_of,
};
pub use self::tls::{Identity, Tls};
pub use crate::error::{ConfigError, DeploymentError, ProviderError, SecretError, UnknownProcess};
pub use crate::limits::{
    BUDGET_DEFAULT, BUDGET_MAX, DEADLINE_DEFAULT, LOG_BYTES_DEFAULT, MEMORY_BYTES_DEFAULT,
    REPLICAS_MAX,
};
