//! Destinations of a guest's calls.

use alloc::vec::Vec;

use super::fake::Fake;
use crate::service_info::{MethodInfo, Service};

/// Destination of calls to a required service.
pub(super) struct Target {
    pub(super) fake: Fake,
    pub(super) service: &'static Service,
    /// Indices of the methods at the fake, by their indices at the guest; `None` for a method that
    /// the fake lacks.
    pub(super) methods: Vec<Option<usize>>,
    /// Set for a requirement by name, whose methods the guest learns at its launch.
    pub(super) is_by_name: bool,
}

impl Target {
    /// Returns the destination of calls to `required`, if the fake exports the service.
    pub(super) fn of(required: &Service, fake: &Fake) -> Option<Self> {
        let mut exported = fake.services().into_iter();
        let service = exported.find(|service| service.name == required.name)?;
        let is_by_name = required.is_by_name();
        let called = if is_by_name { service } else { required };
        let index_of = |method: &MethodInfo| {
            let mut methods = service.methods.iter();
            methods.position(|known| known.name() == method.name())
        };
        Some(Target {
            fake: fake.clone(),
            service,
            methods: called.methods.iter().map(index_of).collect(),
            is_by_name,
        })
    }
}
