//! Identities that both sides of a call must agree on, whatever their languages.
//!
//! - A service is identified by its full name: `greeting.v1.Greeting`, or `Greeting` without a
//!   package. The name has no leading dot.
//! - A method is identified by its name in the `.proto`, unchanged: `FetchGreeting`. Methods are
//!   bound by name. A method's index is its position in the service and has a meaning on one side
//!   only.
//! - A schema is identified by its hash: see [`schema_hash`](crate::schema_hash).

/// Returns the full name of a declaration in a package: `greeting.v1.Greeting`.
pub fn full_name(package: &str, name: &str) -> String {
    if package.is_empty() {
        name.to_owned()
    } else {
        format!("{package}.{name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_name_has_no_leading_dot() {
        assert_eq!(full_name("greeting.v1", "Greeting"), "greeting.v1.Greeting");
        assert_eq!(full_name("", "Greeting"), "Greeting");
    }
}
