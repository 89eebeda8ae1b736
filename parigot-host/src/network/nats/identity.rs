//! Identity of this process in the deployment.

use std::sync::Arc;

use parigot_abi::id::HostId;

use crate::clock::Clock;
use crate::deployment::Network;

/// Identity of this process in the deployment.
pub(crate) struct ProcessIdentity {
    pub(crate) host: HostId,
    pub(crate) network: Network,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) message_bytes_max: usize,
}
