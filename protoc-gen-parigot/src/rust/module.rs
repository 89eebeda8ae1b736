//! `mod.rs`: the packages, nested as their names are.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::print;
use crate::OutputFile;
use crate::model::Package;

/// What the generated modules are not asked about by the lints of the crate that they land in.
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

/// A module: the file to include in it, and the modules within.
#[derive(Default)]
struct Tree<'a> {
    file: Option<&'a str>,
    modules: BTreeMap<String, Tree<'a>>,
}

/// `mod.rs` for these packages.
pub(super) fn mod_file(packages: &[&Package]) -> OutputFile {
    let mut root = Tree::default();
    for package in packages {
        let names = package.modules.iter().map(ToString::to_string);
        let tree = names.fold(&mut root, |tree, name| tree.modules.entry(name).or_default());
        tree.file = Some(&package.file);
    }
    let mut content = print::header(&[]);
    content.push('\n');
    content.push_str(&allow());
    root.print("", &mut content);
    OutputFile { name: "mod.rs".to_owned(), content }
}

fn allow() -> String {
    let lints: String = ALLOWED.iter().map(|lint| format!("    {lint},\n")).collect();
    format!("#![allow(\n{lints}    reason = \"generated\"\n)]\n")
}

impl Tree<'_> {
    fn print(&self, indent: &str, content: &mut String) {
        let mut gap = if indent.is_empty() { "\n" } else { "" };
        if let Some(file) = self.file {
            write!(content, "{gap}{indent}include!({file:?});\n").expect("a String takes any text");
            gap = "\n";
        }
        for (name, tree) in &self.modules {
            write!(content, "{gap}{indent}pub mod {name} {{\n").expect("a String takes any text");
            tree.print(&format!("{indent}    "), content);
            write!(content, "{indent}}}\n").expect("a String takes any text");
            gap = "\n";
        }
    }
}
