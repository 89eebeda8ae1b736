//! Imports of a Go file, and the qualified names of types in it.

use std::collections::BTreeMap;

use super::names::GoNames;
use super::package::GoPackage;
use crate::error::Error;
use crate::lower::index::Index;
use crate::model::go::Import;
use crate::name::go::{is_free, type_name};
use crate::options::GoOptions;

/// Packages of the SDK that every generated file imports.
const SDK: [(&str, &str); 2] = [
    ("github.com/parigot/parigot/parigot-guest-go", "parigot"),
    (
        "github.com/parigot/parigot/parigot-guest-go/future",
        "future",
    ),
];

/// Names of the packages that a file imports, by path.
pub(super) struct Imports<'a> {
    index: &'a Index<'a>,
    options: &'a GoOptions,
    aliases: BTreeMap<String, String>,
}

impl<'a> Imports<'a> {
    /// Returns the imports for the types with these full names. If two packages have one name, the
    /// second gets a number.
    pub(super) fn of<'t>(
        types: impl Iterator<Item = &'t str>,
        here: &GoPackage,
        names: &GoNames,
        index: &'a Index<'a>,
        options: &'a GoOptions,
        errors: &mut Vec<Error>,
    ) -> Self {
        let mut imports = Self {
            index,
            options,
            aliases: BTreeMap::new(),
        };
        let mut packages = BTreeMap::new();
        for name in types {
            match imports.package(name) {
                Ok(package) => packages.extend(Some((package.path, package.name))),
                Err(error) => errors.push(error),
            }
        }
        packages.remove(&here.path);
        for (path, name) in packages {
            let numbered = (1..).map(|number| format!("{name}{number}"));
            let mut aliases = [name.clone()].into_iter().chain(numbered);
            let is_taken = |alias: &String| imports.aliases.values().any(|taken| taken == alias);
            let free = |alias: &String| {
                is_free(alias) && !names.is_taken(&here.path, alias) && !is_taken(alias)
            };
            let alias = aliases.find(free).expect("numbers must not run out");
            imports.aliases.insert(path, alias);
        }
        imports
    }

    /// Returns a type as written in the file.
    pub(super) fn type_name(&self, full_name: &str) -> String {
        let package = self
            .index
            .get(full_name)
            .map_or("", |ty| ty.source.file.package());
        let name = type_name(full_name, package);
        let alias = self
            .package(full_name)
            .ok()
            .and_then(|package| self.aliases.get(&package.path));
        alias.map_or(name.clone(), |alias| format!("{alias}.{name}"))
    }

    /// Returns all imports, sorted by path.
    pub(super) fn into_list(self) -> Vec<Import> {
        let sdk = SDK.map(|(path, alias)| (path.to_owned(), alias.to_owned()));
        let all: BTreeMap<_, _> = self.aliases.into_iter().chain(sdk).collect();
        all.into_iter()
            .map(|(path, alias)| Import { path, alias })
            .collect()
    }

    fn package(&self, full_name: &str) -> Result<GoPackage, Error> {
        let ty = self
            .index
            .get(full_name)
            .expect("validation must have found every type");
        GoPackage::of(ty.source, self.options)
    }
}
