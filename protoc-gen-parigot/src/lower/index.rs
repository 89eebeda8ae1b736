//! Every message and enum of a request by its full name, and where it lies in Rust.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use prost_types::DescriptorProto;

use super::source::{Item, Node, Source};
use crate::error::{Error, Location};
use crate::model::TypePath;
use crate::name;
use crate::options::{MessageSource, RustOptions};

/// The types of a request.
pub(super) struct Index<'a> {
    options: &'a RustOptions,
    types: BTreeMap<String, TypeEntry<'a>>,
}

/// A message or enum.
#[derive(Clone, Copy)]
pub(super) struct TypeEntry<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) item: &'a Item<'a>,
}

/// What uses a type.
pub(super) struct User<'a> {
    /// `field Order.item`
    pub(super) what: String,
    pub(super) package: &'a str,
    pub(super) at: Location,
}

impl<'a> Index<'a> {
    pub(super) fn new(sources: &'a [Source<'a>], options: &'a RustOptions) -> Self {
        let items = sources
            .iter()
            .flat_map(|source| source.items.iter().map(move |item| (source, item)));
        let types = items
            .filter(|(_, item)| matches!(item.node, Node::Message(_) | Node::Enum(_)))
            .map(|(source, item)| (item.full_name(), TypeEntry { source, item }))
            .collect();
        Self { options, types }
    }

    pub(super) fn get(&self, full_name: &str) -> Option<TypeEntry<'a>> {
        self.types.get(full_name).copied()
    }

    /// Where a type is declared that is there.
    pub(super) fn location(&self, full_name: &str) -> Location {
        let TypeEntry { source, item } = self.types[full_name];
        source.location(&item.path)
    }

    /// The package of a type that is there.
    pub(super) fn package(&self, full_name: &str) -> &'a str {
        self.types[full_name].source.file.package()
    }

    /// All messages, by their full names.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&str, &'a DescriptorProto)> {
        self.types
            .iter()
            .filter_map(|(name, ty)| match ty.item.node {
                Node::Message(message) => Some((name.as_str(), message)),
                _ => None,
            })
    }

    /// Where an option puts a type that is not generated.
    pub(super) fn extern_path(&self, full_name: &str) -> Option<String> {
        let package = self.get(full_name)?.source.file.package();
        let dotted = format!(".{full_name}");
        let ends = dotted
            .match_indices('.')
            .map(|(end, _)| end)
            .skip(1)
            .chain([dotted.len()]);
        let (end, path) = ends
            .filter_map(|end| Some((end, self.options.extern_paths.get(&dotted[..end])?)))
            .last()?;
        match dotted[end..].strip_prefix('.') {
            None => Some(path.clone()),
            // What is nested in a type lies in a module of the type's name.
            Some(rest) if end > package.len() + 1 => below(&nested_module(path)?, rest),
            Some(rest) => below(path, rest),
        }
    }

    /// Each type that is not generated, and where it lies.
    pub(super) fn extern_paths(&self) -> Vec<(String, String)> {
        let path = |name: &String| Some((format!(".{name}"), self.extern_path(name)?));
        self.types.keys().filter_map(path).collect()
    }

    /// Whether this run makes something of it: a Rust type, or the type of a field if it is a map's entry.
    pub(super) fn is_generated(&self, ty: TypeEntry<'_>) -> bool {
        let prost = self.options.messages == MessageSource::Prost;
        prost && ty.source.generated && self.extern_path(&ty.item.full_name()).is_none()
    }

    /// Refuses a type that the user could not see in Rust.
    pub(super) fn check_visible(&self, full_name: &str, user: &User<'_>) -> Result<(), Error> {
        let Some(ty) = self.get(full_name) else {
            return Ok(());
        };
        let (what, name, at) = (user.what.clone(), full_name.to_owned(), user.at.clone());
        // Without `mod.rs`, the packages of several runs are put together by hand.
        let elsewhere = !self.options.mod_file && ty.source.file.package() != user.package;
        if self.extern_path(full_name).is_some() {
            Ok(())
        } else if self.options.messages == MessageSource::External {
            Err(Error::NotExternal {
                user: what,
                name,
                at,
            })
        } else if ty.source.generated || elsewhere {
            Ok(())
        } else {
            Err(Error::NotGenerated {
                user: what,
                name,
                file: ty.source.file.name().to_owned(),
                at,
            })
        }
    }

    /// How a type is written in the modules of `package`, or nothing if some part of its name has no letters.
    pub(super) fn type_path(&self, full_name: &str, package: &str) -> Option<TypePath> {
        if let Some(path) = self.extern_path(full_name) {
            let path: TokenStream = path.parse().ok()?;
            return Some(TypePath {
                in_package: path.clone(),
                in_service: path,
            });
        }
        let path = relative_path(full_name, package)?;
        Some(TypePath {
            in_package: path.parse().ok()?,
            in_service: format!("super::{path}").parse().ok()?,
        })
    }

    /// How a type is written in the module of `scope`, a package or message, or nothing if some part of its name has no
    /// letters.
    pub(super) fn path(&self, full_name: &str, scope: &str) -> Option<String> {
        self.extern_path(full_name)
            .or_else(|| relative_path(full_name, scope))
    }
}

fn relative_path(full_name: &str, scope: &str) -> Option<String> {
    let (parent, item) = full_name.rsplit_once('.').unwrap_or(("", full_name));
    let (there, here) = (name::modules(parent)?, name::modules(scope)?);
    let shared = there
        .iter()
        .zip(&here)
        .take_while(|(there, here)| there == here)
        .count();
    let mut parts = vec!["super".to_owned(); here.len() - shared];
    parts.extend_from_slice(&there[shared..]);
    parts.push(name::camel(item)?);
    Some(parts.join("::"))
}

/// `greeting::v1` and `Outer.Inner` give `greeting::v1::outer::Inner`.
fn below(path: &str, nested: &str) -> Option<String> {
    let mut parts: Vec<String> = [path]
        .into_iter()
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect();
    let (modules, item) = nested.rsplit_once('.').unwrap_or(("", nested));
    parts.extend(name::modules(modules)?);
    parts.push(name::camel(item)?);
    Some(parts.join("::"))
}

/// `::pb::Outer` gives `::pb::outer`.
fn nested_module(path: &str) -> Option<String> {
    let (parent, item) = path.rsplit_once("::")?;
    Some(format!("{parent}::{}", name::snake(item)?))
}
