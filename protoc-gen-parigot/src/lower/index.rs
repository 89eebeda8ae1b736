//! Index of all messages and enums of a request by full name, with their paths in Rust.

use std::collections::BTreeMap;

use proc_macro2::TokenStream;
use prost_types::DescriptorProto;

use super::source::{Item, Node, Source};
use crate::error::{Error, Location};
use crate::model::TypePath;
use crate::name;
use crate::options::{MessageSource, RustOptions};

/// Types of a request.
pub(super) struct Index<'a> {
    options: &'a RustOptions,
    types: BTreeMap<String, TypeEntry<'a>>,
}

/// Message or enum.
#[derive(Clone, Copy)]
pub(super) struct TypeEntry<'a> {
    pub(super) source: &'a Source<'a>,
    pub(super) item: &'a Item<'a>,
}

/// User of a type, for errors.
pub(super) struct User<'a> {
    /// Description: `field Order.item`.
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

    /// Returns the location of a type, which must exist.
    pub(super) fn location(&self, full_name: &str) -> Location {
        let TypeEntry { source, item } = self.types[full_name];
        source.location(&item.path)
    }

    /// Returns the package of a type, which must exist.
    pub(super) fn package(&self, full_name: &str) -> &'a str {
        self.types[full_name].source.file.package()
    }

    /// Returns all messages with their full names.
    pub(super) fn messages(&self) -> impl Iterator<Item = (&str, &'a DescriptorProto)> {
        self.types
            .iter()
            .filter_map(|(name, ty)| match ty.item.node {
                Node::Message(message) => Some((name.as_str(), message)),
                _ => None,
            })
    }

    /// Returns the path that an `extern_path` gives to a type.
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
            // Types nested in a type are in a module with the type's name.
            Some(rest) if end > package.len() + 1 => below(&nested_module(path)?, rest),
            Some(rest) => below(path, rest),
        }
    }

    /// Returns each type that is not generated, with its path.
    pub(super) fn extern_paths(&self) -> Vec<(String, String)> {
        let path = |name: &String| Some((format!(".{name}"), self.extern_path(name)?));
        self.types.keys().filter_map(path).collect()
    }

    /// Returns true if this run generates the type, or the entry of a map as part of a field.
    pub(super) fn is_generated(&self, ty: TypeEntry<'_>) -> bool {
        let prost = self.options.messages == MessageSource::Prost;
        prost && ty.source.generated && self.extern_path(&ty.item.full_name()).is_none()
    }

    /// Rejects a type that the user's code could not reach in Rust.
    pub(super) fn check_visible(&self, full_name: &str, user: &User<'_>) -> Result<(), Error> {
        let Some(ty) = self.get(full_name) else {
            return Ok(());
        };
        let what = user.what.clone();
        let name = full_name.to_owned();
        let at = user.at.clone();
        // Without `mod.rs`, users combine the packages of several runs by hand.
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

    /// Returns the paths of a type in the modules of `package`, or `None` if a part of the name has
    /// no letters and digits.
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

    /// Returns the path of a type in the module of `scope`, a package or message, or `None` if a
    /// part of the name has no letters and digits.
    pub(super) fn path(&self, full_name: &str, scope: &str) -> Option<String> {
        self.extern_path(full_name)
            .or_else(|| relative_path(full_name, scope))
    }
}

fn relative_path(full_name: &str, scope: &str) -> Option<String> {
    let (parent, item) = full_name.rsplit_once('.').unwrap_or(("", full_name));
    let there = name::modules(parent)?;
    let here = name::modules(scope)?;
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

/// Returns the path of a nested type: `greeting::v1` and `Outer.Inner` give
/// `greeting::v1::outer::Inner`.
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

/// Returns the module of a type: `::pb::Outer` gives `::pb::outer`.
fn nested_module(path: &str) -> Option<String> {
    let (parent, item) = path.rsplit_once("::")?;
    Some(format!("{parent}::{}", name::snake(item)?))
}
