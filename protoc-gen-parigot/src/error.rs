//! Errors in a request, each printed as one line with its location.

use std::error::Error as _;
use std::fmt;

/// Position in a `.proto`, printed as `greeter.proto:7:3`, or as the file alone if the position is
/// not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// File name, as `protoc` received it.
    pub file: String,
    /// Line and column, both counted from 1.
    pub position: Option<(u32, u32)>,
}

impl Location {
    /// Returns the location of a file as a whole.
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

/// Error for which nothing is generated.
///
/// Each text is one line, in lower case and without a full stop. The text does not include the
/// source error: see [`Error::chain`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Unknown option.
    #[error("unknown option `{key}`{hint}")]
    UnknownOption {
        /// The option's name.
        key: String,
        /// Suggestion `, did you mean …?`, or the list of all options.
        hint: String,
    },

    /// Option with an invalid value.
    #[error("option `{key}`: found `{value}`, expected {expected}")]
    OptionValue {
        /// The option's name.
        key: String,
        /// Value given.
        value: String,
        /// Values accepted.
        expected: String,
    },

    /// Option of a language other than the generated one.
    #[error("option `{key}` is for `lang={language}` alone")]
    OptionOfLanguage {
        /// The option's name.
        key: String,
        /// Language that has the option.
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

    /// Option that is given twice but takes one value.
    #[error("option `{key}` is given twice")]
    RepeatedOption {
        /// The option, with its key where it has one: `extern_path=.foo`.
        key: String,
    },

    /// Request without files.
    #[error("the request names no file to generate")]
    NothingToGenerate,

    /// Descriptor that `protoc` never sends.
    #[error("{at}: malformed descriptor: {what}")]
    Malformed {
        /// Description of the defect.
        what: String,
        /// Location of the defect.
        at: Location,
    },

    /// `.proto` with an unsupported syntax.
    #[error("{at}: found syntax `{syntax}`, expected proto2, proto3, or edition 2023 or 2024")]
    Syntax {
        /// The syntax found.
        syntax: String,
        /// The syntax statement.
        at: Location,
    },

    /// Feature of an edition that neither proto2 nor proto3 has.
    #[error("{at}: {what}")]
    Feature {
        /// `field g has the feature …`
        what: String,
        /// Element that the feature applies to.
        at: Location,
    },

    /// Two names of one scope that are spelled the same in Rust.
    #[error("{at}: {first} and {second} are both `{rust}` in Rust")]
    NameClash {
        /// First declaration, with its location unless that is obvious.
        first: String,
        /// Second declaration.
        second: String,
        /// The name in Rust.
        rust: String,
        /// Location of the second declaration.
        at: Location,
    },

    /// Package and message whose modules have one path.
    #[error(
        "{at}: {first} and {second} are both `{rust}` in Rust; `module_clash=merge` makes one \
         module of them"
    )]
    ModuleClash {
        /// First declaration, with its location.
        first: String,
        /// Second declaration.
        second: String,
        /// The module.
        rust: String,
        /// Location of the second declaration.
        at: Location,
    },

    /// Two names of one scope that are spelled the same in Go.
    #[error("{at}: {first} and {second} are both `{go}` in Go")]
    GoNameClash {
        /// First declaration, with its location unless that is obvious.
        first: String,
        /// Second declaration.
        second: String,
        /// The name in Go.
        go: String,
        /// Location of the second declaration.
        at: Location,
    },

    /// File without a Go package.
    #[error(
        "{at}: the file has no Go package: add `option go_package = \"import/path\";`, or give \
         the option `M{}=import/path`", at.file
    )]
    NoGoPackage {
        /// The file.
        at: Location,
    },

    /// File with an invalid Go import path.
    #[error("{at}: found the Go import path `{path}`, expected {expected}")]
    GoImportPath {
        /// The path.
        path: String,
        /// Description of a valid path.
        expected: &'static str,
        /// Location of `go_package`, or the file.
        at: Location,
    },

    /// File with an invalid Go package name.
    #[error(
        "{at}: found the Go package name `{name}`, expected an identifier that is not a keyword"
    )]
    GoPackageName {
        /// The name.
        name: String,
        /// Location of `go_package`, or the file.
        at: Location,
    },

    /// Two files of one Go package with different package names.
    #[error("{at}: Go package `{path}` is called {second} here, but {first}")]
    GoPackageNames {
        /// The import path.
        path: String,
        /// First name, with its location.
        first: String,
        /// Second name.
        second: String,
        /// Location of `go_package`, or the file.
        at: Location,
    },

    /// Output file outside of the output folder.
    #[error(
        "{at}: `{file}` is outside of the output folder; `paths=source_relative` puts files \
         beside their .proto"
    )]
    GoOutside {
        /// The output file.
        file: String,
        /// Location of `go_package`, or the file.
        at: Location,
    },

    /// Output file outside of the module.
    #[error("{at}: `{file}` is outside of module `{module}`, which the option `module` names")]
    GoOutsideModule {
        /// The output file.
        file: String,
        /// The module.
        module: String,
        /// Location of `go_package`, or the file.
        at: Location,
    },

    /// Two `.proto` files with the same output file.
    #[error("{at}: the output file `{output}` is also that of {other}")]
    GoSameFile {
        /// The output file.
        output: String,
        /// The first file.
        other: String,
        /// The second file.
        at: Location,
    },

    /// Name without letters and digits, of which no Rust name can be made.
    #[error("{at}: {what} has no letter or digit, so it has no name in Rust")]
    NoName {
        /// `message _`.
        what: String,
        /// Location of the declaration.
        at: Location,
    },

    /// Map of enums named by a Rust keyword.
    ///
    /// prost would name functions `get_r#type` and `insert_r#type` after the field.
    #[error(
        "{at}: {what} is a map of enums, whose name cannot be the Rust keyword `{rust}`; rename \
         the field"
    )]
    KeywordMap {
        /// `field Order.type`.
        what: String,
        /// The name in Rust.
        rust: String,
        /// The field.
        at: Location,
    },

    /// Type of a file that is not generated.
    #[error(
        "{at}: {user} uses {name} of {file}, which is not generated: name that file too, or give \
         the option `include_imports` or an extern_path"
    )]
    NotGenerated {
        /// User of the type: `field Order.item`, `method Kitchen.Cook`.
        user: String,
        /// The type's full name.
        name: String,
        /// The file that declares it.
        file: String,
        /// Location of the user.
        at: Location,
    },

    /// Type without an `extern_path`, with `messages=external`.
    #[error("{at}: {user} uses {name}: messages=external needs an extern_path for it")]
    NotExternal {
        /// User of the type: `method Kitchen.Cook`.
        user: String,
        /// The type's full name.
        name: String,
        /// Location of the user.
        at: Location,
    },

    /// Error enum that an option names and no file declares.
    #[error(
        "{at}: service {service} names the error enum `{name}`, which neither this file nor its \
         imports declare"
    )]
    ErrorNotFound {
        /// Name in the option.
        name: String,
        /// The service.
        service: String,
        /// The option.
        at: Location,
    },

    /// Message with the name of a service's error enum.
    #[error(
        "{at}: {name} is named as the errors of service {service}: found a message, expected an \
         enum"
    )]
    ErrorNotEnum {
        /// The name.
        name: String,
        /// Service.
        service: String,
        /// The message.
        at: Location,
    },

    /// Error enum without the value zero, which means success.
    #[error(
        "{at}: error enum {name} of service {service} has no zero value, which stands for no error"
    )]
    ErrorWithoutZero {
        /// The enum.
        name: String,
        /// Service.
        service: String,
        /// The enum.
        at: Location,
    },

    /// Error enum of another crate, for which this crate cannot implement a trait.
    #[error(
        "{at}: error enum {name} is `{rust}`, of another crate: its extern_path must begin with \
         `crate::`"
    )]
    ErrorElsewhere {
        /// The enum.
        name: String,
        /// Its path in Rust.
        rust: String,
        /// The enum.
        at: Location,
    },

    /// Failure of prost-build.
    #[error("prost-build cannot generate the messages")]
    Messages {
        /// Error of prost-build.
        source: std::io::Error,
    },

    /// Generated text that is not valid Rust: a defect of this plugin.
    #[error("{file}: generated Rust does not parse")]
    Unparsable {
        /// The output file.
        file: String,
        /// Error of syn.
        source: syn::Error,
    },
}

impl Error {
    /// Returns the error and its causes in one line.
    pub fn chain(&self) -> String {
        let causes = std::iter::successors(self.source(), |cause| (*cause).source());
        causes.fold(self.to_string(), |chain, cause| format!("{chain}: {cause}"))
    }

    /// Returns the location of the error, if the error is in a `.proto`.
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Malformed { at, .. }
            | Self::Syntax { at, .. }
            | Self::Feature { at, .. }
            | Self::NameClash { at, .. }
            | Self::ModuleClash { at, .. }
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
            | Self::NothingToGenerate
            | Self::Messages { .. }
            | Self::Unparsable { .. } => None,
        }
    }
}
