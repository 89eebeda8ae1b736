//! Traits that make an enum the errors of a service.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use crate::model::ErrorEnum;

pub(super) struct ErrorItems<'a>(pub(super) &'a ErrorEnum);

impl ToTokens for ErrorItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([
            self.display_impl(),
            self.error_impl(),
            self.service_error_impl(),
        ]);
    }
}

impl ErrorItems<'_> {
    fn display_impl(&self) -> TokenStream {
        let item = &self.0.item.in_package;
        quote! {
            impl ::core::fmt::Display for #item {
                fn fmt(&self, f: &mut ::core::fmt::Formatter<'_>) -> ::core::fmt::Result {
                    f.write_str(self.as_str_name())
                }
            }
        }
    }

    fn error_impl(&self) -> TokenStream {
        let item = &self.0.item.in_package;
        quote! { impl ::core::error::Error for #item {} }
    }

    fn service_error_impl(&self) -> TokenStream {
        let item = &self.0.item.in_package;
        quote! {
            impl ::parigot_guest::ServiceError for #item {
                fn from_number(number: i32) -> ::core::option::Option<Self> {
                    <Self as ::core::convert::TryFrom<i32>>::try_from(number).ok()
                }

                fn number(&self) -> i32 {
                    *self as i32
                }
            }
        }
    }
}
