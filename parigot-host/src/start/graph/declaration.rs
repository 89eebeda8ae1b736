//! Guests of a graph, as they have declared themselves.

use std::collections::BTreeMap;

use parigot_abi::Manifest;
use parigot_abi::manifest::Service;

use crate::deployment::{Grant, Role};

/// Name and declaration of a guest.
pub(crate) struct GuestDeclaration<'a> {
    pub(crate) name: &'a str,
    pub(crate) manifest: &'a Manifest,
    /// Exported services that other guests may export as well.
    pub(crate) shared: &'a [String],
    /// Exporting guests by the binding names of requirements.
    pub(crate) bind: &'a BTreeMap<String, String>,
    /// Role in the deployment; `None` for a guest of the host itself, such as a proxy.
    pub(crate) role: Option<Role>,
    /// Process of the guest; `None` if all guests are in one process.
    pub(crate) process: Option<&'a str>,
    /// Grants of providers to the guest.
    pub(crate) grants: &'a [Grant],
    /// The grant that a proxy stands for; `None` for other guests.
    pub(crate) grant: Option<&'a ProxyGrant>,
}

impl GuestDeclaration<'_> {
    /// Returns whether the other guest is in the same process. Guests of the host are in all.
    pub(super) fn is_beside(&self, other: &GuestDeclaration<'_>) -> bool {
        self.process == other.process || other.role.is_none()
    }
}

/// Grant of a provider that a proxy stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyGrant {
    /// Name of the guest that has the grant.
    pub(crate) guest: String,
    /// Name of the provider.
    pub(crate) provider: String,
    /// Name of the requirement's binding, or empty.
    pub(crate) binding: String,
}

/// Index of a guest, index of a service among the guest's exports, and the service.
pub(super) type ExportedService<'a> = (usize, u32, &'a Service);
