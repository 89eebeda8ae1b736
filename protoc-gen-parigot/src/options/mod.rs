//! `--parigot_opt`: the options of a run.
//!
//! Options are separated by commas, or given by several `--parigot_opt`. A yes-or-no option may stand bare. A comma that is part
//! of a value has a backslash before it.
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `lang` | `rust`, `go` | the language to generate |
//! | `streaming` | `refuse`, `skip` | methods that stream are mistakes, or left out |
//!
//! Those of `lang=rust`; to give one to another language is a mistake:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `messages` | `prost`, `external` | messages are generated with the stubs, or lie where an `extern_path` says |
//! | `mod_file` | `true`, `false` | write `mod.rs`, which nests the packages, or leave that to be done by hand |
//! | `extern_path` | `.pkg=::path` | types below `.pkg` lie below the path, not generated; may be repeated |
//!
//! A path begins with `::` or `crate::`. Those of `google.protobuf` and of `parigot.v1.Id` are set, and may be set again.
//!
//! Those of `lang=go`, which are protoc-gen-go's:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `paths` | `import`, `source_relative` | files lie in a folder named after the import path, or beside their `.proto` |
//! | `module` | `module/path` | the start of the import path that is left out of that folder's name |
//! | `M<file>` | `import/path;name` | the package of a `.proto`, in place of its `go_package`; either part may be missing |

mod go;
mod parse;
mod rust;
#[cfg(test)]
mod tests;

pub use self::go::{GoOptions, Mapping, Paths};
pub use self::rust::{MessageSource, RustOptions};

/// The options of a run, checked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// The language to generate.
    pub language: Language,
    /// What becomes of methods that stream.
    pub streaming: Streaming,
    /// What counts for Rust alone.
    pub rust: RustOptions,
    /// What counts for Go alone.
    pub go: GoOptions,
}

/// A language that can be generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `lang=rust`
    #[default]
    Rust,
    /// `lang=go`
    Go,
}

/// What becomes of methods that stream, which no language has yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Streaming {
    /// They are mistakes.
    #[default]
    Refuse,
    /// They are left out.
    Skip,
}

impl Language {
    /// How it is asked for.
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
        }
    }
}
