//! The client of a service.

use proc_macro2::TokenStream;
use quote::{ToTokens, quote};

use super::attributes::{Docs, deprecated};
use super::print::insertion_point;
use crate::model::{Method, Service};

pub(super) struct ClientItems<'a>(pub(super) &'a Service);

impl ToTokens for ClientItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([
            self.client_struct(),
            self.client_trait_impl(),
            self.client_impl(),
        ]);
    }
}

impl ClientItems<'_> {
    fn client_struct(&self) -> TokenStream {
        let doc = format!(" Calls `{}`; cheap to clone.", self.0.contract.full_name);
        let client = &self.0.name.client;
        quote! {
            #[doc = #doc]
            #[derive(Clone)]
            pub struct #client {
                channel: ::parigot_guest::Channel,
            }
        }
    }

    fn client_trait_impl(&self) -> TokenStream {
        let client = &self.0.name.client;
        let module = &self.0.name.module;
        quote! {
            impl ::parigot_guest::Client for #client {
                const SERVICE: &'static ::parigot_guest::Service = &#module::SERVICE;

                fn from_channel(channel: ::parigot_guest::Channel) -> Self {
                    Self { channel }
                }

                fn channel(&self) -> &::parigot_guest::Channel {
                    &self.channel
                }
            }
        }
    }

    fn client_impl(&self) -> TokenStream {
        let client = &self.0.name.client;
        let locate = self.locate_fn();
        let insertions = insertion_point(&format!("client:{}", self.0.contract.full_name));
        let methods = self
            .0
            .methods
            .iter()
            .map(|method| self.client_method(method));
        quote! {
            impl #client {
                #locate
                #(#methods)*
                #insertions
            }
        }
    }

    fn locate_fn(&self) -> TokenStream {
        let Service { contract, name, .. } = self.0;
        let doc = format!(
            " Finds `{}`, which the guest must require.",
            contract.full_name
        );
        let named_doc = format!(
            " Finds `{}` by the name of a binding, which the guest must require:",
            contract.full_name
        );
        let module = &name.module;
        let deprecated = deprecated(contract.deprecated);
        quote! {
            #[doc = #doc]
            ///
            /// # Errors
            ///
            /// Returns an error if the guest does not require the service.
            #deprecated
            pub fn locate(
                cx: &::parigot_guest::Context,
            ) -> ::core::result::Result<Self, ::parigot_guest::LocateError> {
                ::parigot_guest::Channel::locate(cx, &#module::SERVICE)
                    .map(|channel| Self { channel })
            }

            #[doc = #named_doc]
            /// `requires(… as "name")`.
            ///
            /// # Errors
            ///
            /// Returns an error if the guest does not require the service under this name.
            #deprecated
            pub fn locate_named(
                cx: &::parigot_guest::Context,
                binding: &str,
            ) -> ::core::result::Result<Self, ::parigot_guest::LocateError> {
                ::parigot_guest::Channel::locate_named(cx, &#module::SERVICE, binding)
                    .map(|channel| Self { channel })
            }
        }
    }

    fn client_method(
        &self,
        Method {
            rpc, name, request, ..
        }: &Method,
    ) -> TokenStream {
        let docs = Docs(&rpc.docs, format!("Calls `{}`.", rpc.proto));
        let module = &self.0.name.module;
        let deprecated = deprecated(rpc.deprecated);
        let function = &name.function;
        let item = &name.item;
        let method = quote! { #module::#item };
        let request = &request.in_package;
        let request = (!rpc.streams_requests).then(|| quote! { , request: #request });
        let (call, body) = match (rpc.streams_requests, rpc.streams_responses) {
            (false, false) => (
                quote! { ::parigot_guest::Call<#method> },
                quote! { self.channel.call(request) },
            ),
            (false, true) => (
                quote! { ::parigot_guest::ResponseStream<#method> },
                quote! { self.channel.server_stream(request) },
            ),
            (true, false) => (
                quote! { ::parigot_guest::ClientStream<#method> },
                quote! { self.channel.client_stream() },
            ),
            (true, true) => (
                quote! {
                    (
                        ::parigot_guest::RequestSink<#method>,
                        ::parigot_guest::ResponseStream<#method>,
                    )
                },
                quote! { self.channel.bidi_stream() },
            ),
        };
        quote! {
            #docs
            #deprecated
            pub fn #function(&self #request) -> #call {
                #body
            }
        }
    }
}
