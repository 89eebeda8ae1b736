//! The trait that a service implements, and the adapter to the event loop.

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, quote};

use super::attributes::Docs;
use crate::model::{Contract, Method, Rpc, Service};

pub(super) struct ServerItems<'a>(pub(super) &'a Service);

impl ToTokens for ServerItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        tokens.extend([
            self.service_trait(),
            self.server_struct(),
            self.server_impl(),
        ]);
    }
}

impl ServerItems<'_> {
    fn service_trait(&self) -> TokenStream {
        let Service {
            contract:
                Contract {
                    full_name,
                    docs,
                    left_out,
                    ..
                },
            name,
            methods,
            ..
        } = self.0;
        let docs = Docs(
            docs,
            format!("Implemented by a guest that exports `{full_name}`."),
        );
        let left_out = left_out_docs(left_out);
        let name = &name.item;
        let functions = methods.iter().map(|method| self.trait_function(method));
        quote! {
            #docs
            #left_out
            pub trait #name: 'static {
                #(#functions)*
            }
        }
    }

    fn trait_function(
        &self,
        Method {
            rpc,
            name,
            request,
            response,
        }: &Method,
    ) -> TokenStream {
        let docs = Docs(&rpc.docs, format!("Answers `{}`.", rpc.proto));
        let name = &name.function;
        let request = &request.in_package;
        let response = &response.in_package;
        let error = &self.0.error.in_package;
        let error = match self.0.contract.error {
            Some(_) => quote! { ::parigot_guest::Failure<#error> },
            None => quote! { #error },
        };
        let requests = if rpc.streams_requests {
            quote! { requests: &mut ::parigot_guest::Requests<#request> }
        } else {
            quote! { request: #request }
        };
        let (responses, output) = if rpc.streams_responses {
            let sink = quote! { responses: &mut ::parigot_guest::Responses<#response>, };
            (Some(sink), quote! { () })
        } else {
            (None, quote! { #response })
        };
        quote! {
            #docs
            fn #name(
                &self,
                cx: &::parigot_guest::Context,
                #requests,
                #responses
            ) -> impl ::core::future::Future<Output = ::core::result::Result<#output, #error>>;
        }
    }

    fn server_struct(&self) -> TokenStream {
        let name = &self.0.name;
        let doc = format!(
            " Connects an implementation of [`{}`] to the event loop.",
            name.item
        );
        let server = &name.server;
        quote! {
            #[doc = #doc]
            pub struct #server<S>(::core::marker::PhantomData<fn() -> S>);
        }
    }

    fn server_impl(&self) -> TokenStream {
        let name = &self.0.name;
        let item = &name.item;
        let module = &name.module;
        let server = &name.server;
        let dispatch = self.dispatch_fn();
        // A service may be named `S`: `self::S` is the trait, not the type parameter.
        quote! {
            impl<S: self::#item> ::parigot_guest::Server<S> for #server<S> {
                const SERVICE: &'static ::parigot_guest::Service = &#module::SERVICE;

                #dispatch
            }
        }
    }

    fn dispatch_fn(&self) -> TokenStream {
        let Service { name, methods, .. } = self.0;
        if methods.is_empty() {
            return quote! {
                fn dispatch(
                    _: &::parigot_guest::alloc::rc::Rc<S>,
                    call: ::parigot_guest::Incoming,
                ) {
                    call.unimplemented()
                }
            };
        }
        let module = &name.module;
        let arms = methods.iter().map(|method| {
            let index = Literal::u32_unsuffixed(method.rpc.index);
            let item = &method.name.item;
            let serve = match (method.rpc.streams_requests, method.rpc.streams_responses) {
                (false, false) => quote! { serve },
                (false, true) => quote! { serve_server_stream },
                (true, false) => quote! { serve_client_stream },
                (true, true) => quote! { serve_bidi_stream },
            };
            quote! { #index => call.#serve::<#module::#item, S>(service), }
        });
        quote! {
            fn dispatch(
                service: &::parigot_guest::alloc::rc::Rc<S>,
                call: ::parigot_guest::Incoming,
            ) {
                match call.method() {
                    #(#arms)*
                    _ => call.unimplemented(),
                }
            }
        }
    }
}

/// Returns the documentation that lists methods left out.
fn left_out_docs(methods: &[Rpc]) -> Option<TokenStream> {
    let names: Vec<_> = methods
        .iter()
        .map(|rpc| format!("`{}`", rpc.proto))
        .collect();
    let doc = format!(
        " Methods left out because they stream: {}.",
        names.join(", ")
    );
    (!names.is_empty()).then(|| quote! { #[doc = ""] #[doc = #doc] })
}
