//! Host services: services for guests that are written in Rust and run in the host's process.
//!
//! A [`Provider`] implements one kind of service, for example a key-value store. The tables
//! `[provider.<name>]` of a deployment declare providers, and guests list those that they may use.
//! For each grant the host creates a proxy, a built-in guest that exports the service to that one
//! guest. So calls to a provider have the guarantees of all calls: deadlines, cancellation, limits,
//! and exactly one end.
//!
//! ```text
//! guest → kernel → proxy → queue → thread of the provider
//!                     ↑ answers ┘
//! ```
//!
//! A provider serves its calls on a thread of its own, so it may block. The queue of a provider is
//! bounded; the host refuses further calls with `RESOURCE_EXHAUSTED`.
//!
//! The service is defined in a `.proto` file like any other, and the provider uses the generated
//! types. This provider serves `parigot.kv.v1.Kv` without any keys:
//!
//! ```
//! use parigot_guest::Service;
//! use parigot_guest::kv::v1::{GetResponse, KvErr, kv};
//! use parigot_host::deployment::{ProviderError, ProviderSpec};
//! use parigot_host::provider::{Answer, Calls, Provider, Serve};
//! use parigot_guest::Method;
//!
//! struct EmptyStore;
//!
//! impl Provider for EmptyStore {
//!     fn kind(&self) -> &'static str {
//!         "empty"
//!     }
//!
//!     fn service(&self) -> &'static Service {
//!         &kv::SERVICE
//!     }
//!
//!     fn open(&self, spec: &ProviderSpec) -> Result<Serve, ProviderError> {
//!         spec.has_only(&[])?;
//!         Ok(Box::new(|calls: Calls| {
//!             for call in calls {
//!                 match call.method() {
//!                     kv::Get::INDEX => call.serve::<kv::Get>(|_| Ok(GetResponse::default())),
//!                     _ => call.answer(Answer::unimplemented("the store is empty")),
//!                 }
//!             }
//!         }))
//!     }
//! }
//!
//! let settings = parigot_host::Settings {
//!     providers: vec![std::sync::Arc::new(EmptyStore)],
//!     ..Default::default()
//! };
//! ```

mod answer;
mod call;
#[cfg(feature = "testing")]
mod caller;
pub(crate) mod proxy;
mod queue;
#[cfg(test)]
mod tests;

use parigot_guest::Service;

pub use self::answer::Answer;
pub use self::call::Call;
#[cfg(feature = "testing")]
pub use self::caller::ProviderCaller;
pub use self::queue::Calls;
use crate::deployment::{ProviderError, ProviderSpec};

/// Serves the calls of an open provider, on a thread of its own. The function returns when there
/// are no more calls: at the end of the deployment, after all guests.
pub type Serve = Box<dyn FnOnce(Calls) + Send>;

/// Kind of host service. A host has the kinds in
/// [`Settings::providers`](crate::Settings::providers).
pub trait Provider: Send + Sync {
    /// Returns the value of `kind` in the tables `[provider.<name>]`.
    fn kind(&self) -> &'static str;

    /// Returns the service that providers of this kind export.
    fn service(&self) -> &'static Service;

    /// Checks the keys of a provider's table, without an effect. `parigot check` calls this.
    ///
    /// # Errors
    ///
    /// With the first mistake.
    fn check(&self, spec: &ProviderSpec) -> Result<(), ProviderError> {
        let _ = spec;
        Ok(())
    }

    /// Opens a provider. The host calls the result on a new thread when all guests can start, or
    /// drops it.
    ///
    /// # Errors
    ///
    /// If a key is wrong, or if the provider cannot be opened. No guest runs then.
    fn open(&self, spec: &ProviderSpec) -> Result<Serve, ProviderError>;
}
