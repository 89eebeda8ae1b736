//! Claims the Rust names of packages, messages and enums, and of the items that prost generates for
//! them.

use std::collections::{BTreeMap, BTreeSet};

use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{DescriptorProto, EnumDescriptorProto, FieldDescriptorProto};

use super::field_number;
use super::index::Index;
use super::names::{Claim, Kind, Names, Scope, clash};
use super::source::{ByPackage, Item, Node, Source, is_map_entry, oneof_of, type_name};
use crate::error::Error;
use crate::options::ModuleClash;
use crate::{name, symbol};

/// Claims the names of everything that is generated, except services.
pub(super) fn claim_all(
    packages: &ByPackage<'_>,
    index: &Index<'_>,
    module_clash: ModuleClash,
    errors: &mut Vec<Error>,
) -> Names {
    let mut names = Names::new(module_clash);
    claim_packages(packages, &mut names, errors);
    for source in packages.values().flatten() {
        for item in source.items.iter().filter(|item| is_named(item, index)) {
            let named = NamedItem {
                source,
                item,
                index,
            };
            for claim in named.claims() {
                errors.extend(names.claim(claim, source.location(&item.path)).err());
            }
            errors.extend(named.check_map().err());
        }
    }
    names
}

/// Claims the path of each package, and the name of its module in each package around it.
fn claim_packages(packages: &ByPackage<'_>, names: &mut Names, errors: &mut Vec<Error>) {
    let mut paths = BTreeMap::new();
    let mut children = BTreeSet::new();
    for (package, sources) in packages {
        let what = format!("package {package}");
        let at = sources[0].location(&[field_number::PACKAGE]);
        let Some(modules) = name::modules(package) else {
            errors.push(Error::NoName { what, at });
            continue;
        };
        for (depth, parent) in parents(package)
            .enumerate()
            .filter(|(_, parent)| packages.contains_key(parent))
        {
            if children.insert((parent, modules[depth].clone())) {
                let scope = Scope::Module(parent.to_owned());
                let claim = Claim {
                    scope,
                    rust: Some(modules[depth].clone()),
                    what: what.clone(),
                    kind: Kind::Package,
                };
                errors.extend(names.claim(claim, at.clone()).err());
            }
        }
        if let Some(other) = paths.insert(modules.clone(), (what.clone(), at.clone())) {
            errors.push(clash(other, (what, at), modules.join("::")));
        }
    }
}

/// Returns the packages around a package, outermost first: for `a.b`, the root package and `a`.
fn parents(package: &str) -> impl Iterator<Item = &str> {
    let root = (!package.is_empty()).then_some("");
    root.into_iter()
        .chain(package.match_indices('.').map(|(dot, _)| &package[..dot]))
}

/// Returns true if prost names the item: all items except map entries and their fields.
fn is_named(item: &Item<'_>, index: &Index<'_>) -> bool {
    let owner = match item.node {
        Node::Message(_) | Node::Enum(_) => index.get(&item.full_name()),
        Node::Field(..) | Node::Oneof(..) | Node::Value(..) | Node::Alias(_) => {
            index.get(&item.scope)
        }
    };
    owner.is_some_and(|owner| match owner.item.node {
        Node::Message(message) if is_map_entry(message) => false,
        _ => index.is_generated(owner),
    })
}

/// Item whose names are claimed.
struct NamedItem<'a> {
    source: &'a Source<'a>,
    item: &'a Item<'a>,
    index: &'a Index<'a>,
}

impl NamedItem<'_> {
    /// Returns the names that prost gives to the item.
    fn claims(&self) -> Vec<Claim> {
        let name = self.item.name();
        match self.item.node {
            Node::Message(message) => self.message(message),
            Node::Enum(_) => vec![self.claim(Scope::Module, name::camel(name))],
            // prost generates no variant for an alias.
            Node::Alias(_) => Vec::new(),
            Node::Value(_, parent) => {
                vec![self.claim(Scope::Variants, name::variant(parent.name(), name))]
            }
            Node::Oneof(_, parent) => {
                vec![
                    self.claim(Scope::Fields, name::snake(name)),
                    self.claim(Scope::Module, oneof_type(name, parent)),
                ]
            }
            Node::Field(field, parent) => match oneof_of(field)
                .and_then(|oneof| parent.oneof_decl.get(oneof))
            {
                Some(oneof) => {
                    let scope = Scope::Variants(symbol::full_name(&self.item.scope, oneof.name()));
                    vec![Claim {
                        scope,
                        ..self.claim(Scope::Fields, name::camel(name))
                    }]
                }
                None => self.field(field),
            },
        }
    }

    fn claim(&self, scope: fn(String) -> Scope, rust: Option<String>) -> Claim {
        Claim {
            scope: scope(self.item.scope.clone()),
            rust,
            what: self.source.describe(self.item),
            kind: Kind::Item,
        }
    }

    fn message(&self, message: &DescriptorProto) -> Vec<Claim> {
        let mut claims = vec![self.claim(Scope::Module, name::camel(message.name()))];
        if has_module(message) {
            let module = self.claim(Scope::Module, name::snake(message.name()));
            claims.push(Claim {
                what: format!("the module of {}", module.what),
                kind: Kind::Nested,
                ..module
            });
        }
        claims
    }

    /// Returns the names of a field and of the functions that prost adds for the field.
    fn field(&self, field: &FieldDescriptorProto) -> Vec<Claim> {
        let mut claims = vec![self.claim(Scope::Fields, name::snake(field.name()))];
        let Some(name) = name::snake(field.name()) else {
            return claims;
        };
        let plain = name.strip_prefix("r#").unwrap_or(&name);
        let functions = if self.is_enum_map(field) {
            vec![format!("get_{plain}"), format!("insert_{plain}")]
        } else if field.r#type() == Type::Enum && field.label() == Label::Repeated {
            vec![name.clone(), format!("push_{plain}")]
        } else if field.r#type() == Type::Enum {
            vec![name.clone(), format!("set_{plain}")]
        } else if self.source.keeps_presence(field)
            && !matches!(field.r#type(), Type::Message | Type::Group)
        {
            vec![name.clone()]
        } else {
            Vec::new()
        };
        claims.extend(functions.into_iter().map(|function| {
            let claim = self.claim(Scope::Functions, Some(function));
            Claim {
                what: format!("a function of {}", claim.what),
                ..claim
            }
        }));
        claims
    }

    /// Rejects a map whose functions prost cannot name.
    fn check_map(&self) -> Result<(), Error> {
        let Node::Field(field, _) = self.item.node else {
            return Ok(());
        };
        match name::snake(field.name()) {
            Some(rust) if rust.starts_with("r#") && self.is_enum_map(field) => {
                Err(Error::KeywordMap {
                    what: self.source.describe(self.item),
                    rust,
                    at: self.source.location(&self.item.path),
                })
            }
            _ => Ok(()),
        }
    }

    fn is_enum_map(&self, field: &FieldDescriptorProto) -> bool {
        let entry = type_name(field).and_then(|name| self.index.get(name));
        entry.is_some_and(|entry| match entry.item.node {
            Node::Message(entry) => {
                is_map_entry(entry) && entry.field.iter().any(|field| field.r#type() == Type::Enum)
            }
            _ => false,
        })
    }
}

/// Returns the name of a oneof's type, which prost changes if a nested type has that name.
fn oneof_type(oneof: &str, parent: &DescriptorProto) -> Option<String> {
    let name = name::camel(oneof)?;
    let messages = parent.nested_type.iter().map(DescriptorProto::name);
    let mut nested = messages.chain(parent.enum_type.iter().map(EnumDescriptorProto::name));
    let taken = nested.any(|nested| name::camel(nested).as_ref() == Some(&name));
    Some(if taken { name + "OneOf" } else { name })
}

/// Returns true if prost generates a module for declarations in a message.
fn has_module(message: &DescriptorProto) -> bool {
    let nested = message
        .nested_type
        .iter()
        .any(|nested| !is_map_entry(nested));
    nested
        || !message.enum_type.is_empty()
        || message.field.iter().any(|field| oneof_of(field).is_some())
}
