//! Errors of the connection to the other processes of a deployment.

use std::io;
use std::path::PathBuf;

use miette::Diagnostic;

use crate::error::SecretError;
use crate::limits::Size;

/// Error of a process that cannot connect to the other processes of its deployment.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum NetworkError {
    /// No connection with a server can be made.
    #[error("cannot connect to NATS server {}: {why}", servers.join(", "))]
    #[diagnostic(help("{next_step}"))]
    Unreachable {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
        /// Error of the last attempt.
        why: String,
        /// Next step.
        next_step: String,
    },
    /// The server accepts too small messages only.
    #[error(
        "NATS server {} accepts messages of at most {bytes_max} bytes, expected at least {}",
        servers.join(", "),
        Size(*bytes_min)
    )]
    #[diagnostic(help(
        "raise `max_payload` in the configuration of nats-server; its default is 1MB"
    ))]
    SmallMessages {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
        /// Limit of the server in bytes.
        bytes_max: usize,
        /// Smallest accepted limit in bytes.
        bytes_min: usize,
    },
    /// The user of this process lacks a permission that each process needs.
    #[error("NATS server {} denies a permission: {denied}", servers.join(", "))]
    #[diagnostic(help("{next_step}"))]
    Forbidden {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
        /// Denied action, with its subject.
        denied: String,
        /// Permission to add.
        next_step: String,
    },
    /// A server rejected the credentials.
    #[error("NATS server {} rejected the credentials", servers.join(", "))]
    #[diagnostic(help("set `credentials`, `token`, or `user` and `password` in `[network]`"))]
    Denied {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
    },
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
    pub(crate) fn unreachable(servers: &[String], why: String, next_step: Option<String>) -> Self {
        NetworkError::Unreachable {
            servers: all_without_secrets(servers),
            why,
            next_step: next_step.unwrap_or_else(|| {
                "start a server with `nats-server`, or correct `nats` in `[network]`".to_owned()
            }),
        }
    }

    pub(crate) fn small_messages(servers: &[String], bytes_max: usize, bytes_min: usize) -> Self {
        NetworkError::SmallMessages {
            servers: all_without_secrets(servers),
            bytes_max,
            bytes_min,
        }
    }

    pub(crate) fn forbidden(servers: &[String], denied: String, next_step: String) -> Self {
        NetworkError::Forbidden {
            servers: all_without_secrets(servers),
            denied,
            next_step,
        }
    }

    pub(crate) fn denied(servers: &[String]) -> Self {
        NetworkError::Denied {
            servers: all_without_secrets(servers),
        }
    }
}

fn all_without_secrets(servers: &[String]) -> Vec<String> {
    servers
        .iter()
        .map(|server| without_secrets(server))
        .collect()
}

/// Returns an address without user and password.
fn without_secrets(server: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or(("nats", server));
    let host = rest.rsplit_once('@').map_or(rest, |(_, host)| host);
    format!("{scheme}://{host}")
}
