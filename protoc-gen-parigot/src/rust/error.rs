//! Traits that make an enum the errors of a service.

use proc_macro2::{Ident, Literal, Span, TokenStream};
use quote::{ToTokens, quote};

use crate::model::ErrorEnum;

pub(super) struct ErrorItems<'a>(pub(super) &'a ErrorEnum);

impl ToTokens for ErrorItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([
            self.display_impl(),
            self.error_impl(),
            self.failure_functions(),
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

    fn failure_functions(&self) -> TokenStream {
        let item = &self.0.item.in_package;
        quote! {
            impl #item {
                /// Returns a failure with this error and a message for people.
                pub fn with_message(
                    self,
                    message: impl ::core::convert::Into<::parigot_guest::alloc::string::String>,
                ) -> ::parigot_guest::Failure<Self> {
                    ::parigot_guest::Failure::from(self).with_message(message)
                }

                /// Returns a failure with this error and a message for programs.
                pub fn with_detail(
                    self,
                    detail: &impl ::parigot_guest::prost::Name,
                ) -> ::parigot_guest::Failure<Self> {
                    ::parigot_guest::Failure::from(self).with_detail(detail)
                }
            }
        }
    }

    /// Returns the function `code`, unless the default of the trait applies to all values.
    fn code_fn(&self) -> Option<TokenStream> {
        let codes = &self.0.codes;
        let arms = codes.iter().map(|code| {
            let number = Literal::i32_unsuffixed(code.number);
            let code = Ident::new(code.code.rust, Span::call_site());
            quote! { #number => ::parigot_guest::Code::#code, }
        });
        (!codes.is_empty()).then(|| {
            quote! {
                fn code(&self) -> ::parigot_guest::Code {
                    match *self as i32 {
                        #(#arms)*
                        _ => ::parigot_guest::Code::FailedPrecondition,
                    }
                }
            }
        })
    }

    fn service_error_impl(&self) -> TokenStream {
        let item = &self.0.item.in_package;
        let code = self.code_fn();
        quote! {
            impl ::parigot_guest::ErrorEnum for #item {}

            impl ::parigot_guest::ServiceError for #item {
                type Failure = ::parigot_guest::Failure<Self>;

                fn from_number(number: i32) -> ::core::option::Option<Self> {
                    <Self as ::core::convert::TryFrom<i32>>::try_from(number).ok()
                }

                fn number(&self) -> i32 {
                    *self as i32
                }

                #code
            }
        }
    }
}
