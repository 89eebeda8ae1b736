//! State that the requests of one edge share.

use std::collections::BTreeMap;
use std::sync::Arc;

use parigot_host::Running;
use parigot_host::client::ServiceClient;
use parigot_host::deployment::EdgeSpec;
use parigot_host::descriptors::Schemas;
use tokio::sync::watch;

/// State of an edge.
pub(crate) struct Api {
    pub(crate) spec: EdgeSpec,
    pub(crate) schemas: Arc<Schemas>,
    /// Clients of the listed services.
    pub(crate) services: BTreeMap<String, ServiceClient>,
    /// True once the deployment stops.
    pub(crate) draining: watch::Receiver<bool>,
}

impl Api {
    /// Creates the state of an edge of a running deployment.
    pub(crate) fn new(
        spec: &EdgeSpec,
        running: &Running,
        schemas: &Arc<Schemas>,
        draining: watch::Receiver<bool>,
    ) -> Self {
        let client = |name: &str| {
            let client = running.client(name);
            client.expect("the start must have refused unknown services")
        };
        let services = spec.services.iter();
        Api {
            spec: spec.clone(),
            schemas: Arc::clone(schemas),
            services: services
                .map(|service| (service.name.clone(), client(&service.name).clone()))
                .collect(),
            draining,
        }
    }

    /// Returns true if all services take calls.
    pub(crate) fn is_serving(&self) -> bool {
        !*self.draining.borrow() && self.services.values().all(ServiceClient::is_available)
    }
}
