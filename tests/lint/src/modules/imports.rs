//! Imports between the files of a crate.

use std::collections::BTreeMap;
use std::slice;

use super::tree::{Crate, Module};

/// Steps after which the search for a definition stops: imports may lead in circles.
const STEPS_MAX: usize = 16;

/// First line by which a file imports another file of its crate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Import {
    pub(crate) from: String,
    pub(crate) line: usize,
    pub(crate) to: String,
}

/// Returns the imports between different files, one for each pair.
///
/// An import leads to the file that defines the imported item, through all re-exports. The
/// declaration of a module is no import. Neither is a re-export, unless the same module also uses
/// the name in its code.
pub(crate) fn imports(tree: &Crate) -> Vec<Import> {
    let mut lines: BTreeMap<(String, String), usize> = BTreeMap::new();
    for (index, module) in tree.modules.iter().enumerate() {
        for (line, file) in definitions(tree, index) {
            if file != module.file {
                let first = lines.entry((module.file.clone(), file)).or_insert(line);
                *first = line.min(*first);
            }
        }
    }
    lines
        .into_iter()
        .map(|((from, to), line)| Import { from, line, to })
        .collect()
}

/// Returns the files of all items that a module uses, with the line of each use.
fn definitions(tree: &Crate, index: usize) -> Vec<(usize, String)> {
    let module = &tree.modules[index];
    let mut found = Vec::new();
    for import in &module.uses {
        let Some(name) = &import.name else { continue };
        let is_used = module.paths.iter().any(|path| path.path[0] == *name);
        if !import.is_public || is_used {
            let targets = resolve(tree, index, &import.path, 0);
            found.extend(targets.into_iter().map(|target| (import.line, target)));
        }
    }
    for path in &module.paths {
        let targets = match &path.path[..] {
            [name] if is_own(module, name) => continue,
            [name] => through_globs(tree, index, slice::from_ref(name), 0),
            longer => resolve(tree, index, longer, 0),
        };
        found.extend(targets.into_iter().map(|target| (path.line, target)));
    }
    let files = found.into_iter().filter_map(|(line, target)| match target {
        Target::Item(file) => Some((line, file)),
        Target::Module(_) => None,
    });
    files.collect()
}

/// Recognises names that the module defines or imports itself.
fn is_own(module: &Module, name: &str) -> bool {
    module.items.contains(name) || module.uses.iter().any(|u| u.name.as_deref() == Some(name))
}

/// End of a path.
#[derive(Clone, Debug)]
enum Target {
    /// Item defined in a file.
    Item(String),
    /// Module by its index.
    Module(usize),
}

/// Resolves a path that is written in the module `from`. Paths of other crates have no target.
fn resolve(tree: &Crate, from: usize, path: &[String], steps: usize) -> Vec<Target> {
    let Some((first, rest)) = path.split_first() else {
        return vec![Target::Module(from)];
    };
    if steps > STEPS_MAX {
        return Vec::new();
    }
    match first.as_str() {
        "crate" => walk(tree, 0, rest, steps),
        "self" => walk(tree, from, rest, steps),
        "super" => {
            let Some(parent) = tree.modules[from].parent else {
                return Vec::new();
            };
            walk(tree, parent, rest, steps)
        }
        _ => lookup(tree, from, path, steps),
    }
}

/// Resolves a path relative to a module that is known to contain it.
fn walk(tree: &Crate, module: usize, path: &[String], steps: usize) -> Vec<Target> {
    match path {
        [] => vec![Target::Module(module)],
        [first, ..] if first == "super" => resolve(tree, module, path, steps + 1),
        [first, ..] => {
            let found = lookup(tree, module, path, steps + 1);
            if !found.is_empty() {
                return found;
            }
            let exported = (module == 0)
                .then(|| tree.exported_macros.get(first))
                .flatten();
            // A name that is not found comes from a macro in the module.
            let file = exported.unwrap_or(&tree.modules[module].file);
            vec![Target::Item(file.clone())]
        }
    }
}

/// Resolves a path whose first segment is a name in the scope of a module.
fn lookup(tree: &Crate, index: usize, path: &[String], steps: usize) -> Vec<Target> {
    let module = &tree.modules[index];
    let Some((first, rest)) = path.split_first() else {
        return Vec::new();
    };
    if steps > STEPS_MAX {
        return Vec::new();
    }
    let mut found = Vec::new();
    if let Some(children) = module.children.get(first) {
        found.extend(
            children
                .iter()
                .flat_map(|&child| walk(tree, child, rest, steps + 1)),
        );
    }
    if found.is_empty() && module.items.contains(first) {
        return vec![Target::Item(module.file.clone())];
    }
    if found.is_empty() {
        for import in module
            .uses
            .iter()
            .filter(|u| u.name.as_ref() == Some(first))
        {
            // A path such as `use log;` names another crate unless a child has that name.
            if import.path != [first.clone()] {
                let targets = resolve(tree, index, &import.path, steps + 1);
                found.extend(targets.into_iter().flat_map(|target| match target {
                    Target::Item(file) => vec![Target::Item(file)],
                    Target::Module(module) => walk(tree, module, rest, steps + 1),
                }));
            }
        }
    }
    if found.is_empty() {
        found = through_globs(tree, index, path, steps + 1);
    }
    found
}

/// Resolves a path through the glob imports of a module.
fn through_globs(tree: &Crate, index: usize, path: &[String], steps: usize) -> Vec<Target> {
    let mut found = Vec::new();
    for import in tree.modules[index]
        .uses
        .iter()
        .filter(|import| import.name.is_none())
    {
        for target in resolve(tree, index, &import.path, steps + 1) {
            if let Target::Module(module) = target {
                found.extend(lookup(tree, module, path, steps + 1));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::tree::crates;
    use super::*;
    use crate::checkout::Checkout;

    /// Returns the imports of a crate with these files in `src`.
    fn shown(files: &[(&str, &str)]) -> Vec<String> {
        let named: Vec<_> = files
            .iter()
            .map(|(file, text)| (format!("src/{file}"), *text))
            .collect();
        let mut all: Vec<_> = named
            .iter()
            .map(|(file, text)| (file.as_str(), *text))
            .collect();
        all.push(("Cargo.toml", ""));
        let found = imports(&crates(&Checkout::of(&all))[0]);
        let short = |file: &str| file.trim_start_matches("src/").to_owned();
        found
            .iter()
            .map(|i| format!("{}:{} {}", short(&i.from), i.line, short(&i.to)))
            .collect()
    }

    #[test]
    fn imports_lead_through_re_exports_to_the_definition() {
        let files = [
            ("lib.rs", "mod error;\nmod a;\npub use error::Failure;"),
            (
                "error/mod.rs",
                "mod failure;\npub(crate) use failure::Failure;",
            ),
            ("error/failure.rs", "pub struct Failure;"),
            ("a.rs", "\nuse crate::Failure;"),
        ];
        assert_eq!(shown(&files), ["a.rs:2 error/failure.rs"]);
    }

    #[test]
    fn imported_modules_count_by_the_items_used() {
        let files = [
            ("main.rs", "mod a;\nmod b;\nmod c;"),
            (
                "a.rs",
                "use crate::b;\nuse super::c as d;\nfn f() {\nb::g();\nd::E::new()\n}",
            ),
            ("b.rs", "pub fn g() {}"),
            ("c.rs", "pub enum E {}"),
        ];
        assert_eq!(
            shown(&files),
            ["a.rs:4 b.rs", "a.rs:2 c.rs"].map(|s| s.replace(":2", ":5"))
        );
    }

    #[test]
    fn glob_imports_count_by_the_names_used() {
        let files = [
            ("lib.rs", "mod a;"),
            ("a/mod.rs", "mod b;\nmod c;\nuse c::C;\nstruct A;"),
            ("a/b.rs", "use super::*;\nfn f(c: C) {}"),
            ("a/c.rs", "use super::*;\npub struct C(A);"),
        ];
        let expected = ["a/b.rs:2 a/c.rs", "a/c.rs:2 a/mod.rs", "a/mod.rs:3 a/c.rs"];
        assert_eq!(shown(&files), expected);
    }

    #[test]
    fn re_exports_count_when_the_module_uses_them() {
        let files = [
            ("lib.rs", "mod a;\npub use a::{A, B};\nfn f(a: A) {}"),
            ("a.rs", "pub struct A;\npub struct B;"),
        ];
        assert_eq!(shown(&files), ["lib.rs:2 a.rs"]);
    }

    #[test]
    fn tests_and_other_crates_do_not_count() {
        let files = [
            ("lib.rs", "mod a;\nmod b;\n#[cfg(test)]\nmod tests;"),
            (
                "a.rs",
                "use std::fmt;\nuse fmt::x;\n#[cfg(test)]\nmod tests { use crate::b::B; }",
            ),
            ("b.rs", "pub struct B;\nmod tests;"),
            ("b/tests.rs", "use crate::a::A;"),
            ("tests.rs", "use crate::a::A;"),
        ];
        assert_eq!(shown(&files), [""; 0]);
    }

    #[test]
    fn exported_macros_lead_to_their_file() {
        let files = [
            ("lib.rs", "mod a;\nmod b;"),
            (
                "a.rs",
                "#[macro_export]\nmacro_rules! m { () => { $crate::b::f() } }",
            ),
            ("b.rs", "pub fn f() {}\npub fn g() { crate::m!() }"),
        ];
        assert_eq!(shown(&files), ["a.rs:2 b.rs", "b.rs:2 a.rs"]);
    }

    #[test]
    fn modules_in_braces_have_their_own_scope() {
        let files = [
            ("lib.rs", "mod a;\nmod b;"),
            (
                "a.rs",
                "mod inner {\nuse super::super::b::B;\nmod deep { use crate::b::C; }\n}",
            ),
            ("b.rs", "pub struct B;\npub struct C;"),
        ];
        assert_eq!(shown(&files), ["a.rs:2 b.rs"]);
    }
}
