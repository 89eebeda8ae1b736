//! Errors of the requirements and exports of a deployment.

use crate::error::suggest::quoted;

/// Error of the requirements and exports of a deployment.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GraphError {
    /// Two guests export one service without sharing it, or one guest exports a service twice.
    #[error("both `{first}` and `{second}` export {service}")]
    ExportedTwice {
        /// Full name of the service.
        service: String,
        /// First guest by name.
        first: String,
        /// Other guest.
        second: String,
    },
    /// A guest shares a service that it does not export.
    #[error("`{guest}` shares {service}, which it does not export")]
    SharedButNotExported {
        /// Name of the service in the guest's `shared`.
        service: String,
        /// Name of the guest.
        guest: String,
        /// Most similar name among the guest's exports, if there is one.
        nearest: Option<String>,
    },
    /// A program or a worker exports a service.
    #[error("`{guest}` exports {service}, and only guests in `[service.<name>]` may export")]
    NotAService {
        /// Full name of the service.
        service: String,
        /// Name of the guest.
        guest: String,
    },
    /// A service exports nothing.
    #[error("`{guest}` exports no service, and is in `[service.{guest}]`")]
    NothingExported {
        /// Name of the guest.
        guest: String,
    },
    /// A guest exports a service of the host.
    #[error("`{guest}` exports {service}, which only the host exports")]
    ExportedByHost {
        /// Full name of the service.
        service: String,
        /// Name of the guest.
        guest: String,
    },
    /// A service requires standard input and output.
    #[error("`{guest}` requires {service}, which only programs and workers may use")]
    StdioOfService {
        /// Full name of the service.
        service: String,
        /// Name of the guest.
        guest: String,
    },
    /// A requirement has no exporter.
    #[error("`{guest}` requires {service}, which no guest of the deployment exports")]
    Missing {
        /// Full name of the service.
        service: String,
        /// Name of the guest that requires the service.
        guest: String,
        /// Most similar exported service and its exporter, if there is one.
        nearest: Option<(String, String)>,
    },
    /// A provider must serve a requirement, and no grant gives one.
    #[error("`{guest}` requires {service}, and is granted no provider of the kind `{kind}`")]
    NotGranted {
        /// Full name of the service.
        service: String,
        /// Name of the guest that requires the service.
        guest: String,
        /// Kind of provider that exports the service.
        kind: String,
        /// First provider of this kind in the deployment, if there is one.
        provider: Option<String>,
    },
    /// Several grants could serve a requirement.
    #[error(
        "`{guest}` requires {}, and each of {} could serve it",
        as_binding(service, binding),
        quoted(providers)
    )]
    AmbiguousGrant {
        /// Full name of the service.
        service: String,
        /// Name of the guest that requires the service.
        guest: String,
        /// Name of the binding, or empty.
        binding: String,
        /// Granted providers; at least two.
        providers: Vec<String>,
    },
    /// The binding name of a grant belongs to no requirement.
    #[error("`{guest}` binds `{binding}` to a provider, and requires no service by this name")]
    UnknownGrantBinding {
        /// Name of the guest.
        guest: String,
        /// Name in its `providers`.
        binding: String,
        /// Most similar binding name of the guest's requirements, if there is one.
        nearest: Option<String>,
    },
    /// A requirement has a binding name, and several guests export the service.
    #[error(
        "`{guest}` requires {service} as `{binding}`, and its `bind` does not choose one of {}",
        quoted(exporters)
    )]
    Ambiguous {
        /// Full name of the service.
        service: String,
        /// Name of the guest that requires the service.
        guest: String,
        /// Name of the binding.
        binding: String,
        /// Guests that export the service; at least two.
        exporters: Vec<String>,
        /// Set if the exporters are in other processes, so that `bind` cannot name them.
        are_elsewhere: bool,
    },
    /// A requirement is bound to a guest that does not export the service, or that runs in another
    /// process.
    #[error(
        "`{guest}` binds `{binding}` to `{exporter}`, which does not export {service} in the same \
         process"
    )]
    BoundElsewhere {
        /// Full name of the service.
        service: String,
        /// Name of the guest that requires the service.
        guest: String,
        /// Name of the binding.
        binding: String,
        /// Guest that the deployment names.
        exporter: String,
        /// A guest that exports the service, if there is one: the one with the most similar name.
        nearest: Option<String>,
    },
    /// A name in `bind` belongs to no requirement.
    #[error("`{guest}` binds `{binding}`, and requires no service by this name")]
    UnknownBinding {
        /// Name of the guest.
        guest: String,
        /// Name in its `bind`.
        binding: String,
        /// Most similar binding name of the guest's requirements, if there is one.
        nearest: Option<String>,
    },
    /// Guests require each other, so that none can be launched first.
    #[error("these guests wait for each other: {}", path.join(" -> "))]
    Cycle {
        /// Names of guests, each requiring a service of the next; the first name is repeated at the
        /// end.
        path: Vec<String>,
    },
}

/// Returns a requirement as it is printed: with its binding name, if there is one.
fn as_binding(service: &str, binding: &str) -> String {
    match binding {
        "" => service.to_owned(),
        _ => format!("{service} as `{binding}`"),
    }
}

impl GraphError {
    /// Returns the name of the guest with the problem.
    pub fn guest(&self) -> &str {
        match self {
            GraphError::ExportedTwice { second, .. } => second,
            GraphError::SharedButNotExported { guest, .. }
            | GraphError::NotAService { guest, .. }
            | GraphError::NothingExported { guest }
            | GraphError::ExportedByHost { guest, .. }
            | GraphError::StdioOfService { guest, .. }
            | GraphError::Missing { guest, .. }
            | GraphError::NotGranted { guest, .. }
            | GraphError::AmbiguousGrant { guest, .. }
            | GraphError::UnknownGrantBinding { guest, .. }
            | GraphError::Ambiguous { guest, .. }
            | GraphError::BoundElsewhere { guest, .. }
            | GraphError::UnknownBinding { guest, .. } => guest,
            GraphError::Cycle { path } => &path[0],
        }
    }
}
