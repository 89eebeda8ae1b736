//! Methods of an edge by path.

use std::collections::HashMap;
use std::sync::Arc;

use parigot_host::client::{ClientMethod, ServiceClient};
use parigot_host::descriptors::MethodSchema;

use crate::api::Api;
use crate::{health, reflection};

/// Methods by path, without the leading slash.
pub(crate) struct Routes(HashMap<String, Route>);

/// Destination of a path.
#[derive(Clone)]
pub(crate) enum Route {
    /// A method of a guest.
    Guest(Arc<GuestRoute>),
    HealthCheck,
    HealthWatch,
    Reflection,
}

/// A method of a guest.
pub(crate) struct GuestRoute {
    pub(crate) client: ServiceClient,
    pub(crate) method: ClientMethod,
    /// Messages of the method; `None` if the guest has no usable descriptors.
    pub(crate) schema: Option<MethodSchema>,
}

impl Routes {
    /// Creates the routes of an edge.
    pub(crate) fn new(api: &Api) -> Self {
        let mut routes = HashMap::from([
            (health::CHECK.to_owned(), Route::HealthCheck),
            (health::WATCH.to_owned(), Route::HealthWatch),
        ]);
        if api.spec.reflection {
            for path in reflection::PATHS {
                routes.insert((*path).to_owned(), Route::Reflection);
            }
        }
        for (service, client) in &api.services {
            for method in client.methods() {
                let route = GuestRoute {
                    client: client.clone(),
                    method: method.clone(),
                    schema: api.schemas.method(service, &method.name).cloned(),
                };
                let path = format!("{service}/{}", method.name);
                routes.insert(path, Route::Guest(Arc::new(route)));
            }
        }
        Routes(routes)
    }

    /// Returns the destination of a path.
    pub(crate) fn get(&self, path: &str) -> Option<&Route> {
        self.0.get(path)
    }
}
