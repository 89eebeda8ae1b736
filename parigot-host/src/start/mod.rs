//! From compiled guests to instances that are bound to each other and ready to launch.
//!
//! | file | responsibility |
//! |---|---|
//! | `boot.rs` | the stages of a start, in order |
//! | `declare.rs` | runs the init turn of each guest |
//! | `graph/` | resolves requirements; finds missing exporters and cycles |
//! | `bind.rs` | creates the instances of the kernel, with routes for their calls |
//! | `schema/` | compares the schemas of a client and an exporter |
//! | `check.rs` | checks a deployment without a launch |
//! | `exposed.rs` | services that the edges list |
//! | `providers.rs` | proxies of providers, and their start |
//! | `mappings.rs` | limit on the instances of a process |

pub(crate) mod bind;
pub(crate) mod boot;
pub(crate) mod check;
pub(crate) mod declare;
mod exposed;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzed;
pub(crate) mod graph;
pub(crate) mod mappings;
pub(crate) mod providers;
pub mod schema;

/// Service that a guest exports.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Exported {
    /// Name of the guest in the deployment.
    pub guest: String,
    /// Full name of the service.
    pub service: String,
    /// Serialized `FileDescriptorSet` of the file that defines the service and of all files that it
    /// imports, except `google/protobuf/*`. Empty if not requested, or if the guest has none.
    pub descriptors: Vec<u8>,
}

impl Exported {
    /// Creates the export of a service.
    pub fn new(guest: impl Into<String>, service: impl Into<String>, descriptors: Vec<u8>) -> Self {
        Exported {
            guest: guest.into(),
            service: service.into(),
            descriptors,
        }
    }
}
