//! Startup: from compiled guests to a bound, ordered set of instances.

pub(crate) mod bind;
pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod declare;
pub(crate) mod graph;
pub(crate) mod mappings;
pub mod schema;

/// Service that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Name of the guest in the deployment.
    pub guest: String,
    /// Full name of the service.
    pub service: String,
    /// Serialized `FileDescriptorSet` of the service and of all messages that its methods reach.
    /// Empty if not requested, or if the guest has no descriptors.
    pub descriptors: Vec<u8>,
}
