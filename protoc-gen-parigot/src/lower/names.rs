//! Names claimed in each Rust scope, and conflicts between them.

use std::collections::BTreeMap;

use crate::error::{Error, Location};
use crate::name;
use crate::options::ModuleClash;

/// Rust scope, by the full name of the declaration that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// Module of a package or message.
    Module(String),
    /// Fields of a message.
    Fields(String),
    /// Functions of a message, or of the trait and client of a service.
    Functions(String),
    /// Variants of an enum or oneof.
    Variants(String),
}

/// Claim of a Rust name for a declaration.
pub(super) struct Claim {
    pub(super) scope: Scope,
    /// `None` if the name has no letters and digits.
    pub(super) rust: Option<String>,
    /// Description for errors: `message Order`.
    pub(super) what: String,
    pub(super) kind: Kind,
}

/// Kind of declaration that has a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Item,
    /// Module of a package.
    Package,
    /// Module of the declarations in a message.
    Nested,
}

/// Claimed names, with the owner of each.
pub(super) struct Names {
    module_clash: ModuleClash,
    scopes: BTreeMap<Scope, BTreeMap<String, Owner>>,
}

/// Declaration that has a name.
struct Owner {
    what: String,
    at: Location,
    kind: Kind,
}

/// Types that generated code refers to by their bare names, which a module of the same name would
/// hide.
const PRIMITIVES: [&str; 10] = [
    "bool", "f32", "f64", "i32", "i64", "str", "u32", "u64", "u8", "usize",
];

impl Names {
    pub(super) fn new(module_clash: ModuleClash) -> Self {
        Self {
            module_clash,
            scopes: BTreeMap::new(),
        }
    }

    /// Returns true if the module of a package has an item of that name.
    pub(super) fn is_taken(&self, package: &str, rust: &str) -> bool {
        let module = self
            .scopes
            .get(&self.scope(Scope::Module(package.to_owned())));
        PRIMITIVES.contains(&rust) || module.is_some_and(|names| names.contains_key(rust))
    }

    /// Claims a name, or returns an error that names its owner.
    pub(super) fn claim(&mut self, claim: Claim, at: Location) -> Result<(), Error> {
        let Claim {
            scope,
            rust,
            what,
            kind,
        } = claim;
        let Some(rust) = rust else {
            return Err(Error::NoName { what, at });
        };
        if matches!(scope, Scope::Module(_)) && PRIMITIVES.contains(&rust.as_str()) {
            return Err(Error::NameClash {
                first: what,
                second: "the primitive type".to_owned(),
                rust,
                at,
            });
        }
        let names = self.scopes.entry(self.scope(scope)).or_default();
        let Some(owner) = names.get(&rust) else {
            names.insert(rust, Owner { what, at, kind });
            return Ok(());
        };
        let can_merge = matches!(
            (owner.kind, kind),
            (Kind::Package, Kind::Nested) | (Kind::Nested, Kind::Package)
        );
        if can_merge && self.module_clash == ModuleClash::Merge {
            return Ok(());
        }
        let other = (owner.what.clone(), owner.at.clone());
        Err(match clash(other, (what, at), rust) {
            Error::NameClash {
                first,
                second,
                rust,
                at,
            } if can_merge => Error::ModuleClash {
                first,
                second,
                rust,
                at,
            },
            error => error,
        })
    }

    /// Returns the scope under which names are kept. Where modules are merged, a package and a
    /// message may have one scope.
    fn scope(&self, scope: Scope) -> Scope {
        match scope {
            Scope::Module(full_name) if self.module_clash == ModuleClash::Merge => {
                let modules = name::modules(&full_name).map(|modules| modules.join("::"));
                Scope::Module(modules.unwrap_or(full_name))
            }
            scope => scope,
        }
    }
}

/// Returns an error that names both declarations, at the location of the later one.
pub(super) fn clash(one: (String, Location), other: (String, Location), rust: String) -> Error {
    let (first, second) = if one.1 <= other.1 {
        (one, other)
    } else {
        (other, one)
    };
    Error::NameClash {
        first: format!("{} ({})", first.0, first.1),
        second: second.0,
        rust,
        at: second.1,
    }
}
