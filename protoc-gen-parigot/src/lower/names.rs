//! Names claimed in each Rust scope, and conflicts between them.

use std::collections::BTreeMap;

use crate::error::{Error, Location};

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
}

/// Claimed names, with the description and location of each owner.
#[derive(Debug, Default)]
pub(super) struct Names {
    scopes: BTreeMap<Scope, BTreeMap<String, (String, Location)>>,
}

/// Types that generated code refers to by their bare names, which a module of the same name would
/// hide.
const PRIMITIVES: [&str; 10] = [
    "bool", "f32", "f64", "i32", "i64", "str", "u32", "u64", "u8", "usize",
];

impl Names {
    /// Returns true if the module of a package has an item of that name.
    pub(super) fn is_taken(&self, package: &str, rust: &str) -> bool {
        let module = self.scopes.get(&Scope::Module(package.to_owned()));
        PRIMITIVES.contains(&rust) || module.is_some_and(|names| names.contains_key(rust))
    }

    /// Claims a name, or returns an error that names its owner.
    pub(super) fn claim(&mut self, claim: Claim, at: Location) -> Result<(), Error> {
        let Claim { scope, rust, what } = claim;
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
        let names = self.scopes.entry(scope).or_default();
        match names.get(&rust) {
            None => {
                names.insert(rust, (what, at));
                Ok(())
            }
            Some(other) => Err(clash(other.clone(), (what, at), rust)),
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
