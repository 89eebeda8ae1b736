//! Go package of a file, and the path of its output. The rules are those of protogen, because
//! protoc-gen-go writes the messages into the same package.

use std::collections::BTreeMap;

use crate::error::{Error, Location};
use crate::lower::source::Source;
use crate::name;
use crate::options::{GoOptions, Mapping, Paths};

/// Path to `go_package` in the descriptor of a file.
const GO_PACKAGE: [i32; 2] = [8, 11];

/// Go package of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct GoPackage {
    /// Import path: `example.com/greeting/v1`.
    pub(super) path: String,
    /// Package name: `greetingv1`.
    pub(super) name: String,
}

impl GoPackage {
    /// Returns the package of a file. The import path and the name in the option `M` have
    /// precedence over those in the file. If neither gives a name, the name is derived from the
    /// import path in the file, else from that in the option.
    pub(super) fn of(source: &Source<'_>, options: &GoOptions) -> Result<Self, Error> {
        let option = options
            .packages
            .get(source.file.name())
            .cloned()
            .unwrap_or_default();
        let file = Mapping::from(
            source
                .file
                .options
                .as_ref()
                .map_or("", |options| options.go_package()),
        );
        let path = [&option.path, &file.path]
            .into_iter()
            .find(|path| !path.is_empty());
        let path = path
            .ok_or_else(|| Error::NoGoPackage {
                at: Location::file(source.file.name()),
            })?
            .clone();
        let name = [option.name, file.name]
            .into_iter()
            .find(|name| !name.is_empty());
        let derived = || {
            name::go::sanitize(base(if file.path.is_empty() {
                &path
            } else {
                &file.path
            }))
        };
        Self {
            name: name.unwrap_or_else(derived),
            path,
        }
        .checked(source)
    }

    fn checked(self, source: &Source<'_>) -> Result<Self, Error> {
        let at = go_package_location(source);
        let of_paths = |c: char| c.is_ascii_alphanumeric() || "-._~+/".contains(c);
        let expected = if !self.path.contains(['.', '/']) {
            "one with a `.` or `/` in it"
        } else if !self.path.chars().all(of_paths) {
            "ASCII letters, digits and any of `-._~+/`"
        } else if !name::go::is_package(&self.name) {
            return Err(Error::GoPackageName {
                name: self.name.escape_debug().to_string(),
                at,
            });
        } else {
            return Ok(self);
        };
        Err(Error::GoImportPath {
            path: self.path.escape_debug().to_string(),
            expected,
            at,
        })
    }

    /// Returns the output file for the stubs of a `.proto` in this package.
    pub(super) fn output(&self, source: &Source<'_>, options: &GoOptions) -> Result<String, Error> {
        let proto = source.file.name();
        let (folder, file) = proto
            .rsplit_once('/')
            .map_or((None, proto), |(folder, file)| (Some(folder), file));
        let stem = [".proto", ".protodevel"]
            .into_iter()
            .find_map(|end| file.strip_suffix(end))
            .unwrap_or(file);
        let stubs = format!("{stem}_parigot.pb.go");
        let file = match (options.paths, folder) {
            (Paths::Import, _) => join(&self.path, &stubs),
            (Paths::SourceRelative, Some(folder)) => format!("{folder}/{stubs}"),
            (Paths::SourceRelative, None) => stubs,
        };
        if file.starts_with('/') || file.split('/').any(|part| part == "..") {
            return Err(Error::GoOutside {
                file,
                at: go_package_location(source),
            });
        }
        let Some(module) = &options.module else {
            return Ok(file);
        };
        let within = file
            .strip_prefix(module.as_str())
            .and_then(|file| file.strip_prefix('/'));
        within
            .map(str::to_owned)
            .ok_or_else(|| Error::GoOutsideModule {
                file: file.clone(),
                module: module.clone(),
                at: go_package_location(source),
            })
    }
}

/// Rejects packages whose files give different names.
pub(super) fn check_names(sources: &[Source<'_>], options: &GoOptions, errors: &mut Vec<Error>) {
    let mut names: BTreeMap<String, (String, Location)> = BTreeMap::new();
    for source in sources {
        let Ok(GoPackage { path, name }) = GoPackage::of(source, options) else {
            continue;
        };
        let at = go_package_location(source);
        let (first, other) = names
            .entry(path.clone())
            .or_insert_with(|| (name.clone(), at.clone()))
            .clone();
        if first != name {
            let first = format!("{first} in {other}");
            errors.push(Error::GoPackageNames {
                path,
                first,
                second: name,
                at,
            });
        }
    }
}

/// Returns the location of `go_package`, or of the file.
fn go_package_location(source: &Source<'_>) -> Location {
    let at = source.location(&GO_PACKAGE);
    if at.position.is_some() {
        at
    } else {
        Location::file(source.file.name())
    }
}

/// Returns the last part of a path, as `path.Base` of Go does.
fn base(path: &str) -> &str {
    match path.trim_end_matches('/') {
        "" => "/",
        path => path.rsplit_once('/').map_or(path, |(_, base)| base),
    }
}

/// Returns the path of a file in a folder, with `.` and `..` resolved where possible, as
/// `path.Join` of Go does.
fn join(folder: &str, file: &str) -> String {
    let mut parts = Vec::new();
    for part in folder.split('/').filter(|part| !matches!(*part, "" | ".")) {
        match parts.last() {
            Some(&last) if part == ".." && last != ".." => {
                parts.pop();
            }
            None if part == ".." && folder.starts_with('/') => {}
            _ => parts.push(part),
        }
    }
    parts.push(file);
    let root = if folder.starts_with('/') { "/" } else { "" };
    root.to_owned() + &parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_split_and_joined_as_in_go() {
        for (path, expected) in [
            ("a/b", "b"),
            ("a/b/", "b"),
            ("./", "."),
            ("a.b", "a.b"),
            ("/", "/"),
        ] {
            assert_eq!(base(path), expected, "{path}");
        }
        for (folder, expected) in [
            ("a/b", "a/b/f"),
            ("./pb", "pb/f"),
            ("./", "f"),
            ("../pb", "../pb/f"),
            ("a/../../b", "../b/f"),
            ("a//b/", "a/b/f"),
            ("/../a", "/a/f"),
        ] {
            assert_eq!(join(folder, "f"), expected, "{folder}");
        }
    }
}
