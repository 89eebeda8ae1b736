//! `mod.rs`: the packages as nested modules.

use std::collections::BTreeMap;

use super::print;
use crate::model::Package;
use crate::output::OutputFile;

/// Lints that are disabled in generated modules, whatever the settings of the user's crate.
const ALLOWED: &[&str] = &[
    "clippy::all",
    "clippy::nursery",
    "clippy::pedantic",
    "clippy::restriction",
    "dead_code",
    "deprecated",
    "elided_lifetimes_in_paths",
    "missing_copy_implementations",
    "missing_debug_implementations",
    "missing_docs",
    "rustdoc::all",
    "unreachable_pub",
    "unused_qualifications",
];

/// Module: the file that it includes, and the modules in it.
#[derive(Default)]
struct Tree<'a> {
    file: Option<&'a str>,
    modules: BTreeMap<String, Tree<'a>>,
}

/// Returns `mod.rs` for these packages.
pub(super) fn mod_file(packages: &[&Package]) -> OutputFile {
    let mut root = Tree::default();
    for package in packages {
        let names = package.modules.iter().map(ToString::to_string);
        let tree = names.fold(&mut root, |tree, name| {
            tree.modules.entry(name).or_default()
        });
        tree.file = Some(&package.file);
    }
    let lines: String = root
        .lines()
        .iter()
        .map(|line| format!("{line}\n"))
        .collect();
    let insertions = print::insertion_comment("module");
    let content = format!(
        "{}\n{}\n{lines}\n{insertions}\n",
        print::header(&[]),
        allow()
    );
    OutputFile {
        name: "mod.rs".to_owned(),
        content,
    }
}

fn allow() -> String {
    let lints: String = ALLOWED
        .iter()
        .map(|lint| format!("    {lint},\n"))
        .collect();
    format!("#![allow(\n{lints}    reason = \"generated\"\n)]\n")
}

impl Tree<'_> {
    /// Returns the lines of a module, with an empty line between items.
    fn lines(&self) -> Vec<String> {
        let include = self.file.map(|file| vec![format!("include!({file:?});")]);
        let modules = self.modules.iter().map(|(name, tree)| tree.module(name));
        include
            .into_iter()
            .chain(modules)
            .collect::<Vec<_>>()
            .join(&String::new())
    }

    fn module(&self, name: &str) -> Vec<String> {
        let indent = |line: String| {
            if line.is_empty() {
                line
            } else {
                format!("    {line}")
            }
        };
        let open = format!("pub mod {name} {{");
        [open]
            .into_iter()
            .chain(self.lines().into_iter().map(indent))
            .chain(["}".to_owned()])
            .collect()
    }
}
