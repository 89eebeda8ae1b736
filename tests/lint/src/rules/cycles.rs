//! Import cycles between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use crate::checkout::Checkout;
use crate::modules::{Import, crates, imports};
use crate::violation::Violation;

/// Finds the groups of files that import each other, with all imports within each group.
pub(super) fn check(checkout: &Checkout) -> Vec<Violation> {
    let mut violations = Vec::new();
    for tree in crates(checkout) {
        let imports = imports(&tree);
        for files in cycles(&imports) {
            let edges: Vec<&Import> = imports.iter().filter(|i| is_within(&files, i)).collect();
            let Some(first) = edges.first() else { continue };
            let names: Vec<&str> = files.iter().copied().collect();
            let message = format!(
                "{} files of the crate with the root {} import each other, expected imports \
                 without a cycle: {}",
                names.len(),
                tree.root,
                names.join(", ")
            );
            let lines = edges
                .iter()
                .map(|i| format!("{}:{} -> {}", i.from, i.line, i.to));
            let details = lines.collect();
            let violation = Violation::new(&first.from, first.line, message);
            violations.push(Violation {
                details,
                ..violation
            });
        }
    }
    violations
}

/// Checks that an import stays within a group of files.
fn is_within(files: &BTreeSet<&str>, import: &Import) -> bool {
    files.contains(import.from.as_str()) && files.contains(import.to.as_str())
}

/// Returns the strongly connected components with at least two files.
fn cycles(imports: &[Import]) -> Vec<BTreeSet<&str>> {
    let mut targets: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for import in imports {
        targets.entry(&import.from).or_default().push(&import.to);
    }
    let reached: BTreeMap<&str, BTreeSet<&str>> = targets
        .keys()
        .map(|&file| (file, reached(&targets, file)))
        .collect();
    let mut components = BTreeSet::new();
    for (&file, others) in &reached {
        // Files that import each other, directly or through others, reach each other.
        let component: BTreeSet<&str> = others
            .iter()
            .copied()
            .filter(|other| reached.get(other).is_some_and(|back| back.contains(file)))
            .collect();
        if component.len() > 1 {
            components.insert(component);
        }
    }
    components.into_iter().collect()
}

/// Returns all files that `start` imports, directly or through other files.
fn reached<'a>(targets: &BTreeMap<&'a str, Vec<&'a str>>, start: &'a str) -> BTreeSet<&'a str> {
    let mut reached = BTreeSet::new();
    let mut pending = vec![start];
    while let Some(file) = pending.pop() {
        for &target in targets.get(file).into_iter().flatten() {
            if reached.insert(target) {
                pending.push(target);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_imports_that_point_down() {
        let files = [
            ("x/Cargo.toml", ""),
            (
                "x/src/lib.rs",
                "mod a;\nmod b;\nuse a::A;\npub use b::B;\nfn f(a: A) {}",
            ),
            ("x/src/a.rs", "use crate::b::B;\npub struct A(B);"),
            ("x/src/b.rs", "pub struct B;"),
        ];
        assert_eq!(check(&Checkout::of(&files)), []);
    }

    #[test]
    fn reports_each_cycle_with_its_imports() {
        let files = [
            ("x/Cargo.toml", ""),
            ("x/src/lib.rs", "mod a;\nmod b;\nmod c;\npub struct Root;"),
            ("x/src/a.rs", "\nuse crate::b::B;\npub struct A;"),
            (
                "x/src/b.rs",
                "use crate::{\n    a::A,\n    c::C,\n};\npub struct B;",
            ),
            ("x/src/c.rs", "use crate::Root;\npub struct C;"),
        ];
        let violations = check(&Checkout::of(&files));
        assert_eq!(violations.len(), 1);
        assert_eq!(
            (violations[0].file.as_str(), violations[0].line),
            ("x/src/a.rs", 2)
        );
        let edges = ["x/src/a.rs:2 -> x/src/b.rs", "x/src/b.rs:2 -> x/src/a.rs"];
        assert_eq!(violations[0].details, edges);
    }
}
