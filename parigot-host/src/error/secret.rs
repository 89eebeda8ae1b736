//! Errors of reading secrets.

use std::io;
use std::path::PathBuf;

use crate::limits::SECRET_BYTES_MAX;

/// Error of reading a secret. No variant contains the secret or a part of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("environment variable `{variable}` is not set")]
    NotSet {
        /// Name of the variable.
        variable: String,
    },
    /// The file cannot be read.
    #[error("cannot read {}", file.display())]
    Unreadable {
        /// Path of the file.
        file: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is larger than a secret may be.
    #[error(
        "{} is larger than {} KiB, the limit for secrets",
        file.display(),
        SECRET_BYTES_MAX >> 10
    )]
    TooLarge {
        /// Path of the file.
        file: PathBuf,
    },
    /// The secret is not UTF-8, or contains a NUL.
    #[error("{secret} is not text: expected UTF-8 without NUL")]
    NotText {
        /// Reference to the secret.
        secret: String,
    },
}

impl SecretError {
    /// Returns the next step.
    pub fn help(&self) -> String {
        match self {
            SecretError::NotSet { variable } => {
                format!("set {variable} in the environment of parigot")
            }
            SecretError::Unreadable { .. } => {
                "create the file, and make it readable for the user of parigot".into()
            }
            SecretError::TooLarge { .. } => "a secret is a token, a password or a key".into(),
            SecretError::NotText { .. } => "encode binary secrets, for example as base64".into(),
        }
    }
}
