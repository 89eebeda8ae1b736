//! The options of `lang=go`, as protoc-gen-go has them.

use std::collections::BTreeMap;

use crate::error::Error;

/// The options of `lang=go`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoOptions {
    /// Where files are put.
    pub paths: Paths,
    /// The module below which files are put: they are named without it.
    pub module: Option<String>,
    /// What is said of the packages of `.proto` files, by the names of those files.
    pub packages: BTreeMap<String, Mapping>,
}

/// Where files are put.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paths {
    /// In a folder named after the import path.
    #[default]
    Import,
    /// Beside the `.proto`.
    SourceRelative,
}

/// A value of `go_package` or `M<file>`: `import/path`, `import/path;name` or `;name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// The import path, or nothing.
    pub path: String,
    /// The package's name, or nothing.
    pub name: String,
}

impl From<&str> for Mapping {
    fn from(value: &str) -> Self {
        let (path, name) = value.split_once(';').unwrap_or((value, ""));
        Self {
            path: path.to_owned(),
            name: name.to_owned(),
        }
    }
}

impl GoOptions {
    /// Refuses options that contradict each other.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.module.is_some() && self.paths == Paths::SourceRelative {
            return Err(Error::OptionsExclude {
                one: "module",
                other: "paths=source_relative",
            });
        }
        Ok(())
    }
}
