//! Index type of instances, in a file of its own so that routes and instances do not import each
//! other.

/// Index of an instance in [`Kernel::instances`](crate::kernel::scheduler::Kernel::instances).
///
/// A restarted service keeps its index.
pub(crate) type InstanceIndex = usize;
