//! What can be wrong in a deployment file, and what to do about it.

use std::io;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

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
    #[error("{}", first_of(file, mistakes))]
    Refused {
        /// As it was asked for.
        file: PathBuf,
        /// All of them, at least one, in the file's order.
        #[related]
        mistakes: Vec<Mistake>,
    },
}

/// The first mistake in one line, for those who do not print them all.
fn first_of(file: &Path, mistakes: &[Mistake]) -> String {
    let Mistake { message, line, column, .. } = &mistakes[0];
    let rest = if mistakes.len() > 1 { format!(" (the first of {} mistakes)", mistakes.len()) } else { String::new() };
    format!("{}:{line}:{column}: {message}{rest}", file.display())
}

/// One thing that is wrong in a deployment file.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct Mistake {
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

/// What a [`Mistake`] is about. Places, and values with their articles, come as they are shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Complaint<'a> {
    #[error("{0}")]
    Syntax(String),
    #[error("the file has no guest")]
    NoGuest,
    #[error("the file has no `manifest_version`")]
    NoVersion,
    #[error("`manifest_version` is {found}, which is not supported")]
    Version { found: &'a str },
    #[error("{name:?} cannot be the name of a guest")]
    GuestName { name: &'a str },
    #[error("a service and a program are both named `{name}`")]
    SameName { name: &'a str },
    #[error("unknown key `{key}` in {place}")]
    UnknownKey { key: &'a str, place: &'a str, similar: Option<&'static str>, known: &'a [&'static str] },
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
    #[error("{name:?} cannot be the name of an environment variable")]
    VariableName { name: &'a str },
    #[error("`{key}` is {text:?}, which is not known")]
    Choice { key: &'a str, text: &'a str, choices: &'static str },
    #[error("`{key}` is {number}, expected an integer from {} to {}", range.start(), range.end())]
    Count { key: &'a str, number: &'a str, range: RangeInclusive<u64> },
    #[error("`{key}` is {found}, expected {noun} with its unit, in quotes")]
    NoQuantity { key: &'a str, found: &'a str, noun: &'a str, form: &'static str },
    #[error("`{key}` is {text:?}, which is not {noun}")]
    Quantity { key: &'a str, text: &'a str, noun: &'a str, form: &'static str },
    #[error("`{key}` is {text:?}, which is too {much}")]
    Range { key: &'a str, text: &'a str, much: &'static str, form: &'static str },
    #[error("{what} contains a NUL")]
    Nul { what: &'a str },
    #[error("{what} is {found}, expected {expected}")]
    Type { what: &'a str, found: &'a str, expected: &'a str },
}

impl Complaint<'_> {
    /// What to do about it.
    pub(crate) fn help(&self) -> String {
        match self {
            Complaint::Syntax(_) => "the file is TOML: see https://toml.io".into(),
            Complaint::NoGuest => {
                "add a table `[service.<name>]` or `[program.<name>]` with `wasm = \"<file>.wasm\"`".into()
            }
            Complaint::NoVersion => "begin it with `manifest_version = 1`".into(),
            Complaint::Version { .. } => "this parigot reads version 1: `manifest_version = 1`".into(),
            Complaint::GuestName { .. } => "a guest's name is made of `a` to `z`, `0` to `9`, `_` and `-`".into(),
            Complaint::SameName { .. } => {
                "in log and messages a guest is known by its name alone: rename one of them".into()
            }
            Complaint::UnknownKey { similar: Some(known), .. } => format!("did you mean `{known}`?"),
            Complaint::UnknownKey { known, .. } => format!("known here: {}", known.join(", ")),
            Complaint::DeadlineOfProgram { .. } => "it bounds calls to a service, and nobody calls a program".into(),
            Complaint::RestartOfProgram { .. } => {
                "it is about a service that ends, and a program is there to end".into()
            }
            Complaint::ReplicasOfProgram { .. } => {
                "it is about calls that are spread over instances, and nobody calls a program".into()
            }
            Complaint::NoWasm { file, .. } => format!("add `wasm = \"<file>.wasm\"`, relative to {file}"),
            Complaint::EmptyWasm { file } => format!("name a wasm file, relative to {file}"),
            Complaint::VariableName { .. } => {
                "such a name has at least one character, and neither `=` nor NUL among them".into()
            }
            Complaint::Choice { choices, .. } => format!("write {choices}"),
            Complaint::Count { range, .. } => format!("make it an integer from {} to {}", range.start(), range.end()),
            Complaint::NoQuantity { form, .. } | Complaint::Quantity { form, .. } | Complaint::Range { form, .. } => {
                format!("write {form}")
            }
            Complaint::Nul { .. } => "take the `\\u0000` out".into(),
            Complaint::Type { expected, .. } => format!("make it {expected}"),
        }
    }
}
