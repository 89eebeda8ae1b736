//! Errors of joining the other processes of a deployment.

use std::io;
use std::path::{Path, PathBuf};

use miette::Diagnostic;

/// Error of a process that cannot join the others of its deployment.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum NetworkError {
    /// No server can be reached.
    #[error("cannot connect with NATS at {}: {why}", servers.join(", "))]
    #[diagnostic(help("start a server with `nats-server`, or correct `nats` in `[network]`"))]
    Unreachable {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
        /// Error of the last attempt.
        why: String,
    },
    /// A server rejected the credentials.
    #[error("NATS at {} does not let this process in", servers.join(", "))]
    #[diagnostic(help(
        "say who comes, in `[network]`: by user and password in the address, \
         `nats://ada:secret@host`, or by a file that `credentials` names"
    ))]
    Denied {
        /// Addresses of the servers, without secrets.
        servers: Vec<String>,
    },
    /// The credentials file is missing or invalid.
    #[error("cannot take the credentials for NATS from {}", path.display())]
    #[diagnostic(help(
        "correct `credentials` in `[network]`: it names a file that `nsc` or your operator has made"
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
