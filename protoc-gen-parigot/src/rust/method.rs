//! The module of a service: the table of the service, and one type for each method.

use std::time::Duration;

use proc_macro2::{Literal, TokenStream};
use quote::{ToTokens, format_ident, quote};

use super::print::insertion_point;
use crate::model::{Contract, Idempotency, Method, Rpc, Service};

pub(super) struct MethodItems<'a>(pub(super) &'a Service);

impl ToTokens for MethodItems<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let doc = format!(
            " The methods of `{}` on the wire.",
            self.0.contract.full_name
        );
        let module = &self.0.name.module;
        let table = self.service_table();
        let insertions = insertion_point(&format!("methods:{}", self.0.contract.full_name));
        let methods = self.0.methods.iter().map(|method| {
            let items = [
                method_struct(method),
                self.method_impl(method),
                self.serve_impl(method),
            ];
            quote! { #(#items)* }
        });
        tokens.extend(quote! {
            #[doc = #doc]
            pub mod #module {
                #table
                #(#methods)*
                #insertions
            }
        });
    }
}

impl MethodItems<'_> {
    fn service_table(&self) -> TokenStream {
        let Service {
            contract: Contract {
                full_name, schema, ..
            },
            methods,
            ..
        } = self.0;
        let schema: Literal = format!("{schema:#018x}")
            .parse()
            .expect("a hexadecimal number is a literal");
        let methods = methods.iter().map(|method| method_info(&method.rpc));
        let descriptors = format_ident!("__descriptors");
        quote! {
            /// Name, schema and methods, which host and guest must agree on.
            pub static SERVICE: ::parigot_guest::Service = ::parigot_guest::Service {
                name: #full_name,
                schema: #schema,
                methods: &[#(#methods),*],
                descriptors: &super::#descriptors::FILES,
            };
        }
    }

    fn method_impl(
        &self,
        Method {
            rpc,
            name,
            request,
            response,
        }: &Method,
    ) -> TokenStream {
        let item = &name.item;
        let index = Literal::u32_unsuffixed(rpc.index);
        let request = &request.in_service;
        let response = &response.in_service;
        let error = &self.0.error.in_service;
        quote! {
            impl ::parigot_guest::Method for #item {
                type Request = #request;
                type Response = #response;
                type Error = #error;
                const SERVICE: &'static ::parigot_guest::Service = &SERVICE;
                const INDEX: u32 = #index;
            }
        }
    }

    /// Implements the trait that calls the user's function.
    fn serve_impl(&self, Method { rpc, name, .. }: &Method) -> TokenStream {
        let service = &self.0.name.item;
        let item = &name.item;
        let function = &name.function;
        let serve = match (rpc.streams_requests, rpc.streams_responses) {
            (false, false) => quote! { Serve },
            (false, true) => quote! { ServeServerStream },
            (true, false) => quote! { ServeClientStream },
            (true, true) => quote! { ServeBidiStream },
        };
        let mut parameters = Vec::new();
        let mut arguments = Vec::new();
        if rpc.streams_requests {
            parameters.push(quote! { requests: &mut ::parigot_guest::Requests<Self::Request> });
            arguments.push(quote! { requests });
        } else {
            parameters.push(quote! { request: Self::Request });
            arguments.push(quote! { request });
        }
        let mut output = quote! { Self::Response };
        if rpc.streams_responses {
            parameters.push(quote! { responses: &mut ::parigot_guest::Responses<Self::Response> });
            arguments.push(quote! { responses });
            output = quote! { () };
        }
        // A method may be named `S`: `self::S` is the method, not the type parameter.
        quote! {
            impl<S: super::#service> ::parigot_guest::#serve<S> for self::#item {
                fn serve(
                    service: &S,
                    cx: &::parigot_guest::Context,
                    #(#parameters,)*
                ) -> impl ::core::future::Future<
                    Output = ::core::result::Result<
                        #output,
                        <Self::Error as ::parigot_guest::ServiceError>::Failure,
                    >,
                > {
                    super::#service::#function(service, cx, #(#arguments),*)
                }
            }
        }
    }
}

/// Returns the entry of a method in the table, with its options.
fn method_info(
    Rpc {
        proto,
        budget,
        deadline,
        idempotency,
        streams_requests,
        streams_responses,
        ..
    }: &Rpc,
) -> TokenStream {
    let budget = duration(*budget).map(|budget| quote! { .with_budget(#budget) });
    let deadline = duration(*deadline).map(|deadline| quote! { .with_deadline(#deadline) });
    let idempotency = match idempotency {
        Idempotency::Unknown => None,
        Idempotency::NoSideEffects => Some(quote! { .without_side_effects() }),
        Idempotency::Idempotent => Some(quote! { .idempotent() }),
    };
    let requests = streams_requests.then(|| quote! { .streaming_requests() });
    let responses = streams_responses.then(|| quote! { .streaming_responses() });
    quote! {
        ::parigot_guest::MethodInfo::new(#proto)
            #requests #responses #budget #deadline #idempotency
    }
}

/// Returns a duration in milliseconds, or `None` for zero.
fn duration(duration: Duration) -> Option<TokenStream> {
    let ms = u64::try_from(duration.as_millis())
        .ok()
        .filter(|ms| *ms > 0)
        .map(Literal::u64_unsuffixed)?;
    Some(quote! { ::core::time::Duration::from_millis(#ms) })
}

fn method_struct(Method { rpc, name, .. }: &Method) -> TokenStream {
    let doc = format!(" The method `{}` on the wire.", rpc.proto);
    let item = &name.item;
    quote! {
        #[doc = #doc]
        pub struct #item;
    }
}
