//! Errors of the connection to the other processes of a deployment.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::deployment::NatsServer;
use crate::error::{SecretError, ThreadError};
use crate::limits::Size;

/// Error of a process that cannot connect to the other processes of its deployment.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum NetworkError {
    /// No connection with a server can be made.
    #[error("cannot connect to NATS server {}: {why}", list(servers))]
    #[diagnostic(help("{next_step}"))]
    Unreachable {
        /// The servers.
        servers: Vec<NatsServer>,
        /// Error of the last attempt.
        why: String,
        /// Next step.
        next_step: String,
    },
    /// The server accepts too small messages only.
    #[error(
        "NATS server {} accepts messages of at most {bytes_max} bytes, expected at least {}",
        list(servers),
        Size(*bytes_min)
    )]
    #[diagnostic(help(
        "raise `max_payload` in the configuration of nats-server; its default is 1MB"
    ))]
    SmallMessages {
        /// The servers.
        servers: Vec<NatsServer>,
        /// Limit of the server in bytes.
        bytes_max: usize,
        /// Smallest accepted limit in bytes.
        bytes_min: usize,
    },
    /// The user of this process lacks a permission that each process needs.
    #[error("NATS server {} denies a permission: {denied}", list(servers))]
    #[diagnostic(help("{next_step}"))]
    Forbidden {
        /// The servers.
        servers: Vec<NatsServer>,
        /// Denied action, with its subject.
        denied: String,
        /// Permission to add.
        next_step: String,
    },
    /// A server rejected the credentials.
    #[error("NATS server {} rejected the credentials", list(servers))]
    #[diagnostic(help(
        "set `credentials`, `token`, `nkey`, or `user` and `password` in `[network]`"
    ))]
    Denied {
        /// The servers.
        servers: Vec<NatsServer>,
    },
    /// The system does not start the thread of the connection.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Thread(#[from] ThreadError),
    /// The system has no descriptors for the thread of the connection.
    #[error("cannot wait for messages of NATS")]
    #[diagnostic(help("raise the limit of open files: `ulimit -n`"))]
    Descriptors(#[source] io::Error),
    /// A secret of `[network]` cannot be read.
    #[error("cannot read `{key}` of `[network]`")]
    #[diagnostic(help("{}", source.help()))]
    Secret {
        /// Key in `[network]`.
        key: &'static str,
        /// Cause.
        source: SecretError,
    },
    /// The credentials are malformed.
    #[error("`credentials` of `[network]` are malformed: {secret}")]
    #[diagnostic(help("expected the contents of a credentials file, as made by `nsc`"))]
    Credentials {
        /// Reference to the secret that holds the credentials.
        secret: String,
        /// Cause.
        source: io::Error,
    },
    /// The seed of an nkey is malformed.
    #[error("`nkey` of `[network]` is malformed: {secret}")]
    #[diagnostic(help("expected the seed of a user, which begins with `SU`, as made by `nk`"))]
    Nkey {
        /// Reference to the secret that holds the seed.
        secret: String,
    },
    /// A file of the TLS settings cannot be opened.
    #[error("cannot read `{key}` in `tls` of `[network]`: {}", path.display())]
    #[diagnostic(help("create the file, and make it readable for the user of parigot"))]
    TlsFile {
        /// Key in `tls`.
        key: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl NetworkError {
    /// Creates the error of a failed attempt. The default of the next step concerns the address.
    pub(crate) fn unreachable(
        servers: &[NatsServer],
        why: String,
        next_step: Option<String>,
    ) -> Self {
        NetworkError::Unreachable {
            servers: servers.to_vec(),
            why,
            next_step: next_step.unwrap_or_else(|| {
                "start a server with `nats-server`, or correct `nats` in `[network]`".to_owned()
            }),
        }
    }

    pub(crate) fn small_messages(
        servers: &[NatsServer],
        bytes_max: usize,
        bytes_min: usize,
    ) -> Self {
        NetworkError::SmallMessages {
            servers: servers.to_vec(),
            bytes_max,
            bytes_min,
        }
    }

    pub(crate) fn forbidden(servers: &[NatsServer], denied: String, next_step: String) -> Self {
        NetworkError::Forbidden {
            servers: servers.to_vec(),
            denied,
            next_step,
        }
    }

    pub(crate) fn denied(servers: &[NatsServer]) -> Self {
        NetworkError::Denied {
            servers: servers.to_vec(),
        }
    }
}

/// Formats the addresses, which show no passwords.
fn list(servers: &[NatsServer]) -> String {
    let addresses: Vec<_> = servers.iter().map(NatsServer::to_string).collect();
    addresses.join(", ")
}
