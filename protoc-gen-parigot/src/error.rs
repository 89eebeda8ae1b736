//! What can be wrong with a request: each mistake with its place, in one line.

use std::error::Error as _;
use std::fmt;

/// A place in a `.proto`: `greeter.proto:7:3`, or the file alone where its source is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The file's name, as `protoc` was given it.
    pub file: String,
    /// Line and column, both from 1.
    pub position: Option<(u32, u32)>,
}

impl Location {
    /// The file as a whole.
    pub fn file(name: impl Into<String>) -> Self {
        Self {
            file: name.into(),
            position: None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some((line, column)) => write!(f, "{}:{line}:{column}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Why nothing was generated.
///
/// One line each, lower case, no full stop; the source is left to whoever prints the chain.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An option that does not exist.
    #[error("unknown option `{key}`{hint}")]
    UnknownOption {
        /// The option's name.
        key: String,
        /// `, did you mean …?`, or the list of all options.
        hint: String,
    },

    /// An option whose value cannot be used.
    #[error("option `{key}`: found `{value}`, expected {expected}")]
    OptionValue {
        /// The option's name.
        key: String,
        /// What was given.
        value: String,
        /// What is accepted.
        expected: String,
    },

    /// An option that means nothing to the language that is generated.
    #[error("option `{key}` is for `lang={language}` alone")]
    OptionOfLanguage {
        /// The option's name.
        key: String,
        /// The language that has it.
        language: &'static str,
    },

    /// Two options that contradict each other.
    #[error("option `{one}` cannot be given with `{other}`")]
    OptionsExclude {
        /// One option.
        one: &'static str,
        /// The other.
        other: &'static str,
    },

    /// An option that is given twice and means one thing.
    #[error("option `{key}` is given twice")]
    RepeatedOption {
        /// The option, with its key where it has one: `extern_path=.foo`.
        key: String,
    },

    /// A request that no `protoc` sends.
    #[error("{at}: malformed descriptor: {what}")]
    Malformed {
        /// What is wrong with it.
        what: String,
        /// Where.
        at: Location,
    },

    /// A `.proto` of a syntax that is not supported.
    #[error("{at}: found syntax `{syntax}`, expected proto2, proto3, or edition 2023 or 2024")]
    Syntax {
        /// The syntax found.
        syntax: String,
        /// The syntax statement.
        at: Location,
    },

    /// A choice that an edition allows, and neither proto2 nor proto3 has.
    #[error("{at}: {what}")]
    Feature {
        /// `field g has the feature …`
        what: String,
        /// Where it takes effect.
        at: Location,
    },

    /// A method that streams.
    #[error(
        "{at}: method {method} streams its {what}: that is not supported, and streaming=skip leaves it out"
    )]
    Streaming {
        /// `Greeting.Watch`.
        method: String,
        /// `request`, `response` or both.
        what: &'static str,
        /// The method.
        at: Location,
    },

    /// Two names of one scope that meet in one Rust name.
    #[error("{at}: {first} and {second} are both `{rust}` in Rust")]
    NameClash {
        /// What came first, with its place if that is not obvious.
        first: String,
        /// What came second.
        second: String,
        /// The name in Rust.
        rust: String,
        /// The second.
        at: Location,
    },

    /// Two names of one scope that meet in one Go name.
    #[error("{at}: {first} and {second} are both `{go}` in Go")]
    GoNameClash {
        /// What came first, with its place if that is not obvious.
        first: String,
        /// What came second.
        second: String,
        /// The name in Go.
        go: String,
        /// The second.
        at: Location,
    },

    /// A file of which nobody says where it lies in Go.
    #[error(
        "{at}: nothing says which Go package this file is: give it an `option go_package = \"import/path\";`, or give \
         the option `M{}=import/path`", at.file
    )]
    NoGoPackage {
        /// The file.
        at: Location,
    },

    /// A file that lies where no Go package can lie.
    #[error("{at}: found the Go import path `{path}`, expected {expected}")]
    GoImportPath {
        /// The path.
        path: String,
        /// What was expected.
        expected: &'static str,
        /// Its `go_package`, or the file.
        at: Location,
    },

    /// A name that no Go package can have.
    #[error("{at}: found the Go package name `{name}`, expected an identifier that is no keyword")]
    GoPackageName {
        /// The name.
        name: String,
        /// Its `go_package`, or the file.
        at: Location,
    },

    /// Two files of one Go package that disagree on its name.
    #[error("{at}: Go package `{path}` is called {second} here, and {first}")]
    GoPackageNames {
        /// The import path.
        path: String,
        /// The name that came first, with its place.
        first: String,
        /// The name that came second.
        second: String,
        /// Its `go_package`, or the file.
        at: Location,
    },

    /// A file that would lie outside of the output folder.
    #[error(
        "{at}: `{file}` does not lie in the output folder; `paths=source_relative` puts files beside their .proto"
    )]
    GoOutside {
        /// The output file.
        file: String,
        /// Its `go_package`, or the file.
        at: Location,
    },

    /// A file that would lie outside of the module.
    #[error("{at}: `{file}` does not lie in module `{module}`, which the option `module` names")]
    GoOutsideModule {
        /// The output file.
        file: String,
        /// The module.
        module: String,
        /// Its `go_package`, or the file.
        at: Location,
    },

    /// Two files that would become one.
    #[error("{at}: `{output}` is what {other} becomes, too")]
    GoSameFile {
        /// The output file.
        output: String,
        /// The first file.
        other: String,
        /// The second file.
        at: Location,
    },

    /// A name of which nothing is left in Rust: underscores alone.
    #[error("{at}: {what} has no letter or digit, so it has no name in Rust")]
    NoName {
        /// `message _`.
        what: String,
        /// Where it is declared.
        at: Location,
    },

    /// A map of enums after whose name prost would call functions `get_r#type` and `insert_r#type`.
    #[error(
        "{at}: {what} is a map of enums, which cannot be called by the keyword `{rust}` in Rust"
    )]
    KeywordMap {
        /// `field Order.type`.
        what: String,
        /// The name in Rust.
        rust: String,
        /// The field.
        at: Location,
    },

    /// A type of a file that was not named on the command line.
    #[error(
        "{at}: {user} uses {name} of {file}, which is not generated: name that file too, or give an extern_path"
    )]
    NotGenerated {
        /// `field Order.item`, `method Kitchen.Cook`.
        user: String,
        /// The type's full name.
        name: String,
        /// The file that declares it.
        file: String,
        /// The user.
        at: Location,
    },

    /// A type that nothing generates, with `messages=external`.
    #[error("{at}: {user} uses {name}: messages=external needs an extern_path for it")]
    NotExternal {
        /// `method Kitchen.Cook`.
        user: String,
        /// The type's full name.
        name: String,
        /// The user.
        at: Location,
    },

    /// An error enum that is named by an option and is not there.
    #[error(
        "{at}: service {service} names `{name}` as its errors, and neither this file nor those imported have that"
    )]
    ErrorNotFound {
        /// What the option says.
        name: String,
        /// The service.
        service: String,
        /// The option.
        at: Location,
    },

    /// Something other than an enum under the name of a service's error enum.
    #[error(
        "{at}: {name} is the name of service {service}'s errors: found a message, expected an enum"
    )]
    ErrorNotEnum {
        /// The name.
        name: String,
        /// The service whose errors it would hold.
        service: String,
        /// The message.
        at: Location,
    },

    /// An error enum in which no number is left for success.
    #[error(
        "{at}: error enum {name} of service {service} has no zero value, which stands for no error"
    )]
    ErrorWithoutZero {
        /// The enum.
        name: String,
        /// The service whose errors it holds.
        service: String,
        /// The enum.
        at: Location,
    },

    /// An error enum for which no trait can be implemented.
    #[error(
        "{at}: error enum {name} is `{rust}`, of another crate: its extern_path must begin with `crate::`"
    )]
    ErrorElsewhere {
        /// The enum.
        name: String,
        /// Its path in Rust.
        rust: String,
        /// The enum.
        at: Location,
    },

    /// prost-build refused.
    #[error("prost-build cannot generate the messages")]
    Messages {
        /// What it said.
        source: std::io::Error,
    },

    /// The text that came out is no Rust: a fault of ours.
    #[error("{file}: generated Rust does not parse")]
    Unparsable {
        /// The output file.
        file: String,
        /// What syn said.
        source: syn::Error,
    },
}

impl Error {
    /// The error and what caused it, in one line.
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        causes.fold(self.to_string(), |chain, cause| format!("{chain}: {cause}"))
    }

    /// Where the mistake is, if it is in a `.proto`.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Malformed { at, .. }
            | Self::Syntax { at, .. }
            | Self::Feature { at, .. }
            | Self::Streaming { at, .. }
            | Self::NameClash { at, .. }
            | Self::GoNameClash { at, .. }
            | Self::NoGoPackage { at }
            | Self::GoImportPath { at, .. }
            | Self::GoPackageName { at, .. }
            | Self::GoPackageNames { at, .. }
            | Self::GoOutside { at, .. }
            | Self::GoOutsideModule { at, .. }
            | Self::GoSameFile { at, .. }
            | Self::NoName { at, .. }
            | Self::KeywordMap { at, .. }
            | Self::NotGenerated { at, .. }
            | Self::NotExternal { at, .. }
            | Self::ErrorNotFound { at, .. }
            | Self::ErrorNotEnum { at, .. }
            | Self::ErrorWithoutZero { at, .. }
            | Self::ErrorElsewhere { at, .. } => Some(at),
            Self::UnknownOption { .. }
            | Self::OptionValue { .. }
            | Self::OptionOfLanguage { .. }
            | Self::OptionsExclude { .. }
            | Self::RepeatedOption { .. }
            | Self::Messages { .. }
            | Self::Unparsable { .. } => None,
        }
    }
}
