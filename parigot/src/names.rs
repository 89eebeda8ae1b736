//! Names of guests and roles as the commands print them.

use parigot_host::GuestReport;
use parigot_host::deployment::Role;

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
