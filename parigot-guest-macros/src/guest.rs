//! Parts of both macros: lists of types, and the export of a guest.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Ident, LitStr, Path, Token};

/// A list like `requires(GreetingClient, "store.v1.Store")`.
pub(crate) struct List {
    pub(crate) name: Ident,
    pub(crate) items: Vec<Item>,
}

/// An item of a list: `GreetingClient`, or `KvClient as "cache"` in `requires`.
pub(crate) struct Item {
    pub(crate) target: Target,
    pub(crate) binding: Option<LitStr>,
}

/// The service that an item names.
pub(crate) enum Target {
    /// A generated type.
    Type(Path),
    /// A service by its full name.
    Name(LitStr),
}

impl Parse for Item {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let target = if input.peek(LitStr) {
            Target::Name(input.parse()?)
        } else {
            Target::Type(Path::parse_mod_style(input)?)
        };
        let binding = if input.peek(Token![as]) {
            input.parse::<Token![as]>()?;
            let name: LitStr = input.parse()?;
            if name.value().is_empty() {
                return Err(syn::Error::new(
                    name.span(),
                    "the name of a binding is empty",
                ));
            }
            Some(name)
        } else {
            None
        };
        Ok(Item { target, binding })
    }
}

impl ToTokens for Item {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        match &self.target {
            Target::Type(path) => path.to_tokens(tokens),
            Target::Name(name) => name.to_tokens(tokens),
        }
        if let Some(name) = &self.binding {
            tokens.extend(quote!(as #name));
        }
    }
}

impl Parse for List {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let name: Ident = input.parse()?;
        let content;
        syn::parenthesized!(content in input);
        let items: Vec<Item> = Punctuated::<Item, Token![,]>::parse_terminated(&content)?
            .into_iter()
            .collect();
        refuse_duplicates(&items)?;
        Ok(List { name, items })
    }
}

fn refuse_duplicates(items: &[Item]) -> syn::Result<()> {
    let texts: Vec<String> = items
        .iter()
        .map(|item| item.to_token_stream().to_string())
        .collect();
    match (1..items.len()).find(|at| texts[..*at].contains(&texts[*at])) {
        Some(at) => Err(syn::Error::new_spanned(
            &items[at],
            "this item is listed twice",
        )),
        None => Ok(()),
    }
}

/// Parses lists with these names, each at most once, in any order.
pub(crate) fn parse_lists<const N: usize>(
    input: ParseStream,
    names: [&str; N],
) -> syn::Result<[Vec<Item>; N]> {
    let mut lists = [const { None }; N];
    for list in Punctuated::<List, Token![,]>::parse_terminated(input)? {
        let place = names
            .iter()
            .position(|name| list.name == name)
            .ok_or_else(|| {
                let expected = names.map(|name| format!("`{name}(…)`")).join(" or ");
                syn::Error::new(
                    list.name.span(),
                    format!("expected {expected}, found `{}`", list.name),
                )
            })?;
        if lists[place].replace(list.items).is_some() {
            return Err(syn::Error::new(
                list.name.span(),
                format!("`{}` is given twice", list.name),
            ));
        }
    }
    Ok(lists.map(Option::unwrap_or_default))
}

/// Returns the requirements of the services of these clients, or with these names.
pub(crate) fn required_services(required: &[Item]) -> TokenStream {
    let requirements = required.iter().map(|item| {
        let service = match &item.target {
            Target::Type(client) => quote!(<#client as ::parigot_guest::Client>::SERVICE),
            Target::Name(name) => quote!(&::parigot_guest::Service::named(#name)),
        };
        match &item.binding {
            Some(name) => quote!(::parigot_guest::Requirement::named(#service, #name)),
            None => quote!(::parigot_guest::Requirement::new(#service)),
        }
    });
    quote!(&[#(#requirements),*])
}

/// Returns the export of the guest that this expression defines.
pub(crate) fn export(definition: &TokenStream) -> TokenStream {
    quote!(::parigot_guest::__export!(|| #definition);)
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::{program, service};

    /// Compares the error of `service!` for this input.
    fn check_service(input: proc_macro2::TokenStream, expected: &str) {
        let error = syn::parse2::<service::Service>(input)
            .map(|_| ())
            .expect_err("the input must be invalid");
        assert_eq!(error.to_string(), expected);
    }

    /// Compares the result of `#[program]` for these arguments and this function.
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
    fn a_service_exports_each_server_once() {
        check_service(
            quote!(S),
            "expected `exports(…)` with the generated server of at least one service",
        );
        check_service(
            quote!(S, exports()),
            "expected `exports(…)` with the generated server of at least one service",
        );
        check_service(quote!(S, exports(A, b::A, A)), "this item is listed twice");
        check_service(
            quote!(S, exports(A), exports(B)),
            "`exports` is given twice",
        );
        check_service(
            quote!(S, provides(A)),
            "expected `exports(…)` or `requires(…)`, found `provides`",
        );
        check_service(
            quote!(S, exports("a.A")),
            "expected the generated server of a service",
        );
        check_service(
            quote!(S, exports(A as "a")),
            "only an item of `requires(…)` can have the name of a binding",
        );
        check_service(
            quote!(S, exports(A), requires(C as "")),
            "the name of a binding is empty",
        );
        check_service(
            quote!(S, exports(A), requires(C as "a", C as "a")),
            "this item is listed twice",
        );
        assert!(
            syn::parse2::<service::Service>(quote!(S, requires(C, "a.v1.A"), exports(a::A, B,),))
                .is_ok()
        );
        let named = quote!(S, exports(A), requires(C, C as "a", C as "b", "c.C" as "c"));
        assert!(syn::parse2::<service::Service>(named).is_ok());
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
        check_program(
            quote!(exports(A)),
            main,
            Err("expected `requires(…)`, found `exports`"),
        );
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
