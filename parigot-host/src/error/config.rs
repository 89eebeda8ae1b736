//! Errors of a deployment file, each with its position and the next step.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::error::edge::EdgeErrorKind;
use crate::error::provider::ProviderErrorKind;
use crate::error::suggest;
use crate::limits::{DEPLOYMENT_BYTES_MAX, Size};

/// Error of reading a deployment file.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum DeploymentError {
    /// The file does not exist, is not readable, or is not UTF-8.
    #[error("cannot read the deployment file {}", file.display())]
    Unreadable {
        /// Path as given by the caller.
        file: PathBuf,
        /// Error of the operating system.
        source: io::Error,
    },
    /// The file is a WebAssembly module, so perhaps a guest.
    #[error("{} is a wasm module, not a deployment file", file.display())]
    #[diagnostic(help(
        "give the deployment file, whose `wasm` names the module: `parigot run app.toml`"
    ))]
    Module {
        /// Path as given by the caller.
        file: PathBuf,
    },
    /// The file has more than 4 MiB.
    #[error(
        "{} is larger than {} and cannot be a deployment file",
        file.display(),
        Size(DEPLOYMENT_BYTES_MAX as usize)
    )]
    TooLarge {
        /// Path as given by the caller.
        file: PathBuf,
    },
    /// The file has errors.
    #[error("{}", first_of(file, errors, *is_complete))]
    Refused {
        /// Path as given by the caller.
        file: PathBuf,
        /// Errors in the order of the file, from 1 to 100.
        #[related]
        errors: Vec<ConfigError>,
        /// False if the file has more errors than these.
        is_complete: bool,
    },
}

/// Returns the first error and the number of errors, in one line.
fn first_of(file: &Path, errors: &[ConfigError], is_complete: bool) -> String {
    let ConfigError {
        message,
        line,
        column,
        ..
    } = &errors[0];
    let rest = match errors.len() {
        1 => String::new(),
        count if is_complete => format!(" (the first of {count} errors)"),
        count => format!(" (the first of more than {count} errors)"),
    };
    format!("{}:{line}:{column}: {message}{rest}", file.display())
}

/// One error of a deployment file.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct ConfigError {
    /// The text that was found and the expectation.
    pub message: String,
    /// The next step.
    #[help]
    pub help: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    #[label]
    pub(crate) span: SourceSpan,
    #[label("also here")]
    pub(crate) other: Option<SourceSpan>,
    #[source_code]
    pub(crate) source_code: NamedSource<Arc<str>>,
}

/// Error of naming a process that the deployment does not have.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{file} has no process `{name}`")]
pub struct UnknownProcess {
    /// The requested name.
    pub name: String,
    /// Path of the deployment file, as given by the caller.
    pub file: String,
    /// The next step.
    #[help]
    pub help: String,
}

impl UnknownProcess {
    pub(crate) fn new(name: &str, file: &str, known: Vec<&str>) -> Self {
        let help = match suggest::nearest(name, known.iter().copied()) {
            _ if known.is_empty() => {
                "all guests of the file run in one process: omit the name".to_owned()
            }
            Some(meant) => format!(
                "did you mean `{meant}`? its processes: {}",
                known.join(", ")
            ),
            None => format!("its processes: {}", known.join(", ")),
        };
        UnknownProcess {
            name: name.to_owned(),
            file: file.to_owned(),
            help,
        }
    }
}

/// Kind of a [`ConfigError`]. Positions, and values with their articles, are passed as printed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigErrorKind<'a> {
    #[error("{0}")]
    Syntax(String),
    #[error("the file has no guest")]
    NoGuest,
    #[error("the file has no `manifest_version`")]
    NoVersion,
    #[error("`manifest_version` is {found}, which is not supported")]
    Version { found: &'a str },
    #[error("{name:?} cannot be the name of {} {of}", article(of))]
    Name { name: &'a str, of: &'static str },
    #[error("two guests are named `{name}`")]
    SameName { name: &'a str },
    #[error("unknown key `{key}` in {place}")]
    UnknownKey {
        key: &'a str,
        place: &'a str,
        similar: Option<&'static str>,
        known: &'a [&'static str],
    },
    /// A key that guests of another role have, and why this role does not.
    #[error("unknown key `{key}` in {place}")]
    OtherRole {
        key: &'a str,
        place: &'a str,
        reason: &'static str,
    },
    #[error("{place} has no `wasm`")]
    NoWasm { place: &'a str, file: &'a str },
    #[error("`wasm` is empty")]
    EmptyWasm { file: &'a str },
    /// An error of the processes or their network.
    #[error("{0}")]
    Processes(ProcessesErrorKind<'a>),
    /// An error of a listener for clients.
    #[error("{0}")]
    Edge(EdgeErrorKind<'a>),
    /// An error of a provider or a grant.
    #[error("{0}")]
    Provider(ProviderErrorKind<'a>),
    #[error("{name:?} cannot be the name of an environment variable")]
    VariableName { name: &'a str },
    #[error("`{key}` is {text:?}, which is not known")]
    Choice {
        key: &'a str,
        text: &'a str,
        choices: &'static str,
    },
    #[error("`{key}` is {number}, expected an integer from {} to {}", range.start(), range.end())]
    Count {
        key: &'a str,
        number: &'a str,
        range: RangeInclusive<u64>,
    },
    #[error("`{key}` is {found}, expected {noun} with its unit, in quotes")]
    NoQuantity {
        key: &'a str,
        found: &'a str,
        noun: &'a str,
        form: &'static str,
    },
    #[error("`{key}` is {text:?}, which is not {noun}")]
    Quantity {
        key: &'a str,
        text: &'a str,
        noun: &'a str,
        form: &'static str,
    },
    #[error("`{key}` is {text:?}, which is too {much}")]
    Range {
        key: &'a str,
        text: &'a str,
        much: &'static str,
        form: &'static str,
    },
    #[error("{what} names neither a variable nor a file, or both")]
    SecretForm { what: &'a str },
    #[error("`file` of {what} is empty")]
    EmptySecret { what: &'a str },
    #[error("{what} contains a NUL")]
    Nul { what: &'a str },
    #[error("{what} is {found}, expected {expected}")]
    Type {
        what: &'a str,
        found: &'a str,
        expected: &'a str,
    },
}

/// Kind of a [`ConfigError`] about the processes of a deployment or their network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessesErrorKind<'a> {
    #[error("the file has processes and no `[network]`")]
    NoNetwork,
    #[error("the file has a `[network]` and no process")]
    NoProcess,
    #[error("{place} has no guests")]
    NoGuests { place: &'a str },
    #[error("there is no guest `{name}`")]
    UnknownGuest {
        name: &'a str,
        similar: Option<&'a str>,
        known: &'a [&'a str],
    },
    #[error("`{guest}` is in the processes `{first}` and `{second}`")]
    InTwoProcesses {
        guest: &'a str,
        first: &'a str,
        second: &'a str,
    },
    #[error("`{guest}` is in the process `{process}` twice")]
    ListedTwice { guest: &'a str, process: &'a str },
    #[error("`{guest}` is in no process")]
    InNoProcess {
        guest: &'a str,
        processes: &'a [&'a str],
    },
    #[error("`[network]` has no `nats`")]
    NoServer,
    #[error("{text:?} is not the address of a NATS server")]
    Server { text: &'a str },
    #[error("{name:?} cannot be the name of an app")]
    AppName { name: &'a str },
    #[error("`{key}` is empty")]
    EmptyPath { key: &'static str, file: &'a str },
    #[error("`tls` has a `{present}` and no `{missing}`")]
    HalfIdentity {
        present: &'static str,
        missing: &'static str,
    },
    #[error("`[network]` has a `{present}` and no `{missing}`")]
    HalfLogin {
        present: &'static str,
        missing: &'static str,
    },
    #[error("`[network]` has both `{first}` and `{second}`")]
    TwoLogins {
        first: &'static str,
        second: &'static str,
    },
}

impl ConfigErrorKind<'_> {
    /// Returns the next step.
    pub(crate) fn help(&self) -> String {
        match self {
            ConfigErrorKind::Syntax(_) => "the file is TOML: see https://toml.io".into(),
            ConfigErrorKind::NoGuest => {
                "add a table `[service.<name>]` or `[program.<name>]` with `wasm = \"<file>.wasm\"`"
                    .into()
            }
            ConfigErrorKind::NoVersion => "begin the file with `manifest_version = 1`".into(),
            ConfigErrorKind::Version { .. } => {
                "this parigot reads version 1: `manifest_version = 1`".into()
            }
            ConfigErrorKind::Name { of, .. } => {
                let article = article(of);
                format!("{article} {of}'s name is made of `a` to `z`, `0` to `9`, `_` and `-`")
            }
            ConfigErrorKind::SameName { .. } => {
                "guest names must be unique: rename one of them".into()
            }
            ConfigErrorKind::UnknownKey {
                similar: Some(known),
                ..
            } => format!("did you mean `{known}`?"),
            ConfigErrorKind::UnknownKey { known, .. } => {
                format!("known here: {}", known.join(", "))
            }
            ConfigErrorKind::OtherRole { reason, .. } => (*reason).into(),
            ConfigErrorKind::NoWasm { file, .. } => {
                format!("add `wasm = \"<file>.wasm\"`, relative to {file}")
            }
            ConfigErrorKind::EmptyWasm { file } => format!("name a wasm file, relative to {file}"),
            ConfigErrorKind::Processes(kind) => kind.help(),
            ConfigErrorKind::Edge(kind) => kind.help(),
            ConfigErrorKind::Provider(kind) => kind.help(),
            ConfigErrorKind::VariableName { .. } => {
                "variable names must be non-empty and must not contain `=` or NUL".into()
            }
            ConfigErrorKind::Choice { choices, .. } => format!("write {choices}"),
            ConfigErrorKind::Count { range, .. } => format!(
                "make it an integer from {} to {}",
                range.start(),
                range.end()
            ),
            ConfigErrorKind::NoQuantity { form, .. }
            | ConfigErrorKind::Quantity { form, .. }
            | ConfigErrorKind::Range { form, .. } => {
                format!("write {form}")
            }
            ConfigErrorKind::SecretForm { .. } => {
                "write { env = \"<variable>\" } or { file = \"<path>\" }".into()
            }
            ConfigErrorKind::EmptySecret { .. } => "name the file that contains the secret".into(),
            ConfigErrorKind::Nul { .. } => "remove the `\\u0000`".into(),
            ConfigErrorKind::Type { expected, .. } => format!("make it {expected}"),
        }
    }
}

/// Returns the indefinite article of a noun.
fn article(noun: &str) -> &'static str {
    match noun.starts_with(['a', 'e', 'i', 'o']) {
        true => "an",
        false => "a",
    }
}

impl<'a> From<EdgeErrorKind<'a>> for ConfigErrorKind<'a> {
    fn from(kind: EdgeErrorKind<'a>) -> Self {
        ConfigErrorKind::Edge(kind)
    }
}

impl<'a> From<ProviderErrorKind<'a>> for ConfigErrorKind<'a> {
    fn from(kind: ProviderErrorKind<'a>) -> Self {
        ConfigErrorKind::Provider(kind)
    }
}

impl<'a> From<ProcessesErrorKind<'a>> for ConfigErrorKind<'a> {
    fn from(kind: ProcessesErrorKind<'a>) -> Self {
        ConfigErrorKind::Processes(kind)
    }
}

impl ProcessesErrorKind<'_> {
    fn help(&self) -> String {
        match self {
            ProcessesErrorKind::NoNetwork => "add `[network]` with the address of a NATS server: \
                 `nats = \"nats://127.0.0.1:4222\"`"
                .into(),
            ProcessesErrorKind::NoProcess => {
                "add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or remove `[network]`"
                    .into()
            }
            ProcessesErrorKind::NoGuests { .. } => {
                "write `guests = [\"<guest>\"]`, or remove the process".into()
            }
            ProcessesErrorKind::UnknownGuest {
                similar: Some(name),
                ..
            } => format!("did you mean `{name}`?"),
            ProcessesErrorKind::UnknownGuest { known, .. } => {
                format!("the file's guests: {}", known.join(", "))
            }
            ProcessesErrorKind::InTwoProcesses { .. } => {
                "a guest runs in one process: remove it from the others".into()
            }
            ProcessesErrorKind::ListedTwice { .. } => "remove one of the two".into(),
            ProcessesErrorKind::InNoProcess { processes, .. } => {
                format!(
                    "add it to the `guests` of a process: {}",
                    processes.join(", ")
                )
            }
            ProcessesErrorKind::NoServer => {
                "add the address of a server: `nats = \"nats://127.0.0.1:4222\"`".into()
            }
            ProcessesErrorKind::Server { .. } => {
                "write `nats://<host>:<port>`, or `tls://` for an encrypted connection".into()
            }
            ProcessesErrorKind::AppName { .. } => {
                "write `app = \"<name>\"`, made of `a` to `z`, `A` to `Z`, `0` to `9`, `_` and `-`"
                    .into()
            }
            ProcessesErrorKind::HalfIdentity { missing, .. } => {
                format!("add `{missing} = \"{missing}.pem\"`: a certificate needs its private key")
            }
            ProcessesErrorKind::HalfLogin {
                missing: "user", ..
            } => "add `user = \"<name>\"`".into(),
            ProcessesErrorKind::HalfLogin { .. } => {
                "add `password = { env = \"<variable>\" }` or `password = { file = \"<path>\" }`"
                    .into()
            }
            ProcessesErrorKind::TwoLogins { .. } => {
                "a process logs in once: keep `credentials`, `token`, `nkey`, or `user` with \
                 `password`"
                    .into()
            }
            ProcessesErrorKind::EmptyPath { file, .. } => {
                format!("name a file, relative to {file}, or remove the key")
            }
        }
    }
}
