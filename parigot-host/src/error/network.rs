//! Errors of the connection to the other processes of a deployment.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// Error of a process that cannot connect to the other processes of its deployment.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum NetworkError {
    /// No server can be reached.
    #[error("cannot connect to NATS server {}: {why}", servers.join(", "))]
    #[diagnostic(help("start a server with `nats-server`, or correct `nats` in `[network]`"))]
    Unreachable {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
        /// Error of the last attempt.
        why: String,
    },
    /// A server rejected the credentials.
    #[error("NATS server {} rejected the credentials", servers.join(", "))]
    #[diagnostic(help(
        "set `credentials` in `[network]` to a credentials file, or put user and password in the \
         address: `nats://user:password@host`"
    ))]
    Denied {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
    },
    /// The credentials file is missing or invalid.
    #[error("cannot read the NATS credentials from {}", path.display())]
    #[diagnostic(help(
        "set `credentials` in `[network]` to a credentials file, for example one made by `nsc`"
    ))]
    Credentials {
        /// Path of the file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
}

impl NetworkError {
    pub(crate) fn unreachable(servers: &[String], why: String) -> Self {
        NetworkError::Unreachable {
            servers: all_without_secrets(servers),
            why,
        }
    }

    pub(crate) fn denied(servers: &[String]) -> Self {
        NetworkError::Denied {
            servers: all_without_secrets(servers),
        }
    }

    pub(crate) fn credentials(path: &Path, source: io::Error) -> Self {
        NetworkError::Credentials {
            path: path.to_owned(),
            source,
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
