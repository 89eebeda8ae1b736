//! The service `grpc.health.v1.Health`.

use std::sync::Arc;

use futures_util::future::{FutureExt as _, select_all};
use futures_util::{Stream, stream};
use parigot_host::client::ServiceClient;
use prost::Message as _;

use crate::api::Api;

pub(crate) const SERVICE: &str = "grpc.health.v1.Health";
pub(crate) const CHECK: &str = "grpc.health.v1.Health/Check";
pub(crate) const WATCH: &str = "grpc.health.v1.Health/Watch";
pub(crate) const REQUEST: &str = "grpc.health.v1.HealthCheckRequest";
pub(crate) const RESPONSE: &str = "grpc.health.v1.HealthCheckResponse";

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    /// Full name of a service; empty for all services of the edge.
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(crate) enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Returns the name of the service in a request; `None` if the request cannot be decoded.
pub(crate) fn requested_service(request: &[u8]) -> Option<String> {
    let request = HealthCheckRequest::decode(request).ok()?;
    Some(request.service)
}

/// Returns the response with a status.
pub(crate) fn response(status: ServingStatus) -> Vec<u8> {
    let response = HealthCheckResponse {
        status: status.into(),
    };
    response.encode_to_vec()
}

/// Returns the status of a service, or of all services if the name is empty; `None` for a service
/// that the edge does not list.
pub(crate) fn status(api: &Api, service: &str) -> Option<ServingStatus> {
    let serves = match service {
        "" => api.is_serving(),
        SERVICE => !*api.draining.borrow(),
        name => api.services.get(name)?.is_available() && !*api.draining.borrow(),
    };
    Some(match serves {
        true => ServingStatus::Serving,
        false => ServingStatus::NotServing,
    })
}

/// Returns the status of a service now and after each change, until the deployment stops.
pub(crate) fn watch(api: Arc<Api>, service: String) -> impl Stream<Item = ServingStatus> + Send {
    stream::unfold((api, service, None), |(api, service, last)| async move {
        if *api.draining.borrow() && last.is_some() {
            return None;
        }
        let mut draining = api.draining.clone();
        loop {
            let now = status(&api, &service).unwrap_or(ServingStatus::ServiceUnknown);
            if last != Some(now) {
                return Some((now, (api, service, Some(now))));
            }
            tokio::select! {
                () = any_change(&api, &service) => {}
                _ = draining.changed() => {}
            }
        }
    })
}

/// Waits until the availability of a service differs from now.
async fn any_change(api: &Api, service: &str) {
    let watched = api
        .services
        .values()
        .filter(|client| service.is_empty() || client.service() == service);
    let change = |client: &ServiceClient| {
        let known = client.is_available();
        client.availability_changed(known).boxed()
    };
    let changes: Vec<_> = watched.map(change).collect();
    if changes.is_empty() {
        std::future::pending::<()>().await;
    }
    select_all(changes).await;
}
