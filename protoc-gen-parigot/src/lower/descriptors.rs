//! Descriptors that a guest reports: whole files, with their imports.

use std::collections::{BTreeMap, BTreeSet};

use super::source::Source;

/// Folder of the well-known types. Every reader of descriptors has these files.
const WELL_KNOWN: &str = "google/protobuf/";

/// Returns an encoded `FileDescriptorSet` of the files with these names and all files that they
/// import, directly or indirectly, except the well-known types.
///
/// The files have all their options, also those that prost does not know, but no comments. Imported
/// files precede the files that import them, and otherwise the order is that of the names.
pub(super) fn of_files<'a>(
    names: impl Iterator<Item = &'a str>,
    sources: &'a [Source<'a>],
) -> Vec<u8> {
    let by_name: BTreeMap<&str, &Source<'_>> = sources
        .iter()
        .map(|source| (source.file.name(), source))
        .filter(|(name, _)| !name.starts_with(WELL_KNOWN))
        .collect();
    let names: BTreeSet<&str> = names.collect();
    let mut set = Vec::new();
    for source in imported_first(names, &by_name) {
        // Field 1 of `FileDescriptorSet`. A set is a concatenation of such fields, so that a reader
        // merges two sets by concatenation.
        prost::encoding::bytes::encode(1, &source.encoded(), &mut set);
    }
    set
}

/// Returns the files and their imports in order. The loop keeps its own stack, because imports of a
/// malformed request may be deep or cyclic.
fn imported_first<'a>(
    names: BTreeSet<&'a str>,
    by_name: &BTreeMap<&'a str, &'a Source<'a>>,
) -> Vec<&'a Source<'a>> {
    let mut entered = BTreeSet::new();
    let mut ordered = Vec::new();
    for name in names {
        let mut path: Vec<&Source<'_>> = Vec::new();
        if entered.insert(name) {
            path.extend(by_name.get(name).copied());
        }
        while let Some(source) = path.last() {
            let mut imports = source
                .file
                .dependency
                .iter()
                .filter_map(|import| by_name.get(import.as_str()))
                .filter(|import| entered.insert(import.file.name()));
            match imports.next() {
                Some(import) => path.push(import),
                None => ordered.extend(path.pop()),
            }
        }
    }
    ordered
}
