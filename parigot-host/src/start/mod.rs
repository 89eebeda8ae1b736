//! From compiled guests to a bound, ordered set of instances.

pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod graph;
pub(crate) mod mappings;
pub mod schema;

/// A service that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// The guest's name in the deployment.
    pub guest: String,
    /// The service's full name.
    pub service: String,
    /// A serialized `FileDescriptorSet` of the service and of all that its methods reach; empty unless it was asked for, and if
    /// the guest has none.
    pub descriptors: Vec<u8>,
}
