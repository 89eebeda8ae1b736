//! The options of `lang=go`, as protoc-gen-go has them.

use std::collections::BTreeMap;

use super::{Key, Language};
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

pub(super) const MODULE: Key = Key {
    name: "module",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        options.go.module = Some(value.text.to_owned()).filter(|module| !module.is_empty());
        Ok(())
    },
};

pub(super) const PACKAGES: Key = Key {
    name: "M<file>",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        options
            .go
            .packages
            .insert(value.key[1..].to_owned(), value.text.into());
        Ok(())
    },
};

pub(super) const PATHS: Key = Key {
    name: "paths",
    language: Some(Language::Go),
    repeats: false,
    read: |options, value| {
        value.choose(
            &[
                ("import", Paths::Import),
                ("source_relative", Paths::SourceRelative),
            ],
            &mut options.go.paths,
        )
    },
};

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

#[cfg(test)]
mod tests {
    use super::super::Options;
    use super::super::tests::check_error;
    use super::*;

    #[test]
    fn every_option_is_read() {
        let options = Options::parse(
            "lang=go,module=example.com/m,Ma/b.proto=example.com/m/b;bb,Mc.proto=;cc",
        )
        .expect("nothing is wrong");
        assert_eq!(options.language, Language::Go);
        assert_eq!(options.go.paths, Paths::Import);
        assert_eq!(options.go.module.as_deref(), Some("example.com/m"));
        assert_eq!(
            options.go.packages["a/b.proto"],
            Mapping {
                path: "example.com/m/b".into(),
                name: "bb".into()
            }
        );
        assert_eq!(
            options.go.packages["c.proto"],
            Mapping {
                path: String::new(),
                name: "cc".into()
            }
        );
        let options = Options::parse("paths=source_relative,lang=go").expect("nothing is wrong");
        assert_eq!(options.go.paths, Paths::SourceRelative);
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        check_error(
            "lang=go,module=m,paths=source_relative",
            "option `module` cannot be given with `paths=source_relative`",
        );
        check_error(
            "lang=go,paths=here",
            "option `paths`: found `here`, expected `import` or `source_relative`",
        );
        check_error(
            "lang=go,Ma.proto=x/a,Ma.proto=x/b",
            "option `Ma.proto` is given twice",
        );
    }

    #[test]
    fn options_of_the_other_language_are_refused() {
        check_error(
            "lang=go,mod_file=false",
            "option `mod_file` is for `lang=rust` alone",
        );
        check_error(
            "paths=import,Ma.proto=x/a",
            "option `paths` is for `lang=go` alone\noption `Ma.proto` is for `lang=go` alone",
        );
    }
}
