//! What both macros share: lists of types, and the export.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, Path, Token};

/// `exports(KitchenServer, AdminServer)`.
pub(crate) struct List {
    pub(crate) name: Ident,
    pub(crate) paths: Vec<Path>,
}

impl Parse for List {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        let content;
        syn::parenthesized!(content in input);
        let paths = Punctuated::<Path, Token![,]>::parse_terminated_with(&content, Path::parse_mod_style)?;
        let paths: Vec<_> = paths.into_iter().collect();
        refuse_duplicates(&paths)?;
        Ok(List { name, paths })
    }
}

fn refuse_duplicates(paths: &[Path]) -> syn::Result<()> {
    let texts: Vec<String> = paths.iter().map(|path| path.to_token_stream().to_string()).collect();
    match (1..paths.len()).find(|at| texts[..*at].contains(&texts[*at])) {
        Some(at) => Err(syn::Error::new_spanned(&paths[at], "it is listed before")),
        None => Ok(()),
    }
}

/// The lists, each at most once and of these names, in any order.
pub(crate) fn parse_lists<const N: usize>(input: ParseStream, names: [&str; N]) -> syn::Result<[Vec<Path>; N]> {
    let mut lists = [const { None }; N];
    for list in Punctuated::<List, Token![,]>::parse_terminated(input)? {
        let place = names.iter().position(|name| list.name == name).ok_or_else(|| {
            let expected = names.map(|name| format!("`{name}(…)`")).join(" or ");
            syn::Error::new(list.name.span(), format!("expected {expected}, found `{}`", list.name))
        })?;
        if lists[place].replace(list.paths).is_some() {
            return Err(syn::Error::new(list.name.span(), format!("`{}` stands here twice", list.name)));
        }
    }
    Ok(lists.map(Option::unwrap_or_default))
}

/// The static tables of the services that these clients call.
pub(crate) fn required_services(clients: &[Path]) -> TokenStream {
    quote!(&[#(<#clients as ::parigot_guest::Client>::SERVICE),*])
}

/// The export of a guest, given the expression that defines it.
pub(crate) fn export(definition: &TokenStream) -> TokenStream {
    quote! {
        const _: () = {
            ::parigot_guest::__export!(|| #definition);
        };
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::{program, service};

    /// What `service!` says of its input.
    fn check_service(input: proc_macro2::TokenStream, expected: &str) {
        let error = syn::parse2::<service::Service>(input).map(|_| ()).expect_err("a mistake");
        assert_eq!(error.to_string(), expected);
    }

    /// What `program` says of its arguments and its function.
    fn check_program(
        arguments: proc_macro2::TokenStream,
        main: proc_macro2::TokenStream,
        expected: Result<(), &'static str>,
    ) {
        let result = syn::parse2(arguments)
            .and_then(|arguments| program::expand(&arguments, &syn::parse2(main)?))
            .map(|_| ())
            .map_err(|error| error.to_string());
        assert_eq!(result, expected.map_err(String::from));
    }

    #[test]
    fn a_service_exports_something_and_each_thing_once() {
        check_service(quote!(S), "expected `exports(…)` with the generated server of at least one service");
        check_service(quote!(S, exports()), "expected `exports(…)` with the generated server of at least one service");
        check_service(quote!(S, exports(A, b::A, A)), "it is listed before");
        check_service(quote!(S, exports(A), exports(B)), "`exports` stands here twice");
        check_service(quote!(S, provides(A)), "expected `exports(…)` or `requires(…)`, found `provides`");
        assert!(syn::parse2::<service::Service>(quote!(S, requires(C), exports(a::A, B,),)).is_ok());
    }

    #[test]
    fn a_program_is_an_async_function_of_a_context() {
        let main = quote!(
            async fn main(cx: Context) -> Result<Exit, Error> {
                loop {}
            }
        );
        check_program(quote!(), main.clone(), Ok(()));
        check_program(quote!(requires(a::A, B)), main.clone(), Ok(()));
        check_program(quote!(exports(A)), main, Err("expected `requires(…)`, found `exports`"));
        let check = |main, expected| check_program(quote!(), main, Err(expected));
        check(
            quote!(
                fn main(cx: Context) -> R {}
            ),
            "a program is an `async fn`",
        );
        check(
            quote!(
                async fn main<T>(cx: Context) -> R {}
            ),
            "a program has no type parameters",
        );
        check(
            quote!(
                async fn main() -> R {}
            ),
            "a program takes one argument, `cx: Context`",
        );
        check(
            quote!(
                async fn main(cx: Context) {}
            ),
            "a program returns `Result<Exit, parigot_guest::Error>`",
        );
    }
}
