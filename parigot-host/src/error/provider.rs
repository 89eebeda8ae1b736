//! Errors of providers: of the tables `[provider.<name>]`, of grants, and of the start.

use std::ops::Range;

/// Error of a provider that cannot be opened, with the next step.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProviderError {
    pub(crate) message: String,
    pub(crate) help: String,
    /// Position in the deployment file; `None` for the name of the provider.
    pub(crate) span: Option<Range<usize>>,
}

impl ProviderError {
    /// Creates an error from the fact and the next step. Both are one line, lower case, without a
    /// full stop.
    pub fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        ProviderError {
            message: message.into(),
            help: help.into(),
            span: None,
        }
    }

    /// Returns the error at a position of the deployment file, in bytes.
    pub(crate) fn at(self, span: Range<usize>) -> Self {
        ProviderError {
            span: Some(span),
            ..self
        }
    }

    /// Returns the next step.
    pub fn help(&self) -> &str {
        &self.help
    }

    /// Returns the position in the deployment file in bytes, if it is not that of the provider.
    pub fn span(&self) -> Option<Range<usize>> {
        self.span.clone()
    }
}

/// Kind of a `ConfigError` about a provider or a grant.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProviderErrorKind<'a> {
    #[error("{place} has no `kind`")]
    NoKind { place: &'a str },
    #[error("there is no provider `{name}`")]
    Unknown {
        name: &'a str,
        similar: Option<&'a str>,
        known: &'a [&'a str],
    },
    #[error("the grant has no `name`")]
    NoName,
    #[error("`{provider}` is granted twice")]
    GrantedTwice { provider: &'a str },
    #[error("`{provider}` is granted to no guest")]
    Ungranted { provider: &'a str },
    /// Guest and process of two grants.
    #[error(
        "`{provider}` is granted to `{}` in the process `{}` and to `{}` in the process `{}`",
        first.0, first.1, second.0, second.1
    )]
    InTwoProcesses {
        provider: &'a str,
        first: (&'a str, &'a str),
        second: (&'a str, &'a str),
    },
}

impl ProviderErrorKind<'_> {
    pub(super) fn help(&self) -> String {
        match self {
            ProviderErrorKind::NoKind { .. } => "add the kind: `kind = \"kv\"`".into(),
            ProviderErrorKind::Unknown {
                similar: Some(name),
                ..
            } => format!("did you mean `{name}`?"),
            ProviderErrorKind::Unknown {
                name, known: [], ..
            } => {
                format!("add a table `[provider.{name}]` with its `kind`")
            }
            ProviderErrorKind::Unknown { known, .. } => {
                format!("the file's providers: {}", known.join(", "))
            }
            ProviderErrorKind::NoName => {
                "write { name = \"<provider>\", access = \"read\" }".into()
            }
            ProviderErrorKind::GrantedTwice { .. } => "remove one of the two".into(),
            ProviderErrorKind::Ungranted { provider } => format!(
                "write `providers = [\"{provider}\"]` in the table of a guest, or remove the \
                 provider"
            ),
            ProviderErrorKind::InTwoProcesses { first, second, .. } => format!(
                "one process opens a provider: move `{}` and `{}` into one process, or let one of \
                 them call a service of the other",
                first.0, second.0
            ),
        }
    }
}
