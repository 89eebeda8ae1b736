//! A host without other processes: what stands in the place of `network` where the feature `nats` is off.

use crate::boot::{Declaration, StandIn};
use crate::deployment::{Deployment, GuestSpec};
use crate::error::StartError;
use crate::kernel::Kernel;
use std::sync::Arc;

/// The other processes of the deployment: there are none.
pub(crate) struct Neighbours;

impl Neighbours {
    pub(crate) fn none() -> Self {
        Neighbours
    }

    pub(crate) fn are_there(&self) -> bool {
        false
    }

    pub(crate) fn stand_ins(
        &mut self,
        _guests: &[(&GuestSpec, Declaration)],
        _deployment: &Deployment,
    ) -> Result<Vec<StandIn>, StartError> {
        Ok(Vec::new())
    }

    pub(crate) fn connect(&self, _kernel: &Arc<Kernel>) {}

    pub(crate) fn close(&self) {}
}
