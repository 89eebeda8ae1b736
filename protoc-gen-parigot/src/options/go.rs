//! Options of `lang=go`, with the names and meanings of protoc-gen-go.

use std::collections::BTreeMap;

use crate::error::Error;

/// Options of `lang=go`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GoOptions {
    /// Location of output files.
    pub paths: Paths,
    /// Module whose path the names of output files omit.
    pub module: Option<String>,
    /// Go packages of `.proto` files, by file name.
    pub packages: BTreeMap<String, Mapping>,
}

/// Location of output files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Paths {
    /// Folder named by the import path.
    #[default]
    Import,
    /// Folder of the `.proto`.
    SourceRelative,
}

/// Value of `go_package` or `M<file>`: `import/path`, `import/path;name` or `;name`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping {
    /// Import path, or the empty string.
    pub path: String,
    /// Package name, or the empty string.
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
    /// Rejects options that contradict each other.
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
