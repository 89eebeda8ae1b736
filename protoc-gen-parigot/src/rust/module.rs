//! `mod.rs`: the packages as nested modules.

use std::collections::BTreeMap;

use syn::{Item, ItemMod};

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
pub(super) struct Tree<'a> {
    file: Option<&'a str>,
    modules: BTreeMap<String, Tree<'a>>,
}

/// Returns `mod.rs` with these modules.
pub(super) fn mod_file(root: &Tree<'_>) -> OutputFile {
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

impl<'a> Tree<'a> {
    /// Returns the modules of these packages.
    pub(super) fn new(packages: impl Iterator<Item = &'a Package>) -> Self {
        let mut root = Self::default();
        for package in packages {
            root.module_of(package).file = Some(&package.file);
        }
        root
    }

    /// Returns the module of a package.
    pub(super) fn module_of(&mut self, package: &Package) -> &mut Self {
        let names = package.modules.iter().map(ToString::to_string);
        names.fold(self, |tree, name| tree.modules.entry(name).or_default())
    }

    /// Moves modules of packages into the modules that the items have for messages:
    /// `module_clash=merge`.
    pub(super) fn move_into(&mut self, items: &mut [Item]) -> syn::Result<()> {
        for item in items {
            if let Item::Mod(ItemMod {
                ident,
                content: Some((_, content)),
                ..
            }) = item
                && let Some(mut moved) = self.modules.remove(&ident.to_string())
            {
                moved.move_into(content)?;
                let lines = moved.lines().join("\n");
                content.extend(syn::parse_str::<syn::File>(&lines)?.items);
            }
        }
        Ok(())
    }

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
