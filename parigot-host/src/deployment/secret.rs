//! Secrets: values that a deployment file refers to, and does not contain.
//!
//! A secret is written `{ env = "TOKEN" }` or `{ file = "token.txt" }`. The host reads an
//! environment variable only if the deployment file names it. A secret is read when its user
//! starts, not when the file is parsed, so `parigot check` needs no secret.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::SecretError;
use crate::limits::SECRET_BYTES_MAX;
use crate::regular_file;

/// Reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Secret {
    /// An environment variable of the host.
    Env(String),
    /// A file: absolute, or relative to the working directory. One line break at its end does not
    /// belong to the secret.
    File(PathBuf),
}

/// The value of an environment variable of a guest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvValue {
    /// A text of the deployment file.
    Text(String),
    /// A secret, read when the guest starts.
    Secret(Secret),
}

/// A secret that has been read. The debug format does not show the text.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretText(String);

impl Secret {
    /// Reads the secret.
    ///
    /// # Errors
    ///
    /// If the variable is not set, if the file cannot be read or exceeds 64 KiB, or if the secret
    /// is not UTF-8 or contains a NUL.
    ///
    /// # Examples
    ///
    /// ```
    /// use parigot_host::deployment::Secret;
    ///
    /// let secret = Secret::Env("NO_SUCH_VARIABLE".into());
    /// let error = secret.read().unwrap_err();
    /// assert_eq!(error.to_string(), "environment variable `NO_SUCH_VARIABLE` is not set");
    /// ```
    pub fn read(&self) -> Result<SecretText, SecretError> {
        let bytes = match self {
            Secret::Env(variable) => std::env::var_os(variable)
                .ok_or_else(|| SecretError::NotSet {
                    variable: variable.clone(),
                })?
                .into_encoded_bytes(),
            Secret::File(file) => read_file(file)?,
        };
        match String::from_utf8(bytes) {
            Ok(text) if !text.contains('\0') => Ok(SecretText(text)),
            _ => Err(SecretError::NotText {
                secret: self.to_string(),
            }),
        }
    }
}

/// Reads a file without its last line break.
fn read_file(path: &Path) -> Result<Vec<u8>, SecretError> {
    let unreadable = |source| SecretError::Unreadable {
        file: path.to_owned(),
        source,
    };
    let mut bytes = regular_file::read(path, SECRET_BYTES_MAX).map_err(unreadable)?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(SecretError::TooLarge {
            file: path.to_owned(),
        });
    }
    if bytes.ends_with(b"\n") {
        bytes.pop();
        if bytes.ends_with(b"\r") {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// Formats the reference, as errors name it.
impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Secret::Env(variable) => write!(f, "environment variable `{variable}`"),
            Secret::File(file) => file.display().fmt(f),
        }
    }
}

impl EnvValue {
    /// Returns the text of the value, and reads the secret if the value is one.
    ///
    /// # Errors
    ///
    /// See [`Secret::read`].
    pub fn read(&self) -> Result<SecretText, SecretError> {
        match self {
            EnvValue::Text(text) => Ok(SecretText(text.clone())),
            EnvValue::Secret(secret) => secret.read(),
        }
    }
}

impl<T: Into<String>> From<T> for EnvValue {
    fn from(text: T) -> Self {
        EnvValue::Text(text.into())
    }
}

impl SecretText {
    /// Returns the text. It must reach neither a log nor an error.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the text. It must reach neither a log nor an error.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file_of(bytes: &[u8]) -> (tempfile::TempDir, Secret) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("secret");
        std::fs::write(&path, bytes).expect("a file can be written");
        (folder, Secret::File(path))
    }

    #[test]
    fn one_line_break_does_not_belong_to_the_secret() {
        for (bytes, text) in [
            (&b"s3cret\n"[..], "s3cret"),
            (b"s3cret\r\n", "s3cret"),
            (b"s3cret\n\n", "s3cret\n"),
            (b"s3cret", "s3cret"),
            (b"", ""),
        ] {
            let (_folder, secret) = file_of(bytes);
            assert_eq!(secret.read().expect("must be read").expose(), text);
        }
    }

    #[test]
    fn errors_name_the_secret_and_do_not_show_it() {
        for bytes in [&b"s3cret\0"[..], b"s3cret\xff"] {
            let (_folder, secret) = file_of(bytes);
            let error = secret.read().expect_err("binary bytes are not a secret");
            assert_eq!(
                error.to_string(),
                format!("{secret} is not text: expected UTF-8 without NUL")
            );
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
        let (_folder, secret) = file_of(&vec![b's'; SECRET_BYTES_MAX as usize + 1]);
        let error = secret.read().expect_err("the file is too large");
        assert_eq!(
            error.to_string(),
            format!("{secret} is larger than 64 KiB, the limit for secrets")
        );
        let missing = Secret::File("/no/such/file".into());
        let error = missing.read().expect_err("there is no file");
        assert_eq!(error.to_string(), "cannot read /no/such/file");
    }

    #[test]
    fn the_debug_format_hides_the_text() {
        let (_folder, secret) = file_of(b"s3cret");
        let text = secret.read().expect("must be read");
        assert_eq!(format!("{text:?}"), "SecretText(..)");
    }
}
