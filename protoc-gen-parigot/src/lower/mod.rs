//! Descriptors to model. All checks of a `.proto` are made here, and one run reports all errors.

mod claim_names;
mod comment;
mod containment;
mod contract;
mod descriptors;
mod edition;
mod error_codes;
mod field_number;
pub mod go;
mod index;
mod messages;
mod names;
mod reach;
mod schema;
mod service;
mod source;
mod unused_error;
mod validate;

use std::collections::BTreeMap;

use self::index::Index;
use self::names::Names;
use self::source::{ByPackage, Source, by_package};
pub(crate) use self::unused_error::warnings;
use crate::error::Error;
use crate::model::{ErrorEnum, Messages, Model, Package};
use crate::name;
use crate::options::{self, Options, Streaming};
use crate::request::Request;

/// Lowers the files to generate, for Rust.
///
/// # Errors
///
/// Returns all errors in the files, ordered by file name and line.
pub fn model(request: &Request, options: &Options) -> Result<Model, Vec<Error>> {
    let plain = edition::plain(request);
    let mut sources = Source::all(&plain, request);
    if options.rust.include_imports {
        reach::mark(&mut sources, &options.rust);
    }
    report(validate::check(request, &sources))?;

    let index = Index::new(&sources, &options.rust);
    let grouped = by_package(&sources);
    let mut errors = Vec::new();
    let names = claim_names::claim_all(&grouped, &index, options.rust.module_clash, &mut errors);
    messages::check_types(&sources, &index, &mut errors);
    let packages = packages(
        &sources,
        &grouped,
        &index,
        options.streaming,
        names,
        &mut errors,
    );
    report(errors)?;

    let messages = match options.rust.messages {
        options::MessageSource::Prost => messages::lower(&sources, &packages, &index),
        options::MessageSource::External => Messages::default(),
    };
    Ok(Model {
        packages: packages.into_iter().map(|(_, package)| package).collect(),
        messages,
    })
}

/// Returns the errors, if there are any, in the order of their locations and without duplicates.
fn report(mut errors: Vec<Error>) -> Result<(), Vec<Error>> {
    errors.sort_by(|a, b| a.location().cmp(&b.location()));
    errors.dedup_by_key(|error| error.to_string());
    if errors.is_empty() {
        Ok(())
    } else {
        Err(errors)
    }
}

/// Lowers each package. Returns each with its name in the `.proto`.
fn packages(
    all: &[Source<'_>],
    grouped: &ByPackage<'_>,
    index: &Index<'_>,
    streaming: Streaming,
    mut names: Names,
    errors: &mut Vec<Error>,
) -> Vec<(String, Package)> {
    let mut packages: Vec<_> = grouped
        .iter()
        .filter_map(|(proto, sources)| {
            let modules = name::modules(proto)?;
            let (services, error_enums) =
                service::lower(sources, index, streaming, &mut names, errors);
            // A package without services exports and requires nothing.
            let descriptors = if services.is_empty() {
                Vec::new()
            } else {
                let names = sources.iter().map(|source| source.file.name());
                descriptors::of_files(names, all)
            };
            let package = Package {
                file: name::file(&modules),
                modules: modules.iter().map(|module| name::ident(module)).collect(),
                sources: sources
                    .iter()
                    .map(|source| comment::visible(source.file.name()))
                    .collect(),
                errors: error_enums,
                services,
                descriptors,
            };
            Some(((*proto).to_owned(), package))
        })
        .collect();
    packages.sort_by(|(_, a), (_, b)| a.modules.cmp(&b.modules));
    place_errors(&mut packages, index);
    packages
}

/// Assigns each error enum to one package, even if services of several packages use the enum: to
/// its own package if that is generated, else to the first user.
fn place_errors(packages: &mut [(String, Package)], index: &Index<'_>) {
    let mut users = BTreeMap::new();
    for (position, (_, package)) in packages.iter_mut().enumerate() {
        for error in std::mem::take(&mut package.errors) {
            users
                .entry(error.full_name)
                .or_insert((position, error.item, error.codes));
        }
    }
    for (full_name, (user, item, codes)) in users {
        let home = packages
            .iter()
            .position(|(proto, _)| proto == index.package(&full_name));
        let at_home =
            home.and_then(|home| Some((home, index.type_path(&full_name, &packages[home].0)?)));
        let (position, item) = at_home.unwrap_or((user, item));
        packages[position].1.errors.push(ErrorEnum {
            full_name,
            item,
            codes,
        });
    }
}
