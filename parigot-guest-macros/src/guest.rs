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
