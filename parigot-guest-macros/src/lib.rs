//! The macros of `parigot-guest`, which re-exports them. They expand to a definition of the guest and to its exports.

use proc_macro::TokenStream;

mod guest;
mod program;
mod service;

/// Exports a type that implements services as a guest.
///
/// ```text
/// parigot_guest::service!(Kitchen, exports(KitchenServer, AdminServer), requires(GreetingClient));
/// ```
///
/// `exports` lists the generated servers of all services that the type implements, `requires` the generated clients of
/// all services that it calls, or their full names, `"greeting.v1.Greeting"`, to be called by a `DynamicClient`. Just after launch the type is made by its `Ready`; a type with a `Default` has one.
#[proc_macro]
pub fn service(input: TokenStream) -> TokenStream {
    let service = syn::parse_macro_input!(input as service::Service);
    service.expand().into()
}

/// Exports an async function as a guest that runs it and leaves.
///
/// ```text
/// #[parigot_guest::program(requires(GreetingClient))]
/// async fn main(cx: Context) -> Result<Exit, parigot_guest::Error> {
///     cx.launch().await?;
///     Ok(Exit::SUCCESS)
/// }
/// ```
///
/// `requires` lists the generated clients of all services that the program calls, or their full names, `"greeting.v1.Greeting"`, to be called
/// by a `DynamicClient`; without any, `#[program]` is enough.
/// An error that the function returns is logged with what caused it, and the exit status is 1.
#[proc_macro_attribute]
pub fn program(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(arguments as program::Arguments);
    let main = syn::parse_macro_input!(item as syn::ItemFn);
    program::expand(&arguments, &main).unwrap_or_else(|error| error.into_compile_error()).into()
}
