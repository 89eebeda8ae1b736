//! What can be wrong in a deployment file, and what to do about it.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

use crate::error::suggest;

/// A deployment file that cannot be used.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[non_exhaustive]
pub enum DeploymentError {
    /// The file is not there, may not be read, or is not UTF-8.
    #[error("cannot read the deployment file {}", file.display())]
    Unreadable {
        /// As it was asked for.
        file: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file was read, and something in it is wrong.
    #[error("{}", first_of(file, errors))]
    Refused {
        /// As it was asked for.
        file: PathBuf,
        /// All of them, at least one, in the file's order.
        #[related]
        errors: Vec<ConfigError>,
    },
}

/// The first mistake in one line, for those who do not print them all.
fn first_of(file: &Path, errors: &[ConfigError]) -> String {
    let ConfigError {
        message,
        line,
        column,
        ..
    } = &errors[0];
    let rest = if errors.len() > 1 {
        format!(" (the first of {} errors)", errors.len())
    } else {
        String::new()
    };
    format!("{}:{line}:{column}: {message}{rest}", file.display())
}

/// One thing that is wrong in a deployment file.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct ConfigError {
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    #[help]
    pub help: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    #[label]
    pub(crate) span: SourceSpan,
    #[label("also here")]
    pub(crate) other: Option<SourceSpan>,
    #[source_code]
    pub(crate) source_code: NamedSource<Arc<str>>,
}

/// A process that a deployment does not have.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{file} has no process `{name}`")]
pub struct UnknownProcess {
    /// What was asked for.
    pub name: String,
    /// The deployment file, as it was asked for.
    pub file: String,
    /// What to do about it.
    #[help]
    pub help: String,
}

impl UnknownProcess {
    pub(crate) fn new(name: &str, file: &str, known: Vec<&str>) -> Self {
        let help = match suggest::nearest(name, known.iter().copied()) {
            _ if known.is_empty() => {
                "all its guests run in one: leave the name of a process out".to_owned()
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

/// What a [`ConfigError`] is about. Places, and values with their articles, come as they are shown.
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
    #[error("{name:?} cannot be the name of a {of}")]
    Name { name: &'a str, of: &'static str },
    #[error("a service and a program are both named `{name}`")]
    SameName { name: &'a str },
    #[error("unknown key `{key}` in {place}")]
    UnknownKey {
        key: &'a str,
        place: &'a str,
        similar: Option<&'static str>,
        known: &'a [&'static str],
    },
    #[error("unknown key `{key}` in {place}")]
    DeadlineOfProgram { key: &'a str, place: &'a str },
    #[error("unknown key `{key}` in {place}")]
    RestartOfProgram { key: &'a str, place: &'a str },
    #[error("unknown key `{key}` in {place}")]
    ReplicasOfProgram { key: &'a str, place: &'a str },
    #[error("{place} has no `wasm`")]
    NoWasm { place: &'a str, file: &'a str },
    #[error("`wasm` is empty")]
    EmptyWasm { file: &'a str },
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
    SpreadTwice {
        guest: &'a str,
        first: &'a str,
        second: &'a str,
    },
    #[error("`{guest}` is in the process `{process}` twice")]
    ListedTwice { guest: &'a str, process: &'a str },
    #[error("`{guest}` is in no process")]
    Unspread {
        guest: &'a str,
        processes: &'a [&'a str],
    },
    #[error("`[network]` has no `nats`")]
    NoServer,
    #[error("{text:?} is no address of a NATS server")]
    Server { text: &'a str },
    #[error("{name:?} cannot be the name of an app")]
    AppName { name: &'a str },
    #[error("`credentials` is empty")]
    EmptyCredentials { file: &'a str },
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
    #[error("{what} contains a NUL")]
    Nul { what: &'a str },
    #[error("{what} is {found}, expected {expected}")]
    Type {
        what: &'a str,
        found: &'a str,
        expected: &'a str,
    },
}

impl ConfigErrorKind<'_> {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            ConfigErrorKind::Syntax(_) => "the file is TOML: see https://toml.io".into(),
            ConfigErrorKind::NoGuest => {
                "add a table `[service.<name>]` or `[program.<name>]` with `wasm = \"<file>.wasm\"`".into()
            }
            ConfigErrorKind::NoVersion => "begin it with `manifest_version = 1`".into(),
            ConfigErrorKind::Version { .. } => "this parigot reads version 1: `manifest_version = 1`".into(),
            ConfigErrorKind::Name { of, .. } => format!("a {of}'s name is made of `a` to `z`, `0` to `9`, `_` and `-`"),
            ConfigErrorKind::SameName { .. } => {
                "in log and messages a guest is known by its name alone: rename one of them".into()
            }
            ConfigErrorKind::UnknownKey { similar: Some(known), .. } => format!("did you mean `{known}`?"),
            ConfigErrorKind::UnknownKey { known, .. } => format!("known here: {}", known.join(", ")),
            ConfigErrorKind::DeadlineOfProgram { .. } => "it bounds calls to a service, and nobody calls a program".into(),
            ConfigErrorKind::RestartOfProgram { .. } => {
                "it is about a service that ends, and a program is there to end".into()
            }
            ConfigErrorKind::ReplicasOfProgram { .. } => {
                "it is about calls that are spread over instances, and nobody calls a program".into()
            }
            ConfigErrorKind::NoWasm { file, .. } => format!("add `wasm = \"<file>.wasm\"`, relative to {file}"),
            ConfigErrorKind::EmptyWasm { file } => format!("name a wasm file, relative to {file}"),
            ConfigErrorKind::NoNetwork => {
                "add it with the address of a NATS server: `nats = \"nats://127.0.0.1:4222\"`".into()
            }
            ConfigErrorKind::NoProcess => {
                "add tables `[process.<name>]` with `guests = [\"<guest>\"]`, or leave `[network]` out".into()
            }
            ConfigErrorKind::NoGuests { .. } => "write `guests = [\"<guest>\"]`, or leave the process out".into(),
            ConfigErrorKind::UnknownGuest { similar: Some(name), .. } => format!("did you mean `{name}`?"),
            ConfigErrorKind::UnknownGuest { known, .. } => format!("the file's guests: {}", known.join(", ")),
            ConfigErrorKind::SpreadTwice { .. } => "a guest runs in one process: take it out of all others".into(),
            ConfigErrorKind::ListedTwice { .. } => "take it out once".into(),
            ConfigErrorKind::Unspread { processes, .. } => {
                format!("add it to the `guests` of a process: {}", processes.join(", "))
            }
            ConfigErrorKind::NoServer => "add the address of a server: `nats = \"nats://127.0.0.1:4222\"`".into(),
            ConfigErrorKind::Server { .. } => {
                "write `nats://<host>:<port>`, or `tls://` for a connection that is encrypted".into()
            }
            ConfigErrorKind::AppName { .. } => {
                "write `app = \"<name>\"`, made of `a` to `z`, `A` to `Z`, `0` to `9`, `_` and `-`".into()
            }
            ConfigErrorKind::EmptyCredentials { file } => format!("name a file, relative to {file}, or leave the key out"),
            ConfigErrorKind::VariableName { .. } => {
                "such a name has at least one character, and neither `=` nor NUL among them".into()
            }
            ConfigErrorKind::Choice { choices, .. } => format!("write {choices}"),
            ConfigErrorKind::Count { range, .. } => format!("make it an integer from {} to {}", range.start(), range.end()),
            ConfigErrorKind::NoQuantity { form, .. } | ConfigErrorKind::Quantity { form, .. } | ConfigErrorKind::Range { form, .. } => {
                format!("write {form}")
            }
            ConfigErrorKind::Nul { .. } => "take the `\\u0000` out".into(),
            ConfigErrorKind::Type { expected, .. } => format!("make it {expected}"),
        }
    }
}
