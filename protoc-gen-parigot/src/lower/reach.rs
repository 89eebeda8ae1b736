//! Files that are generated because a generated file uses their types: `include_imports`.

use std::collections::BTreeMap;

use super::contract::DeclaredService;
use super::index::Index;
use super::source::{Node, Source, type_name};
use crate::options::RustOptions;

/// Marks all files to generate, as if they had been named: the named ones, and each file that
/// declares a type which a marked file uses.
pub(super) fn mark(sources: &mut [Source<'_>], options: &RustOptions) {
    let marks = reached(sources, &Index::new(sources, options));
    for (source, mark) in sources.iter_mut().zip(marks) {
        source.generated = mark;
    }
}

/// Returns for each file whether it is to be generated.
fn reached(sources: &[Source<'_>], index: &Index<'_>) -> Vec<bool> {
    let positions: BTreeMap<_, _> = sources
        .iter()
        .enumerate()
        .map(|(at, source)| (source.file.name(), at))
        .collect();
    let mut marks: Vec<_> = sources.iter().map(|source| source.generated).collect();
    let mut pending: Vec<_> = (0..sources.len()).filter(|at| marks[*at]).collect();
    while let Some(at) = pending.pop() {
        for name in used(&sources[at], index) {
            let file = index.get(&name).map(|ty| ty.source.file.name());
            if let Some(at) = file.and_then(|file| positions.get(file))
                && index.extern_path(&name).is_none()
                && !std::mem::replace(&mut marks[*at], true)
            {
                pending.push(*at);
            }
        }
    }
    marks
}

/// Returns the types that a file uses: those of fields, methods and errors.
fn used(source: &Source<'_>, index: &Index<'_>) -> Vec<String> {
    let of_fields = source.items.iter().filter_map(|item| match item.node {
        Node::Field(field, _) if index.extern_path(&item.scope).is_none() => type_name(field),
        _ => None,
    });
    let mut names: Vec<_> = of_fields.map(str::to_owned).collect();
    for service in DeclaredService::all(source) {
        let methods = service.descriptor.method.iter();
        let of_methods = methods.flat_map(|method| [method.input_type(), method.output_type()]);
        names.extend(of_methods.map(|name| name.trim_start_matches('.').to_owned()));
        names.extend(service.error_enum(index).ok().flatten());
    }
    names
}
