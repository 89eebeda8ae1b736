//! Options of a run: `--parigot_opt`.
//!
//! Commas separate options. `--parigot_opt` may also be given several times. A boolean option may
//! be given without a value. A backslash precedes a comma that is part of a value.
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `lang` | `rust`, `go` | language to generate |
//! | `streaming` | `generate`, `skip` | generate methods that stream, or leave them out |
//!
//! Options of `lang=rust`, which are errors with any other language:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `include_imports` | `true`, `false` | generate the files whose types are used, as if named |
//! | `messages` | `prost`, `external` | generate messages, or use those at the `extern_path`s |
//! | `mod_file` | `true`, `false` | write `mod.rs`, which nests the packages |
//! | `module_clash` | `refuse`, `merge` | report a package and a message of one module, or merge |
//! | `extern_path` | `.pkg=::path` | use the types at the path, do not generate them; repeatable |
//!
//! A path begins with `::` or `crate::`. The paths of `google.protobuf` and of `parigot.v1.Id` have
//! defaults, which an option replaces.
//!
//! Options of `lang=go`, named as in protoc-gen-go:
//!
//! | option | values | meaning |
//! |---|---|---|
//! | `paths` | `import`, `source_relative` | write below the import path, or beside the `.proto` |
//! | `module` | `module/path` | prefix of the import path that the folder's name omits |
//! | `M<file>` | `import/path;name` | replaces `go_package`; either part may be empty |

mod go;
mod parse;
mod rust;
#[cfg(test)]
mod tests;

pub use self::go::{GoOptions, Mapping, Paths};
pub use self::rust::{MessageSource, ModuleClash, RustOptions};

/// Validated options of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Language to generate.
    pub language: Language,
    /// Treatment of methods that stream.
    pub streaming: Streaming,
    /// Options of `lang=rust`.
    pub rust: RustOptions,
    /// Options of `lang=go`.
    pub go: GoOptions,
}

/// Language that can be generated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Language {
    /// `lang=rust`
    #[default]
    Rust,
    /// `lang=go`
    Go,
}

/// Treatment of methods that stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Streaming {
    /// Generates them. In a language that does not support them yet, they are errors.
    #[default]
    Generate,
    /// Leaves them out.
    Skip,
}

impl Language {
    /// Returns the value of the option `lang`.
    const fn name(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Go => "go",
        }
    }
}
