//! The macro `#[program]`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Error, ItemFn, ReturnType};

use crate::guest::{Item, export, parse_lists, required_services};

/// Arguments of `#[program]`.
pub(crate) struct Arguments {
    requires: Vec<Item>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let [requires] = parse_lists(input, ["requires"])?;
        Ok(Arguments { requires })
    }
}

pub(crate) fn expand(
    Arguments { requires }: &Arguments,
    main: &ItemFn,
) -> syn::Result<TokenStream> {
    check_signature(main)?;
    let name = &main.sig.ident;
    let requires = required_services(requires);
    let export = export(&quote! {{
        const REQUIRES: &[::parigot_guest::Requirement] = #requires;
        ::parigot_guest::Definition::program(#name, REQUIRES)
    }});
    Ok(quote! {
        #main
        #export
    })
}

fn check_signature(main: &ItemFn) -> syn::Result<()> {
    let signature = &main.sig;
    if signature.asyncness.is_none() {
        return Err(Error::new_spanned(
            signature.fn_token,
            "a program is an `async fn`",
        ));
    }
    if !signature.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &signature.generics,
            "a program has no type parameters",
        ));
    }
    if signature.inputs.len() != 1 {
        return Err(Error::new_spanned(
            &signature.ident,
            "a program takes one argument, `cx: Context`",
        ));
    }
    if matches!(signature.output, ReturnType::Default) {
        let expected = "a program returns `Result<Exit, parigot_guest::Error>`";
        return Err(Error::new_spanned(&signature.ident, expected));
    }
    Ok(())
}
