//! Providers of standard services: the tables `[provider.<name>]`, and the grants of guests.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use super::quantity::{SIZE_UNITS, parse_quantity};
use crate::error::{ProviderError, suggest};

/// A provider: one instance of a host service, such as one store.
///
/// The keys of its table depend on its kind, so the kind reads them: see
/// [`Provider`](crate::provider::Provider).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderSpec {
    /// Unique name in the file and in the log, made of `a-z`, `0-9`, `_` and `-`.
    pub name: String,
    /// Kind, which the host finds among its providers.
    pub kind: String,
    /// Values of the other keys.
    pub(super) values: BTreeMap<String, ProviderValue>,
    /// Folder of the file, in which relative paths begin.
    pub(super) folder: PathBuf,
    /// Position of the name in the file, in bytes.
    pub span: Range<usize>,
}

/// Value of a key, with the positions of both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProviderValue {
    pub(super) key_span: Range<usize>,
    pub(super) span: Range<usize>,
    /// `None` if the value is no string.
    pub(super) text: Option<String>,
}

/// Grant of a provider to a guest. Without a grant, no guest reaches a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Name of the provider.
    pub provider: String,
    /// Name of the requirement's binding; empty if the grant serves any requirement.
    pub binding: String,
    /// Methods that the guest may call.
    pub access: Access,
    /// Position of the provider's name in the file, in bytes.
    pub span: Range<usize>,
}

/// Methods of a provider that a guest may call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// All methods.
    Full,
    /// Methods whose `idempotency_level` is `NO_SIDE_EFFECTS`.
    Read,
}

impl ProviderSpec {
    /// Creates a provider whose table has no further keys.
    pub fn new(name: impl Into<String>, kind: impl Into<String>) -> Self {
        ProviderSpec {
            name: name.into(),
            kind: kind.into(),
            values: BTreeMap::new(),
            folder: PathBuf::new(),
            span: 0..0,
        }
    }

    /// Returns the provider with one more key. A relative path in it begins in the working folder.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, text: impl Into<String>) -> Self {
        let value = ProviderValue {
            key_span: 0..0,
            span: 0..0,
            text: Some(text.into()),
        };
        self.values.insert(key.into(), value);
        self
    }

    /// Checks that the table has only known keys.
    ///
    /// # Errors
    ///
    /// With the first unknown key.
    pub fn has_only(&self, known: &[&str]) -> Result<(), ProviderError> {
        let unknown = |(key, _): &(&String, _)| !known.contains(&&***key);
        let Some((key, value)) = self.values.iter().find(unknown) else {
            return Ok(());
        };
        let help = match suggest::nearest(key, known.iter().copied()) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if known.is_empty() => "remove the key".to_owned(),
            None => format!("known here: kind, {}", known.join(", ")),
        };
        let error = ProviderError::new(format!("unknown key `{key}`"), help);
        Err(error.at(value.key_span.clone()))
    }

    /// Returns the text of a key; `None` without the key.
    ///
    /// # Errors
    ///
    /// If the value is no string.
    pub fn text(&self, key: &str) -> Result<Option<&str>, ProviderError> {
        match self.values.get(key) {
            None => Ok(None),
            Some(ProviderValue {
                text: Some(text), ..
            }) => Ok(Some(text)),
            Some(value) => {
                let error = ProviderError::new(format!("`{key}` is no string"), "make it a string");
                Err(error.at(value.span.clone()))
            }
        }
    }

    /// Returns a path, resolved against the folder of the file; `None` without the key.
    ///
    /// # Errors
    ///
    /// If the value is no string, or empty.
    pub fn path(&self, key: &str) -> Result<Option<PathBuf>, ProviderError> {
        match self.text(key)? {
            Some("") => {
                let help = "name a file, relative to the deployment file";
                Err(self.error(key, format!("`{key}` is empty"), help))
            }
            text => Ok(text.map(|text| self.folder.join(text))),
        }
    }

    /// Returns a number of bytes, which the file writes as `"64MiB"`; `None` without the key.
    ///
    /// # Errors
    ///
    /// If the value has another form.
    pub fn size(&self, key: &str) -> Result<Option<u64>, ProviderError> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        let size = parse_quantity(text, SIZE_UNITS);
        size.map(Some).ok_or_else(|| {
            let help = "write a whole number and KiB, MiB or GiB, such as \"64MiB\"";
            self.error(
                key,
                format!("`{key}` is {text:?}, which is not a size"),
                help,
            )
        })
    }

    /// Creates an error at the value of a key, or at the name of the provider without the key.
    pub fn error(
        &self,
        key: &str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> ProviderError {
        let span = self.values.get(key).map(|value| value.span.clone());
        ProviderError::new(message, help).at(span.unwrap_or(self.span.clone()))
    }
}
