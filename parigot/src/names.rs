//! Names of guests and roles as the commands print them.

use std::borrow::Cow;

use parigot_host::deployment::Role;
use parigot_host::{GuestReport, Requirement};

/// Name of the host as an exporter. Names of guests have no parentheses.
pub(crate) const HOST: &str = "(host)";

/// Returns the name of a provider as an exporter: `(sessions)`.
pub(crate) fn of_provider(name: &str) -> String {
    format!("({name})")
}

/// Returns a guest's name, with its number of instances if there are several: `store x2`.
pub(crate) fn numbered(guest: &GuestReport) -> String {
    match guest.replicas {
        1 => guest.name.clone(),
        replicas => format!("{} x{replicas}", guest.name),
    }
}

/// Returns a role as the deployment file spells it.
pub(crate) fn role_name(role: Role) -> &'static str {
    match role {
        Role::Service => "service",
        Role::Program => "program",
        Role::Worker => "worker",
    }
}

/// Returns a requirement as `greeting.v1.Greeting`, or as `kv.v1.Kv as cache` with a binding name.
pub(crate) fn requirement_title(required: &Requirement) -> Cow<'_, str> {
    if required.binding.is_empty() {
        Cow::Borrowed(&required.service)
    } else {
        Cow::Owned(format!("{} as {}", required.service, required.binding))
    }
}
