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
/// `exports` lists the generated servers of all services that the type implements, at least one: for each of them it implements the trait of the
/// service's name, `Kitchen` for `KitchenServer`. `requires` lists the generated clients of all services that it calls, or their full names,
/// `"greeting.v1.Greeting"`, to be called by a `DynamicClient`; it may be left out, and may stand first. What is not in it cannot be located.
///
/// The type is made once in the life of the guest, just after launch, when all that it requires is ready, and before the first call: by its `Ready`, or
/// by its `Default`, with which it needs no `Ready`. A `Ready` that fails ends the guest.
///
/// A crate has one `service!` or one `#[program]`, since it is one guest. In wasm the macro writes the guest's exports; elsewhere it is a constant, `GUEST`, which
/// a host for tests runs, and tests use the type like any other.
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
    program::expand(&arguments, &main)
        .unwrap_or_else(|error| error.into_compile_error())
        .into()
}
