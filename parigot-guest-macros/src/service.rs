//! The macro `service!`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::{Path, Token, Type};

use crate::guest::{Item, Target, export, parse_lists, required_services};

/// Input of `service!`.
pub(crate) struct Service {
    implementation: Type,
    exports: Vec<Path>,
    requires: Vec<Item>,
}

impl Parse for Service {
    fn parse(input: ParseStream) -> syn::Result<Self> {
        let implementation: Type = input.parse()?;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        let end = input.span();
        let [exports, requires] = parse_lists(input, ["exports", "requires"])?;
        if exports.is_empty() {
            return Err(syn::Error::new(
                end,
                "expected `exports(…)` with the generated server of at least one service",
            ));
        }
        let exports = exports.into_iter().map(|item| match item {
            Item {
                binding: Some(name),
                ..
            } => Err(syn::Error::new_spanned(
                name,
                "only an item of `requires(…)` can have the name of a binding",
            )),
            Item {
                target: Target::Type(server),
                ..
            } => Ok(server),
            Item {
                target: Target::Name(name),
                ..
            } => Err(syn::Error::new_spanned(
                name,
                "expected the generated server of a service",
            )),
        });
        Ok(Service {
            implementation,
            exports: exports.collect::<Result<_, _>>()?,
            requires,
        })
    }
}

impl Service {
    pub(crate) fn expand(&self) -> TokenStream {
        let Service {
            implementation,
            exports,
            requires,
        } = self;
        let requires = required_services(requires);
        export(&quote! {{
            enum __Exports {}
            impl ::parigot_guest::Exports<#implementation> for __Exports {
                const ALL: &'static [::parigot_guest::Export<#implementation>] =
                    &[#(::parigot_guest::Export::new::<#exports<#implementation>>()),*];
            }
            const REQUIRES: &[::parigot_guest::Requirement] = #requires;
            use ::parigot_guest::creation::{ElseDefault as _, PreferReady as _};
            let way = (&&::parigot_guest::creation::Choice::<#implementation>::new()).way();
            ::parigot_guest::Definition::service::<#implementation, __Exports, _>(REQUIRES, way)
        }})
    }
}
