//! Replacement of the module `network` for builds without the feature `nats`.

use crate::deployment::Deployment;
use crate::error::StartError;
use crate::settings::Settings;
use crate::start::declare::{DeclaredGuest, Proxy};

/// The other processes of the deployment: always none.
pub(crate) struct Peers;

impl Peers {
    /// Accepts only a deployment without a network.
    pub(crate) fn of(deployment: &Deployment, _settings: &Settings) -> Result<Self, StartError> {
        match &deployment.network {
            None => Ok(Peers),
            Some(network) => {
                let next_step = "build it with the feature `nats`";
                Err(StartError::of_network(
                    &network.process,
                    "this host was built without NATS",
                    next_step,
                ))
            }
        }
    }

    pub(crate) fn are_there(&self) -> bool {
        false
    }

    pub(crate) fn proxies(
        &self,
        _guests: &[DeclaredGuest<'_>],
        _deployment: &Deployment,
        _settings: &Settings,
    ) -> Result<Vec<Proxy>, StartError> {
        Ok(Vec::new())
    }

    pub(crate) fn close(&self) {}
}
