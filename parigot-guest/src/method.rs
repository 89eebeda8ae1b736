//! Methods of services, as generated code defines them.

use prost::Message;

use crate::service_info::{MethodInfo, Service};
use crate::status::{Rpc, ServiceError};

/// One method of a service. The generator writes a type for each.
pub trait Method: 'static {
    /// The request message.
    type Request: Message + Default;
    /// The response message.
    type Response: Message + Default;
    /// The error of the service.
    type Error: ServiceError;
    /// The service that the method belongs to.
    const SERVICE: &'static Service;
    /// Index of the method in its service.
    const INDEX: u32;

    /// Returns the method's entry in the table of its service.
    fn info() -> &'static MethodInfo {
        &Self::SERVICE.methods[Self::INDEX as usize]
    }
}

/// Returns the names of the method and its service.
pub(crate) fn rpc<M: Method>() -> Rpc {
    Rpc {
        service: M::SERVICE.name,
        method: M::info().name().into(),
    }
}
