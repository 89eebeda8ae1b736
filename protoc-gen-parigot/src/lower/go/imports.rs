//! How a file calls the types that it uses, and what it imports for that.

use std::collections::BTreeMap;

use super::names::GoNames;
use super::package::GoPackage;
use crate::error::Error;
use crate::lower::index::Index;
use crate::model::go::Import;
use crate::name::go::{is_free, type_name};
use crate::options::GoOptions;

/// What every generated file imports of the SDK.
const SDK: [(&str, &str); 2] = [
    ("github.com/parigot/parigot/parigot-guest-go", "parigot"),
    (
        "github.com/parigot/parigot/parigot-guest-go/future",
        "future",
    ),
];

/// The packages that a file imports, by their paths.
pub(super) struct Imports<'a> {
    index: &'a Index<'a>,
    options: &'a GoOptions,
    aliases: BTreeMap<String, String>,
}

impl<'a> Imports<'a> {
    /// Those that the types of these full names need. Of two packages of one name the second gets a number.
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
            let alias = aliases.find(free).expect("there is always one more number");
            imports.aliases.insert(path, alias);
        }
        imports
    }

    /// A type as the file writes it.
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

    /// All that is imported, sorted by path.
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
            .expect("the fence has seen that every type is there");
        GoPackage::of(ty.source, self.options)
    }
}
