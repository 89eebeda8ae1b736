//! The names taken in each Rust scope, and those that meet.

use std::collections::BTreeMap;

use crate::error::{Error, Location};

/// A Rust scope, by the full name of what it belongs to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scope {
    /// The module of a package or of a message.
    Module(String),
    /// The fields of a message.
    Fields(String),
    /// The functions of a message or of a service's trait and client.
    Functions(String),
    /// The variants of an enum or oneof.
    Variants(String),
}

/// A name that something of the `.proto` has in Rust.
pub(super) struct Claim {
    pub(super) scope: Scope,
    /// Nothing if no letter is left.
    pub(super) rust: Option<String>,
    /// `message Order`, for errors.
    pub(super) what: String,
}

/// Who has which name, and where it was declared.
#[derive(Debug, Default)]
pub(super) struct Names {
    scopes: BTreeMap<Scope, BTreeMap<String, (String, Location)>>,
}

/// Types that generated code calls by their bare names: a module of such a name would hide them.
const PRIMITIVES: [&str; 10] = [
    "bool", "f32", "f64", "i32", "i64", "str", "u32", "u64", "u8", "usize",
];

impl Names {
    /// Whether a package's module has an item of that name.
    pub(super) fn is_taken(&self, package: &str, rust: &str) -> bool {
        let module = self.scopes.get(&Scope::Module(package.to_owned()));
        PRIMITIVES.contains(&rust) || module.is_some_and(|names| names.contains_key(rust))
    }

    /// Takes a name, or says who has it.
    pub(super) fn take(&mut self, claim: Claim, at: Location) -> Result<(), Error> {
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

/// Names both of two declarations, at the place of the later one.
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
