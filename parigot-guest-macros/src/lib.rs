//! The macros of `parigot-guest`, which re-exports them. Each expands to the definition of a guest
//! and to the guest's exports.

use proc_macro::TokenStream;

mod guest;
mod program;
mod service;

/// Exports a type that implements services as a guest.
///
/// ```text
/// parigot_guest::service!(
///     Kitchen,
///     exports(KitchenServer, AdminServer),
///     requires(GreetingClient),
/// );
/// ```
///
/// - `exports` lists the generated servers of the services, at least one. For each server the type
///   implements the trait with the service's name: `Kitchen` for `KitchenServer`.
/// - `requires` lists the services that the type calls: generated clients, or full names like
///   `"greeting.v1.Greeting"` for a `DynamicClient`. Only these services can be located. The list
///   is optional. With `KvClient as "cache"` the deployment binds the name `cache` to an exporter,
///   and `KvClient::locate_named(&cx, "cache")` locates it; so a guest can use several exporters of
///   one service.
///
/// The lists may be given in any order.
///
/// One value of the type is created for each guest, when every required service is ready and before
/// the first call. Its `Ready` implementation creates it, or `Default` if there is none. If `Ready`
/// fails, the guest ends.
///
/// A crate is one guest, so it has one `service!` or one `#[program]`. In wasm the macro writes the
/// guest's exports. Natively it writes a constant, `GUEST`, which a test host runs; unit tests use
/// the type like any other.
#[proc_macro]
pub fn service(input: TokenStream) -> TokenStream {
    let service = syn::parse_macro_input!(input as service::Service);
    service.expand().into()
}

/// Exports an async function as a guest that runs the function and exits.
///
/// ```text
/// #[parigot_guest::program(requires(GreetingClient))]
/// async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
///     cx.launch().await?;
///     Ok(Exit::SUCCESS)
/// }
/// ```
///
/// `requires` lists the services that the program calls: generated clients, or full names like
/// `"greeting.v1.Greeting"` for a `DynamicClient`, either with the name of a binding if needed:
/// `KvClient as "cache"`. Without required services write `#[program]`.
///
/// If the function returns an error, the error and its causes are logged, and the exit status is 1.
#[proc_macro_attribute]
pub fn program(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(arguments as program::Arguments);
    let main = syn::parse_macro_input!(item as syn::ItemFn);
    program::expand(&arguments, &main)
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
