//! Tree of the modules of a crate.

use std::collections::{BTreeMap, BTreeSet};
use std::mem;

use super::scan::{Child, PathInCode, Scope, Use, scan};
use crate::checkout::Checkout;

/// Modules of one crate. The first one is the root.
#[derive(Debug, Default)]
pub(crate) struct Crate {
    /// File of the root, such as `x/src/lib.rs`.
    pub(crate) root: String,
    pub(super) modules: Vec<Module>,
    /// Files of the macros that are exported at the root, by the macros' names.
    pub(super) exported_macros: BTreeMap<String, String>,
}

/// Module with its links to other modules by their indices.
#[derive(Debug, Default)]
pub(super) struct Module {
    pub(super) file: String,
    pub(super) parent: Option<usize>,
    /// Several modules have one name when `cfg` selects among them.
    pub(super) children: BTreeMap<String, Vec<usize>>,
    pub(super) items: BTreeSet<String>,
    pub(super) uses: Vec<Use>,
    pub(super) paths: Vec<PathInCode>,
}

/// Reads all libraries and binaries in the `src` folders of the checkout.
pub(crate) fn crates(checkout: &Checkout) -> Vec<Crate> {
    let manifests = checkout.ending(&["Cargo.toml"]);
    let folders = manifests.map(|(manifest, _)| manifest.trim_end_matches("Cargo.toml"));
    let roots = folders.flat_map(|folder| {
        let files = checkout.ending(&[".rs"]).map(|(file, _)| file);
        files.filter(move |file| file.strip_prefix(folder).is_some_and(is_root))
    });
    roots.map(|root| read(checkout, root)).collect()
}

/// Recognises the root of a library or binary by its path in the folder of the package.
fn is_root(file: &str) -> bool {
    let parts: Vec<&str> = file.split('/').collect();
    matches!(
        parts[..],
        ["src", "lib.rs" | "main.rs"] | ["src", "bin", _] | ["src", "bin", _, "main.rs"]
    )
}

fn read(checkout: &Checkout, root: &str) -> Crate {
    let mut tree = Crate {
        root: root.to_owned(),
        ..Crate::default()
    };
    let folder = root.rsplit_once('/').map_or("", |(folder, _)| folder);
    add_file(
        checkout,
        &mut tree,
        Place {
            file: root,
            folder,
            parent: None,
        },
    );
    tree
}

/// Place of a file in the tree.
struct Place<'a> {
    file: &'a str,
    /// Folder of the files of its child modules.
    folder: &'a str,
    parent: Option<usize>,
}

/// Adds the modules of a file and the files of its child modules. Returns the file's own module.
fn add_file(checkout: &Checkout, tree: &mut Crate, place: Place<'_>) -> usize {
    let first = tree.modules.len();
    let mut pending = Vec::new();
    for mut scope in scan(&checkout.files[place.file]) {
        let index = tree.modules.len();
        let children = mem::take(&mut scope.children);
        pending.extend(
            children
                .into_iter()
                .map(|child| (index, scope.path.clone(), child)),
        );
        add_scope(tree, &place, first, scope);
    }
    for (parent, path, child) in pending {
        let folder = [&[place.folder.to_owned()], &path[..]].concat().join("/");
        // A file that is not there is written by a build script.
        let Some(file) = file_of(checkout, place.file, &folder, &child) else {
            continue;
        };
        let place = Place {
            file: &file,
            folder: &format!("{folder}/{}", child.name),
            parent: Some(parent),
        };
        let index = add_file(checkout, tree, place);
        tree.modules[parent]
            .children
            .entry(child.name)
            .or_default()
            .push(index);
    }
    first
}

/// Adds a module of a file, whose own module is `first`.
fn add_scope(tree: &mut Crate, place: &Place<'_>, first: usize, scope: Scope) {
    let index = tree.modules.len();
    let mut parent = place.parent;
    if let Some((name, outer)) = scope.path.split_last() {
        let outer = descend(tree, first, outer);
        tree.modules[outer]
            .children
            .entry(name.clone())
            .or_default()
            .push(index);
        parent = Some(outer);
    }
    let macros = scope.exported_macros.into_iter();
    tree.exported_macros
        .extend(macros.map(|name| (name, place.file.to_owned())));
    tree.modules.push(Module {
        file: place.file.to_owned(),
        parent,
        children: BTreeMap::new(),
        items: scope.items,
        uses: scope.uses,
        paths: scope.paths,
    });
}

/// Returns the file of a child module that `parent` declares, except for files that hold tests.
fn file_of(checkout: &Checkout, parent: &str, folder: &str, child: &Child) -> Option<String> {
    let Child { name, file } = child;
    if name == "tests" {
        return None;
    }
    let own = parent.rsplit_once('/').map_or("", |(folder, _)| folder);
    let candidates = match file {
        Some(file) => vec![format!("{own}/{file}")],
        None => vec![
            format!("{folder}/{name}.rs"),
            format!("{folder}/{name}/mod.rs"),
        ],
    };
    candidates
        .into_iter()
        .find(|file| checkout.files.contains_key(file))
}

/// Follows the names of modules in braces, to the latest one of each name.
fn descend(tree: &Crate, from: usize, path: &[String]) -> usize {
    path.iter().fold(from, |module, name| {
        tree.modules[module]
            .children
            .get(name)
            .and_then(|named| named.last())
            .map_or(module, |&m| m)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_modules_are_found() {
        let files = [
            ("x/Cargo.toml", ""),
            (
                "x/src/main.rs",
                "mod a;\nmod b { mod c; }\n#[path = \"e.rs\"]\nmod d;\nmod built;",
            ),
            ("x/src/a/mod.rs", "mod f;\nmod tests;"),
            ("x/src/a/f.rs", ""),
            ("x/src/a/tests.rs", ""),
            ("x/src/b/c.rs", ""),
            ("x/src/e.rs", ""),
            ("x/src/bin/tool.rs", ""),
        ];
        let crates = crates(&Checkout::of(&files));
        let roots: Vec<_> = crates.iter().map(|tree| tree.root.as_str()).collect();
        assert_eq!(roots, ["x/src/bin/tool.rs", "x/src/main.rs"]);
        let modules = crates[1].modules.iter();
        let found: BTreeSet<_> = modules
            .map(|module| module.file.trim_start_matches("x/src/"))
            .collect();
        let expected = ["a/f.rs", "a/mod.rs", "b/c.rs", "e.rs", "main.rs"];
        assert_eq!(found, BTreeSet::from(expected));
    }
}
