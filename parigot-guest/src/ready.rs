//! Preparation of a service before its first call.

use crate::context::Context;
use crate::error::NotReady;

/// Creates the value that implements a guest's services, once, just after the launch and before the
/// first call.
///
/// Without this trait, a type is created by its `Default`. A type may have both, for example to
/// fill in the fields that need no preparation; then this trait creates it:
///
/// ```
/// # use parigot_guest::{Channel, Context, LocateError, NotReady, Ready, Service};
/// # static SERVICE: Service = Service::named("greeting.v1.Greeting");
/// # struct GreetingClient(Channel);
/// # impl GreetingClient {
/// #     fn locate(cx: &Context) -> Result<Self, LocateError> {
/// #         Channel::locate(cx, &SERVICE).map(GreetingClient)
/// #     }
/// # }
/// struct Kitchen {
///     greeting: GreetingClient,
/// }
///
/// impl Ready for Kitchen {
///     async fn ready(cx: &Context) -> Result<Self, NotReady> {
///         Ok(Kitchen { greeting: GreetingClient::locate(cx)? })
///     }
/// }
/// ```
pub trait Ready: Sized + 'static {
    /// Creates the value. Every service that the guest requires is ready and can be called.
    ///
    /// # Errors
    ///
    /// The reason why the services cannot be served. The host counts the launch as failed.
    fn ready(cx: &Context) -> impl Future<Output = Result<Self, NotReady>>;
}
